"""Replay and re-evaluation on the embedded stack: real functions, real queues, jobs that send themselves on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend import aws, classify
from aftersend.aws.tasks import run_calls
from aftersend.core import policy
from aftersend.core.model import CauseKind, Evidence
from aftersend.jobs import reevaluate, replay
from aftersend.lists import service
from aftersend.storage import queries
from aftersend.storage.items import decode_suppression
from aftersend.storage.unmatched import UnmatchedTexts
from aftersend_cli import sync
from aftersend_cli.__main__ import main as aftersend
from aftersend_cli.scanning import scan_table
from local.__main__ import main
from local.demo import Rig, facts, rigged
from local.envelopes import schedule, sqs
from local.firehose import pack_file, put_file
from local.lambdas import Function
from local.samples import EVENTS, samples
from local.serve_routes import Gateway, Request
from local.stack import NAME, Stack, running
from tests.support import oracle
from tests.support.account_list import AccountList
from tests.support.facts import bounce

# Enough to be on several pages, and few enough to be quick.
SENT = [each for each in samples() if each.source == "ses"][::3]
SENT += [each for each in samples() if each.path.name.startswith("dsn-")][:6]
MILDER = "[hard]\nsuppress = false\n"
TODAY = datetime.now(UTC).strftime("date=%Y")


class World:
    """A stack that has seen some samples of Amazon SES, and some bounce mails."""

    def __init__(self, stack: Stack, rig: Rig) -> None:
        self.stack, self.rig = stack, rig
        self.rig.run(SENT)
        self._sqs = stack.client("sqs")
        self._queues = stack.physical_ids("AWS::SQS::Queue")
        self.names = stack.physical_ids("AWS::DynamoDB::Table")

    def tables(self) -> oracle.Tables:
        contents = self.rig.tables.contents()
        return oracle.tables(contents.outcomes, contents.suppressions)

    def send(self, queue: str, job: dict[str, Any]) -> None:
        self._sqs.send_message(QueueUrl=self._queues[queue], MessageBody=json.dumps(job))

    def drain(self) -> int:
        """Work until no queue holds anything; how many batches that took."""
        batches = 0
        while done := self.rig.lambdas.drain():
            batches += done["batches"]
        return batches

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = "".join(each.logs.getvalue() for each in self.rig.lambdas.functions.values()).splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in entries if each.get("message") == message]

    def forget(self) -> None:
        client = self.stack.client("dynamodb")
        for table, parts in (("Outcomes", ("recipient", "message")), ("Suppressions", ("recipient", "scope"))):
            for item in client.scan(TableName=self.names[table])["Items"]:
                client.delete_item(TableName=self.names[table], Key={part: item[part] for part in parts})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as stack, rigged(stack) as rig:
        yield World(stack, rig)


def _expected(document: str = "") -> oracle.Tables:
    known = [fact for sample in SENT for fact in facts(sample)]
    return oracle.expected(known, classify.load(), policy.load(document))


def test_files_of_firehose_give_the_same_tables_and_are_replayed(world: World) -> None:
    """Law 2: "by whichever path". The object is the archive: nothing of it is kept twice."""
    ses = [sample for sample in SENT if sample.source == "ses"]
    bodies = [sample.body().replace(b"\n", b" ") for sample in ses]
    before, archived = world.tables(), world.rig.tables.archived()
    writes = world.stack.writes.total()
    put_file(world.stack, pack_file(bodies))
    world.drain()
    assert world.stack.writes.total() == writes, "what is known writes nothing"
    world.forget()
    for half in (bodies[::2], bodies[1::2]):
        put_file(world.stack, pack_file(half))
    world.drain()
    known = [fact for sample in ses for fact in facts(sample)]
    expected = oracle.expected(known, classify.load(), policy.load())
    assert not oracle.differences(world.tables(), expected)
    assert world.rig.tables.archived() == archived + 3
    assert not world.logged("not done")
    world.forget()
    world.send("ReplayQueue", {"source": "ses", "folder": TODAY})
    world.drain()
    assert not oracle.differences(world.tables(), expected)
    (ended,) = [each for each in world.logged("replayed") if each["counts"].get("gathered objects")]
    assert ended["counts"]["gathered objects"] == 3
    world.send("ReplayQueue", {"source": "report", "folder": TODAY})
    world.drain()
    assert not oracle.differences(world.tables(), before)


def test_a_replay_brings_the_tables_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue: "sends bodies back into the source's replay queue, in bounded steps with checkpoint"."""
    monkeypatch.setattr(replay, "MARGIN", 1e9)  # so that every object is a slice
    before = world.tables()
    world.forget()
    assert world.tables() == oracle.tables([], [])
    for source in ("ses", "report"):
        world.send("ReplayQueue", {"source": source, "folder": TODAY})
    world.drain()
    assert not oracle.differences(world.tables(), before)
    ended = {each["replayed"]: each for each in world.logged("replayed")[-2:]}
    assert ended.keys() == {"ses", "report"}
    assert ended["ses"]["counts"]["bodies"] > 20
    assert ended["ses"]["counts"]["too large"] == 0
    assert len(world.logged("replaying")) > 2, "it went on by itself"


