"""Outcomes and suppressions in DynamoDB: two tables, strongly consistent reads, conditional writes.

Requests come from the pure `build_*` functions; `Store` sends them and says whose fault a failure is. How a write is
made sure not to undo another one is in `aftersend.storage.versioned`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Key, Outcome, Suppression
from aftersend.core.streaks import Bounce, ReadBounces
from aftersend.core.writes import Answer, Put, ReadOutcomes, Refused, Request
from aftersend.storage import items, versioned

BY_BOUNCE: Final = "by_bounce"  # the index of bounces
BY_MESSAGE: Final = "by_message"  # the index of messages, which is a moment behind
BATCH: Final = 100  # BatchGetItem takes no more keys
_ROUNDS: Final = 8  # of BatchGetItem, for keys that it leaves unprocessed under load
_PAUSE: Final = 0.05  # seconds before the second round, doubled for each further one


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


class Store:
    """Reads and writes the two tables. Safe to share between threads, as its client is.

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
        self._tables = tables
        self._pause = pause
        self._clock = clock or (lambda: datetime.now(UTC))

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        """Return the outcomes that exist of at most 100 keys (recipient, message)."""
        found = self._read_batch(self._tables.outcomes, [items.build_outcome_key(key) for key in keys])
        return {outcome.key: outcome for outcome in map(items.decode_outcome, found)}

    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]:
        """Return the suppressions that exist of at most 100 keys (recipient, scope)."""
        found = self._read_batch(self._tables.suppressions, [items.build_suppression_key(key) for key in keys])
        return {each.key: each for each in map(items.decode_suppression, found)}

    def find_outcomes_of(self, recipient: str) -> list[Outcome]:
        """Return every outcome of one recipient."""
        return list(map(items.decode_outcome, self._query(build_query(self._tables.outcomes, recipient))))

    def find_recipients_of(self, message: str) -> list[str]:
        """Return who had an outcome of this message a moment ago: some may be missing, and some be gone.

        Of more than 101, that many: whoever asks wants to know which one it is.
        """
        with translate_errors("DynamoDB: Query"):
            page = self._client.query(**build_recipients_query(self._tables.outcomes, message))
        return [item["recipient"]["S"] for item in page["Items"]]

    def find_bounces(self, wanted: ReadBounces) -> list[Bounce]:
        """Return a page of one recipient's bounces, in the order and of the groups that are wanted."""
        found: list[Bounce] = []
        for group in wanted.groups:
            request = build_bounces_query(self._tables.outcomes, wanted, group)
            found += map(items.decode_bounce, islice(self._query(request), wanted.limit))
        return sorted(found, key=lambda each: each.ref.order, reverse=not wanted.oldest_first)[: wanted.limit]

    def put(self, item: Outcome | Suppression) -> Refused | None:
        """Store `item` if the stored version is still the one before it; else return what is stored."""
        tables = self._tables
        row = make_row(item, tables.retention, self._clock(), tables.find_by, as_lean=tables.lean)
        if isinstance(item, Outcome):
            return self._put(self._tables.outcomes, items.build_outcome_key(item.key), row, items.decode_outcome)
        return self._put(
            self._tables.suppressions, items.build_suppression_key(item.key), row, items.decode_suppression
        )

    def answer(self, request: Request) -> Answer:
        """Carry out one step of `aftersend.core.writes`."""
        match request:
            case Put(item, refusals):
                if refusals:
                    self._pause(versioned.choose_pause(refusals))
                return self.put(item)
            case ReadOutcomes(recipient, None):
                return self.find_outcomes_of(recipient)
            case ReadOutcomes(recipient, messages):
                return self._get_outcomes_of(recipient, messages or ())
            case ReadBounces():
                return self.find_bounces(request)

    def _query(self, request: dict[str, Any]) -> Iterator[items.Item]:
        """Every item, page by page, and no further page than is asked for."""
        while True:
            with translate_errors("DynamoDB: Query"):
                page = self._client.query(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = request | {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _get_outcomes_of(self, recipient: str, messages: Sequence[str]) -> list[Outcome]:
        keys = [(recipient, message) for message in messages]
        chunks = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
        return [outcome for chunk in chunks for outcome in self.get_outcomes(chunk).values()]

    def _put(
        self, table: str, key: items.Item, row: items.Item, decode: Callable[[items.Item], Outcome | Suppression]
    ) -> Refused | None:
        conflict = versioned.put(self._client, table, key, row)
        if conflict is None:
            return None
        return Refused(decode(conflict.current) if conflict.current else None)

    def _read_batch(self, table: str, keys: Sequence[items.Item]) -> list[items.Item]:
        found: list[items.Item] = []
        request = build_batch_get(table, keys)
        for attempt in range(_ROUNDS):
            with translate_errors("DynamoDB: BatchGetItem"):
                answer = self._client.batch_get_item(**request)
            found += answer["Responses"].get(table, [])
            if not answer.get("UnprocessedKeys"):
                return found
            request = {"RequestItems": answer["UnprocessedKeys"]}
            self._pause(_PAUSE * 2**attempt)
        raise StoreUnavailable(f"BatchGetItem left keys unread after {_ROUNDS} rounds")
