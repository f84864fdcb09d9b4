"""Outcomes and suppressions in DynamoDB: two tables, strongly consistent reads, conditional writes.

Requests come from the pure `build_*` functions; `StoreSteps` says which to send, and whose fault a failure is; `Store`
sends them. How a write is made sure not to undo another one is in `aftersend.storage.versioned`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Final, TypeVar

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.aws.tasks import run_calls
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Key, Outcome, Suppression
from aftersend.core.steps import Call, Pause, Steps
from aftersend.core.streaks import Bounce, ReadBounces
from aftersend.core.writes import Answer, Put, ReadOutcomes, Refused, Request
from aftersend.storage import items, versioned

BY_BOUNCE: Final = "by_bounce"  # the index of bounces
BY_MESSAGE: Final = "by_message"  # the index of messages, which is a moment behind
BATCH: Final = 100  # BatchGetItem takes no more keys
_ROUNDS: Final = 8  # of BatchGetItem, for keys that it leaves unprocessed under load
_PAUSE: Final = 0.05  # seconds before the second round, doubled for each further one
_QUERY: Final = translate_errors("DynamoDB: Query")
_BATCH_GET: Final = translate_errors("DynamoDB: BatchGetItem")
_T = TypeVar("_T")
_Decode = Callable[[items.Item], Outcome | Suppression]


class TableNames(Struct, frozen=True, kw_only=True):
    """The names of the two tables, how long an item lives after its last feedback, how it looks and can be found."""

    outcomes: str
    suppressions: str
    retention: timedelta = timedelta(days=180)
    find_by: tuple[str, ...] = ()  # names of the sender's own identifiers, as in the policy
    lean: bool = False  # whether outcomes are written in their lean form; both are read always


def make_row(
    item: Outcome | Suppression,
    retention: timedelta,
    now: datetime,
    find_by: Sequence[str] = (),
    *,
    as_lean: bool = False,
) -> items.Item:
    """Return the item that is stored.

    A suppression in which nothing holds any more is kept twice as long as an outcome. It knows what was released or
    withdrawn, and must not be gone before the evidence is: that of an outcome that was opened later would hold again.

    What is over already expires now: TTL passes over what did so more than five years ago, and would keep it for ever.
    """
    if isinstance(item, Outcome):
        row = items.encode_outcome(item, retention, find_by, as_lean=as_lean)
    else:
        row = items.encode_suppression(item, 2 * retention, now)
    if "expires_at" in row and int(row["expires_at"]["N"]) < now.timestamp():
        row["expires_at"] = {"N": str(int(now.timestamp()))}
    return row


def build_batch_get(table: str, keys: Sequence[items.Item]) -> dict[str, Any]:
    """Build the request that reads up to 100 items as they are now."""
    return {"RequestItems": {table: {"Keys": list(keys), "ConsistentRead": True}}}


def build_bounces_query(table: str, wanted: ReadBounces, group: str) -> dict[str, Any]:
    """Build the request that reads a page of one group of a recipient's bounces from their index as it is now."""
    least, greatest = items.build_bounce_range(group, wanted.oldest, wanted.newest)
    return {
        "TableName": table,
        "IndexName": BY_BOUNCE,
        "ConsistentRead": True,
        "ScanIndexForward": wanted.oldest_first,
        "Limit": wanted.limit,
        "KeyConditionExpression": "recipient = :recipient AND bounce BETWEEN :least AND :greatest",
        "ExpressionAttributeValues": {
            ":recipient": {"S": wanted.recipient},
            ":least": {"S": least},
            ":greatest": {"S": greatest},
        },
    }


def build_query(table: str, recipient: str) -> dict[str, Any]:
    """Build the request that reads every outcome of one recipient as it is now."""
    return {
        "TableName": table,
        "ConsistentRead": True,
        "KeyConditionExpression": "recipient = :recipient",
        "ExpressionAttributeValues": {":recipient": {"S": recipient}},
    }


def build_recipients_query(table: str, message: str) -> dict[str, Any]:
    """Build the request that reads from the index who has an outcome of this message; of more than a batch, some."""
    return {
        "TableName": table,
        "IndexName": BY_MESSAGE,
        "Limit": BATCH + 1,
        "KeyConditionExpression": "message = :message",
        "ExpressionAttributeValues": {":message": {"S": message}},
    }


