"""Walks the table of outcomes: who is in there, a page at a time. Strongly consistent.

It is read in segments, each a part of the hashes of its keys, so that several can walk at once and never meet. Source:
DynamoDB API reference, Scan (TotalSegments).
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.model import Key
from aftersend.storage import items
from aftersend.storage.store import Tables

PAGE: Final = 500  # outcomes: what a function works before it looks at the clock


class Page(Struct, frozen=True):
    """The recipients of some outcomes, each once, and where the next page begins; None where there is no more."""

    recipients: list[str]
    after: Key | None


def build_scan(table: str, segment: int, of: int, after: Key | None) -> dict[str, Any]:
    """Read who has outcomes: one page of one of the segments that a table is read in."""
    request: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": True,
        "Segment": segment,
        "TotalSegments": of,
        "Limit": PAGE,
        "ProjectionExpression": "recipient",
    }
    return request | {"ExclusiveStartKey": items.outcome_key(after)} if after else request


class Walk:
    """Reads the table of outcomes."""

    def __init__(self, client: DynamoDBClient, tables: Tables) -> None:
        self._client = client
        self._table = tables.outcomes

    def recipients(self, segment: int, of: int, after: Key | None) -> Page:
        """The next page of one segment; raises StoreUnavailable where DynamoDB does not answer or refuses us."""
        with translate_errors("DynamoDB: Scan"):
            page = self._client.scan(**build_scan(self._table, segment, of, after))
        last = page.get("LastEvaluatedKey")
        found = dict.fromkeys(item["recipient"]["S"] for item in page["Items"])
        return Page(list(found), (last["recipient"]["S"], last["message"]["S"]) if last else None)
