"""Tables with a stream, and a Lambda that delivers it as badly as it may: twice, in halves, late, after crashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aftersend.core.errors import StoreUnavailable
from aftersend.core.statistics import Cell, Row, Rows, add_counts
from aftersend.storage.items import Item
from aftersend.storage.statistics import Shard

TTL: Final = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
LABEL: Final = "2026-03-01T00:00:00.000"
_encode: Final = msgspec.json.Encoder().encode

Record = dict[str, Any]


def make_record(old: Item | None, new: Item | None, sequence: int, *, by_ttl: bool = False) -> Record:
    """Return a record of a stream as Lambda hands it over; of binary attributes it has the base64 text."""
    images: dict[str, Any] = {
        "ApproximateCreationDateTime": 1772323200,
        "SequenceNumber": str(sequence),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    images |= {name: msgspec.json.decode(_encode(row)) for name, row in (("OldImage", old), ("NewImage", new)) if row}
    record = {
        "eventID": f"{sequence:032x}",
        "eventName": "MODIFY" if old and new else "INSERT" if new else "REMOVE",
        "dynamodb": images,
    }
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


class Crash(StoreUnavailable):
    """DynamoDB did what it was asked to, or did not, and nobody is told."""


class MemoryCounters:
    """Counters and checkpoints in memory; `crash` is asked before and after each transaction."""

    def __init__(self, crash: Callable[[], bool] = lambda: False, most: int = 100) -> None:
        self.rows: dict[Row, dict[Cell, int]] = {}
        self.checkpoints: dict[Shard, int] = {}
        self._crash = crash

    def read_checkpoint(self, shard: Shard) -> int:
        return self.checkpoints.get(shard, 0)

    def commit(self, shard: Shard, read: int, last: int, rows: Rows) -> int:
        self._may_crash()
        if self.checkpoints.get(shard, 0) != read:
            return self.checkpoints[shard]
        self.checkpoints[shard] = last
        for row, cells in rows.items():
            self.rows[row] = add_counts([(1, self.rows.get(row, {})), (1, cells)])
        self._may_crash()
        return last

    def _may_crash(self) -> None:
        if self._crash():
            raise Crash("no answer")


class NoParking:
    """Where nothing may be parked."""

    def put(self, shard: Shard, sequence: str, record: Mapping[str, Any], why: str) -> None:
        raise AssertionError(f"a record was parked: {why}")
