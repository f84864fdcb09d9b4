"""Reads whole tables, and says what became of their rows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from aftersend.aws.calls import translate_errors
from aftersend.core.errors import Unreadable
from aftersend.storage.items import Item
from aftersend_cli.output import Output

_T = TypeVar("_T")


def scan_table(
    dynamodb: Any, table: str, decode: Callable[[Item], _T], unreadable: list[Unreadable] | None = None
) -> Iterator[_T]:
    """Yield every item of a table; raises StoreUnavailable where it does not answer.

    An item that this version cannot read is passed over and added to `unreadable`; without such a list, the error is
    raised.
    """
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while request:
        with translate_errors("DynamoDB: Scan"):
            page = dynamodb.scan(**request)
        for item in page["Items"]:
            try:
                found = decode(item)
            except Unreadable as error:
                if unreadable is None:
                    raise
                unreadable.append(error)
            else:
                yield found
        last = page.get("LastEvaluatedKey")
        request = request | {"ExclusiveStartKey": last} if last else {}


def write_counts(counts: Mapping[str, int], unreadable: Sequence[Unreadable], output: Output, *, dry_run: bool) -> None:
    """Write how many rows there were of each kind; how many were left alone, and why, goes to standard error."""
    if unreadable:
        sys.stderr.write(f"{len(unreadable):9}  left alone: {unreadable[0]}\n")
    named = dict(sorted(counts.items()))
    if output.as_json:
        output.write_json({"dry_run": dry_run, "counts": named, "unreadable": len(unreadable)})
    else:
        output.write_counts(named)
