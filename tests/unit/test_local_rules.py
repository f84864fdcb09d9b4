"""`python -m local rules check`: mistakes with their line, what changes, what becomes of texts, and exit codes."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from aftersend.classify import load
from aftersend.core.errors import ConfigurationError
from local import rules
from local.__main__ import _parser, main
from local.wordings import list_files, read_file
from tests.support.template import ROOT

MINE = """\
# Ours.
[[rule]]
id = "parked"
when.text = ["mailbox * parked"]
then.reason = "mailbox_disabled"
example = ["550 mailbox is parked"]
not = ["550 no parking"]

[[rule]]
id = "second"
when.text = '''
full moon
'''
then = { reason = "expired" }
"""
FULL = """\
[[rule]]
id = "full"
when.text = ["mailbox * full"]
then.reason = "mailbox_disabled"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(document: str) -> rules.Report:
    """What is found of a document."""
    return rules.check("mine.toml", document.encode())


def mistakes(document: str) -> list[tuple[str | None, str | None, int | None]]:
    """Rule, field and line of each mistake."""
    return [(each.rule, each.field, each.line) for each in checked(document).mistakes]


# -- Mistakes ----------------------------------------------------------------------------------------------------------


def test_rules_without_a_mistake() -> None:
    report = checked(MINE)
    assert (report.loads, report.rules, report.examples, report.mistakes) == (True, 2, 2, [])


@pytest.mark.parametrize(
    ("old", "new", "rule", "field", "line"),
    [
        ('id = "parked"', 'id = "my rule"', "'my rule'", "id", 3),
        ('id = "parked"', "", "number 1", "id", 2),
        ('id = "second"', 'id = "parked"', "parked", "id", 10),
        ("when.text = [", "when.colour = [", "parked", "when.colour", 4),
        ("when.text = [", 'when.code = ["5xx"]\nwhen.text = [', "parked", "when.code", 4),
        ("when.text = [", 'when.phase = ["moon"]\nwhen.text = [', "parked", "when.phase", 4),
        ('when.text = ["mailbox * parked"]', "when = {}", "parked", "when", 4),
        ('["mailbox * parked"]', "[]", "parked", "when.text", 4),
        ('["mailbox * parked"]', '[\n  "mailbox * parked",\n  "...",\n]', "parked", "when.text", 6),
        ("full moon", "full moon\n# text = 1\na*", "second", "when.text", 14),
        ('{ reason = "expired" }', '{ reason = "late" }', "second", "then.reason", 14),
        ('{ reason = "expired" }', '{ class = "soft" }', "second", "then.reason", 14),
        ("then = {", "note = 1\nthen = {", "second", "note", 14),
        ('example = ["550 mailbox is parked"]', 'example = ["550 mailbox is here"]', "parked", "example", 6),
        ('not = ["550 no parking"]', 'not = [\n"550 mailbox was parked"]', "parked", "not", 8),
    ],
)
def test_a_mistake_has_its_rule_its_field_and_its_line(old: str, new: str, rule: str, field: str, line: int) -> None:
    assert MINE.count(old) == 1
    assert mistakes(MINE.replace(old, new)) == [(rule, field, line)]


def test_a_mistake_of_toml_has_its_line() -> None:
    (mistake,) = checked(MINE.replace("then = {", "then = (")).mistakes
    assert mistake.line == 14
    assert mistake.message.startswith("rules: not TOML: ")


def test_a_mistake_of_the_whole_document_has_no_line() -> None:
    (mistake,) = checked(MINE.replace("[[rule]]", "[[rules]]")).mistakes
    assert (mistake.message, mistake.line) == (
        "rules: unknown key 'rules': only [[rule]] and [smsc.NAME] tables are known",
        None,
    )


def test_what_is_not_utf_8_has_its_line() -> None:
    (mistake,) = rules.check("mine.toml", b"# one\n# \xff\n").mistakes
    assert (mistake.message, mistake.line) == ("not UTF-8: invalid start byte", 2)


@pytest.mark.parametrize(
    "document",
    [
        'rule = [{ id = "one", when = { code = "5xx" }, then = { reason = "expired" } }]',
        MINE.replace('"expired"', '"late"').replace("full moon", "full moon\n[[rule]]"),
    ],
    ids=["no header", "a header in a text"],
)
def test_a_line_that_is_not_known_is_not_guessed(document: str) -> None:
    (mistake,) = checked(document).mistakes
    assert mistake.rule
    assert mistake.line is None


def test_a_mistake_says_what_a_stack_would_say() -> None:
    document = MINE.replace('"expired"', '"late"')
    with pytest.raises(ConfigurationError) as raised:
        load(document)
    assert [mistake.message for mistake in checked(document).mistakes] == [str(raised.value)]


# -- Examples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        'source = ["ses"]',
        'kind = ["deferred"]',
        'phase = ["data"]',
        'code = ["550"]',
        'code = ["4"]',
        'status = ["x.7.*"]',
        'provider_code = ["Permanent/General"]',
        'domain = ["corp.example"]',
    ],
)
def test_an_example_comes_as_its_rule_wants_it(condition: str) -> None:
    document = MINE.replace("when.text = [", f"when.{condition}\nwhen.text = [").replace("550 ", "")
    assert mistakes(document) == []


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ('code = ["451"]', "550 mailbox is parked"),
        ('status = ["4.2.1"]', "5.2.1 mailbox is parked"),
        ('phase = ["data"]', "mailbox is parked (in reply to RCPT TO command)"),
    ],
)
def test_what_the_text_of_an_example_says_is_believed(condition: str, text: str) -> None:
    document = MINE.replace("when.text = [", f"when.{condition}\nwhen.text = [").replace("550 mailbox is parked", text)
    assert mistakes(document) == [("parked", "example", 7)]


