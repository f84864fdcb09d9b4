"""The text of a receipt: SMPP 3.4 appendix B recommends one, and every SMSC writes its own. Pure.

    id:1234567890 sub:001 dlvrd:000 submit date:2603021011 done date:2603021015 stat:UNDELIV err:034 text:Hello

Behind `text:` stand the first characters of the message, and whoever sent it chose them: nothing is read there, but for
fields that stand behind an empty one. Before it the first of each field counts, in any order, with any or no separator.
Nothing but id and status is needed. Dates are written in five ways; of 12 digits the reading counts that is a date.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from msgspec import Struct

from aftersend.core.expression import MAX_TEXT, take
from aftersend.core.smsc import IdForm, Smsc
from aftersend.core.times import parse_time

MAX_STATUS: Final = 20  # characters
MAX_ERROR: Final = 12
MAX_ID: Final = 65  # octets, SMPP 3.4 section 5.3.2.12
_MAX_NUMBER: Final = 40  # digits of an id that is a number

_FIELD: Final = re.compile(
    r"(submit[ _]?date|done[ _]?date|sub|dlvrd|stat(?:us)?|err(?:or)?|(?<![A-Za-z])id)[ ]{0,3}:", re.IGNORECASE
)
_TEXT: Final = re.compile(r"(?<![A-Za-z])text[ ]{0,3}:|\btext\b(?=[ ]{0,3}$)", re.IGNORECASE)
# The form of the appendix itself, which most SMSCs keep to: read at once, and as the fields one by one would be.
_WHOLE: Final = re.compile(
    r"id:([\w-]{1,65}+) sub:\w{1,5}+ dlvrd:\w{1,5}+ submit date:\d{1,14}+ done date:(\d{1,14}+) stat:(\w{1,20}+)"
    r" err:(\w{1,12}+)(?: text:|$)",
    re.IGNORECASE | re.ASCII,
)
_EDGES: Final = " \t\r\n\0,;|\"'"
_FIRST: Final = re.compile(r"[^\s,;|\0]+")
_NAMES: Final = {"submitdate": "submitted", "donedate": "done", "status": "stat", "error": "err"}
_ABSOLUTE: Final = re.compile(r"(\d{12})\d(\d\d)([+-])")  # SMPP 3.4 section 7.1.1: quarters of an hour from UTC


class Receipt(Struct, frozen=True, kw_only=True):
    """What stands in a receipt, as it is written; what is missing is empty."""

    id: str = ""
    status: str = ""
    error: str = ""
    done: str = ""


def read_receipt(text: str, smsc: Smsc) -> Receipt:
    """Read the text of a receipt; a text that is none gives an empty one."""
    if smsc.plain and (found := _WHOLE.match(text)) is not None:
        name, done, status, error = found.groups()
        return Receipt(id=name, status=status, error=error, done=done)
    fields = _list_fields(text[:MAX_TEXT])
    status, error, name = fields.get("stat", ""), fields.get("err", ""), fields.get("id", "")
    head = text[: _find_text(text)]  # the expressions of a user see no more of it
    if smsc.id is not None:
        name = take(smsc.id, head) or ""
    if smsc.status is not None:
        status = take(smsc.status, head) or ""
    if smsc.error is not None:
        error = take(smsc.error, head) or ""
    return Receipt(
        id=name[:MAX_ID],
        status=status[:MAX_STATUS],
        error=error[:MAX_ERROR],
        done=fields.get("done", "") or fields.get("submitted", ""),
    )


def _find_text(text: str) -> int:
    found = _TEXT.search(text)
    return found.start() if found else len(text)


def _list_fields(text: str) -> dict[str, str]:
    """The first value of each field before the message's text; behind it where that is empty."""
    found = _TEXT.search(text)
    fields = _split(text[: found.start()] if found else text)
    if found is not None and not (fields.get("stat") and fields.get("id")):
        rest = text[found.end() :].lstrip(_EDGES)
        if _FIELD.match(rest):  # nothing stands between: the message's text is empty
            fields = _list_fields(rest) | fields
    return fields


