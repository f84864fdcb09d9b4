"""Times as sources write them, to aware UTC datetimes cut to milliseconds, and back to ISO-8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

# A source that gives no time at all: sorts before every known time, so that it never outranks one.
UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)

_LOOSE: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})? ?(Z|[+-]\d\d:?\d\d)?")


def instant(text: str) -> datetime:
    """The UTC instant, in milliseconds, that `text` names.

    Takes ISO-8601 with or without fraction, with Z, an offset (also after a blank, as some SES samples write it) or
    none (UTC), and the date format of mail headers (RFC 5322 section 3.3). Raises ValueError for anything else.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = _loose(text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    elif found.tzinfo is not UTC:
        found = _utc(found)
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # an offset at the very edge of the calendar
        raise ValueError(f"not a time that exists in UTC: {moment}") from error


def _loose(text: str) -> datetime:
    match = _LOOSE.fullmatch(text.strip())
    if match is None:
        try:
            return parsedate_to_datetime(text)
        except (IndexError, TypeError) as error:  # what the standard library raises for some broken dates
            raise ValueError(f"not a time: {text[:40]!r}") from error
    day, clock, fraction, offset = match.groups()
    return datetime.fromisoformat(f"{day}T{clock}{(fraction or '.0')[:7]}{offset or ''}")


def iso(moment: datetime) -> str:
    """ISO-8601 with milliseconds and Z: what tables and people read. Sorts as the times do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
