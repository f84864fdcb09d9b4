"""docs/mapping.md: its example is a mapping that makes of its body what the page says, and every field stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from aftersend.core.model import Kind
from aftersend.sources.mapping.compiled import load
from aftersend.sources.mapping.document import IGNORE, KINDS, MappingDocument
from local import __main__ as command_line
from tests.support.template import ROOT

PAGE: Final = (ROOT / "docs" / "mapping.md").read_text()
(BODY,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE, CASE, RULE = (re.sub(r"(?m)^   ", "", each) for each in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))


def run(capture: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code of `mapping check`, the facts that it printed, and what it said beside them."""
    code = command_line.main(["mapping", "check", *arguments])
    printed = capture.readouterr()
    return code, [json.loads(line) for line in printed.out.splitlines() if line.startswith("{")], printed.err


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "acme.toml"
    path.write_text(EXAMPLE)
    return path


def test_the_example_makes_of_its_body_what_the_page_says(
    example: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bounced.json").write_text(BODY)
    code, (fact,), beside = run(capfd, str(example), str(tmp_path / "bounced.json"))
    assert code == 0
    assert (fact["kind"], fact["message"], fact["recipient"]) == ("bounced", "acme:msg_0042", "email:bob@example.net")
    assert fact["evidence"] == {"code": 452, "provider_code": "message.bounced/mailbox-full"}
    assert fact["context"]["correlation"] == {"tags": "spring"}
    verdict = {name: fact["verdict"][name] for name in ("class", "reason", "rule")}
    assert verdict == {"class": "soft", "reason": "mailbox_full", "rule": "acme.provider-codes-1-mailbox_full"}
    assert "1 events, 1 facts" in beside
    assert "fields not found: text" in beside


def test_what_a_body_lacks_is_said(example: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = json.loads(BODY)
    body["event"], body["data"]["to"] = "message.thawed", None
    del body["created_at"]
    (tmp_path / "a.json").write_text(json.dumps(body))
    (tmp_path / "b.json").write_text("[7]")
    code, facts, beside = run(capfd, str(example), str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert (code, [fact["kind"] for fact in facts]) == (1, ["unknown"])
    for said in ("words unknown: message.thawed", "without a time", "without a recipient", "does not say what it is"):
        assert said in beside


def test_a_mistake_is_named_by_its_field(example: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, str(example))[0] == 0
    example.write_text(EXAMPLE.replace('"mailbox_full"', '"mailbox_fool"'))
    code, _, said = run(capfd, str(example))
    assert code == 1
    assert "reasons.mailbox-full: Invalid enum value 'mailbox_fool'" in said
    assert "`reasons.mailbox-full: Invalid enum value 'mailbox_fool'`" in PAGE
    example.write_bytes(b"\xff")
    assert run(capfd, str(example))[0] == 1


def test_case_and_rule_are_of_a_mapping() -> None:
    mapping = load(EXAMPLE.replace("[words]", CASE + "\n[words]", 1) + RULE)
    assert [rule.id for rule in mapping.vocabulary.rules] == ["out-of-stamps"]
    assert mapping.cases[0].words == ("held", "queued")
    assert mapping.cases[0].meaning.kind is Kind.REJECTED


def test_every_kind_stands_on_the_page() -> None:
    words = PAGE[PAGE.index("## Words") :]
    assert {*re.findall(r"`([a-z_]+)`", words)} >= {*KINDS, IGNORE}


def test_every_field_stands_on_the_page() -> None:
    shown = {*re.findall(r"`\.?([a-z_.]+)", PAGE)} | {*re.findall(r"(?m)^ *([a-z_]+) =", PAGE)}
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(MappingDocument)}
    tables = {
        name: kind for name, kind in fields.items() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    }
    others = fields.keys() - tables.keys() - {"words", "case", "correlation", "verdicts", "reasons", "rule"}
    assert others <= shown
    for name, kind in tables.items():
        for field in msgspec.structs.fields(kind):
            assert {field.encode_name, f"{name}.{field.encode_name}"} & shown, (name, field.encode_name)
