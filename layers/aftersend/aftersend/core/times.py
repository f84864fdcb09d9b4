"""Times as sources write them, to aware UTC datetimes cut to milliseconds, and back to ISO-8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from msgspec import Meta, to_builtins

Moment = Annotated[datetime, Meta(tz=True)]  # one that has a time zone, in what is decoded

# A source that gives no time at all: sorts before every known time, so that it never outranks one.
UNKNOWN_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)

LATEST_TIME: Final = datetime(9999, 12, 31, tzinfo=UTC)  # after everything

# No mail is of another time; dates at the edge of the calendar break whatever adds to them.
_EARLIEST: Final = 1970
_LATEST: Final = 2199

_WHOLE: Final = len("2026-03-02T10:00:00Z")
_MILLISECONDS: Final = len("2026-03-02T10:00:00.000")

_LOOSE: Final = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})? ?(Z|[+-]\d\d:?\d\d)?"


def parse_time(text: str) -> datetime:
    """Read the UTC instant, in milliseconds, that `text` names.

    Takes ISO-8601 with or without fraction, with Z, an offset (also after a blank, as some SES samples write it) or
    none (UTC), and the date format of mail headers (RFC 5322 section 3.3). Raises ValueError for anything else, and for
    years in which nobody wrote mail.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = _read_loose(text)
    if found.tzinfo is not UTC:
        found = _to_utc(found) if found.tzinfo else found.replace(tzinfo=UTC)
    if not _EARLIEST <= found.year <= _LATEST:
        raise ValueError(f"not a time of any mail: the year {found.year}")
    finer = found.microsecond % 1000
    return found.replace(microsecond=found.microsecond - finer) if finer else found


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # an offset at the very edge of the calendar
        raise ValueError(f"not a time that exists in UTC: {moment}") from error


def _read_loose(text: str) -> datetime:
    match = re.fullmatch(_LOOSE, text.strip())
    if match is None:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  # few sources have dates of mails

        try:
            return parsedate_to_datetime(text)
        except (IndexError, TypeError, OverflowError) as error:  # the standard library, for some broken dates
            raise ValueError(f"not a time: {text[:40]!r}") from error
    day, clock, fraction, offset = match.groups()
    return datetime.fromisoformat(f"{day}T{clock}{(fraction or '.0')[:7]}{offset or ''}")


def format_time(moment: datetime) -> str:
    """Return ISO-8601 with milliseconds and Z: what tables and people read. Sorts as the times do."""
    text: str = to_builtins(moment if moment.tzinfo is UTC else moment.astimezone(UTC))  # a fifth of isoformat's time
    return f"{text[:-1]}.000Z" if len(text) == _WHOLE else f"{text[:_MILLISECONDS]}Z"
