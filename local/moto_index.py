"""Quicker queries of moto: it walks and sorts a whole table for each, which shows from some thousand items on.

What a query can find is looked up by the key that it names, and moto chooses, sorts and cuts among that as it always
does. The lookup is made anew after each write.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_KEPT: Final = "aftersend_lookups"  # of a table: attribute, then value, then the items that have it


@contextmanager
def quick_queries() -> Iterator[None]:
    """Have every table of moto in this process looked up by key, as long as the context lasts."""
    with ExitStack() as opened:
        opened.enter_context(patch.object(Table, "query", _look_up(Table.query)))
        for name in ("put_item", "delete_item"):
            opened.enter_context(patch.object(Table, name, _forget(getattr(Table, name))))
        # An update changes an item where it lies.
        opened.enter_context(patch.object(DynamoDBBackend, "update_item", _forget_named(DynamoDBBackend.update_item)))
        yield


def _look_up(query: Callable[..., Any]) -> Callable[..., Any]:
    def query_some(table: Table, *given: Any, **named: Any) -> Any:
        ((attribute, value),) = named["hash_key_conditions"]
        found = _find(table, attribute, value)
        with patch.object(table, "all_items", lambda: found):
            return query(table, *given, **named)

    return query_some


def _find(table: Table, attribute: str, value: DynamoType) -> list[Item]:
    lookups = table.__dict__.setdefault(_KEPT, {})
    if attribute not in lookups:
        lookup: dict[DynamoType, list[Item]] = defaultdict(list)
        for item in table.all_items():
            if attribute in item.attrs:
                lookup[item.attrs[attribute]].append(item)
        lookups[attribute] = lookup
    return list(lookups[attribute].get(value, ()))


def _forget(write: Callable[..., Any]) -> Callable[..., Any]:
    def write_and_forget(table: Table, *given: Any, **named: Any) -> Any:
        table.__dict__.pop(_KEPT, None)
        return write(table, *given, **named)

    return write_and_forget


def _forget_named(update: Callable[..., Any]) -> Callable[..., Any]:
    def update_and_forget(backend: DynamoDBBackend, table_name: str, *given: Any, **named: Any) -> Any:
        backend.get_table(table_name).__dict__.pop(_KEPT, None)
        return update(backend, table_name, *given, **named)

    return update_and_forget
