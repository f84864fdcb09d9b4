"""Tables with streams, and a Lambda that delivers them as badly as it may: twice, in halves, late, after crashes.

Rows are written by the product's own code. A stream is read by one worker at a time, in the order of its shards; beside
it comes a second one that was thought dead, with any part of what was delivered before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final
from zlib import crc32

import msgspec

from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.core.model import Outcome, Suppression
from aftersend.core.statistics import Cell, CounterRow, compare_rows, recount, sum_rows
from aftersend.core.writes import Put, Refused, Request
from aftersend.jobs.streams import StreamResult, StreamWorker
from aftersend.storage import items
from aftersend.storage.items import Item
from aftersend.storage.statistics import Shard, StatisticsTable
from tests.simulation.dynamodb import DynamoDB
from tests.support.ports import NOW, MemoryStore

TTL: Final = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
LABEL: Final = "2026-03-01T00:00:00.000"
FIRST: Final = 99_999_999_999_999_999_990  # of the numbers of records: one digit more is soon there
_encode: Final = msgspec.json.Encoder().encode

Record = dict[str, Any]
Crash = Callable[[], bool]


def make_record(old: Item | None, new: Item | None, sequence: int, *, by_ttl: bool = False) -> Record:
    """Return a record of a stream as Lambda hands it over; of binary attributes it has the base64 text."""
    images: dict[str, Any] = {"ApproximateCreationDateTime": 1772323200, "SequenceNumber": str(sequence)}
    images |= {name: msgspec.json.decode(_encode(row)) for name, row in (("OldImage", old), ("NewImage", new)) if row}
    name = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
    record = {"eventID": f"{sequence:032x}", "eventName": name, "dynamodb": images}
    return record | ({"userIdentity": TTL} if by_ttl else {})


def make_event(table: str, shard: str, records: Sequence[Record], *, final: bool = False) -> dict[str, Any]:
    """Return a batch as Lambda hands it over inside a tumbling window."""
    arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/stream/{LABEL}"
    return {
        "Records": [record | {"eventSourceARN": arn} for record in records],
        "shardId": shard,
        "eventSourceARN": arn,
        "window": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T00:15:00Z"},
        "state": {},
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": False,
    }


class StreamedStore(MemoryStore):
    """Both tables with their streams: shards by recipient, which may split into younger ones at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.shards: dict[tuple[str, str], list[Record]] = {}  # of a table, by id; the older ones come first
        self.removed: list[tuple[Outcome | Suppression, bool]] = []  # and whether by TTL
        self._number, self._generation = FIRST, 0

    def answer(self, request: Request) -> Any:
        old = self._row(request.item) if isinstance(request, Put) else None
        answer = super().answer(request)
        if isinstance(request, Put) and not isinstance(answer, Refused):
            self._tell(request.item, old, self._row(request.item))
        return answer

    def split(self) -> None:
        """Close all shards: what is written from now on is in others."""
        self._generation += 1

    def remove(self, row: Outcome | Suppression, *, by_ttl: bool) -> None:
        """Delete a row, as TTL does or an erasure."""
        old = self._row(row)
        table = self.outcomes_table if isinstance(row, Outcome) else self.suppressions_table
        del table[row.key]
        self.removed.append((row, by_ttl))
        self._tell(row, old, None, by_ttl=by_ttl)

    def list_rows(self) -> list[Outcome | Suppression]:
        """Return what is in both tables."""
        return [
            *map(items.decode_outcome, self.outcomes_table.values()),
            *map(items.decode_suppression, self.suppressions_table.values()),
        ]

    def _row(self, row: Outcome | Suppression) -> Item | None:
        return (self.outcomes_table if isinstance(row, Outcome) else self.suppressions_table).get(row.key)

    def _tell(self, row: Outcome | Suppression, old: Item | None, new: Item | None, *, by_ttl: bool = False) -> None:
        if old == new:
            return
        self._number += 1
        table = "Outcomes" if isinstance(row, Outcome) else "Suppressions"
        place = table, f"shardId-{self._generation}-{crc32(row.recipient.encode()) % 2}"
        self.shards.setdefault(place, []).append(make_record(old, new, self._number, by_ttl=by_ttl))


