"""What is asked of the tables beside their keys: by day, by message, by what a person should look at, or page by page.

`storage.store` reads and writes items by their keys; here are the queries, of indexes and of whole partitions. Indexes
are a moment behind and most hold keys only: whoever needs the present reads the keys again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Generic, TypeVar

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.model import Class, Key, Outcome, Reason, Status, Suppression
from aftersend.core.times import format_time, parse_time
from aftersend.core.validity import VERDICT, WAITING
from aftersend.storage import days, items, lean, schema
from aftersend.storage.days import PartPage
from aftersend.storage.items import Item
from aftersend.storage.listing import ListedOutcome, decode_listed
from aftersend.storage.store import TableNames

SCAN_LIMIT: Final = 500  # items of a page: what is held in memory at once, and worked before anybody looks at the clock

_T = TypeVar("_T")
_Moment = Annotated[datetime, Meta(tz=True)]
_TEXTS: Final = ("rule", "review", "sender", "subject")
_TIMES: Final = ("last_at", "delivered_at", "bounced_at", "complained_at", "engaged_at", "due_at")
_COUNTS: Final = ("opens", "clicks")
_FLAGS: Final = ("auto_replied", "unproven")
_LINE: Final = (
    schema.ATTRIBUTE,
    lean.REST,
    "message",
    "status",
    "class",
    "reason",
    *_FLAGS,
    *_TEXTS,
    *_TIMES,
    *_COUNTS,
)


class Page(Struct, Generic[_T], frozen=True):
    """Some of what was asked for, and where to go on; there is no more where that is None."""

    found: list[_T]
    last: Item | None


class RecipientPage(Struct, frozen=True):
    """The recipients of some outcomes, each once, and where the next page begins; None where there is no more."""

    recipients: list[str]
    after: Key | None


class OutcomeLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An outcome without the feedback it follows from."""

    message: str
    status: Status
    unproven: bool = False  # anybody could have sent all of it, so it decides nothing
    klass: Class | None = field(name="class", default=None)
    reason: Reason | None = None
    rule: str | None = None
    last_at: _Moment
    delivered_at: _Moment | None = None
    bounced_at: _Moment | None = None
    complained_at: _Moment | None = None
    engaged_at: _Moment | None = None
    due_at: _Moment | None = None  # when it expires, or did, unless more is heard
    opens: int = 0
    clicks: int = 0
    auto_replied: bool = False
    review: str | None = None
    sender: str | None = None
    subject: str | None = None

    @property
    def order(self) -> tuple[datetime, str]:
        """Return what lines are sorted by: the time of the last feedback."""
        return self.last_at, self.message


def build_query(
    table: str, name: str, value: str, *, index: str = "", limit: int = 0, after: Item | None = None
) -> dict[str, Any]:
    """Build the request that reads what has this value as its partition key.

    Of an index it reads the last first, of the table what is there now.
    """
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#name = :value",
        "ExpressionAttributeNames": {"#name": name},
        "ExpressionAttributeValues": {":value": {"S": value}},
    }
    request |= {"IndexName": index, "ScanIndexForward": False} if index else {"ConsistentRead": True}
    if limit:
        request["Limit"] = limit
    if after:
        request["ExclusiveStartKey"] = after
    return request


def build_scan(table: str, limit: int, after: Key | None) -> dict[str, Any]:
    """Build the request that reads a page of all suppressions as they are now."""
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Limit": limit}
    return request | {"ExclusiveStartKey": items.build_suppression_key(after)} if after else request


def build_recipient_scan(table: str, segment: int, segments: int, after: Key | None) -> dict[str, Any]:
    """Build the request that reads who has outcomes: one page of one of the segments of the table."""
    request: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": True,
        "Segment": segment,
        "TotalSegments": segments,
        "Limit": SCAN_LIMIT,
        "ProjectionExpression": "recipient",
    }
    return request | {"ExclusiveStartKey": items.build_outcome_key(after)} if after else request