def test_the_same_rules_change_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "SCAN_LIMIT", 5)
    monkeypatch.setattr(reevaluate, "MARGIN", 1e9)  # so that every page is a slice
    writes = world.stack.writes.total()
    world.send("ReevaluateQueue", {"segments": 2})
    assert world.drain() > 4
    assert world.stack.writes.total() == writes
    ends = world.logged("re-evaluated")
    assert [each["segment"] for each in ends] == [0, 1]
    assert sum(each["counts"]["outcomes"] for each in ends) == len(world.tables().outcomes)
    assert len(world.logged("re-evaluating")) > 2, "it went on by itself"


def test_another_policy_reaches_what_is_stored(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """First a dry run, then in earnest, then back: by the function, and by the command."""
    document = tmp_path / "policy.toml"
    document.write_text(MILDER)
    before = world.tables()
    hard = [row for row in before.suppressions.values() if CauseKind.HARD in row.causes]
    assert hard
    assert aftersend(["reevaluate", "--stack", NAME, "--policy", str(document), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "nothing was written" in output
    assert f"{len(hard):9}  -hard\n" in output
    assert "@" not in output
    assert world.tables() == before

    properties = world.stack.resources("AWS::Lambda::Function")["Reevaluate"]
    properties["Environment"]["Variables"]["POLICY"] = MILDER
    record = {"eventSource": "aws:sqs", "messageId": "m", "attributes": {"SentTimestamp": "1772445600000"}}
    job = reevaluate.ReevaluationJob(run="r", segment=0, segments=1)
    body = json.dumps({"run": job.run, "segment": 0, "segments": 1})
    answer = Function("Reevaluate", properties)({"Records": [record | {"body": body}]})
    assert answer == {"batchItemFailures": []}
    assert not oracle.differences(world.tables(), _expected(MILDER))

    assert aftersend(["reevaluate", "--stack", NAME, "--yes"]) == 0
    assert "What has changed" in capsys.readouterr().out
    assert not oracle.differences(world.tables(), before)


def test_a_document_that_is_wrong_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "policy.toml"
    document.write_text("[hard]\nlapse = 1")
    assert main(["reevaluate", "--policy", str(document)]) == 2
    assert "unknown field `lapse`" in capsys.readouterr().err


def test_the_list_of_ses_is_brought_to_what_the_table_says(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`aftersend sync`, for the day on which the option is switched on."""
    ses = AccountList()
    theirs = ses.client()
    real = aws.connect
    monkeypatch.setattr(sync, "connect", lambda service: theirs if service == "sesv2" else real(service))
    monkeypatch.setattr("time.sleep", lambda _: None)
    wanted = [
        change
        for row in scan_table(real("dynamodb"), world.names["Suppressions"], decode_suppression)
        if (change := sync.find_change(row))
    ]
    assert {change.reason for change in wanted} >= {"BOUNCE", "COMPLAINT"}
    arguments = ["sync", "--stack", NAME, "--yes"]
    assert aftersend([*arguments, "--dry-run"]) == 0
    assert ses.calls == []
    assert f"{len(wanted):9}  Put\n" in capsys.readouterr().out
    assert aftersend(arguments) == 0
    assert ses.listed == {change.address: change.reason for change in wanted}
    ses.failing = [(429, "TooManyRequestsException")]
    assert aftersend(arguments) == 1
    assert "TooManyRequestsException" in capsys.readouterr().err


def test_a_backup_is_joined_by_the_name_of_the_stack(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Joined with itself, a stack stays what it is."""
    before = world.tables()
    tables = [f"--from-{name.lower()}={world.names[name]}" for name in ("Outcomes", "Suppressions")]
    assert aftersend(["restore", "--stack", NAME, *tables, "--dry-run"]) == 0
    assert f"{len(before.outcomes):9}  outcomes would be joined\n" in capsys.readouterr().out
    assert aftersend(["restore", "--stack", NAME, *tables, "--yes"]) == 0
    assert f"{len(before.suppressions):9}  suppressions joined\n" in capsys.readouterr().out
    assert world.tables() == before


# Two of the samples' refusals otherwise, and a text that no rule knows.
MINE = """\
[[rule]]
id = "gone-for-a-while"
when.status = ["5.1.1"]
then.reason = "mailbox_full"

[[rule]]
id = "riddle"
when.text = ["zorp * quux"]
then.reason = "mailbox_full"
"""


def ask(world: World, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    request = Request("POST", path, {"content-type": "application/json"}, json.dumps(body).encode())
    answer = Gateway(world.stack, world.rig.lambdas.functions).answer(request, "local")
    return answer.status, json.loads(answer.body)


def test_rules_are_checked_on_texts_that_no_rule_knew(world: World) -> None:
    texts = UnmatchedTexts(world.names["UnmatchedTexts"], timedelta(days=9))
    for number, text in enumerate(("zorp 9 quux", "zorp 9 quux", "frobnicated beyond words")):
        fact = bounce(number, "hard")
        steps = texts.count(replace(fact, evidence=Evidence(text=text)), fact.occurred_at)
        run_calls(steps, {"dynamodb": aws.connect("dynamodb")})
    status, found = ask(world, "/rules/check", {"rules": MINE})
    assert (status, found["texts"], found["changed"]) == (200, 2, 1)
    ((change),) = found["changes"]
    assert (change["seen"], change["after"]["rule"]) == (2, "user:riddle")
    assert ask(world, "/rules/check", {"rules": "[[rule]"})[0] == 422


def test_rules_are_tried_on_everything_in_slices_and_then_do_what_was_said(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial goes on by itself, writes nothing, and says what a re-evaluation by the same rules then does."""
    monkeypatch.setattr(queries, "SCAN_LIMIT", 5)
    monkeypatch.setattr(service, "FIRST_RUN", 0.0)  # so that every page is a slice
    monkeypatch.setattr(world.rig.lambdas.functions["TryRules"].module, "AT_A_TIME", 0.0)
    before, writes = world.tables(), world.stack.writes.total()
    status, job = ask(world, "/rules/trials", {"rules": MINE})
    assert (status, job["state"]) == (202, "queued")
    slices = world.drain()
    assert slices > 4
    request = Request("GET", f"/jobs/{job['id']}", {})
    answer = Gateway(world.stack, world.rig.lambdas.functions).answer(request, "local")
    said = json.loads(answer.body)["tried"]
    assert world.tables() == before
    assert world.stack.writes.total() - writes <= 3 * (slices + 2), "nothing but how far it is, and who works it"
    assert said["outcomes"] == len(before.outcomes) and said["changed"] > 0 and said["freed"] > 0

    document = tmp_path / "rules.toml"
    document.write_text(MINE)
    assert aftersend(["reevaluate", "--stack", NAME, "--rules", str(document), "--yes"]) == 0
    after = world.tables()
    meant = [
        (each.status, each.verdict and (each.verdict.klass, each.verdict.reason)) for each in before.outcomes.values()
    ]
    means = [
        (each.status, each.verdict and (each.verdict.klass, each.verdict.reason)) for each in after.outcomes.values()
    ]
    assert before.outcomes.keys() == after.outcomes.keys()
    assert said["changed"] == sum(one != other for one, other in zip(meant, means, strict=True))
    assert f"{said['freed']:9}  freed\n" in capsys.readouterr().out
    assert aftersend(["reevaluate", "--stack", NAME, "--yes"]) == 0
    assert not oracle.differences(world.tables(), before)


def test_a_sweep_expires_what_nothing_was_heard_of(world: World) -> None:
    """The schedule looks up what is due, and its slices, messages of the same queue, write it down."""
    given: dict[str, Function] = {}
    for name in ("ProcessSes", "Reevaluate"):
        properties = world.stack.resources("AWS::Lambda::Function")[name]
        properties["Environment"]["Variables"]["POLICY"] = "[validity]\nses = 84"
        given[name] = Function(name, properties)
    world.forget()
    bodies = [(EVENTS / "ses" / f"{name}.json").read_text() for name in ("send", "send-several-recipients", "delivery")]
    assert given["ProcessSes"](sqs(bodies)) == {"batchItemFailures": []}
    sent = [each for each in world.tables().outcomes.values() if each.due_at]
    assert sent and {each.status for each in sent} == {"sent"}
    assert given["Reevaluate"](schedule("aftersend-ReevaluateExpire")) == {"due": len(sent)}
    assert {each.status for each in world.tables().outcomes.values() if each.due_at} == {"sent"}
    sqs_client, queue = world.stack.client("sqs"), world.stack.physical_ids("AWS::SQS::Queue")["ReevaluateQueue"]
    while found := sqs_client.receive_message(QueueUrl=queue).get("Messages"):
        event = sqs([found[0]["Body"]], queue="aftersend-ReevaluateQueue")
        assert given["Reevaluate"](event) == {"batchItemFailures": []}
        sqs_client.delete_message(QueueUrl=queue, ReceiptHandle=found[0]["ReceiptHandle"])
    after = {each.key: each for each in world.tables().outcomes.values() if each.due_at}
    assert {(each.status, each.feedback[-1].occurred_at - each.first_at) for each in after.values()} == {
        ("expired", timedelta(hours=84))
    }
    assert given["Reevaluate"](schedule("aftersend-ReevaluateExpire")) == {"due": 0}
    lines = [json.loads(line) for line in given["Reevaluate"].logs.getvalue().splitlines() if line.startswith("{")]
    counted = [each["counts"] for each in lines if each.get("message") == "batch" and each["counts"]]
    assert sum(each["FeedbackExpired"] for each in counted) == len(sent)