class Faults:
    """DynamoDB, with what may go wrong about a transaction: before it, after it, and others in between."""

    def __init__(self, database: DynamoDB, random: Random, share: float = 0.0) -> None:
        self._database, self._random, self._share = database, random, share
        self.between: Callable[[], None] = lambda: None  # what somebody else does meanwhile

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._database, operation)

    def transact_write_items(self, **request: Any) -> Any:
        if self._random.random() < self._share:
            self.between()
        match self._random.random() / self._share if self._share else 1:
            case fault if fault < 0.4:
                raise NoAnswer("before")
            case fault if fault < 0.6:
                reasons = [{"Code": "None"} for _ in request["TransactItems"]]
                reasons[-1] = {"Code": "TransactionConflict"}
                raise Refusal("TransactionCanceledException", {"CancellationReasons": reasons})
            case fault if fault < 1:
                self._database.transact_write_items(**request)
                raise NoAnswer("after")
        return self._database.transact_write_items(**request)


class NoParking:
    """Where nothing may be parked."""

    def put(self, shard: Shard, sequence: str, record: Mapping[str, Any], why: str) -> None:
        raise AssertionError(f"a record was parked: {why}")


class StreamWorld:
    """Streams, whoever works them, and the table of counters."""

    def __init__(self, random: Random, faults: float, find_stream: Callable[[str], str | None]) -> None:
        self.store, self.database = StreamedStore(), DynamoDB({"counters": "StatisticsTable"})
        self._random, self._find_stream = random, find_stream
        self._faults = Faults(self.database, random, faults)
        self.seen: dict[tuple[str, str], int] = {}  # of each shard, how many records need not come again

    def table(self, client: Any = None) -> StatisticsTable:
        """Return the table of counters as one execution environment knows it."""
        return StatisticsTable(client or self.database, "counters", lambda: NOW, lambda _: None)

    def worker(self, client: Any = None) -> StreamWorker:
        """Return a worker in an execution environment of its own."""
        return StreamWorker("Outcomes", self.table(client), NoParking(), self._find_stream)

    def deliver(self) -> None:
        """Deliver what shards have got since they were delivered last, older ones first, with all that may go wrong."""
        worker = self.worker(self._faults)
        self._faults.between = self.deliver_again
        for place, records in self.store.shards.items():
            while (start := self.seen.get(place, 0)) < len(records):
                batch = records[start : start + self._random.randint(1, 6)]
                done = worker.run(make_event(*place, batch))
                answer = done.answer()
                assert answer["state"] == {}, "without a state the call counts as failed"
                self.seen[place] = start + count_done(batch, done)
                if self._random.random() < 0.3:
                    self.deliver_again()
                if self._random.random() < 0.2:
                    worker = self.worker(self._faults)  # a cold start

    def deliver_again(self) -> None:
        """Deliver once more from anywhere, in a worker that was thought dead; but nothing may be left out before it."""
        place, records = self._random.choice([*self.store.shards.items()])
        start = self._random.randint(0, self.seen.get(place, 0))
        batch = records[start : start + self._random.randint(0, 6)]
        between, self._faults.between = self._faults.between, lambda: None
        self.worker(self._faults).run(make_event(*place, batch))
        self._faults.between = between

    def read(self) -> dict[CounterRow, dict[Cell, int]]:
        """Return all counters."""
        return dict(self.table().scan_rows())

    def find_disagreements(self) -> list[Any]:
        """Compare the counters with a recount of what is in the tables and what has left them."""
        stored = self.read()
        return compare_rows(stored, recount(stored, sum_rows(self.store.list_rows(), self._find_stream)))


def count_done(batch: Sequence[Record], done: StreamResult) -> int:
    """How many records of a batch need not come again."""
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    return numbers.index(done.failed) if done.failed else len(numbers)
