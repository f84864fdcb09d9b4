"""The embedded stack: made from the template, fed with every sample by the real handlers, shown to a person."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from aftersend import classify
from aftersend.core import policy
from aftersend.core.model import CauseKind, Outcome
from aftersend.sources import SOURCES
from local import demo, show
from local.demo import Pass, Rig, rigged
from local.lambdas import Mapping
from local.mails import mails
from local.publish import shuffled
from local.samples import Sample, samples
from local.stack import running
from local.tables import Contents, DeadLetter
from tests.support import oracle
from tests.support.template import MAPPINGS, one

CLASSIFIER = classify.load()
SEED = 11
SENT = samples()
SES = [sample for sample in SENT if sample.source == "ses"]
MALFORMED = {sample for sample in SENT if "malformed" in json.loads(sample.expectation.read_bytes())}


def _why(sample: Sample) -> str:
    return str(json.loads(sample.expectation.read_bytes())["malformed"])


class World:
    """A stack through which every sample has gone twice, and what was shown of it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.shown = io.StringIO()
        out = Console(file=self.shown, width=100, force_terminal=False)
        self.faults = demo.present(rig, SEED, out, everything=True)

    @property
    def first(self) -> Pass:
        return self.rig.passes[0]

    @property
    def second(self) -> Pass:
        return self.rig.passes[1]

    @property
    def logs(self) -> str:
        return "".join(function.logs.getvalue() for function in self.rig.lambdas.functions.values())


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running() as stack, rigged(stack) as rig:
        yield World(rig)


def test_nothing_is_wrong(world: World) -> None:
    assert world.faults == []
    assert world.first.counts["done"] > len(set(world.first.sent)) - len(MALFORMED)
    assert world.first.counts["again"] == world.second.counts["again"] == 0


def test_the_tables_hold_what_a_fold_of_all_samples_gives(world: World) -> None:
    assert world.rig.samples == SENT
    facts = [fact for sample in SENT for fact in demo.facts(sample)]
    expected = oracle.expected(facts, CLASSIFIER, policy.load())
    stored = oracle.tables(world.first.contents.outcomes, world.first.contents.suppressions)
    assert oracle.differences(stored, expected) == []


def test_a_second_time_in_another_order_writes_nothing(world: World) -> None:
    assert world.first.sent != world.second.sent
    assert world.first.writes > len(world.first.contents.outcomes)
    assert world.second.writes == 0
    assert world.first.contents == world.second.contents  # versions included


def test_unreadable_bodies_lie_in_one_queue_with_source_and_reason(world: World) -> None:
    """And nothing lies in any dead-letter queue: everything could be stored."""
    assert {letter.queue for letter in world.first.letters} == {"UnreadableBodies"}
    for source in SOURCES:
        lying = {(letter.body, letter.reason) for letter in world.first.letters if letter.source == source}
        samples_of = [sample for sample in MALFORMED if sample.source == source]
        if source == "ses":  # others are wrapped on their way
            assert lying == {(sample.body().decode(), _why(sample)) for sample in samples_of}
        assert {reason for _, reason in lying} >= {_why(sample) for sample in samples_of}
        assert bool(lying) == bool(samples_of)


def test_a_body_that_is_moved_back_is_worked_as_what_it_is(world: World) -> None:
    """SQS moves a message with its attributes and its group. The embedded one cannot, so it is done here in its way.

    Nobody reads these any better the second time: each is parked again, with the reason that its own parser gives.
    """
    sqs, queues = world.rig.stack.client("sqs"), world.rig.stack.physical_ids("AWS::SQS::Queue")
    before, moved = world.rig.tables.dead_letters(), 0
    while found := sqs.receive_message(
        QueueUrl=queues["UnreadableBodies"],
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        for each in found:
            attributes, group = each["MessageAttributes"], each["Attributes"]["MessageGroupId"]
            assert group == attributes["source"]["StringValue"]
            sqs.send_message(
                QueueUrl=queues["FeedbackQueue"],
                MessageBody=each["Body"],
                MessageAttributes=attributes,
                MessageGroupId=group,
            )
            sqs.delete_message(QueueUrl=queues["UnreadableBodies"], ReceiptHandle=each["ReceiptHandle"])
            moved += 1
    assert moved == len(before)
    world.rig.lambdas.drain()
    assert sorted(world.rig.tables.dead_letters(), key=str) == sorted(before, key=str)
    assert {letter.source for letter in before} == {sample.source for sample in MALFORMED}


def test_no_log_line_carries_an_address(world: World) -> None:
    assert '"message":"batch"' in world.logs
    assert "@" not in world.logs
    names = {outcome.recipient.partition(":")[2].partition("@")[0] for outcome in world.first.contents.outcomes}
    telling = {name for name in names if "." in name}  # others are words that may stand in any sentence
    assert len(telling) > 20
    assert not [name for name in telling if name in world.logs]


def test_the_archive_holds_every_body_that_came(world: World) -> None:
    archived = set(_archived_bodies(world))
    for sample in SES:
        body = sample.body().decode()
        if "detail-type" not in body:  # an event bus writes the envelope anew
            assert body in archived, sample.name
        elif '"mail"' in body:
            assert any(_message_id(body) in each for each in archived), sample.name


def test_functions_get_what_the_template_gives_them(world: World) -> None:
    variables = world.rig.lambdas.functions["ProcessSes"].variables
    tables = world.rig.stack.physical_ids("AWS::DynamoDB::Table")
    assert variables["SOURCE"] == "ses"
    assert variables["OUTCOMES_TABLE"] == tables["Outcomes"]
    assert variables["SUPPRESSIONS_TABLE"] == tables["Suppressions"]
    assert len(variables["DIGEST_KEY"]) == 32  # fetched from the secret, not the reference to it
    assert variables["DIGEST_KEY"].isalnum()
    assert variables["WORKERS"] == "1"
    assert "AWS_ENDPOINT_URL" not in variables  # its condition does not hold


def test_what_a_condition_leaves_out_is_not_there(world: World) -> None:
    assert "AlarmTopic" in world.rig.stack.physical_ids("AWS::SNS::Topic")
    assert "AlarmMail" not in world.rig.stack.resources("AWS::SNS::Subscription")
    assert "AlarmMail" in world.rig.stack.template["Resources"]


def test_every_queue_with_a_function_is_worked(world: World) -> None:
    """Nothing else works here what the template says: each queue that feeds a function, but those of streams."""
    worked = [mapping.url.rpartition("/")[2] for mapping in world.rig.lambdas.mappings]
    queues = world.rig.stack.physical_ids("AWS::SQS::Queue")
    fed = {one(mapping["Queue"]) for _, mapping in MAPPINGS.values()}
    assert sorted(worked) == sorted(queues[name].rpartition("/")[2] for name in fed if name in queues)


class Picky:
    """A function that takes everything but one body."""

    def __init__(self, refused: str) -> None:
        self.refused = refused
        self.batches: list[list[dict[str, Any]]] = []

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        self.batches.append(event["Records"])
        failed = [each["messageId"] for each in event["Records"] if each["body"] == self.refused]
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}


@pytest.fixture
def fed(world: World, request: pytest.FixtureRequest) -> tuple[Any, Mapping, Picky]:
    """A queue with 25 messages, of which the function refuses one."""
    queues = world.rig.stack.client("sqs")
    url = queues.create_queue(QueueName=request.node.name)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attributes = {"source": {"DataType": "String", "StringValue": "test"}}
    for number in range(25):
        queues.send_message(QueueUrl=url, MessageBody=f"body {number}", MessageAttributes=attributes)
    function = Picky("body 13")
    return queues, Mapping(queues, {"EventSourceArn": arn, "BatchSize": "12"}, function), function


def test_a_batch_is_as_large_as_the_template_allows(fed: tuple[Any, Mapping, Picky]) -> None:
    _, mapping, function = fed
    assert sum(done for done, _ in mapping.drain()) == 24
    assert [len(batch) for batch in function.batches] == [12, 12, 1]


def test_only_what_a_function_hands_back_stays_in_its_queue(fed: tuple[Any, Mapping, Picky]) -> None:
    queues, mapping, _ = fed
    assert sum(again for _, again in mapping.drain()) == 1
    counts = queues.get_queue_attributes(QueueUrl=mapping.url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert counts["ApproximateNumberOfMessages"] == "0"


def test_a_record_has_the_shape_that_lambda_gives_it(fed: tuple[Any, Mapping, Picky]) -> None:
    _, mapping, function = fed
    list(mapping.drain())
    record = function.batches[0][0]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":test_a_record_has_the_shape_that_lambda_gives_it")
    assert record["awsRegion"] == "eu-west-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdecimal()
    assert record["messageAttributes"]["source"]["stringValue"] == "test"
    assert record["messageAttributes"]["source"]["dataType"] == "String"
    assert {"messageId", "receiptHandle", "body", "md5OfBody"} <= record.keys()


class TestFaults:
    """What the demo calls wrong: each of them is found."""

    def test_a_fact_that_was_lost(self, world: World) -> None:
        outcomes = world.first.contents.outcomes[1:]
        broken = replace(world.first, contents=Contents(outcomes, world.first.contents.suppressions))
        assert any("facts were lost" in fault for fault in demo.faults(broken, world.second))
        assert "the second time changed the tables" in demo.faults(broken, world.second)

    def test_a_write_of_what_was_known(self, world: World) -> None:
        assert list(demo.faults(world.first, replace(world.second, writes=3))) == ["the second time wrote 3 items"]

    def test_writes_that_nobody_counts(self, world: World) -> None:
        (fault,) = demo.faults(replace(world.first, writes=0), world.second)
        assert "writes are not counted" in fault

    def test_a_message_that_could_not_be_stored(self, world: World) -> None:
        counts = world.second.counts + type(world.second.counts)(again=2)
        (fault,) = demo.faults(world.first, replace(world.second, counts=counts))
        assert fault == "the second time, 2 messages could not be stored"

    def test_a_dead_letter_without_a_reason(self, world: World) -> None:
        letters = [*world.second.letters, DeadLetter("SesBouncesDeadLetters", None, None, "{}")]
        (fault,) = demo.faults(world.first, replace(world.second, letters=letters))
        assert fault == "1 messages lie in dead-letter queues without a reason"


