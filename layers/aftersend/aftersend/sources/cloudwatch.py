"""What lies in a log group of CloudWatch Logs, one JSON object each, and what a subscription hands on of it.

Source: CloudWatch Logs user guide, "Subscription filters": a message of type DATA_MESSAGE holds several log events, one
of type CONTROL_MESSAGE asks whether somebody is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.sources.answers import split_entries

MAX_EVENTS: Final = 20_000  # of one body
DATA: Final = "DATA_MESSAGE"
CONTROL: Final = "CONTROL_MESSAGE"


class _LogEvent(Struct):
    message: str | None = None


class _Subscription(Struct):
    """No type that is one of these two is what a subscription hands on; other objects have fields of this name too."""

    kind: str | None = field(name="messageType", default=None)
    events: list[_LogEvent] | None = field(name="logEvents", default=None)


_decode_subscription: Final = msgspec.json.Decoder(_Subscription).decode
_decode_any: Final = msgspec.json.Decoder().decode


class LogRecord(NamedTuple):
    """One object, and where it stood: "line 3"; `shared` says that other things may lie in the same log."""

    place: str
    fields: dict[str, Any]
    shared: bool


def read_records(source: str, raw: bytes) -> Iterator[LogRecord]:
    """Read every record in a body: alone, in an array or JSON Lines, or out of a log.

    Raises MalformedFeedback, which names the entry, for what is no object; of a log, that is passed over.
    """
    count = 0
    for place, entry in split_entries(source, raw):
        logged = _open(entry)
        for each in (entry,) if logged is None else logged:
            count += 1
            if count > MAX_EVENTS:
                raise MalformedFeedback(source, f"more than {MAX_EVENTS} records in one body")
            found = _decode(each)
            if isinstance(found, dict):
                yield LogRecord(place, found, logged is not None)
            elif logged is None:
                raise MalformedFeedback(source, f"{place}: not a JSON object" if place else "not a JSON object")


def _open(entry: Any) -> list[str] | None:
    """The log events that a subscription handed on; None where it is none of its messages."""
    try:
        found = _decode_subscription(entry)
    except DECODE_ERRORS:
        return None
    if found.kind == DATA:
        return [each.message for each in found.events or () if each.message]
    return [] if found.kind == CONTROL else None


def _decode(entry: Any) -> Any:
    try:
        return _decode_any(entry)
    except DECODE_ERRORS:
        return None
