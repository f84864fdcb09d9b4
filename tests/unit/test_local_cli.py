"""The command line: what it prints, what it says on stderr, and its exit code."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aftersend.sources import SOURCES
from aftersend.version import VERSION
from local import commands, samples, show
from local.__main__ import _EXAMPLES, _parser, main
from local.samples import EVENTS, ROOT

BOUNCE = EVENTS / "ses" / "bounce-permanent-general.json"
SET_UP = EVENTS / "ses" / "set-up-event-destination.txt"
TRUNCATED = EVENTS / "ses" / "malformed-truncated.txt"


def one_line(path: Path) -> str:
    return json.dumps(json.loads(path.read_text()))


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it with what stdin shall hold."""

    def hold(text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return hold


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[Any], str]:
    """The JSON lines on stdout, and stderr."""
    captured = capsys.readouterr()
    return [json.loads(line) for line in captured.out.splitlines()], captured.err


class TestParse:
    def test_prints_a_feedback_with_its_verdict(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["parse", "ses", str(BOUNCE)]) == 0
        (line,), err = printed(capsys)
        assert err == ""
        assert line["kind"] == "bounced"
        assert line["recipient"] == "email:peter.gone@example.net"
        assert line["evidence"]["code"] == 550
        assert set(line["verdict"]) == {"class", "reason", "rule", "advice"}
        assert (line["verdict"]["class"], line["verdict"]["reason"]) == ("hard", "user_unknown")
        assert line["verdict"]["advice"].startswith("Remove this address")

    def test_a_feedback_without_a_verdict_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["parse", "ses", str(EVENTS / "ses" / "send.json")]) == 0
        (line,), _ = printed(capsys)
        assert line["verdict"] is None

    def test_prints_one_line_for_each_recipient_of_each_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        mixed = EVENTS / "ses" / "bounce-mixed-recipients.json"
        assert main(["parse", "ses", str(mixed), str(BOUNCE)]) == 0
        lines, _ = printed(capsys)
        assert [line["kind"] for line in lines] == ["bounced", "deferred", "delivered", "delivered", "bounced"]

    def test_a_body_without_feedback_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["parse", "ses", str(SET_UP)]) == 0
        assert printed(capsys) == ([], f"{SET_UP}: read, and there is no feedback in it\n")

    @pytest.mark.parametrize(
        ("name", "kinds"),
        [
            ("ProcessSes-sqs-raw.json", ["delivered", "auto_replied"]),
            ("ProcessSes-sqs-sns.json", ["sent", "delivered", "complained"]),
            ("ProcessSes-sqs-eventbridge.json", ["sent", "delivered", "complained"]),
            ("ProcessSes-sns.json", ["complained"]),
            ("ProcessSes-eventbridge.json", ["bounced"]),
        ],
    )
    def test_reads_events_of_lambda(self, name: str, kinds: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["parse", "ses", str(EVENTS / "invoke" / name)]) == 0
        lines, err = printed(capsys)
        assert ([line["kind"] for line in lines], err) == (kinds, "")

    def test_a_message_that_names_its_source_is_of_that(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["parse", "ses", str(EVENTS / "invoke" / "ProcessFeedback-directmail.json")]) == 0
        assert {line["source"] for line in printed(capsys)[0]} == {"directmail"}

    def test_names_the_body_of_an_event_that_is_broken(self, capsys: pytest.CaptureFixture[str]) -> None:
        path = EVENTS / "invoke" / "ProcessSes-sqs-malformed.json"
        assert main(["parse", "ses", str(path)]) == 1
        lines, err = printed(capsys)
        assert [line["kind"] for line in lines] == ["delivered", "bounced"]
        assert err.startswith(f"{path}, body 2: not a body of Amazon SES")

    def test_reads_a_batch_of_rabbitmq(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        body = EVENTS / "mailerq" / "doc-extracted.queue-success.json"
        path, data = tmp_path / "event.json", base64.b64encode(body.read_bytes()).decode()
        path.write_text(json.dumps({"eventSource": "aws:rmq", "rmqMessagesByQueue": {"success::/": [{"data": data}]}}))
        assert main(["parse", "mailerq", str(path)]) == 0
        assert [line["kind"] for line in printed(capsys)[0]] == ["delivered"]

    def test_a_header_goes_with_each_body(self, capsys: pytest.CaptureFixture[str]) -> None:
        body = str(EVENTS / "mailerq" / "planned.queue-retry.json")
        kinds = []
        for queue in ("retry", "failure"):
            assert main(["parse", "mailerq", body, "--header", f"X-Queue: {queue}", "--header", "x-other:"]) == 0
            kinds.append([line["kind"] for line in printed(capsys)[0]])
        assert kinds[0] != kinds[1]
        with pytest.raises(SystemExit):
            main(["parse", "mailerq", body, "--header", "retry"])

    def test_a_fact_that_names_nobody_has_no_recipient(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "answer.json"
        path.write_text('{"message": "ord-9", "at": "2026-03-02T10:11:12Z", "status": 410}')
        assert main(["parse", "apns", str(path)]) == 0
        assert [(line["recipient"], line["message"]) for line in printed(capsys)[0]] == [(None, "apns:ord-9")]

    def test_reads_an_array_of_bodies(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "many.json"
        path.write_text(f"[{one_line(BOUNCE)}, 7, {one_line(BOUNCE)}]")
        assert main(["parse", "ses", str(path)]) == 1
        lines, err = printed(capsys)
        assert len(lines) == 2
        assert err.startswith(f"{path}, body 2: not a body of Amazon SES")

    @pytest.mark.parametrize(
        "event",
        [
            {"Records": [{"eventSource": "aws:sqs"}]},
            {"Records": [{"eventSource": "aws:sqs", "body": 5, "attributes": {"SentTimestamp": "x"}}]},
            {"Records": [{"EventSource": "aws:sns", "Sns": None}]},
            {"Records": [{"eventSource": "aws:s3"}]},
            {"eventSource": "aws:rmq"},
            {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"a": [{}]}},
        ],
    )
    def test_an_event_that_has_not_the_form_of_one(
        self, event: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        assert main(["parse", "ses", str(path)]) == 1
        lines, err = printed(capsys)
        assert lines == []
        assert err.startswith(f"{path}: not an event of Lambda: ")
        assert err.count("\n") == 1

    def test_reads_json_lines_and_names_the_line_that_is_broken(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        many = tmp_path / "many.jsonl"
        many.write_text(f"{one_line(BOUNCE)}\n\n{{broken\n{one_line(BOUNCE)}\n")
        assert main(["parse", "ses", str(many)]) == 1
        lines, err = printed(capsys)
        assert len(lines) == 2
        assert err.startswith(f"{many}:3: not a body of Amazon SES")
        assert err.count("\n") == 1

    def test_a_truncated_body_is_one_body_and_not_many_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["parse", "ses", str(TRUNCATED), str(BOUNCE)]) == 1
        lines, err = printed(capsys)
        assert len(lines) == 1  # the good one
        assert err == f"{TRUNCATED}: not a body of Amazon SES: Input data was truncated\n"

    def test_reads_stdin(self, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        stdin(BOUNCE.read_bytes())
        assert main(["parse", "ses", "-"]) == 0
        assert len(printed(capsys)[0]) == 1

    def test_a_file_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        missing = str(tmp_path / "missing.json")
        assert main(["parse", "ses", missing]) == 1
        assert printed(capsys) == ([], f"{missing}: No such file or directory\n")

    def test_a_source_that_nobody_parses(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["parse", "nobody", str(BOUNCE)])
        assert stop.value.code == 2
        assert "invalid choice: 'nobody'" in capsys.readouterr().err


class TestClassify:
    def test_writes_a_verdict_for_each_line(self, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        rows = [
            {"id": "a", "source": "ses", "replycode": "550", "status": "5.1.1", "text": "550 5.1.1 user unknown"},
            {"id": "b", "replycode": 554, "status": "5.7.1", "text": "554 5.7.1 your IP address is on a block list"},
            {"id": "c", "replycode": "452", "status": "4.2.2", "text": "452 4.2.2 mailbox full"},
        ]
        stdin("\n".join(json.dumps(row) for row in rows))
        assert main(["classify"]) == 0
        lines, err = printed(capsys)
        assert err == ""
        assert [(line["id"], line["class"], line["reason"]) for line in lines] == [
            ("a", "hard", "user_unknown"),
            ("b", "block", "blocked"),
            ("c", "soft", "mailbox_full"),
        ]
        assert all(set(line) == {"id", "class", "reason", "rule", "advice"} for line in lines)

    def test_what_answered_mail_from_is_never_hard(self, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        row = {"id": 1, "replycode": "550", "status": "5.1.1", "text": "550 5.1.1 user unknown"}
        stdin(json.dumps(row) + "\n" + json.dumps(row | {"command": "MAIL FROM"}))
        assert main(["classify"]) == 0
        (at_rcpt, at_mail_from), _ = printed(capsys)
        assert at_rcpt["class"] == "hard"
        assert at_mail_from["class"] == "block"

    def test_what_was_only_delayed_is_ignored(self, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        stdin(json.dumps({"id": 1, "status": "5.1.1", "text": "550 5.1.1 user unknown", "action": "delayed"}))
        assert main(["classify"]) == 0
        assert printed(capsys)[0][0]["class"] == "ignore"

    @pytest.mark.parametrize(
        "row",
        [
            {},
            {"id": None, "source": None, "replycode": None, "status": None, "text": None, "command": None},
            {"id": "x", "source": "", "replycode": "", "status": "", "text": "", "command": "", "action": ""},
            {"id": "x", "replycode": True, "status": [], "text": {"a": 1}, "command": 7, "action": False},
            {"id": "x", "replycode": "abc", "status": "5", "unheard_of": 1},
        ],
    )
    def test_fields_that_say_nothing_leave_it_undetermined(
        self, row: dict[str, Any], stdin: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stdin(json.dumps(row))
        assert main(["classify"]) == 0
        (line,), err = printed(capsys)
        assert err == ""
        assert (line["id"], line["reason"]) == (row.get("id"), "undetermined")

    @pytest.mark.parametrize("code", [550, 550.0, "550", " 550 "])
    def test_a_reply_code_in_any_spelling(self, code: object, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        stdin(json.dumps({"replycode": code, "text": "no such user"}))
        assert main(["classify"]) == 0
        assert printed(capsys)[0][0]["class"] == "hard"

    @pytest.mark.parametrize("id_", ["a\u00e9", 7, 1.5, None, ["a", {"b": 2}]])
    def test_an_id_comes_back_as_it_was(self, id_: object, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        stdin(json.dumps({"id": id_}))
        assert main(["classify"]) == 0
        assert printed(capsys)[0][0]["id"] == id_

    @pytest.mark.parametrize("broken", [b"{not json", b"[1, 2]", b'"text"', b"\xff\xfe", b'{"id": 1'])
    def test_a_broken_line_is_named_by_its_number_and_the_rest_goes_on(
        self, broken: bytes, stdin: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stdin(b'{"id": 1}\n\n' + broken + b'\n{"id": 2}\n')
        assert main(["classify"]) == 1
        lines, err = printed(capsys)
        assert [line["id"] for line in lines] == [1, 2]
        assert err.startswith("line 3: not a JSON object: ")
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        "line",
        [
            "550 5.1.1 user unknown",
            "550-5.1.1 <ann@example.net>: user unknown",
            "  550 user unknown\t",
            "5.1.1 user unknown",
            "smtp; 550 5.1.1 user unknown",
            "SMTP;550 user unknown",
        ],
    )
    def test_takes_the_reply_of_a_server_as_it_is(
        self, line: str, stdin: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stdin(line + "\n")
        assert main(["classify"]) == 0
        (row,), err = printed(capsys)
        assert (row["id"], row["class"], row["reason"], err) == (None, "hard", "user_unknown", "")

    @pytest.mark.parametrize("indent", [None, 2])
    def test_takes_an_array(self, indent: int | None, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        array = [{"id": 1, "text": "550 5.1.1 user unknown"}, "552 mailbox full", ["no"], {"id": 2}]
        stdin(json.dumps(array, indent=indent))
        assert main(["classify"]) == 1
        rows, err = printed(capsys)
        assert [(row["id"], row["reason"]) for row in rows] == [
            (1, "user_unknown"),
            (None, "mailbox_full"),
            (2, "undetermined"),
        ]
        assert err.startswith("element 3: not a JSON object") and err.count("\n") == 1

    @pytest.mark.parametrize("line", ["7", "2026-03-02", "5500 user unknown", "user unknown", "1.2.3 x"])
    def test_other_lines_are_no_replies(self, line: str, stdin: Any, capsys: pytest.CaptureFixture[str]) -> None:
        stdin(line)
        assert main(["classify"]) == 1
        assert "not a JSON object" in capsys.readouterr().err

    def test_reads_a_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rows = tmp_path / "rows.jsonl"
        rows.write_text('{"id": 1}\n{"id": 2}\n')
        assert main(["classify", str(rows)]) == 0
        assert [line["id"] for line in printed(capsys)[0]] == [1, 2]

    def test_answers_each_line_before_the_next_one_comes(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-m", "local", "classify"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for id_ in (1, 2):
                process.stdin.write(f'{{"id": {id_}}}\n')
                process.stdin.flush()
                assert json.loads(process.stdout.readline())["id"] == id_
            process.stdin.close()
            assert process.wait(60) == 0

    def test_a_reader_that_has_seen_enough_is_no_fault(self, tmp_path: Path) -> None:
        rows = tmp_path / "rows.jsonl"
        rows.write_text('{"id": 1}\n' * 20_000)
        with subprocess.Popen(
            [sys.executable, "-m", "local", "classify", str(rows)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(process.stdout.readline())["id"] == 1
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(60) == 1


class TestExpect:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for module in (commands, samples):
            monkeypatch.setattr(module, "EVENTS", tmp_path)
        (tmp_path / "ses").mkdir()
        return tmp_path / "ses"

    def test_writes_what_a_sample_says(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        copy = folder / BOUNCE.name
        copy.write_bytes(BOUNCE.read_bytes())
        assert main(["expect", str(copy)]) == 0
        written = folder / "bounce-permanent-general.expected.json"
        committed = EVENTS / "ses" / written.name
        assert written.read_bytes() == committed.read_bytes()
        assert "read it before you keep it" in capsys.readouterr().out

    def test_writes_why_a_sample_cannot_be_read(self, folder: Path) -> None:
        copy = folder / TRUNCATED.name
        copy.write_bytes(TRUNCATED.read_bytes())
        assert main(["expect", str(copy)]) == 0
        written = json.loads((folder / "malformed-truncated.expected.json").read_text())
        assert written == {"malformed": "not a body of Amazon SES: Input data was truncated"}

    @pytest.mark.parametrize("name", ["missing.json", "../elsewhere.json"])
    def test_refuses_what_is_no_sample(self, folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        (folder.parent / "elsewhere.json").write_text("{}")
        assert main(["expect", str(folder / name)]) == 1
        assert "not a sample: events/<source>/<case>.json" in capsys.readouterr().err
        assert not list(folder.iterdir())


STOPPABLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background would not have
from local.__main__ import main
sys.exit(main(["classify"]))
"""


def test_who_stops_a_command_is_shown_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STOPPABLE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write('{"id": 1}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1  # it runs, and waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == ""


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "required: COMMAND" in capsys.readouterr().err


# ---- Whatever it is given --------------------------------------------------------------------------------------------

BAD = {
    "empty": b"",
    "no text": b"\xff\xfe\x00\x80",
    "cut": b"[1,2",
    "null": b"null",
    "text": b'"x"',
    "half of a character": b'{"text": "\\ud800"}',
    "infinite": b'{"id": 1e999, "replycode": 1e400, "text": "x"}',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep toml": b"a = " + b"[" * 5_000,
    "no record": b'{"Records": [{}]}',
    "control": b'a = "\x00"',
}
ONE_FILE = [
    *(["parse", source] for source in sorted(SOURCES)),
    *(["classify"], ["expect"], ["push", "ses", "--to", "127.0.0.1:1"]),
    *(["rules", "check"], ["rules", "check", os.devnull, "--texts"]),
    *(["reevaluate", "--policy"], ["reevaluate", "--rules"]),
]


@pytest.mark.parametrize("command", ONE_FILE, ids=" ".join)
def test_what_cannot_be_read_is_one_line_and_no_traceback(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given"
    for what, content in BAD.items():
        given.write_bytes(content)
        if command[0] == "reevaluate" and what == "empty":
            continue  # an empty document is one
        code = main([*command, str(given)])
        _, err = capsys.readouterr()
        assert code in (0, 1, 2), what
        assert err.count("\n") <= 1, (what, err)
        assert bool(err) or code == 0, (what, "it failed without a word")
        assert len(err) < 500, what


@pytest.mark.parametrize("command", ONE_FILE, ids=" ".join)
@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_is_one_line(
    command: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, str(tmp_path / name)]) in (1, 2)
    err = capsys.readouterr().err
    assert str(tmp_path) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--port", "65536"], "'65536' is no port"),
        (["serve", "--port", "-1"], "'-1' is no port"),
        (["serve", "--port", "http"], "'http' is no port"),
        (["serve", "--gateway", "docker"], "'docker' is no IPv4 address"),
        (["demo", "--seed", "x"], "invalid int value"),
        (["push", "nobody", "x"], "invalid choice"),
        (["sync"], "invalid choice"),
    ],
)
def test_what_is_asked_for_wrongly(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert capsys.readouterr().err == "local: Address already in use\n"


def test_every_command_has_examples_that_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for command in _EXAMPLES:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        examples = re.findall(r"^  python -m local (.+)$", capsys.readouterr().out, re.MULTILINE)
        assert examples
        for example in examples:
            arguments = shlex.split(example.partition(" < ")[0])
            assert _parser().parse_args(arguments).command == command
            for path in (each for each in arguments if each.startswith("events/")):
                assert (ROOT / path).is_file(), "what is shown can be tried"


def test_it_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"aftersend {VERSION}\n"


def test_what_is_shown_ends_no_line_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    """Tables are filled up to the width of the page; in a file or a pipe that is litter."""
    show.console().print(show.dead_letters([]))
    lines = capsys.readouterr().out.splitlines()
    assert any("reason" in line for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []
