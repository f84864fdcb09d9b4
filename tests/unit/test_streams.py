"""A batch of a stream, worked once: the order of what is done, what may come twice, and what nobody can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
import pytest

from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.core import statistics
from aftersend.core.changes import Change
from aftersend.core.errors import ConfigurationError, ContentionExhausted, StoreUnavailable
from aftersend.core.model import Context, Kind, Outcome
from aftersend.core.outcome import merge
from aftersend.core.statistics import Cell, CounterRow, Dimension, Gone, Measure
from aftersend.jobs.streams import StreamWorker
from aftersend.storage import items
from aftersend.storage.parked_records import ParkedRecords
from aftersend.storage.statistics import Shard, StatisticsTable
from aftersend.storage.store import make_row
from tests.simulation.dynamodb import DynamoDB
from tests.support.facts import classify, fact
from tests.support.ports import NOW, RETENTION
from tests.support.streams import FIRST, LABEL, Faults, NoParking, make_event, make_record

DAY = "2026-03-01"
SHARD = "shardId-1"


def _outcome(kind: Kind, message: str = "test:1", campaign: str = "spring") -> items.Item:
    context = Context(sender="News <news@shop.example>", correlation={"campaign": campaign})
    return _row(merge(None, [fact(kind, message=message, context=context)], classify))


def _row(outcome: Outcome) -> items.Item:
    return make_row(outcome, RETENTION, NOW)


SENT, DELIVERED = _outcome(Kind.SENT), _outcome(Kind.DELIVERED)


class World:
    """The table of counters, and a worker."""

    def __init__(self, **others: Any) -> None:
        self.database = DynamoDB({"counters": "StatisticsTable"})
        self.client: Any = self.database
        self.worker = self.make_worker(**others)

    def make_worker(self, parking: Any = None, **others: Any) -> StreamWorker:
        return StreamWorker("Outcomes", self.table(), parking or NoParking(), lambda _: None, **others)

    def table(self, client: Any = None) -> StatisticsTable:
        return StatisticsTable(client or self.database, "counters", lambda: NOW, lambda _: None)

    def run(self, *records: dict[str, Any], table: str = "Outcomes") -> dict[str, Any]:
        return self.worker.run(make_event(table, SHARD, records)).answer()

    def read(self, dimension: Dimension = Dimension.ALL, gone: Gone | None = None) -> dict[tuple[str, Measure], int]:
        cells = dict(self.table().scan_rows()).get(CounterRow(DAY, dimension, gone), {})
        return {(cell.value, cell.measure): number for cell, number in cells.items() if number}


DONE: dict[str, Any] = {"state": {}, "batchItemFailures": []}


def test_a_change_moves_counters_by_what_it_changes() -> None:
    world = World()
    assert world.run(make_record(None, SENT, 1), make_record(SENT, DELIVERED, 2)) == DONE
    assert world.read() == {("all", Measure.DELIVERED): 1}
    assert world.read(Dimension.SENDER) == {("shop.example", Measure.DELIVERED): 1}
    assert world.read(Dimension.CAMPAIGN) == {("spring", Measure.DELIVERED): 1}
    assert world.read(Dimension.SYSTEM) == {("other", Measure.DELIVERED): 1}
    assert world.read(Dimension.HOUR) == {("00", Measure.DELIVERED): 1}


def test_what_cancels_out_moves_the_checkpoint_all_the_same() -> None:
    """A part of the batch may come again, in a function thought dead; it must find that it has been counted."""
    world = World()
    there, back = make_record(SENT, DELIVERED, 1), make_record(DELIVERED, SENT, 2)
    assert world.run(there, back) == DONE
    assert world.run(there) == DONE
    assert world.read() == {}


@pytest.mark.parametrize("first", [9, 99, FIRST + 9, 10**39 - 1])
def test_numbers_of_records_are_compared_as_numbers(first: int) -> None:
    """DynamoDB Streams API reference: 21 to 40 digits, as text. "10" is after "9"."""
    world = World()
    records = [make_record(None, SENT, first), make_record(SENT, DELIVERED, first + 1)]
    for record in (*records, *records):
        assert world.run(record) == DONE
    assert world.read() == {("all", Measure.DELIVERED): 1}


def test_a_batch_that_is_out_of_order_is_put_in_order() -> None:
    world = World()
    world.run(make_record(SENT, DELIVERED, 10), make_record(None, SENT, 9))
    assert world.read() == {("all", Measure.DELIVERED): 1}


def test_shards_have_checkpoints_of_their_own() -> None:
    world = World()
    other = _outcome(Kind.SENT, "test:2")
    world.run(make_record(None, SENT, 5))
    world.worker.run(make_event("Outcomes", "shardId-2", [make_record(None, other, 4)]))
    assert world.read() == {("all", Measure.SENT): 2}


def test_a_change_that_moves_nothing_writes_nothing() -> None:
    world = World()
    world.run(make_record(SENT, SENT | {"version": {"N": "2"}}, 1))
    assert world.database.tables["counters"].items == {}


def test_what_leaves_the_table_stays_counted_and_says_why_it_left() -> None:
    world = World()
    other = _outcome(Kind.SENT, "test:2")
    world.run(make_record(None, SENT, 1), make_record(None, other, 2))
    world.run(make_record(SENT, None, 3, by_ttl=True), make_record(other, None, 4))
    assert world.read() == {("all", Measure.SENT): 2}
    assert world.read(gone=Gone.EXPIRED) == {("all", Measure.SENT): 1}
    assert world.read(gone=Gone.ERASED) == {("all", Measure.SENT): 1}


def test_the_user_identity_is_known_in_the_case_of_the_api_too() -> None:
    record = make_record(SENT, None, 2) | {"userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}}
    world = World()
    world.run(record)
    assert world.read(gone=Gone.EXPIRED) == {("all", Measure.SENT): 1}


def test_the_end_of_a_window_has_no_records() -> None:
    world = World()
    assert world.worker.run(make_event("Outcomes", SHARD, [], final=True)).answer() == DONE


def test_without_a_window_nothing_is_counted() -> None:
    event = make_event("Outcomes", SHARD, [make_record(None, SENT, 1)])
    del event["shardId"]
    with pytest.raises(ConfigurationError, match="TumblingWindowInSeconds"):
        World().worker.run(event)


# ---- Values that senders choose --------------------------------------------------------------------------------------


@pytest.fixture
def _one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_VALUES", 1)


@pytest.mark.usefixtures("_one_value")
def test_values_beyond_the_bound_are_counted_as_other_and_leave_as_such() -> None:
    world = World()
    second = _outcome(Kind.SENT, "test:2", "autumn")
    moved = _outcome(Kind.DELIVERED, "test:2", "autumn")
    world.run(make_record(None, SENT, 1), make_record(None, second, 2))
    assert world.read(Dimension.CAMPAIGN) == {("spring", Measure.SENT): 1, ("other", Measure.SENT): 1} or world.read(
        Dimension.CAMPAIGN
    ) == {("autumn", Measure.SENT): 1, ("other", Measure.SENT): 1}
    world.run(make_record(second, moved, 3), make_record(SENT, DELIVERED, 4))
    assert world.read(Dimension.CAMPAIGN).keys() >= {("other", Measure.DELIVERED)}
    assert sum(world.read(Dimension.CAMPAIGN).values()) == 2


@pytest.mark.usefixtures("_one_value")
def test_two_shards_that_bring_new_values_at_once_do_not_pass_the_bound() -> None:
    """What one has read, another has filled before it writes."""
    world = World()
    faults = Faults(world.database, Random(1))
    autumn = _outcome(Kind.SENT, "test:2", "autumn")
    slow = StreamWorker("Outcomes", world.table(faults), NoParking(), lambda _: None)

    def transact(**request: Any) -> Any:
        if len(world.database.tables["counters"].items) == 0:
            world.run(make_record(None, autumn, 7))
        return world.database.transact_write_items(**request)

    faults.transact_write_items = transact  # type: ignore[method-assign]
    assert slow.run(make_event("Outcomes", "shardId-2", [make_record(None, SENT, 1)])).answer() == DONE
    assert world.read(Dimension.CAMPAIGN) == {("autumn", Measure.SENT): 1, ("other", Measure.SENT): 1}


# ---- What fails ------------------------------------------------------------------------------------------------------


class Failing:
    """A client whose transactions fail as they are told to, one after the other."""

    def __init__(self, database: DynamoDB, *failures: Callable[[Mapping[str, Any]], Any]) -> None:
        self._database, self._failures, self.tries = database, [*failures], 0

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._database, operation)

    def transact_write_items(self, **request: Any) -> Any:
        self.tries += 1
        if self._failures:
            self._failures.pop(0)(request)
        return self._database.transact_write_items(**request)


def _conflict(request: Mapping[str, Any]) -> None:
    reasons = [{"Code": "None"} for _ in request["TransactItems"]]
    reasons[-1] = {"Code": "TransactionConflict"}
    raise Refusal("TransactionCanceledException", {"CancellationReasons": reasons})


def _invalid(_: Mapping[str, Any]) -> None:
    raise Refusal("TransactionCanceledException", {"CancellationReasons": [{"Code": "ValidationError"}]})


def _no_answer(_: Mapping[str, Any]) -> None:
    raise NoAnswer("nothing came back")


def _failing(world: World, *failures: Callable[[Mapping[str, Any]], Any]) -> Failing:
    client = Failing(world.database, *failures)
    world.worker = StreamWorker("Outcomes", world.table(client), NoParking(), lambda _: None)
    return client


def test_a_conflict_is_tried_again() -> None:
    world = World()
    client = _failing(world, _conflict, _conflict)
    assert world.run(make_record(None, SENT, 1)) == DONE
    assert client.tries == 3
    assert world.read() == {("all", Measure.SENT): 1}


def test_conflicts_without_end_hand_the_batch_back() -> None:
    world = World()
    _failing(world, *[_conflict] * 20)
    done = world.worker.run(make_event("Outcomes", SHARD, [make_record(None, SENT, 1)]))
    assert done.failed == "1"
    assert done.why is not None and "10 times" in done.why


@pytest.mark.parametrize("failure", [_invalid, _no_answer])
def test_what_does_not_pass_hands_the_batch_back_at_once(failure: Callable[..., Any]) -> None:
    world = World()
    client = _failing(world, failure)
    answer = world.run(make_record(None, SENT, 1), make_record(SENT, DELIVERED, 2))
    assert answer == {"state": {}, "batchItemFailures": [{"itemIdentifier": "1"}]}
    assert client.tries == 1
    assert world.run(make_record(None, SENT, 1), make_record(SENT, DELIVERED, 2)) == DONE
    assert world.read() == {("all", Measure.DELIVERED): 1}


def test_only_what_is_not_counted_yet_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_ROWS", 8)  # as many as one outcome has: a transaction for each message
    world = World()
    other = _row(merge(None, [fact(Kind.SENT, 1, message="test:2")], classify))
    client = _failing(world, lambda _: None, _no_answer)
    answer = world.run(make_record(None, SENT, 1), make_record(None, other, 2))
    assert client.tries == 2
    assert answer["batchItemFailures"] == [{"itemIdentifier": "2"}]


# ---- Events ----------------------------------------------------------------------------------------------------------


class Publisher:
    """Publishes one event for each change, or fails."""

    def __init__(self, world: World) -> None:
        self.world, self.published, self.fails = world, list[Change](), False

    def publish(self, changes: Sequence[Change]) -> int:
        if self.fails:
            raise StoreUnavailable("no bus")
        assert self.world.read() == {}, "before they are counted"
        self.published += changes
        return len(changes)


def test_events_go_out_before_they_are_counted_and_once() -> None:
    world = World()
    publisher = Publisher(world)
    world.worker = world.make_worker(publisher=publisher)
    record = make_record(None, SENT, 1)
    publisher.fails = True
    assert world.run(record)["batchItemFailures"] == [{"itemIdentifier": "1"}]
    assert world.read() == {}, "what could not be published is not counted"
    publisher.fails = False
    assert world.run(record) == DONE
    assert world.run(record) == DONE
    (change,) = publisher.published
    assert (change.old, change.sequence, change.at) == (None, 1, datetime(2026, 3, 1, tzinfo=UTC))
    assert change.row.key == ("email:ann@example.com", "test:1")


def test_an_event_moves_the_checkpoint_also_where_nothing_is_counted() -> None:
    world = World()
    publisher = Publisher(world)
    world.worker = world.make_worker(publisher=publisher, counts=False)
    for _ in range(2):
        assert world.run(make_record(None, SENT, 1)) == DONE
    assert len(publisher.published) == 1
    assert world.read() == {}


# ---- What nobody can read --------------------------------------------------------------------------------------------


class Bucket:
    """Keeps objects."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def get_object(self, **request: Any) -> Any:
        return self.objects[request["Key"]]

    def put_object(self, **request: Any) -> Any:
        self.objects[request["Key"]] = msgspec.json.decode(request["Body"])


@pytest.mark.parametrize(
    "image",
    [
        SENT | {"schema": {"N": "99"}},
        {name: value for name, value in SENT.items() if name != "status"},
        SENT | {"feedback": {"B": "AAAA"}},
        SENT | {"feedback": {"S": "[]"}},
        {},
    ],
    ids=["newer", "not whole", "not packed", "no feedback", "no image"],
)
def test_a_record_that_nobody_can_read_is_parked_and_its_shard_goes_on(image: items.Item) -> None:
    bucket, world = Bucket(), World()
    world.worker = world.make_worker(ParkedRecords(bucket, "archive"))
    other = _outcome(Kind.SENT, "test:2")
    assert world.run(make_record(None, image, 1), make_record(None, other, 2)) == DONE
    assert world.read() == {("all", Measure.SENT): 1}
    ((key, parked),) = bucket.objects.items()
    assert key == f"parked-records/Outcomes/{LABEL}/{SHARD}/1.json"
    assert parked["why"] and parked["record"]["dynamodb"]["SequenceNumber"] == "1"


def test_a_bucket_that_does_not_take_it_hands_the_batch_back() -> None:
    class Closed(Bucket):
        def put_object(self, **request: Any) -> Any:
            raise NoAnswer("closed")

    world = World()
    world.worker = world.make_worker(ParkedRecords(Closed(), "archive"))
    assert world.run(make_record(None, {}, 1))["batchItemFailures"] == [{"itemIdentifier": "1"}]


# ---- The table -------------------------------------------------------------------------------------------------------


def test_a_row_is_read_as_it_was_written() -> None:
    row = CounterRow(DAY, Dimension.SENDER)
    cells = {Cell(DAY, Dimension.SENDER, "mail.shop.example", measure): 3 for measure in Measure}
    table = World().table()
    table.put_row(row, cells)
    assert dict(table.scan_rows()) == {row: cells}
    assert table.read_rows([row, CounterRow(DAY, Dimension.ALL)]) == {row: cells}


def test_a_transaction_fits_what_dynamodb_takes() -> None:
    """The simulated table refuses more than 100 actions and an expression beyond 4,096 bytes."""
    cells = {
        Cell(DAY, Dimension.SYSTEM, "x" * 48 + str(at), Measure.BOUNCED_UNDETERMINED): 10**6
        for at in range(statistics.MAX_CELLS)
    }
    rows = {CounterRow(f"2026-03-{at:02}", Dimension.SYSTEM): cells for at in range(1, statistics.MAX_ROWS + 1)}
    assert World().table().commit(Shard("s", "1"), 0, 1, rows) == 1


def test_contention_is_an_error_of_ours() -> None:
    world = World()
    client = Failing(world.database, *[_conflict] * 10)
    with pytest.raises(ContentionExhausted):
        world.table(client).commit(Shard("s", "1"), 0, 1, {})