class Queries:
    """Asks the tables. Every method raises StoreUnavailable where DynamoDB does not answer or refuses us.

    Those that give more than keys raise Unreadable where an item is none that this version writes.
    """

    def __init__(self, client: DynamoDBClient, tables: TableNames) -> None:
        self._client = client
        self._tables = tables

    def find_suppressed_on(
        self, day: str, limit: int, after: Item | None = None, *, oldest_first: bool = False
    ) -> Page[Suppression]:
        """Return suppressions whose newest cause is of this day (2026-03-01), the newest first by default.

        A page may have fewer than `limit` and still not be the last one.
        """
        of = partial(build_query, self._tables.suppressions, "day", index="by_day", limit=days.share_limit(limit))
        parts = [self._read_part(of(part), "at", after, oldest_first) for part in days.list_parts(day)]
        found, last = days.merge_parts(parts, limit, oldest_first=oldest_first)
        return Page(list(map(items.decode_suppression, found)), last)

    def _read_part(self, request: Item, place: str, after: Item | None, oldest_first: bool) -> PartPage:
        """Read on in one part of an index that is sorted by the attribute `place`."""
        request["ScanIndexForward"] = oldest_first
        if after is not None:
            request["KeyConditionExpression"] += f" AND #at {'>' if oldest_first else '<'} :at"
            request["ExpressionAttributeNames"]["#at"] = place  # `at` is a reserved word
            request["ExpressionAttributeValues"][":at"] = after[place]
        page = self._send(request)
        return PartPage(page["Items"], bool(page["Items"]) and "LastEvaluatedKey" in page)

    def find_suppressions_at(self, domain: str, limit: int, after: Item | None = None) -> Page[Key]:
        """Return keys of the suppressions of addresses at this domain, by the address."""
        request = build_query(self._tables.suppressions, "domain", domain, index="by_domain", limit=limit, after=after)
        request["ScanIndexForward"] = True
        return self._read_page(request, _decode_suppression_key)

    def scan_suppressions(self, after: Key | None, limit: int = SCAN_LIMIT) -> tuple[list[Suppression], Key | None]:
        """Return a page of all suppressions, and the key after which to go on; None where there is no more."""
        with translate_errors("DynamoDB: Scan"):
            page = self._client.scan(**build_scan(self._tables.suppressions, limit, after))
        last = page.get("LastEvaluatedKey")
        found = list(map(items.decode_suppression, page["Items"]))
        return found, (last["recipient"]["S"], last["scope"]["S"]) if last else None

    def scan_outcomes(self, after: Key | None, limit: int = SCAN_LIMIT) -> tuple[list[Outcome], Key | None]:
        """Return a page of all outcomes, and the key after which to go on; None where there is no more.

        Each is as it was a moment ago, which costs half as much as how it is now.
        """
        request: dict[str, Any] = {"TableName": self._tables.outcomes, "Limit": limit}
        if after:
            request["ExclusiveStartKey"] = items.build_outcome_key(after)
        with translate_errors("DynamoDB: Scan"):
            page = self._client.scan(**request)
        last = page.get("LastEvaluatedKey")
        found = list(map(items.decode_outcome, page["Items"]))
        return found, (last["recipient"]["S"], last["message"]["S"]) if last else None

    def scan_recipients(self, segment: int, segments: int, after: Key | None) -> RecipientPage:
        """Return who has outcomes: the next page of one segment of the table.

        Segments are parts of the hashes of keys, so that several can be read at once and never meet. Source: DynamoDB
        API reference, Scan (TotalSegments).
        """
        with translate_errors("DynamoDB: Scan"):
            page = self._client.scan(**build_recipient_scan(self._tables.outcomes, segment, segments, after))
        last = page.get("LastEvaluatedKey")
        found = dict.fromkeys(item["recipient"]["S"] for item in page["Items"])
        return RecipientPage(list(found), (last["recipient"]["S"], last["message"]["S"]) if last else None)

    def find_recipients_of(self, message: str, limit: int, after: Item | None = None) -> Page[Key]:
        """Return keys of the outcomes of one message."""
        request = build_query(self._tables.outcomes, "message", message, index="by_message", limit=limit, after=after)
        return self._read_page(request, _decode_outcome_key)

    def find_outcomes_by_identifier(self, identifier: str, limit: int, after: Item | None = None) -> Page[Key]:
        """Return keys of the outcomes of messages with this identifier of the sender's (`items.make_identifier`)."""
        request = build_query(
            self._tables.outcomes, "identifier", identifier, index="by_identifier", limit=limit, after=after
        )
        return self._read_page(request, _decode_outcome_key)

    def find_due_outcomes(self, shard: str, by: datetime, limit: int, after: Item | None = None) -> Page[Key]:
        """Return keys of the outcomes of one of `items.WAITING_SHARDS` that were due by then (UTC), in order."""
        request = build_query(self._tables.outcomes, "waiting", shard, index="by_due", limit=limit, after=after)
        request["ScanIndexForward"] = True
        request["KeyConditionExpression"] += " AND due_at <= :by"
        request["ExpressionAttributeValues"][":by"] = {"S": format_time(by)}
        return self._read_page(request, _decode_outcome_key)

    def find_listed(
        self, partition: str, low: str, high: str, limit: int, after: Item | None = None
    ) -> Page[ListedOutcome]:
        """Return what went wrong in one of `listing.list_partitions`, from `low` to `high`, the newest first.

        Both are places or the beginnings of some, such as a time, and `high` is included where it is a whole one.
        """
        request = build_query(self._tables.outcomes, "listed", partition, index="by_trouble", limit=limit, after=after)
        request["KeyConditionExpression"] += " AND listed_at BETWEEN :low AND :high"
        request["ExpressionAttributeValues"] |= {":low": {"S": low}, ":high": {"S": high}}
        return self._read_page(request, decode_listed)

    def find_outcomes_to_review(self, why: str, limit: int, after: Item | None = None) -> Page[Key]:
        """Return keys of the outcomes that a person should look at for this reason, the newest first."""
        found, last = self._read_reviews(self._tables.outcomes, why, "review_at", limit, after)
        return Page(list(map(_decode_outcome_key, found)), last)

    def find_suppressions_to_review(self, why: str, limit: int, after: Item | None = None) -> Page[Key]:
        """Return keys of the suppressions that a person should look at for this reason, the newest first."""
        found, last = self._read_reviews(self._tables.suppressions, why, "at", limit, after)
        return Page(list(map(_decode_suppression_key, found)), last)

    def _read_reviews(
        self, table: str, why: str, place: str, limit: int, after: Item | None
    ) -> tuple[list[Item], Item | None]:
        of = partial(build_query, table, "review", index="by_review", limit=days.share_limit(limit))
        parts = [self._read_part(of(part), place, after, oldest_first=False) for part in days.list_review_parts(why)]
        return days.merge_parts(parts, limit, place=place, oldest_first=False)

    def find_suppressions_of(self, recipient: str) -> list[Suppression]:
        """Return the suppressions of one recipient in all scopes, as they are now."""
        request = build_query(self._tables.suppressions, "recipient", recipient)
        return list(map(items.decode_suppression, self._read_all(request)))

    def has_outcomes(self, recipient: str) -> bool:
        """Whether there is any outcome of one recipient now."""
        request = build_query(self._tables.outcomes, "recipient", recipient, limit=1)
        return bool(self._send(request | {"ProjectionExpression": "#name"})["Items"])

    def find_lines_of(self, recipient: str) -> list[OutcomeLine]:
        """Return every outcome of one recipient as it is now, without its feedback."""
        names = {f"#{number}": name for number, name in enumerate(_LINE)}
        request = build_query(self._tables.outcomes, "recipient", recipient)
        request["ExpressionAttributeNames"] |= names
        request["ProjectionExpression"] = ",".join(names)
        return list(map(_decode_line, self._read_all(request)))

    def _read_page(self, request: dict[str, Any], decode: Callable[[Item], _T]) -> Page[_T]:
        page = self._send(request)
        return Page([decode(item) for item in page["Items"]], page.get("LastEvaluatedKey"))

    def _read_all(self, request: dict[str, Any]) -> Iterator[Item]:
        while True:
            page = self._send(request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _send(self, request: dict[str, Any]) -> Any:
        with translate_errors("DynamoDB: Query"):
            return self._client.query(**request)


def _decode_outcome_key(item: Item) -> Key:
    return item["recipient"]["S"], item["message"]["S"]


def _decode_suppression_key(item: Item) -> Key:
    return item["recipient"]["S"], item["scope"]["S"]


def show_line_at(line: OutcomeLine, now: datetime) -> OutcomeLine:
    """Return a line as it is to be seen at `now` (UTC): see `validity.show_at`."""
    if line.due_at is None or line.due_at > now or line.status not in WAITING:
        return line
    verdict = VERDICT
    return replace(
        line,
        status=Status.EXPIRED,
        klass=verdict.klass,
        reason=verdict.reason,
        rule=verdict.rule,
        last_at=max(line.last_at, line.due_at),
    )


@schema.decoder(items.OUTCOME_SCHEMA)
def _decode_line(item: Item) -> OutcomeLine:
    item = lean.unpack_row(item)
    given: dict[str, Any] = {name: item[name]["S"] for name in _TEXTS if name in item}
    given |= {name: parse_time(item[name]["S"]) for name in _TIMES if name in item}
    given |= {name: int(item[name]["N"]) for name in _COUNTS if name in item}
    given |= {name: name in item for name in _FLAGS}
    given["review"] = days.decode_review(item)
    return OutcomeLine(
        message=item["message"]["S"],
        status=Status(item["status"]["S"]),
        klass=Class(item["class"]["S"]) if "class" in item else None,
        reason=Reason(item["reason"]["S"]) if "reason" in item else None,
        **given,
    )
