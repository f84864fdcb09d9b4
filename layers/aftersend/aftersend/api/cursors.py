"""Where a list goes on: opaque to the caller, signed by us, good for one list and one day. Pure.

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


class BrokenCursor(Exception):
    """Not one of ours, or not for this list, or too old; says which as far as that helps an honest caller."""


class _Sealed(Struct, frozen=True, array_like=True):
    until: int  # seconds since 1970
    place: msgspec.Raw


def sealed(place: object, question: str, key: bytes, now: datetime) -> str:
    """A cursor that leads to `place`, for whoever asks the same `question` again."""
    content = msgspec.json.encode(_Sealed(int((now + LASTS).timestamp()), msgspec.Raw(msgspec.json.encode(place))))
    return base64.urlsafe_b64encode(_signature(content, question, key) + content).decode().rstrip("=")


def opened(cursor: str, question: str, key: bytes, now: datetime, kind: type[_T]) -> _T:
    """The place that a cursor leads to; raises BrokenCursor."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BrokenCursor("it is none that was handed out here") from error
    signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(content, question, key)):
        raise BrokenCursor("it is none that was handed out here for this question")
    try:
        found = msgspec.json.decode(content, type=_Sealed)
        if found.until < now.timestamp():
            raise BrokenCursor("it is too old; begin again without one")
        return msgspec.json.decode(found.place, type=kind)
    except DECODE_ERRORS as error:  # of another version of ours
        raise BrokenCursor("it is of another version; begin again without one") from error


def _signature(content: bytes, question: str, key: bytes) -> bytes:
    own = hmac.digest(key, b"cursor", "sha256")
    asked = question.encode()
    return hmac.digest(own, len(asked).to_bytes(4, "big") + asked + content, "sha256")[:_SIGNATURE]
