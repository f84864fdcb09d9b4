"""What only bulk work asks of the tables: all suppressions page by page, those of a day, and to delete items.

Requests come from pure `build_*` functions, as in `aftersend.storage.store`. Every method raises StoreUnavailable where
DynamoDB does not answer or refuses us. Source: DynamoDB API reference, Scan, Query, DeleteItem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.model import Key, Suppression
from aftersend.storage import items, versioned
from aftersend.storage.items import Item
from aftersend.storage.queries import Page, Queries, build_query
from aftersend.storage.store import Tables

PAGE: Final = 500  # suppressions: what is held in memory at once


def build_scan(table: str, limit: int, after: Key | None) -> dict[str, Any]:
    """Read a page of a table as it is now."""
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Limit": limit}
    return request | {"ExclusiveStartKey": items.suppression_key(after)} if after else request


def build_day(table: str, day: str, after: Item | None) -> dict[str, Any]:
    """Read whose newest cause is of this day, the oldest first: who gets another one meanwhile comes later."""
    request: dict[str, Any] = build_query(table, "day", day, index="by_day", limit=PAGE, after=after)
    return request | {"ScanIndexForward": True}


class Reader:
    """Reads what bulk work needs, and deletes."""

    def __init__(self, client: DynamoDBClient, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._lookups = Queries(client, tables)

    def page(self, after: Key | None, limit: int = PAGE) -> tuple[list[Suppression], Key | None]:
        """A page of all suppressions, and the key after which to go on; None where there is no more."""
        page = self._send(self._client.scan, build_scan(self._tables.suppressions, limit, after))
        last = page.get("LastEvaluatedKey")
        found = list(map(items.decode_suppression, page["Items"]))
        return found, (last["recipient"]["S"], last["scope"]["S"]) if last else None

    def on_day(self, day: str, after: Item | None) -> Page[Suppression]:
        """A page of the suppressions whose newest cause is of this day, as the index knew them a moment ago."""
        page = self._send(self._client.query, build_day(self._tables.suppressions, day, after))
        return Page(list(map(items.decode_suppression, page["Items"])), page.get("LastEvaluatedKey"))

    def suppressions_of(self, recipient: str) -> list[Suppression]:
        """The suppressions of one recipient in all scopes, as they are now."""
        return self._lookups.suppressions_of(recipient)

    def messages_of(self, recipient: str) -> list[str]:
        """The messages that one recipient has outcomes of."""
        return [line.message for line in self._lookups.lines_of(recipient)]

    def delete_outcome(self, key: Key) -> None:
        """Delete it, whatever it is by now."""
        request = {"TableName": self._tables.outcomes, "Key": items.outcome_key(key)}
        self._send(self._client.delete_item, request)

    def delete_suppression(self, suppression: Suppression) -> bool:
        """Delete it if it is still as it was read; whether it was."""
        key = items.suppression_key(suppression.key)
        return versioned.delete(self._client, self._tables.suppressions, key, suppression.version)

    def _send(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        with translate_errors("DynamoDB: a bulk call"):
            return call(**request)
