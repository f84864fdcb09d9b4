"""The table of counters: rows by day and dimension, and how far each shard of a stream has been counted.

    day          dimension          attributes
    2026-03-20   system             n=2  gmail.d=812  gmail.bh=3  outlook.d=401
    2026-03-20   system#expired     gmail.d=40            what of it is no longer in the tables
    #<stream>    <shard>            sequence="0000…42"    the checkpoint

What a batch adds and the checkpoint of its shard are one transaction, conditional on the checkpoint as it was read. So
a record at or below the checkpoint has been counted and one above it has not, whatever comes twice, in halves or late.
Numbers of records are compared as numbers, and stored as text of one length: they have up to 40 digits, a number of
DynamoDB 38.

Of a dimension whose values senders choose, a day has MAX_VALUES of its own, those that came first; `n` is how many it
has, and a row gets new ones only if `n` is as it was read. None is ever taken away, so what was once counted under
OTHER always is. Sources: DynamoDB API reference, TransactWriteItems; developer guide, "Change data capture for
DynamoDB Streams".
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.errors import ContentionExhausted, StoreUnavailable
from aftersend.core.statistics import (
    OPEN,
    Cell,
    CounterRow,
    CounterRows,
    Counts,
    Dimension,
    Gone,
    Measure,
    admit_values,
    fold_values,
    list_own_values,
)
from aftersend.core.times import format_time, parse_time
from aftersend.storage import versioned
from aftersend.storage.items import Item
from aftersend.storage.schema import ATTRIBUTE, check_schema, decoder, encode_schema

SCHEMA: Final = 1  # what this version writes, and the highest that it reads: see `aftersend.storage.schema`
CHECKPOINT: Final = timedelta(days=7)  # since a shard was last counted; a stream forgets its records after one
BATCH: Final = 100  # BatchGetItem takes no more keys
TRIES: Final = 10  # of one transaction: a conflict with that of another shard
REMEMBERED: Final = 256  # rows of which a process remembers the values
_DIGITS: Final = 40  # of the number of a record, at most
_NUMBER: Final = "n"  # of values that a row has: no name of a counter, those have a full stop

# What a counter is called behind its value: short, because a row is paid for by its size.
CODES: Final[dict[Measure, str]] = {
    Measure.SENT: "s",
    Measure.DEFERRED: "w",
    Measure.EXPIRED: "e",
    Measure.DELIVERED: "d",
    Measure.REJECTED: "r",
    Measure.COMPLAINED: "c",
    Measure.BOUNCED_HARD: "bh",
    Measure.BOUNCED_SOFT: "bs",
    Measure.BOUNCED_BLOCK: "bb",
    Measure.BOUNCED_IGNORE: "bi",
    Measure.BOUNCED_COMPLAINT: "bc",
    Measure.BOUNCED_UNDETERMINED: "bu",
    Measure.OPENED: "o",
    Measure.OPENS: "oo",
    Measure.CLICKED: "k",
    Measure.CLICKS: "kk",
    Measure.ADDED: "a",
    Measure.RELEASED: "l",
    Measure.WITHDRAWN: "t",
    Measure.REVIVED: "v",
    Measure.REVERTED: "x",
}
_MEASURES: Final = {code: measure for measure, code in CODES.items()}
_CANCELED: Final = "TransactionCanceledException"
_TRANSACT: Final = translate_errors("DynamoDB: TransactWriteItems", expected=(_CANCELED,))
_FAILED: Final = "ConditionalCheckFailed"
# Reasons that pass: another transaction holds the same item, or there is too much to do.
_PASSING: Final = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
)


_RECOUNT: Final[Item] = {"day": {"S": "#recount"}, "dimension": {"S": "last"}}

_Place = tuple[str, Dimension]  # a row of what is counted: its day and dimension


class Shard(Struct, frozen=True):
    """A shard of a stream: what has a checkpoint."""

    stream: str  # the last parts of its ARN: the table's name and the stream's label
    id: str


def build_row_key(row: CounterRow) -> Item:
    """Return the primary key of a row of counters."""
    return {
        "day": {"S": row.day},
        "dimension": {"S": f"{row.dimension}#{row.gone}" if row.gone else row.dimension.value},
    }


def build_checkpoint_key(shard: Shard) -> Item:
    """Return the primary key of a checkpoint."""
    return {"day": {"S": f"#{shard.stream}"}, "dimension": {"S": shard.id}}


def build_checkpoint_update(table: str, shard: Shard, read: int, last: int, now: datetime) -> dict[str, Any]:
    """Build the part of a transaction that moves a checkpoint from `read`, 0 for none, to `last`."""
    values: Item = {
        ":last": {"S": str(last).rjust(_DIGITS, "0")},
        ":expires_at": {"N": str(int((now + CHECKPOINT).timestamp()))},
        ":schema": encode_schema(SCHEMA)[ATTRIBUTE],
    }
    condition = "attribute_not_exists(#sequence)"
    if read:
        condition, values[":read"] = "#sequence = :read", {"S": str(read).rjust(_DIGITS, "0")}
    return {
        "TableName": table,
        "Key": build_checkpoint_key(shard),
        "UpdateExpression": "SET #sequence = :last, expires_at = :expires_at, #schema = :schema",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#sequence": "sequence", "#schema": ATTRIBUTE},
        "ExpressionAttributeValues": values,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def build_row_update(table: str, row: CounterRow, cells: Counts, new: int = 0, had: int = 0) -> dict[str, Any]:
    """Build the part of a transaction that adds `cells` to a row, which gets `new` values beside the `had` it has."""
    names = {"#schema": ATTRIBUTE}
    values: Item = {":schema": encode_schema(SCHEMA)[ATTRIBUTE]}
    added = []
    for at, (cell, number) in enumerate(sorted(cells.items())):
        names[f"#c{at}"], values[f":c{at}"] = _name_counter(cell), {"N": str(number)}
        added.append(f"#c{at} :c{at}")
    request: dict[str, Any] = {"TableName": table, "Key": build_row_key(row)}
    if new:
        names["#n"], values[":n"] = _NUMBER, {"N": str(new)}
        added.append("#n :n")
        request["ConditionExpression"] = "#n = :had" if had else "attribute_not_exists(#n)"
        if had:
            values[":had"] = {"N": str(had)}
    request["UpdateExpression"] = f"SET #schema = :schema ADD {','.join(added)}"
    return request | {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}


def _name_counter(cell: Cell) -> str:
    return f"{cell.value}.{CODES[cell.measure]}"


def encode_row(row: CounterRow, cells: Counts) -> Item:
    """Return the item of a row with these counters and no others; used where all are known, by a recount."""
    item = build_row_key(row) | encode_schema(SCHEMA)
    item |= {_name_counter(cell): {"N": str(number)} for cell, number in cells.items()}
    if row.dimension in OPEN and row.gone is None:
        item[_NUMBER] = {"N": str(len(list_own_values(cells)))}
    return item


@decoder(SCHEMA)
def decode_row(item: Item) -> tuple[CounterRow, dict[Cell, int]]:
    """Return the row that is stored, with every counter that it has; raises Unreadable for any other item."""
    dimension, _, gone = item["dimension"]["S"].partition("#")
    row = CounterRow(item["day"]["S"], Dimension(dimension), Gone(gone) if gone else None)
    cells = {}
    for name, attribute in item.items():
        value, dot, code = name.rpartition(".")
        if dot:
            cells[Cell(row.day, row.dimension, value, _MEASURES[code])] = int(attribute["N"])
    return row, cells


class StatisticsTable:
    """Reads and writes counters.

    Every method raises StoreUnavailable where DynamoDB does not answer or refuses us, and Unreadable where an item is
    none that this version writes.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take how to pause for some seconds after a transaction that met another."""
        self._client, self._table, self._clock, self._pause = client, table, clock, pause
        self._values: OrderedDict[_Place, frozenset[str]] = OrderedDict()

    # ---- Counting ----------------------------------------------------------------------------------------------------

    def read_checkpoint(self, shard: Shard) -> int:
        """Return the number of the last record of a shard that was counted; 0 for none."""
        item = versioned.get(self._client, self._table, build_checkpoint_key(shard))
        return _read_sequence(item) if item else 0

    def commit(self, shard: Shard, read: int, last: int, rows: CounterRows) -> int:
        """Count `rows` and move the checkpoint of a shard from `read` to `last`, both or neither.

        Returns the checkpoint afterwards: `last`, or where it was not at `read`, what it is; then nothing was counted.
        Raises ContentionExhausted where other shards count at the same places all the time.
        """
        for attempt in range(TRIES):
            admitted: dict[_Place, frozenset[str]] = {}
            parts = [build_checkpoint_update(self._table, shard, read, last, self._clock())]
            parts += self._build_updates(rows, admitted)
            try:
                with _TRANSACT:
                    self._client.transact_write_items(TransactItems=[{"Update": part} for part in parts])
            except Refusal as refusal:
                reasons = refusal.answer.get("CancellationReasons", [])
                if reasons and reasons[0].get("Code") == _FAILED:
                    item = reasons[0].get("Item")
                    return _read_sequence(item) if item else self.read_checkpoint(shard)
                if not _may_pass(reasons):
                    raise StoreUnavailable(f"DynamoDB: TransactWriteItems failed: {refusal}") from refusal
                self._values.clear()  # a row may have got values since they were read
                self._pause(versioned.choose_pause(attempt + 1))
            else:
                self._remember(admitted)
                return last
        raise ContentionExhausted(f"counters were being written {TRIES} times while a batch was to be counted")

    def _build_updates(self, rows: CounterRows, admitted: dict[_Place, frozenset[str]]) -> Iterator[dict[str, Any]]:
        """What is added to each row, what is gone last; `admitted` gets the values that stand alone then."""
        for row, cells in sorted(rows.items(), key=lambda each: (each[0].gone is not None, each[0][:2], each[0].gone)):
            if row.dimension not in OPEN:
                yield build_row_update(self._table, row, cells)
                continue
            place = row.day, row.dimension
            if place not in admitted:
                admitted[place] = self._read_values(place, list_own_values(cells))
            known = admitted[place]
            if row.gone is None:
                admitted[place] = admit_values(known, list_own_values(cells))
            if folded := fold_values(cells, admitted[place], row.dimension):
                yield build_row_update(self._table, row, folded, len(admitted[place]) - len(known), len(known))

    def _remember(self, values: Mapping[_Place, frozenset[str]]) -> None:
        for place, known in values.items():
            self._values[place] = known
        while len(self._values) > REMEMBERED:
            self._values.popitem(last=False)

    def _read_values(self, place: _Place, wanted: frozenset[str]) -> frozenset[str]:
        """The values that stand alone, read anew unless it is known already which of the wanted ones do."""
        known = self._values.get(place, frozenset())
        if admit_values(known, wanted) == known and known:  # all of them do, or there is no room
            return known
        item = versioned.get(self._client, self._table, build_row_key(CounterRow(*place)))
        known = list_own_values(decode_row(item)[1]) if item else frozenset()
        self._remember({place: known})
        return known

    # ---- Reading -----------------------------------------------------------------------------------------------------

    def read_rows(self, wanted: Sequence[CounterRow]) -> dict[CounterRow, dict[Cell, int]]:
        """Return those of the wanted rows that there are, as they were a moment ago."""
        found: dict[CounterRow, dict[Cell, int]] = {}
        keys = [build_row_key(row) for row in wanted]
        for start in range(0, len(keys), BATCH):
            request: Mapping[str, Any] = {self._table: {"Keys": keys[start : start + BATCH]}}
            for attempt in range(TRIES):
                with translate_errors("DynamoDB: BatchGetItem"):
                    answer = self._client.batch_get_item(RequestItems=request)
                found |= dict(map(decode_row, answer["Responses"].get(self._table, [])))
                request = answer.get("UnprocessedKeys") or {}
                if not request:
                    break
                self._pause(versioned.choose_pause(attempt + 1))
            else:
                raise StoreUnavailable(f"BatchGetItem left keys unread after {TRIES} rounds")
        return found

    def scan_rows(self) -> Iterator[tuple[CounterRow, dict[Cell, int]]]:
        """Yield every row of counters as it is now, checkpoints left out."""
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        while True:
            with translate_errors("DynamoDB: Scan"):
                page = self._client.scan(**request)
            yield from (decode_row(item) for item in page["Items"] if not item["day"]["S"].startswith("#"))
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def note_recount(self) -> None:
        """Write down that all counters were counted anew just now."""
        item = _RECOUNT | encode_schema(SCHEMA) | {"at": {"S": format_time(self._clock())}}
        with translate_errors("DynamoDB: PutItem"):
            self._client.put_item(TableName=self._table, Item=item)

    def read_recount(self) -> datetime | None:
        """Return when (UTC) all counters were counted anew for the last time; None for never."""
        item = versioned.get(self._client, self._table, _RECOUNT)
        return parse_time(item["at"]["S"]) if item else None

    def put_row(self, row: CounterRow, cells: Counts) -> None:
        """Store a row as it is given, whatever is there: only while nothing is counted."""
        self._values.clear()
        with translate_errors("DynamoDB: PutItem"):
            self._client.put_item(TableName=self._table, Item=encode_row(row, cells))


def _may_pass(reasons: Sequence[Mapping[str, Any]]) -> bool:
    """Whether another try may do it: where others hold an item, or have given values to a row since it was read."""
    codes = {str(each.get("Code")) for each in reasons} - {"None"}
    return bool(codes) and codes <= _PASSING | {_FAILED}


def _read_sequence(item: Item) -> int:
    check_schema(item, SCHEMA)
    return int(item["sequence"]["S"])