# -- What changes ------------------------------------------------------------------------------------------------------


def test_wordings_whose_verdict_changes_are_shown_as_they_were_and_will_be() -> None:
    report = checked(FULL)
    assert report.wordings == sum(1 for path in list_files() for _ in read_file(path))
    assert report.decided >= len(report.changes) > 10
    for change in report.changes:
        assert (change.after["reason"], change.after["rule"]) == ("mailbox_disabled", "user:full")
        assert change.before["rule"] != "user:full"
        assert (change.before["reason"], change.before["class"]) != (change.after["reason"], change.after["class"])
    (one,) = [change for change in report.changes if change.text.startswith("552 5.2.2 casella piena")]
    assert re.fullmatch(r"providers-europe\.tsv:\d+", one.wording)
    assert one.before == {"class": "soft", "reason": "mailbox_full", "rule": "mailbox.full"}
    assert one.after == {"class": "hard", "reason": "mailbox_disabled", "rule": "user:full"}


def test_a_rule_that_says_the_same_changes_nothing() -> None:
    report = checked(FULL.replace("mailbox_disabled", "mailbox_full"))
    changed = {change.before["reason"] for change in report.changes}
    assert "mailbox_full" not in changed
    assert report.decided > len(report.changes)


def test_where_there_are_no_wordings_the_file_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "list_files", list)
    report = checked(MINE)
    assert (report.loads, report.wordings, report.changes) == (True, 0, [])


# -- The command -------------------------------------------------------------------------------------------------------


def write(path: Path, *rows: dict[str, Any] | str) -> None:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def test_it_shows_a_person_what_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(FULL)
    write(Path("texts.jsonl"), {"id": 1, "text": "552 mailbox is full"}, {"id": "b", "text": "550 user unknown"})
    assert main(["rules", "check", "mine.toml", "--texts", "texts.jsonl"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    first, second, *changes = output.out.splitlines()
    assert first == "mine.toml: 1 rules, 0 examples"
    assert re.fullmatch(r"\d+ wordings: \d+ decided by these rules, \d+ verdicts change", second)
    assert "mailbox_full/soft (mailbox.full) → mailbox_disabled/hard (user:full)" in changes[0]
    assert changes[-3:] == [
        "2 texts:",
        "  1  mailbox_full/soft (mailbox.full) → mailbox_disabled/hard (user:full)",
        '  "b"  user_unknown/hard (address.unknown)',
    ]


def test_a_program_gets_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(FULL)
    write(Path("texts.jsonl"), {"id": 1, "text": "552 mailbox is full"}, {"id": "b", "text": "550 user unknown"})
    assert main(["rules", "check", "mine.toml", "--texts", "texts.jsonl", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["file"], output["loads"], output["rules"], output["mistakes"]) == ("mine.toml", True, 1, [])
    assert output["changes"][0].keys() == {"wording", "text", "before", "after"}
    full, unknown = output["texts"]
    assert full.keys() == {"id", "class", "reason", "rule", "advice", "before"}
    assert (full["rule"], full["before"]["rule"]) == ("user:full", "mailbox.full")
    assert (unknown["rule"], unknown["before"]) == ("address.unknown", None)


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_file_that_does_not_load(folder: Path, json_: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(MINE.replace('"expired"', '"late"'))
    assert main(["rules", "check", "mine.toml", *json_]) == 1
    output = capsys.readouterr()
    assert output.err.startswith("mine.toml:14: rule second: Invalid enum value 'late'")
    assert output.err.count("\n") == 1
    if json_:
        found = json.loads(output.out)
        assert not found["loads"]
        assert [(each["rule"], each["line"]) for each in found["mistakes"]] == [("second", 14)]
    else:
        assert output.out == ""


def test_an_example_that_is_not_decided(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(MINE.replace("550 mailbox is parked", "550 user unknown"))
    assert main(["rules", "check", "mine.toml"]) == 1
    wanted = "mine.toml:6: rule parked: example: decided by user_unknown/hard (address.unknown): 550 user unknown\n"
    assert capsys.readouterr().err == wanted


def test_a_line_of_texts_that_cannot_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(FULL)
    write(Path("texts.jsonl"), {"id": 1}, "{broken")
    assert main(["rules", "check", "mine.toml", "--texts", "texts.jsonl"]) == 1
    assert capsys.readouterr().err.startswith("texts.jsonl: line 2: not a JSON object: ")


def test_a_file_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", "mine.toml"]) == 1
    assert capsys.readouterr().err == "mine.toml: No such file or directory\n"


@pytest.mark.parametrize("arguments", [["rules"], ["rules", "check"], ["rules", "try", "mine.toml"]])
def test_a_command_line_that_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


# -- The page ----------------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "rules.md").read_text()


@pytest.mark.parametrize("document", re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_an_example_of_the_page_is_right(document: str) -> None:
    report = checked(document)
    assert report.rules
    assert report.mistakes == []


@pytest.mark.parametrize("command", re.findall(r"^python -m local (.+)$", PAGE, re.MULTILINE))
def test_a_command_of_the_page_is_one(command: str) -> None:
    options = _parser().parse_args(shlex.split(command))
    assert options.command == command.split(maxsplit=1)[0]
