"""What every command owes whoever gives it, walked over the one table of commands: whoever adds one without a line
here, without JSON, help, completion or exit codes is told so.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from moto import mock_aws

from aftersend_cli import stack
from aftersend_cli.__main__ import main, make_parser
from aftersend_cli.commands import COMMANDS, Asks
from aftersend_cli.endpoint import API, TOKEN
from aftersend_cli.output import measure
from local.environment import false_account
from tests.engines import table_definitions
from tests.integration.test_command_api import LIST, MARCH, OLD, RIDDLE, answering
from tests.support import wsgi
from tests.support.api_world import world
from tests.support.network import free_ports
from tests.support.template import ROOT

PAGE: Final = (ROOT / "docs" / "command-line.md").read_text()
PARSERS: Final[Any] = make_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
OF_THE_API: Final = [name for name, each in COMMANDS.items() if each.asks is Asks.API]
NARROW: Final = 60
REVERT: Final = ("example.net", "--reason", "user_unknown", "--since", "2026-03-27T08:00:00Z", "--until",
                 "2026-03-27T10:00:00Z", "--note", "x")  # fmt: skip
STACK: Final = ("--stack", "ours")
# A use of every command that has something to show; `-` is a file with what it reads.
USES: Final[Mapping[str, tuple[str, ...]]] = {
    "why": (OLD,),
    "message": ("ses:0102-b2",),
    "check": ("--recipient", OLD, "--recipient", "ann@example.com"),
    "outcomes": MARCH,
    "problems": MARCH,
    "stats": ("--by", "system", "--from", "2026-03-01", "--to", "2026-03-31"),
    "status": (),
    "lift": (OLD, "--note", "x", "--yes"),
    "suppress": ("new@example.com", "--note", "x", "--yes"),
    "forget": (OLD, "--yes"),
    "review": (),
    "incidents": (),
    "import": ("list.csv",),
    "export": ("--format", "jsonl"),
    "revert": REVERT,
    "jobs": (),
    "dead-letters": ("--look",),
    "console": ("--no-browser",),
    "smoke": (*STACK, "--wait", "1", "--yes"),
    "webhooks": STACK,
    "reevaluate": (*STACK, "--dry-run"),
    "restore": (*STACK, "--dry-run", "--from-outcomes", "Outcomes", "--from-suppressions", "Suppressions"),
    "recount": STACK,
    "sync": (*STACK, "--dry-run"),
    "delist": (*STACK, "--provider", "sendgrid", "--dry-run"),
    "rules": ("check", "rules.toml"),
    "rabbitmq": (*STACK, "--queue", "results=a", "--url", "amqp://u:secret@h/", "--yes"),
    "parse": ("report", str(ROOT / "events" / "report" / "arf-abuse.eml")),
    "classify": ("replies.txt",),
    "completion": ("bash",),
}
TABLES: Final = ("Outcomes", "Suppressions", "StatisticsTable", "UnmatchedTexts", "EndpointStates")
QUEUES: Final = ("SesBouncesQueue", "FeedbackQueue", "WebhookQueue", "WebhookDeadLetters", "UnreadableBodies")


def _make_resources() -> dict[str, Any]:
    made: dict[str, Any] = {name: {"Type": "AWS::SQS::Queue"} for name in QUEUES}
    for name in TABLES:
        keys = table_definitions()[name]["KeySchema"]
        types = [{"AttributeName": each["AttributeName"], "AttributeType": "S"} for each in keys]
        about = {"KeySchema": keys, "AttributeDefinitions": types, "BillingMode": "PAY_PER_REQUEST", "TableName": name}
        made[name] = {"Type": "AWS::DynamoDB::Table", "Properties": about}
    made["SesBouncesTopic"] = {
        "Type": "AWS::SNS::Topic",
        "Properties": {
            "Subscription": [{"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["SesBouncesQueue", "Arn"]}}],
        },
    }
    made["WebhookEndpoints"] = made["Outcomes"] | {  # moto makes no secret by a template: one has this name, too
        "Properties": made["Outcomes"]["Properties"] | {"TableName": "WebhookEndpoints"}
    }
    return made


@pytest.fixture(scope="module")
def account() -> Iterator[pytest.MonkeyPatch]:
    """An account with a stack in it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in false_account("http://127.0.0.1:1").items():
            if "ENDPOINT" not in name:
                patch.setenv(name, value)
        patch.setenv("AWS_CLIENT", "boto3")
        with mock_aws():
            body = json.dumps({"Resources": _make_resources()})
            stack.make_client("cloudformation").create_stack(StackName="ours", TemplateBody=body)
            document = json.dumps({"endpoints": {}})
            stack.make_client("secretsmanager").create_secret(Name="WebhookEndpoints", SecretString=document)
            yield patch


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files to read, a token, and nobody at a terminal."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text(LIST)
    (tmp_path / "rules.toml").write_text(RIDDLE)
    (tmp_path / "replies.txt").write_text("550 5.1.1 user unknown\n452 4.2.2 mailbox full\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    monkeypatch.setattr("aftersend_cli.loopback.LoopbackServer.wait_until_idle", lambda _: None)
    monkeypatch.setenv(TOKEN, wsgi.TOKEN.removeprefix("Bearer "))


@pytest.fixture
def place(account: pytest.MonkeyPatch, files: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A world behind the API, and a stack."""
    monkeypatch.setattr("aftersend_cli.amqp.Consumer.run", lambda _: 3)
    with wsgi.serving(world().context) as url:
        monkeypatch.setenv(API, url)
        yield


def test_every_command_has_a_use_here() -> None:
    assert set(USES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_has_examples_that_it_takes_and_the_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    shown = capsys.readouterr().out
    examples = re.findall(rf"^  aftersend ({name}(?: .*)?)$", shown, re.MULTILINE)
    assert (stop.value.code, len(examples)) == (0, len(COMMANDS[name].examples)) and examples
    for example in examples:
        words = shlex.split(re.split(r" [<>] ", example)[0])
        assert make_parser().parse_args(words).command == name
    codes = re.findall(r"^  (\d+)  ", shown, re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE), "the page and every help name the same"


def test_its_page_has_a_line_for_each() -> None:
    assert sorted(re.findall(r"^\| `([a-z-]+)[ A-Z]*` \|", PAGE, re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_its_options_are_those_that_all_have(name: str) -> None:
    command, given = COMMANDS[name], {*PARSERS[name]._option_string_actions}
    account = {"--stack", "--profile", "--region"}
    assert "--json" in given
    assert given & account == (set() if command.asks is Asks.NOBODY else account)
    assert ({"--api", "--api-url", "--utc"} <= given) == (command.asks is Asks.API)
    assert ("--yes" in given) == command.writes


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_completes_all_of_it(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name, parser in PARSERS.items():
        own = [line for line in script.splitlines() if re.search(rf"^ +{name}\) | {name}'", line)]
        for option in parser._option_string_actions:
            if option.startswith("--"):
                word = f"-l {option[2:]}" if shell == "fish" else option
                assert any(f"{word} " in f"{line} ".replace('"', " ") for line in own), (name, option)
        assert re.search(rf"\b{name}\b", script)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_gets_json_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([name, *USES[name], "--json"])
    lines = capsys.readouterr().out.splitlines()
    assert code in {0, 1}, "of each of these it is known"
    assert lines or name == "jobs", "of which there are none"
    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", [each for each in COMMANDS if each != "completion"])  # what that writes is a script
def test_a_person_gets_what_fits_and_nothing_is_cut(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(NARROW))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main([name, *USES[name]])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    if name == "export":  # a file
        return
    for line in shown.splitlines():
        longest = max(map(measure, line.split()), default=0)
        assert measure(line) <= NARROW or longest > NARROW // 2, line
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    if not COMMANDS[name].writes:
        main([name, *USES[name]])
        copied = {word for word in re.findall(r"\S+", capsys.readouterr().out) if "@" in word or "ses:" in word}
        assert copied <= {*re.findall(r"\S+", shown)} or name in {"parse", "classify"}, "those write JSON elsewhere"


@pytest.mark.usefixtures("place")
def test_colours_are_for_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["why", OLD])
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    main(["why", OLD])
    assert "\x1b[31m" in capsys.readouterr().out


# ---- What is not known is neither yes nor no ------------------------------------------------------------------------

HTML: Final = {"Content-Type": "text/html; charset=utf-8"}
JSON: Final = {"Content-Type": "application/json"}
ANSWERS: Final = {
    "an API that is busy": (503, JSON, b'{"message": "Service Unavailable"}', 3),
    "a fault": (500, JSON, b'{"message": "Internal Server Error"}', 3),
    "a token that has expired": (401, JSON, b'{"message": "Unauthorized"}', 4),
    "no right": (403, JSON, b'{"Message": "not authorized to perform: execute-api:Invoke"}', 4),
    "another API": (404, JSON, b'{"message": "Not Found"}', 2),
    "a page to sign in on": (200, HTML, b"<!doctype html><title>Sign in</title>", 3),
    "JSON that is no answer": (200, JSON, b'["ok"]', 3),
    "JSON of somebody else": (200, JSON, b'{"status": "ok"}', 3),
    "a number": (200, JSON, b"1e999", 3),
    "brackets without end": (200, JSON, b"[" * 200_000, 3),
}  # fmt: skip
ASKING: Final = [name for name in OF_THE_API if name != "console"]  # which asks once somebody looks


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("what", ANSWERS)
@pytest.mark.parametrize("name", ASKING)
def test_what_is_no_answer_is_not_taken_for_one(
    name: str, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, headers, body, code = ANSWERS[what]
    if (name, what) == ("review", "JSON of somebody else"):
        body = b'{"suppressions": [{}]}'  # an empty page has no member that must be there
    with answering(status, headers, body) as (url, _):
        assert main([name, *USES[name], "--api-url", url]) == code
    output, errors = capsys.readouterr()
    assert (output, errors.count("aftersend: ")) == ("", 1)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ASKING)
def test_nobody_answers(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    assert main([name, *USES[name], "--api", f"http://127.0.0.1:{port}"]) == 3
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("url", "code"), [("http://[::1", 2), ("http://h:x/", 2), ("https://", 2), ("http://a b/", 2)])
@pytest.mark.parametrize("name", OF_THE_API)
def test_an_address_that_is_none(name: str, url: str, code: int) -> None:
    assert main([name, *USES[name], "--api", url]) == code


@pytest.mark.usefixtures("account", "files")
@pytest.mark.parametrize("name", [each for each in OF_THE_API if each != "dead-letters"])  # which looks into the stack
def test_a_stack_without_an_api(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, *USES[name], "--stack", "ours"]) == 2
    assert "stack ours has no output ApiUrl" in capsys.readouterr().err
