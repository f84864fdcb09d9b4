"""Replay and re-evaluation on the embedded stack: real functions, real queues, jobs that send themselves on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aftersend import aws, classify
from aftersend.core import policy
from aftersend.core.model import CauseKind
from aftersend.jobs import reevaluate, replay
from aftersend.storage import queries
from aftersend.storage.items import decode_suppression
from local import sync
from local.__main__ import main
from local.demo import Rig, facts, rigged
from local.lambdas import Function
from local.restore import scan_table
from local.samples import samples
from local.stack import Stack, running
from tests.support import oracle
from tests.support.account_list import AccountList

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
    ended = {each["replayed"]: each for each in world.logged("replayed")}
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
    tables = ["--outcomes", world.names["Outcomes"], "--suppressions", world.names["Suppressions"]]
    before = world.tables()
    hard = [row for row in before.suppressions.values() if CauseKind.HARD in row.causes]
    assert hard
    assert main(["reevaluate", *tables, "--policy", str(document), "--dry-run"]) == 0
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

    assert main(["reevaluate", *tables]) == 0
    assert "What has changed" in capsys.readouterr().out
    assert not oracle.differences(world.tables(), before)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--outcomes", "o"], 2, "give both"),
        (["--outcomes", "o", "--suppressions", "s"], 1, "ResourceNotFoundException"),
    ],
)
def test_what_cannot_be_done_is_reported(
    world: World, arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reevaluate", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_document_that_is_wrong_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "policy.toml"
    document.write_text("[hard]\nlapse = 1")
    assert main(["reevaluate", "--policy", str(document)]) == 2
    assert "unknown field `lapse`" in capsys.readouterr().err


def test_the_list_of_ses_is_brought_to_what_the_table_says(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m local sync`, for the day on which the option is switched on."""
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
    arguments = ["sync", "--suppressions", world.names["Suppressions"]]
    assert main([*arguments, "--dry-run"]) == 0
    assert ses.calls == []
    assert f"{len(wanted):9}  Put\n" in capsys.readouterr().out
    assert main(arguments) == 0
    assert ses.listed == {change.address: change.reason for change in wanted}
    ses.failing = [(429, "TooManyRequestsException")]
    assert main(arguments) == 1
    assert "TooManyRequestsException" in capsys.readouterr().err
