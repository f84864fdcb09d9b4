"""One batch of the stream of a table: what has changed goes out as events, and is counted exactly once.

DynamoDB has every write once in its stream, and those of one row in their order; Lambda hands them over at least once,
in halves after a failure, or again in a batch that was thought lost. So the checkpoint of the shard says what has been
counted (`aftersend.storage.statistics`), and a batch is worked in this order:

    drop what the checkpoint covers → read the rows → publish events → count, with the checkpoint → answer

What is published is published before it is counted: a crash between the two publishes again, under the same ids, and
never loses anything. A change that moves no counter needs no checkpoint: it may come again, and moves nothing again.
Where changes of a batch cancel out, the checkpoint moves all the same, since a part of the batch may come again.

A record that this version cannot read is parked with the reason, and its shard goes on; a recount mends the counters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, Protocol

from msgspec import Struct, field

from aftersend.core.changes import Change
from aftersend.core.errors import ConfigurationError, ServiceError, Unreadable
from aftersend.core.model import Outcome, Suppression
from aftersend.core.statistics import CounterRows, Difference, FindStream, fill_commit, find_difference
from aftersend.ports import ChangesPort
from aftersend.storage import items
from aftersend.storage.statistics import Shard

_TTL: Final = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}  # who deletes what has expired


class CountersPort(Protocol):
    """Where counters are kept: `aftersend.storage.statistics.StatisticsTable` is one."""

    def read_checkpoint(self, shard: Shard) -> int: ...  # noqa: D102
    def commit(self, shard: Shard, read: int, last: int, rows: CounterRows) -> int: ...  # noqa: D102


class ParkingPort(Protocol):
    """Where records go that nobody can read: `aftersend.storage.parked_records.ParkedRecords` is one."""

    def put(self, shard: Shard, sequence: str, record: Mapping[str, Any], why: str) -> None: ...  # noqa: D102


class StreamResult(Struct):
    """What became of a batch of a stream. From `failed` on it must come again."""

    counts: Counter[str] = field(default_factory=Counter)
    parked: dict[str, str] = field(default_factory=dict)  # number of a record -> why nobody can read it
    failed: str | None = None  # number of the record
    why: str | None = None

    def answer(self) -> dict[str, Any]:
        """Return what Lambda wants to hear; without a state, a batch of a window counts as failed."""
        return {"state": {}, "batchItemFailures": [{"itemIdentifier": self.failed}] if self.failed else []}


class StreamWorker:
    """Works batches of the streams of both tables, one shard at a time."""

    def __init__(
        self,
        outcomes_table: str,
        counters: CountersPort,
        parking: ParkingPort,
        find_stream: FindStream,
        *,
        counts: bool = True,
        publisher: ChangesPort | None = None,
    ) -> None:
        """Take whether anything is counted (`counts`), and what makes events of changes, if anything does."""
        self._outcomes_table, self._counters, self._parking = outcomes_table, counters, parking
        self._find_stream, self._counts, self._publisher = find_stream, counts, publisher

    def run(self, event: Mapping[str, Any]) -> StreamResult:
        """Work one batch; raises ConfigurationError where it does not say which shard it is of."""
        result, checkpoint = StreamResult(), 0
        records = sorted(event["Records"], key=_read_sequence)
        if not records:  # the end of a window
            return result
        shard = find_shard(event)
        try:
            checkpoint = self._counters.read_checkpoint(shard)
            fresh = [record for record in records if _read_sequence(record) > checkpoint]
            result.counts["Repeated"] += len(records) - len(fresh)
            changes, differences = self._read(shard, fresh, result)
            published = self._publisher.publish(changes) if self._publisher and changes else 0
            result.counts["Published"] += published
            for moved in self._count(shard, checkpoint, differences, published > 0):
                checkpoint = moved
                result.counts["Commits"] += 1
        except ServiceError as error:
            result.failed = next(_name(record) for record in records if _read_sequence(record) > checkpoint)
            result.why = str(error)
        return result

    def _read(
        self, shard: Shard, records: Sequence[Mapping[str, Any]], result: StreamResult
    ) -> tuple[list[Change], list[Difference]]:
        """What the records say, and how each moves counters; what cannot be read is parked."""
        changes, differences = list[Change](), list[Difference]()
        decode = items.decode_outcome if self._is_of_outcomes(shard) else items.decode_suppression
        for record in records:
            try:
                change = read_change(record, decode)
                difference = find_difference(change, self._find_stream)
            except Unreadable as error:
                self._parking.put(shard, _name(record), record, str(error))
                result.parked[_name(record)] = str(error)
            else:
                changes.append(change)
                differences.append(difference if self._counts else Difference(sequence=change.sequence))
        result.counts["Moved"] += sum(difference.moves for difference in differences)
        result.counts["Unmoved"] += sum(not difference.moves for difference in differences)
        return changes, differences

    def _is_of_outcomes(self, shard: Shard) -> bool:
        return shard.stream.partition("/")[0] == self._outcomes_table

    def _count(
        self, shard: Shard, checkpoint: int, differences: Sequence[Difference], published: bool
    ) -> Iterator[int]:
        """Count differences in as few transactions as they need; yields the checkpoint after each.

        Where events were published the checkpoint moves too, so that they need not go out again.
        """
        waiting = [difference for difference in differences if difference.moves or published]
        while waiting:
            taken, rows = fill_commit(waiting)
            checkpoint = self._counters.commit(shard, checkpoint, waiting[taken - 1].sequence, rows)
            yield checkpoint
            waiting = [difference for difference in waiting if difference.sequence > checkpoint]


def find_shard(event: Mapping[str, Any]) -> Shard:
    """Find the shard that a batch is of; raises ConfigurationError where its mapping has no tumbling window."""
    if "shardId" not in event:
        raise ConfigurationError("the event names no shard: its mapping needs TumblingWindowInSeconds")
    _, table, _, label = event["eventSourceARN"].split("/", 3)
    return Shard(f"{table}/{label}", event["shardId"])


def read_change(record: Mapping[str, Any], decode: Callable[[items.Item], Outcome | Suppression]) -> Change:
    """Read one record of a stream; raises Unreadable where a row in it is none that this version writes."""
    images = record["dynamodb"]
    old, new = images.get("OldImage"), images.get("NewImage")
    if not old and not new:
        raise Unreadable("a record of the stream has no row in it")
    return Change(
        id=blake2b(record["eventID"].encode(), digest_size=16).hexdigest(),
        sequence=_read_sequence(record),
        at=datetime.fromtimestamp(int(images["ApproximateCreationDateTime"]), UTC),
        old=decode(old) if old else None,
        new=decode(new) if new else None,
        expired=_is_by_ttl(record.get("userIdentity")),
    )


def _is_by_ttl(identity: Mapping[str, Any] | None) -> bool:
    """Whether DynamoDB itself deleted the row; names are in another case in Lambda's events than in the API."""
    given = {name.lower(): value for name, value in (identity or {}).items()}
    return all(given.get(name.lower()) == value for name, value in _TTL.items())


def _name(record: Mapping[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _read_sequence(record: Mapping[str, Any]) -> int:
    return int(_name(record))