def _split(head: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    marks = list(_FIELD.finditer(head))
    for mark, following in zip(marks, (*marks[1:], None), strict=False):
        name = mark[1].lower().replace(" ", "").replace("_", "")
        name = _NAMES.get(name, name)
        if name in fields:
            continue
        value = head[mark.end() : following.start() if following else len(head)]
        if name in ("done", "submitted"):
            fields[name] = value.strip(_EDGES)[:40]
        else:
            first = _FIRST.search(value)
            fields[name] = first[0].strip(_EDGES) if first else ""
    return fields


# ---- Ids ------------------------------------------------------------------------------------------------------------


def spell_id(given: str, form: IdForm) -> str:
    """Return an id in the one spelling that all who name it have, as the user says that it is spelled here.

    A number is written in decimal without zeros before it. What is not of the form that it should be of stays as it is.
    """
    text = given.strip(_EDGES)
    if form == "text" or not text or len(text) > _MAX_NUMBER or not text.isascii():
        return text
    if form == "decimal":
        return text.lstrip("0") or "0" if text.isdigit() else text
    try:
        if form == "hex":
            return str(int(text.lower().removeprefix("0x"), 16)) if text.isalnum() else text
        return bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text


# ---- Dates ----------------------------------------------------------------------------------------------------------


def read_date(given: str, zone: tzinfo | None, near: datetime | None) -> datetime | None:
    """Read the UTC instant of a date of a receipt, whose zone is `zone`, UTC where that is None; None where it is none.

    Ten digits are YYMMDDhhmm, fourteen YYYYMMDDhhmmss. Twelve are YYMMDDhhmmss or YYYYMMDDhhmm: the one that is a date;
    where both are, the one nearer to `near`, and without that the first, because nobody sent receipts in the years that
    the other would be of (2001 to 2012).
    """
    text = given.strip(_EDGES)
    if not text.isascii() or not text.isdigit():
        return _read_other(text, zone)
    if not text.strip("0"):
        return None
    if len(text) == 10:  # some write seconds since 1970, which are no date of such digits most of the time
        return _read_digits(f"20{text}00", zone or UTC) or _read_seconds(int(text))
    readings = {12: (f"20{text}", f"{text}00"), 14: (text,)}.get(len(text), ())
    moments = [moment for reading in readings if (moment := _read_digits(reading, zone or UTC)) is not None]
    if near is not None and len(moments) > 1:
        return min(moments, key=lambda moment: abs(moment - near))
    return moments[0] if moments else None


def _read_digits(text: str, zone: tzinfo) -> datetime | None:
    if not "1990" <= text[:4] <= "2199":
        return None
    try:
        year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
        moment = datetime(year, month, day, int(text[8:10]), int(text[10:12]), int(text[12:]), tzinfo=zone)
        return moment if zone is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read_seconds(number: int) -> datetime | None:
    return datetime.fromtimestamp(number, UTC) if 1_000_000_000 <= number < 4_000_000_000 else None


def _shift(moment: datetime, quarters: int) -> datetime:
    return moment + timedelta(minutes=15 * quarters)


def _read_other(text: str, zone: tzinfo | None) -> datetime | None:
    """A date of SMPP itself, or of ISO-8601, as gateways write it that put one in the place of the SMSC's."""
    if found := _ABSOLUTE.fullmatch(text):
        quarters = int(found[2]) * (-1 if found[3] == "-" else 1)
        moment = _read_digits("20" + found[1], UTC)
        return moment and _shift(moment, -quarters)
    try:
        naive = datetime.fromisoformat(text) if text[:2].isdigit() else None
        if naive is None:
            return None
        return parse_time((naive if naive.tzinfo else naive.replace(tzinfo=zone or UTC)).isoformat())
    except ValueError:
        return None
