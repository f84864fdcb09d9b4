"""The command `aftersend`: what it takes, what it says of what is wrong, and that it is installed and not shipped."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from moto import mock_aws

from aftersend import settings
from aftersend.core import policy
from aftersend.core.policy import ReportProof
from aftersend.version import VERSION
from aftersend_cli import asking, stack
from aftersend_cli.__main__ import main, make_parser
from aftersend_cli.commands import COMMANDS, Asks
from aftersend_cli.documents import load_documents
from aftersend_cli.errors import CommandError, UsageError
from deploy.settle import NOTES, settle
from local.environment import false_account
from tests.support.network import free_ports
from tests.support.template import ROOT, TEMPLATE

STRICT = "[streak]\nbounces = 3\n"
LAYER = ROOT / "layers" / "aftersend"
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "KeySchema": [{"AttributeName": "recipient", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "recipient", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}
PARSERS: Any = make_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
OF_A_STACK = [name for name, each in COMMANDS.items() if each.asks is Asks.STACK or name == "rabbitmq"]
NEEDED = {
    "delist": ["--provider", "ses"],
    "restore": ["--from-outcomes", "a", "--from-suppressions", "b"],
    "rabbitmq": ["--queue", "results=a", "--stack", "x", "--url", "amqp://u:secret@h/"],
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An account that is empty, without a terminal."""
    for name, value in false_account("http://127.0.0.1:1").items():
        if "ENDPOINT" not in name:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CLIENT", "boto3")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with mock_aws():
        yield stack.make_client("cloudformation")


def make(formation: Any, name: str, **tables: Any) -> None:
    formation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": tables}))


def ask(*arguments: str) -> list[str]:
    """The arguments of a command, with those that it cannot do without."""
    command, *rest = arguments
    return [command, *NEEDED.get(command, []), *rest]


@pytest.mark.parametrize("command", OF_A_STACK)
def test_a_stack_that_is_not_there(command: str, account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ask(command, "--stack", "nowhere")) == 2
    assert capsys.readouterr().err.startswith("aftersend: there is no stack 'nowhere' in eu-west-1")


