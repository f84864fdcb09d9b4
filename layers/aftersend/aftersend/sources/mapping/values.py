"""Values of a body as texts, numbers, yes or no, and times. Pure, and nothing that a body holds makes it fail."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from aftersend.core.times import UNKNOWN_TIME, parse_time

MAX_TIME: Final = 64  # characters of a time

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}
_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?").fullmatch
_OFFSET: Final = re.compile(r"(?:Z|[+-]\d\d:?\d\d|GMT|UTC|[A-Z]{3,4})$")
_YES: Final = frozenset(("true", "1", "yes", "on"))


def to_text(value: Any) -> str:
    """Return a text or a number as text, without blanks around it; an empty one for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else str(value)
    return ""


def to_number(value: Any) -> int | None:
    """Return a whole number, also one that is written as a text; None for anything else."""
    text = "" if isinstance(value, bool) else to_text(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def is_yes(value: Any) -> bool:
    """Return whether a value says yes, in any of the types that are used for it."""
    return to_text(value).lower() in _YES


def to_time(value: Any, unit: str | None = None, zone: tzinfo | None = None, formats: Sequence[str] = ()) -> datetime:
    """Return the UTC instant of a value; UNKNOWN_TIME where there is none; raises ValueError where it is no time.

    A number counts from 1970 in `unit` ("s", "ms" or "us"); without one its size tells which. `zone` is that of a time
    that names none, else UTC; `formats` (of strptime) are tried before those that `core.times` knows.
    """
    text = to_text(value)[:MAX_TIME]
    if not text:
        return UNKNOWN_TIME
    if _NUMBER(text):
        return _count_from_1970(float(text) if "." in text else int(text), unit)
    found = _read(text, formats)
    return found if zone is None or _OFFSET.search(text) else parse_time(found.replace(tzinfo=zone).isoformat())


def _read(text: str, formats: Sequence[str]) -> datetime:
    for form in formats:
        try:
            return parse_time(datetime.strptime(text, form).isoformat())
        except ValueError:
            continue
    return parse_time(text)


def _count_from_1970(number: float, unit: str | None) -> datetime:
    size = abs(number)
    unit = unit or ("s" if size < 1e11 else "ms" if size < 1e14 else "us")
    try:
        moment = _EPOCH + timedelta(**{_UNITS[unit]: number})
    except OverflowError as error:
        raise ValueError("a number that is no time") from error
    return parse_time(moment.isoformat())


def find_inside(forms: Sequence[str], text: str) -> str:
    """Return what stands for the last `*` of the first of these forms that a text has; the text where it has none."""
    for form in forms:
        (first, *others), tail = form.split("*")[:-1], form.rpartition("*")[2]
        at = len(first) if text.startswith(first) else -1
        for part in others:
            found = text.find(part, at) if at >= 0 else -1
            at = found + len(part) if found >= 0 else -1
        if 0 <= at <= len(text) - len(tail) and text.endswith(tail):
            return text[at : len(text) - len(tail)]
    return text


def matches(pattern: str, text: str) -> bool:
    """Return whether a text is as the pattern says, in any case; `*` stands for any number of any characters."""
    first, *others = pattern.casefold().split("*")
    text = text.casefold()
    if not others:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - len(others[-1]) >= at and text.endswith(others[-1])