class StoreSteps:
    """Reads and writes the two tables in steps: which calls to make, and what their answers mean.

    Steps raise StoreUnavailable where DynamoDB does not answer or refuses us, and Unreadable where an item is none that
    we write.
    """

    def __init__(self, tables: TableNames, clock: Callable[[], datetime] | None = None) -> None:
        self._tables = tables
        self._clock = clock or (lambda: datetime.now(UTC))

    def get_outcomes(self, keys: Sequence[Key]) -> Steps[dict[Key, Outcome]]:
        """Return the outcomes that exist of at most 100 keys (recipient, message)."""
        found = yield from _read_batch(self._tables.outcomes, [items.build_outcome_key(key) for key in keys])
        return {outcome.key: outcome for outcome in map(items.decode_outcome, found)}

    def get_suppressions(self, keys: Sequence[Key]) -> Steps[dict[Key, Suppression]]:
        """Return the suppressions that exist of at most 100 keys (recipient, scope)."""
        found = yield from _read_batch(self._tables.suppressions, [items.build_suppression_key(key) for key in keys])
        return {each.key: each for each in map(items.decode_suppression, found)}

    def find_outcomes_of(self, recipient: str) -> Steps[list[Outcome]]:
        """Return every outcome of one recipient."""
        found = yield from _query(build_query(self._tables.outcomes, recipient))
        return list(map(items.decode_outcome, found))

    def find_recipients_of(self, message: str) -> Steps[list[str]]:
        """Return who had an outcome of this message a moment ago: some may be missing, and some be gone.

        Of more than 101, that many: whoever asks wants to know which one it is.
        """
        with _QUERY:
            page = yield Call("dynamodb", "query", build_recipients_query(self._tables.outcomes, message))
        return [item["recipient"]["S"] for item in page["Items"]]

    def find_bounces(self, wanted: ReadBounces) -> Steps[list[Bounce]]:
        """Return a page of one recipient's bounces, in the order and of the groups that are wanted."""
        found: list[Bounce] = []
        for group in wanted.groups:
            request = build_bounces_query(self._tables.outcomes, wanted, group)
            found += map(items.decode_bounce, (yield from _query(request, wanted.limit)))
        return sorted(found, key=lambda each: each.ref.order, reverse=not wanted.oldest_first)[: wanted.limit]

    def put(self, item: Outcome | Suppression) -> Steps[Refused | None]:
        """Store `item` if the stored version is still the one before it; else return what is stored."""
        tables = self._tables
        row = make_row(item, tables.retention, self._clock(), tables.find_by, as_lean=tables.lean)
        table, key, decode = self._find_place(item)
        conflict = yield from versioned.put_in_steps(table, key, row)
        if conflict is None:
            return None
        return Refused(decode(conflict.current) if conflict.current else None)

    def _find_place(self, item: Outcome | Suppression) -> tuple[str, items.Item, _Decode]:
        """The table that `item` is in, its key there, and what decodes it."""
        if isinstance(item, Outcome):
            return self._tables.outcomes, items.build_outcome_key(item.key), items.decode_outcome
        return self._tables.suppressions, items.build_suppression_key(item.key), items.decode_suppression

    def _look_again(self, item: Outcome | Suppression, refusals: int) -> Steps[Refused]:
        """Wait a while after a lost write, and read what is stored then.

        What was stored before has been replaced meanwhile where many write: whoever went on from it would lose again.
        """
        yield Pause(versioned.choose_pause(refusals))
        table, key, decode = self._find_place(item)
        row = yield from versioned.get_in_steps(table, key)
        return Refused(decode(row) if row else None)

    def answer(self, request: Request) -> Steps[Answer]:
        """Carry out one step of `aftersend.core.writes`."""
        match request:
            case Put(item, refusals):
                lost = yield from self.put(item)
                return (yield from self._look_again(item, refusals + 1)) if lost else None
            case ReadOutcomes(recipient, None):
                return (yield from self.find_outcomes_of(recipient))
            case ReadOutcomes(recipient, messages):
                return (yield from self._get_outcomes_of(recipient, messages or ()))
            case ReadBounces():
                return (yield from self.find_bounces(request))

    def _get_outcomes_of(self, recipient: str, messages: Sequence[str]) -> Steps[list[Outcome]]:
        found: list[Outcome] = []
        for start in range(0, len(messages), BATCH):
            keys = [(recipient, message) for message in messages[start : start + BATCH]]
            found += (yield from self.get_outcomes(keys)).values()
        return found


class Store:
    """Reads and writes the two tables, as `StoreSteps` says. Safe to share between threads, as its client is.

    Every method raises StoreUnavailable where DynamoDB does not answer or refuses us, and Unreadable where an item is
    none that we write.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        tables: TableNames,
        clock: Callable[[], datetime] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take how to pause for some seconds: after a lost write, and where keys were left unread."""
        self._client = client
        self._pause = pause
        self._steps = StoreSteps(tables, clock)

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        """Return the outcomes that exist of at most 100 keys (recipient, message)."""
        return self._run(self._steps.get_outcomes(keys))

    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]:
        """Return the suppressions that exist of at most 100 keys (recipient, scope)."""
        return self._run(self._steps.get_suppressions(keys))

    def find_outcomes_of(self, recipient: str) -> list[Outcome]:
        """Return every outcome of one recipient."""
        return self._run(self._steps.find_outcomes_of(recipient))

    def find_bounces(self, wanted: ReadBounces) -> list[Bounce]:
        """Return a page of one recipient's bounces, in the order and of the groups that are wanted."""
        return self._run(self._steps.find_bounces(wanted))

    def put(self, item: Outcome | Suppression) -> Refused | None:
        """Store `item` if the stored version is still the one before it; else return what is stored."""
        return self._run(self._steps.put(item))

    def answer(self, request: Request) -> Answer:
        """Carry out one step of `aftersend.core.writes`."""
        return self._run(self._steps.answer(request))

    def _run(self, steps: Steps[_T]) -> _T:
        return run_calls(steps, {"dynamodb": self._client}, self._pause)


def _query(request: dict[str, Any], limit: float = inf) -> Steps[list[items.Item]]:
    """Return every item, page by page, or the first ones and no further page than these take."""
    found: list[items.Item] = []
    while True:
        with _QUERY:
            page = yield Call("dynamodb", "query", request)
        found += page["Items"]
        if "LastEvaluatedKey" not in page or len(found) >= limit:
            return found
        request = request | {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _read_batch(table: str, keys: Sequence[items.Item]) -> Steps[list[items.Item]]:
    found: list[items.Item] = []
    request = build_batch_get(table, keys)
    for attempt in range(_ROUNDS):
        with _BATCH_GET:
            answer = yield Call("dynamodb", "batch_get_item", request)
        found += answer["Responses"].get(table, [])
        if not answer.get("UnprocessedKeys"):
            return found
        request = {"RequestItems": answer["UnprocessedKeys"]}
        yield Pause(_PAUSE * 2**attempt)
    raise StoreUnavailable(f"BatchGetItem left keys unread after {_ROUNDS} rounds")