@pytest.mark.parametrize("command", OF_A_STACK)
def test_a_stack_that_is_another(
    command: str, account: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text("")
    make(account, "other", Some=TABLE)
    assert main(ask(command, "--stack", "other")) == 2
    assert "is it one of Aftersend" in capsys.readouterr().err


@pytest.mark.parametrize("form", [json.dumps, yaml.safe_dump])
def test_policy_and_parameters_are_those_of_the_stack(form: Callable[[Any], str], account: Any) -> None:
    """Those that CloudFormation was asked for, and those that were settled when it was built."""
    template = settle(TEMPLATE, {"Policy": "[hard]\nsuppress = false\n", "ArchiveDays": "7"})
    kept = {name: template[name] for name in ("Metadata", "Parameters")} | {"Resources": {"Outcomes": TABLE}}
    given = [{"ParameterKey": "RetentionDays", "ParameterValue": "99"}]
    account.create_stack(StackName="ours", TemplateBody=form(kept), Parameters=given)
    found = stack.find_stack("ours")
    assert found.read_policy() == policy.load("[hard]\nsuppress = false\n") != policy.load()
    wanted = {"RetentionDays": "99", "ArchiveDays": "7"}
    assert {name: found.parameters[name] for name in wanted} == wanted
    assert NOTES == stack.NOTES


@pytest.mark.parametrize(
    ("given", "document", "proof"),
    [
        ({}, None, ReportProof.MESSAGE_ID),
        ({"VerpTemplate": "b-{token}@bounce.example.com"}, None, ReportProof.TOKEN),
        ({"VerpTemplate": "b-{token}@bounce.example.com"}, STRICT, ReportProof.TOKEN),
        ({"VerpTemplate": "b-{token}@bounce.example.com"}, '[report]\nproof = "message-id"\n', ReportProof.MESSAGE_ID),
    ],
)
def test_what_proves_a_report_is_what_proves_it_to_the_functions(
    given: dict[str, str], document: str | None, proof: ReportProof, account: Any, tmp_path: Path
) -> None:
    """Else a re-evaluation would suppress whom only strangers reported (law 7)."""
    kept = {name: TEMPLATE[name] for name in ("Metadata", "Parameters")} | {"Resources": {"Outcomes": TABLE}}
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    account.create_stack(StackName="ours", TemplateBody=json.dumps(kept), Parameters=parameters)
    arguments = ["reevaluate", "--stack", "ours"]
    if document is not None:
        (tmp_path / "policy.toml").write_text(document)
        arguments += ["--policy", str(tmp_path / "policy.toml")]
    found, _ = load_documents(make_parser().parse_args(arguments), stack.find_stack("ours"))
    environ = dict.fromkeys(("OUTCOMES_TABLE", "SUPPRESSIONS_TABLE", "DIGEST_KEY", "ARCHIVE_BUCKET"), "x")
    environ |= {"VERP_TEMPLATE": given.get("VerpTemplate", ""), "POLICY": document or ""}
    assert found == settings.load_tables(environ).policy
    assert found.report.proof is proof


@pytest.mark.parametrize("command", ["reevaluate", "restore", "sync"])
def test_nothing_is_written_where_nobody_is_asked(
    command: str, account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    make(account, "ours", Outcomes=TABLE, Suppressions=TABLE)
    assert main(ask(command, "--stack", "ours")) == 2
    output, errors = capsys.readouterr()
    assert (output, errors.splitlines()[0]) == ("", "stack ours, account 123456789012, eu-west-1")
    assert errors.splitlines()[1].startswith("  ") and "give --yes" in errors.splitlines()[-1]


def test_the_bridge_asks_too_and_shows_no_password(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {}}
    make(account, "x", FeedbackQueue=queue)
    assert main(ask("rabbitmq")) == 2
    output, errors = capsys.readouterr()
    assert "take all that lies in a of h, as results" in errors
    assert "give --yes" in errors
    assert "secret" not in output + errors


@pytest.mark.parametrize("command", ["reevaluate", "restore", "sync"])
def test_a_dry_run_asks_nobody(command: str, account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make(account, "ours", Outcomes=TABLE, Suppressions=TABLE)
    named = stack.find_stack("ours")
    tables = ["--from-outcomes", named.find("Outcomes"), "--from-suppressions", named.find("Suppressions")]
    assert main([command, "--stack", "ours", "--dry-run", *(tables if command == "restore" else [])]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["[hard]\nlapse = 1", "no toml", b"\xff\xfe"])
def test_a_document_that_is_wrong(
    text: str | bytes, account: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(account, "ours", Outcomes=TABLE, Suppressions=TABLE, UnmatchedTexts=TABLE)
    document = tmp_path / "document.toml"
    document.write_bytes(text.encode() if isinstance(text, str) else text)
    for arguments in (
        ["reevaluate", "--policy", str(document)],
        ["reevaluate", "--rules", str(document)],
    ):
        assert main([*arguments, "--stack", "ours"]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_not_there(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make(account, "ours", Outcomes=TABLE, Suppressions=TABLE)
    assert main(["reevaluate", "--stack", "ours", "--policy", "/no/such"]) == 2
    assert capsys.readouterr().err == "aftersend: /no/such: No such file or directory\n"


def test_a_table_that_is_not_there(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make(account, "ours", Outcomes=TABLE, Suppressions=TABLE)
    assert main([*ask("restore", "--stack", "ours"), "--yes"]) == 1
    assert capsys.readouterr().err.endswith("\naftersend: DynamoDB: Scan failed: ResourceNotFoundException\n")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which has no account."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    environment = kept | nothing | {"PYTHONPATH": str(LAYER), "AWS_EC2_METADATA_DISABLED": "true"} | variables
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "aftersend_cli", *arguments],
        check=False, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "arguments", "code", "message"),
    [
        ({}, [], 2, "You must specify a region"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, [], 4, "Unable to locate credentials"),
        ({"AWS_REGION": "eu-west-1"}, [], 4, "Unable to locate credentials"),
        ({}, ["--profile", "nobody"], 2, "The config profile (nobody) could not be found"),
        ({}, ["--region", "moon"], 4, "Unable to locate credentials"),
    ],
)
def test_an_account_that_is_none(variables: dict[str, str], arguments: list[str], code: int, message: str) -> None:
    done = run("sync", "--stack", "x", *arguments, **variables)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr


def test_a_service_that_does_not_answer() -> None:
    (port,) = free_ports(1)
    account = false_account(f"http://127.0.0.1:{port}") | {"AWS_MAX_ATTEMPTS": "1"}
    done = run("sync", "--stack", "x", **account)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "Could not connect" in done.stderr


# ---- Asking ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "no\n", "yes please\n", "yep\n"])
def test_only_a_yes_is_one(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: answer))
    with pytest.raises(CommandError) as error:
        asking.confirm("here", ["do it"], yes=False)
    assert error.value.code == 1


@pytest.mark.parametrize("answer", ["y\n", "Y\n", " yes \n"])
def test_a_yes(answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: answer))
    asking.confirm("here", ["do it"], yes=False)
    assert capsys.readouterr() == ("", "here\n  do it\nGo on? [y/N] ")


def test_where_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(UsageError) as error:
        asking.confirm("here", ["do it"], yes=False)
    assert error.value.code == 2
    asking.confirm("here", ["do it"], yes=True)


# ---- Help, installation ------------------------------------------------------------------------------------------


def test_no_help_imports_what_is_slow() -> None:
    """What is never imported costs no start; `check` stands in loops of scripts."""
    script = (
        "import sys\nfrom aftersend_cli.__main__ import main, make_parser\nmake_parser()\n"
        "try:\n main(['check', '--help'])\nexcept SystemExit:\n print('|', *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    imported = {name.partition(".")[0] for name in done.stdout.partition("|")[2].split()}
    assert "aftersend_cli" in imported
    assert not imported & {"boto3", "botocore", "yaml", "rich", "pika", "aws_lambda_powertools"}


def test_asking_the_api_imports_no_tables() -> None:
    """`check` of a stack in the environment, up to its answer, which is none here."""
    script = "import sys; from aftersend_cli.__main__ import main; main(sys.argv[1:]); print(*sys.modules)"
    given = ["check", "--recipient", "ann@example.com", "--api", "http://127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-c", script, *given], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "AFTERSEND_TOKEN": "x"},
    )  # fmt: skip
    imported = set(done.stdout.split())
    assert "aftersend_cli.check" in imported
    slow = {"boto3", "botocore", "yaml", "rich", "aftersend.classify", "aftersend.storage", "aftersend.sources"}
    assert not imported & slow


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["nothing"], "invalid choice"),
        (["sync"], "--stack"),
        (["smoke", "--stack", "x", "--wait", "0"], "'0' is no number of seconds"),
        (["smoke", "--stack", "x", "--wait", "soon"], "'soon' is no number of seconds"),
        (["rabbitmq", "--queue", "results=a", "--stack", "x", "--prefetch", "0"], "'0' is no number from 1"),
        (["rabbitmq", "--queue", "results=a"], "one of the arguments --stack --to --handler is required"),
    ],
)
def test_what_is_asked_for_wrongly(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_what_is_shipped_and_what_is_installed() -> None:
    """The layer is the package alone; the command stands beside it, and nothing in the package knows of it."""
    makefile = (LAYER / "Makefile").read_text()
    assert re.findall(r"^\tcp -R (\S+)", makefile, re.MULTILINE) == ["aftersend"]
    assert 'aftersend = "aftersend_cli.__main__:main"' in (LAYER / "pyproject.toml").read_text()


def test_pip_brings_the_command(tmp_path: Path) -> None:
    """As `pip install ./layers/aftersend` does, but for what it depends on."""
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(LAYER, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    done = subprocess.run(
        [target / "bin" / "aftersend", "--version"],
        check=True, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(target), "PATH": ""},
    )  # fmt: skip
    assert done.stdout == f"aftersend {VERSION}\n"


# ---- Dead letters, completion ------------------------------------------------------------------------------------


def test_what_lies_in_the_queues_that_nobody_works(account: Any, capsys: pytest.CaptureFixture[str]) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    make(account, "ours", Feedback=queue, FeedbackDeadLetters=queue, UnreadableBodies=queue)
    sqs = stack.make_client("sqs")
    parked = stack.find_stack("ours").find("UnreadableBodies")
    attributes = {
        name: {"StringValue": text, "DataType": "String"} for name, text in (("source", "ses"), ("reason", "no JSON"))
    }
    sqs.send_message(QueueUrl=parked, MessageBody="ann@example.com", MessageAttributes=attributes)
    assert main(["dead-letters", "--stack", "ours", "--look"]) == 0
    shown = capsys.readouterr().out
    assert re.fullmatch(r" +0  FeedbackDeadLetters\n +1  UnreadableBodies\n +\S+  ses  no JSON\n", shown)
    assert main(["dead-letters", "--stack", "ours", "--redrive", "Feedback"]) == 2
    assert "FeedbackDeadLetters, UnreadableBodies" in capsys.readouterr().err
    assert main(["dead-letters", "--stack", "ours", "--redrive", "UnreadableBodies"]) == 2
    assert "nobody is there to be asked" in capsys.readouterr().err


def test_a_shell_completes_commands_and_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    line = "COMP_WORDS=(aftersend {words}); COMP_CWORD={at}; _aftersend; echo ${{COMPREPLY[*]}}"
    for words, at, expected in (
        ("wh", 1, "why"), ("lift --fo", 2, "--force"), ("why --js", 2, "--json"), ("completion f", 2, "fish"),
    ):  # fmt: skip
        asked = f"{script}\n{line.format(words=words, at=at)}"
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.split() == [expected]
