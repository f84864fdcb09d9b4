"""Moves the dates in a body by whole days, so that samples look as if they had come lately.

Times of day, offsets and the width of everything stay, so that a body is as long as it was wherever its form allows.
Dates are known as ISO 8601 and RFC 5322 write them, as numbers of seconds or milliseconds, and where the field is named
so as Americans and networks of SMS write them. What else looks like one stays: PDUs, twelve digits of a receipt that
may begin with a century, and logs that are compressed. Digits within longer words are left alone: they are ids. What is
packed in base64 is unpacked, and packed again.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from local.samples import Sample

LAST: Final = date(2026, 3, 10)  # the day on which the stories of the samples end
_STORIES: Final = timedelta(days=60)  # what is older comes from a vendor's documentation, and stands alone

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DATE: Final = re.compile(
    rb"(?<![\w.-])(?P<iso>(?P<y>20\d\d)-(?P<m>[01]\d)-(?P<d>[0-3]\d))(?=(?:[T +]|%20)\d\d(?::|%3A))"
    rb"|(?:(?P<week>Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?<!\d)(?P<pad> ?)(?P<day>[0-3]?\d) (?P<month>"
    + "|".join(_MONTHS).encode()
    + rb") (?P<year>20\d\d)(?= \d\d:)"
    rb"|(?:(?<![\w.@-])|(?<=%3A))(?P<epoch>1[4-9]\d{8})(?P<milli>\d{3})?(?![\w@-]|\.(?!\d{1,6}(?![\w.])))"
    rb"|(?<=date=)(?P<slashed>(?P<um>[01]?\d)%2F(?P<ud>[0-3]?\d)%2F(?P<uy>20\d\d))(?=\+)"
    rb"|(?<=date[:=])(?P<long>20\d{6})(?=\d{6}(?!\d))"
    rb"|(?<=date[:=])(?P<seconds>(?!20)\d{6})(?=\d{6}(?!\d))"
    rb"|(?:(?<=scts=)|(?<=\"scts\": \")|(?<=RawDlrDoneDate=)|(?<=date[:=]))(?P<short>\d{6})(?=\d{4}(?!\d))"
)
_PACKED: Final = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")


def move(sample: Sample, today: date) -> Sample:
    """Return `sample` with its dates moved: those of stories so that the last of them was yesterday."""
    return sample._replace(content=_move(sample.body(), today))


def _move(body: bytes, today: date) -> bytes:
    return _move_dates(_PACKED.sub(lambda match: _repack(match[0], today), body), today)


def _repack(packed: bytes, today: date) -> bytes:
    try:
        inner = base64.b64decode(packed, validate=True)
    except binascii.Error:  # a long word
        return packed
    moved = _move(inner, today)  # which may hold more that is packed
    return packed if moved == inner else base64.b64encode(moved)


def _move_dates(body: bytes, today: date) -> bytes:
    found = [each for match in _DATE.finditer(body) if (each := _read(match)) is not None]
    if not found:
        return body
    last = max(found) if max(found) < LAST - _STORIES else LAST
    days = today - timedelta(days=1) - last
    return _DATE.sub(lambda match: _moved(match, days), body)


def _read(match: re.Match[bytes]) -> date | None:
    try:
        if match["iso"]:
            return date(int(match["y"]), int(match["m"]), int(match["d"]))
        if match["slashed"]:
            return date(int(match["uy"]), int(match["um"]), int(match["ud"]))
        if digits := match["short"] or match["seconds"] or match["long"]:
            form = "%Y%m%d" if match["long"] else "%y%m%d"
            return datetime.strptime(digits.decode(), form).replace(tzinfo=UTC).date()
        if match["day"]:
            return date(int(match["year"]), _MONTHS.index(match["month"].decode()) + 1, int(match["day"]))
        return datetime.fromtimestamp(int(match["epoch"]), UTC).date()
    except ValueError:  # a day that no month has
        return None


def _moved(match: re.Match[bytes], days: timedelta) -> bytes:
    found = _read(match)
    if found is None:
        return match[0]
    if match["epoch"]:
        return b"%d%s" % (int(match["epoch"]) + days // timedelta(seconds=1), match["milli"] or b"")
    new = found + days
    if match["iso"]:
        return new.isoformat().encode()
    if match["slashed"]:
        return f"{new.month}%2F{new.day}%2F{new.year}".encode()
    if match["short"] or match["seconds"] or match["long"]:
        return new.strftime("%Y%m%d" if match["long"] else "%y%m%d").encode()
    week = f"{_DAYS[new.weekday()]}, " if match["week"] else ""
    day = f"{new.day:02}" if len(match["day"]) == 2 else str(new.day)
    pad = "" if week and len(day) == 2 else match["pad"].decode()
    return f"{week}{pad}{day} {_MONTHS[new.month - 1]} {new.year}".encode()
