"""Cursors, which say where a list goes on: opaque to the caller, signed by us, valid for one list and one day. Pure.

A cursor holds keys of our tables, so nobody else may make one: it begins with an HMAC (RFC 2104) under a key of its
own, over what is in it and over what was asked. One that was changed, or comes with another question, is refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS

LASTS: Final = timedelta(days=1)
MAX_CHARACTERS: Final = 8192
_SIGNATURE: Final = 16  # bytes
_T = TypeVar("_T")


class InvalidCursor(Exception):
    """Not one of ours, or not for this list, or expired; says which as far as that helps an honest caller."""


class _Content(Struct, frozen=True, array_like=True):
    until: int  # seconds since 1970
    place: msgspec.Raw


def encode(place: object, question: str, key: bytes, now: datetime) -> str:
    """Return a cursor that leads to `place`, for whoever asks the same `question` again before a day is over."""
    content = msgspec.json.encode(_Content(int((now + LASTS).timestamp()), msgspec.Raw(msgspec.json.encode(place))))
    return base64.urlsafe_b64encode(_signature(content, question, key) + content).decode().rstrip("=")


def decode(cursor: str, question: str, key: bytes, now: datetime, kind: type[_T]) -> _T:
    """Return the place that a cursor leads to; raises InvalidCursor."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("the cursor was not made by this API") from error
    signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(content, question, key)):
        raise InvalidCursor("the cursor was not made for this request")
    try:
        found = msgspec.json.decode(content, type=_Content)
        if found.until < now.timestamp():
            raise InvalidCursor("the cursor has expired; start again without one")
        return msgspec.json.decode(found.place, type=kind)
    except DECODE_ERRORS as error:  # of another version of ours
        raise InvalidCursor("the cursor is from another version; start again without one") from error


def _signature(content: bytes, question: str, key: bytes) -> bytes:
    own = hmac.digest(key, b"cursor", "sha256")
    asked = question.encode()
    return hmac.digest(own, len(asked).to_bytes(4, "big") + asked + content, "sha256")[:_SIGNATURE]
