"""The one way in which an item that others may be writing too is stored or deleted: only if it is still as it was read.

Each of them is there in steps, and with a client that carries these out at once.

Every such item has a `version`, counted from 1. A write names the version that its writer has read; where that has
moved on, DynamoDB refuses and hands back what is stored (`ReturnValuesOnConditionCheckFailure`), and where an engine
does not, it is read. Every function raises StoreUnavailable where DynamoDB does not answer or refuses us for another
reason. Source: DynamoDB developer guide, "Condition expressions", "Optimistic locking with version number".
"""

from __future__ import annotations

import random
from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import DynamoDBClient
from aftersend.aws.tasks import run_calls
from aftersend.core.steps import Call, Steps
from aftersend.storage.items import Item

FIRST_PAUSE: Final = 0.05  # seconds, at most, after the first lost write; twice as long after each, up to the longest
LONGEST_PAUSE: Final = 0.5
CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_PUT: Final = translate_errors("DynamoDB: PutItem", expected=(CONDITION_FAILED,))
_GET: Final = translate_errors("DynamoDB: GetItem")
_DELETE: Final = translate_errors("DynamoDB: DeleteItem", expected=(CONDITION_FAILED,))


class Conflict(Struct, frozen=True):
    """A put that lost against another writer: the item that is stored, or None where there is none any more."""

    current: Item | None


def choose_pause(refusals: int) -> float:
    """Choose how many seconds to wait, by chance, after so many lost writes in a row: 1 is the first.

    Without chance all who lost would meet again. Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
    """
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (refusals - 1)))  # noqa: S311  # no secret


def build_put(table: str, key: Item, item: Item) -> dict[str, Any]:
    """Build the request that stores `item` if the stored one is the version before it; 1 is the first."""
    request: dict[str, Any] = {"TableName": table, "Item": item, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    version = int(item["version"]["N"])
    if version == 1:
        request["ConditionExpression"] = "attribute_not_exists(#key)"
        request["ExpressionAttributeNames"] = {"#key": next(iter(key))}
        return request
    request.update(_build_condition(version - 1))
    return request


def build_get(table: str, key: Item) -> dict[str, Any]:
    """Build the request that reads one item as it is now."""
    return {"TableName": table, "Key": key, "ConsistentRead": True}


def build_delete(table: str, key: Item, version: int) -> dict[str, Any]:
    """Build the request that deletes an item if `version` is stored."""
    return {"TableName": table, "Key": key} | _build_condition(version)


def put_in_steps(table: str, key: Item, item: Item) -> Steps[Conflict | None]:
    """Store `item`, whose primary key is `key`, if the stored version is still the one before it.

    Returns None where it was stored, else what is stored in its place.
    """
    try:
        with _PUT:
            yield Call("dynamodb", "put_item", build_put(table, key, item))
    except Refusal as refusal:
        current: Item | None = refusal.answer.get("Item")
        return Conflict((yield from get_in_steps(table, key)) if current is None else current or None)
    return None


def get_in_steps(table: str, key: Item) -> Steps[Item | None]:
    """Return the item as it is now, if there is one."""
    with _GET:
        return (yield Call("dynamodb", "get_item", build_get(table, key))).get("Item") or None


def put(client: DynamoDBClient, table: str, key: Item, item: Item) -> Conflict | None:
    """Store `item` with this client: see `put_in_steps`."""
    return run_calls(put_in_steps(table, key, item), {"dynamodb": client})


def get(client: DynamoDBClient, table: str, key: Item) -> Item | None:
    """Return the item as it is now, if there is one."""
    return run_calls(get_in_steps(table, key), {"dynamodb": client})


def delete(client: DynamoDBClient, table: str, key: Item, version: int) -> bool:
    """Delete an item if `version` is stored; whether it was."""
    try:
        with _DELETE:
            client.delete_item(**build_delete(table, key, version))
    except Refusal:
        return False
    return True


def _build_condition(version: int) -> dict[str, Any]:
    return {
        "ConditionExpression": "version = :read",
        "ExpressionAttributeValues": {":read": {"N": str(version)}},
    }