class TestShown:
    """What a person sees, at 100 columns and without a terminal."""

    def test_it_is_plain_text_of_100_columns(self, world: World) -> None:
        text = world.shown.getvalue()
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= 100

    def test_a_narrow_terminal_still_shows_who_and_why(self, world: World) -> None:
        contents = world.first.contents
        as_of = max(outcome.last_at for outcome in contents.outcomes)
        longest = max(contents.outcomes, key=lambda outcome: len(outcome.feedback))
        tables = {
            "outcomes": show.outcomes(contents.outcomes, everything=True),
            "suppressions": show.suppressions(contents.suppressions, as_of, everything=True),
            "history": show.history(longest, {fact.id: 1 for fact in longest.feedback}, CLASSIFIER),
            "mails": mails(SENT, CLASSIFIER),
        }
        shown = {name: _printed(table, 80) for name, table in tables.items()}
        assert max(len(line) for text in shown.values() for line in text.splitlines()) <= 80
        for outcome in contents.outcomes:
            assert outcome.recipient.partition(":")[2][:22] in shown["outcomes"]
        for row, kind in show.in_force(contents.suppressions, as_of):
            assert row.recipient.partition(":")[2][:20] in shown["suppressions"]
            assert f" {kind} " in shown["suppressions"]
        for name, table in tables.items():
            assert "…" not in shown[name] + _printed(table, 60), f"something is cut off in {name}"

    def test_every_outcome_is_there_with_its_status(self, world: World) -> None:
        text = world.shown.getvalue()
        for outcome in world.first.contents.outcomes:
            assert f"{outcome.recipient.partition(':')[2][:29]}" in text
        rows = [line.split() for line in text.splitlines() if line.strip().startswith("peter.gone@example.net")]
        assert rows[0][:4] == ["peter.gone@example.net", "bounced", "hard,", "user_unknown"]

    def test_the_history_shows_the_order_of_arrival(self, world: World) -> None:
        text = world.shown.getvalue()
        assert "to sigrid.alm@example.net" in text
        assert "kind.complained (this decides)" in text
        order = text.partition("arrived in another, ")[2].partition(":")[0].split(", ")
        assert sorted(order) == [str(place) for place in range(1, 8)] != order

    def test_the_end_says_that_nothing_was_written(self, world: World) -> None:
        assert "in another order: 0 writes, and the tables are equal." in world.shown.getvalue()

    def test_one_of_each_kind_is_less_than_all(self, world: World) -> None:
        rows = world.first.contents.outcomes
        few, all_of_them = (show.outcomes(rows, everything=everything) for everything in (False, True))
        assert few.row_count < all_of_them.row_count == len(rows)
        assert {_status_and_reason(row) for row in rows} == {_status_and_reason(row) for row in _shown(few, rows)}

    def test_a_cause_that_does_not_hold_is_not_shown(self, world: World) -> None:
        rows = world.first.contents.suppressions
        as_of = max(outcome.last_at for outcome in world.first.contents.outcomes)
        holding = {(row.recipient, kind) for row, kind in show.in_force(rows, as_of)}
        assert ("email:always.full@example.net", CauseKind.STREAK) in holding
        assert ("email:second.thoughts@example.com", CauseKind.COMPLAINT) not in holding  # withdrawn


def test_a_seed_decides_the_order_and_the_repeats() -> None:
    chosen = SENT
    arrivals = shuffled(chosen, 1)
    assert arrivals == shuffled(chosen, 1) != shuffled(chosen, 2)
    assert set(arrivals) == set(chosen)
    assert 1.28 < len(arrivals) / len(chosen) < 1.32


def _printed(table: Any, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(table)
    return out.getvalue()


def _archived_bodies(world: World) -> Iterator[str]:
    s3 = world.rig.stack.client("s3")
    bucket = world.rig.lambdas.functions["ProcessSes"].variables["ARCHIVE_BUCKET"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page["Contents"]:
            lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
            yield from (json.loads(line).get("body", "") for line in lines.splitlines())


def _message_id(body: str) -> str:
    return str(json.loads(body)["detail"]["mail"]["messageId"])


def _status_and_reason(outcome: Outcome) -> tuple[str, str | None]:
    return outcome.status, outcome.verdict.reason if outcome.verdict else None


def _shown(table: Any, rows: list[Outcome]) -> list[Outcome]:
    """The outcomes in a table, by the recipient and the message of its first column."""
    cells = {cell.plain for cell in table.columns[0].cells}
    return [row for row in rows if any(cell.startswith(row.recipient.partition(":")[2] + "\n") for cell in cells)]
