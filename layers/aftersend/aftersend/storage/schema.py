"""The schema number that every stored item carries: it says which versions of this package understand the item.

An item is read by a version that knows its number, or a higher one. A lower version refuses it with `Unreadable`: it
would drop what it does not know, and write the item back without. What is refused is never rewritten, because every
write follows a read of the same item. How a field is added is in CONTRIBUTING.md, "How a stored field is added".

Pure: the shapes of the tables, and nothing of the client.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from msgspec import DecodeError

from aftersend.core.errors import Unreadable

ATTRIBUTE: Final = "schema"  # eight bytes of every item, its name and number together

_T = TypeVar("_T")


def encode_schema(schema: int) -> dict[str, Any]:
    """Return the attribute that says which schema an item has."""
    return {ATTRIBUTE: {"N": str(schema)}}


def check_schema(item: dict[str, Any], known: int) -> None:
    """Raise Unreadable for an item of a higher schema than `known`, or without a number: it is none of ours."""
    schema = item.get(ATTRIBUTE, {}).get("N", "")
    if not schema.isdecimal():
        raise Unreadable("an item that is stored has no schema number")
    if int(schema) > known:
        raise Unreadable(f"an item that is stored has schema {int(schema)}, and this version knows {known} at most")


def decoder(known: int) -> Callable[[Callable[[dict[str, Any]], _T]], Callable[[dict[str, Any]], _T]]:
    """Decorate a function that decodes items of a schema up to `known`.

    It raises Unreadable for every item that this version has not written: of a higher schema, or wrong in another way.
    """

    def decorate(decode: Callable[[dict[str, Any]], _T]) -> Callable[[dict[str, Any]], _T]:
        @wraps(decode)
        def checked(item: dict[str, Any]) -> _T:
            check_schema(item, known)
            try:
                return decode(item)
            except (DecodeError, KeyError, ValueError, zlib.error) as error:
                raise Unreadable("an item that is stored cannot be read by this version") from error

        return checked

    return decorate
