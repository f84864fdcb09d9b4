"""What stands in a record by the names of its columns, whatever their order, case, quotes and separator. Pure.

The beginning of a file tells how it is to be read: its framing, and of CSV the separator and the header. Names are
compared by their letters and digits alone, so "Created At", "created_at" and "CreatedAt" are one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.lists.records import Framing, Place, Record, records

HEAD: Final = 256 * 1024  # bytes of a file that tell how to read it

Fields = Mapping[str, str]  # by name; what is missing or empty is not there

_SEPARATORS: Final = ",;\t|"
_BOM: Final = b"\xef\xbb\xbf"
_NO_HEADER: Final = ("emailaddress", "reason", "lastupdatetime")  # as Amazon SES takes and gives lists

_NOT_UTF8: Final = "not UTF-8 text: save it as CSV in UTF-8, or as JSON"

_decode: Final = msgspec.json.Decoder().decode


class Layout(Struct, frozen=True, kw_only=True):
    """How a file is read, from where its rows begin."""

    framing: Framing
    begin: Place = Place()
    separator: str = ","
    names: tuple[str, ...] = ()  # of CSV, in their order


class Row(Struct, frozen=True):
    """What stands in one row, or what is wrong with it."""

    line: int
    fields: Fields
    flaw: str | None = None


def layout(head: bytes) -> Layout:
    """How to read the file that begins with `head`; raises MalformedFeedback where nobody could."""
    text = head.removeprefix(_BOM).lstrip()
    if b"\0" in head:
        raise MalformedFeedback("import", _NOT_UTF8)
    if not text:
        raise MalformedFeedback("import", "there is nothing in it")
    if text[:1] not in b"{[":
        return _csv_layout(head)
    first = text.partition(b"\n")[0].strip()
    return Layout(framing=Framing.LINES if _is_row(first) else Framing.DOCUMENT)


def rows(record: Record, layout: Layout) -> Iterator[Row]:
    """The rows of a record: one, or several where its quotation marks were not meant as such."""
    if record.flaw:
        yield Row(record.line, {}, record.flaw)
        return
    try:
        if layout.framing is Framing.CSV:
            yield from _csv_rows(record, layout)
        else:
            yield Row(record.line, _plain(_decode(record.data.removeprefix(_BOM))))
    except UnicodeDecodeError:
        yield Row(record.line, {}, "not UTF-8")
    except DECODE_ERRORS:
        yield Row(record.line, {}, "not a JSON object")
    except csv.Error:
        yield Row(record.line, {}, "not CSV")


def names(layout: Layout, head: bytes) -> frozenset[str]:
    """The names of the columns: of CSV all, of JSON those that the first row has."""
    if layout.framing is Framing.CSV:
        return frozenset(layout.names)
    for record in records([head], layout.framing, layout.begin):
        for row in rows(record, layout):
            if row.fields:
                return frozenset(row.fields)
    return frozenset()


def folded(name: str) -> str:
    """A name by its letters and digits."""
    return "".join(filter(str.isalnum, name.casefold()))


def _csv_layout(head: bytes) -> Layout:
    first = next(records([head], Framing.CSV, Place()))
    try:
        text = first.data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise MalformedFeedback("import", _NOT_UTF8) from None
    if first.flaw:
        raise MalformedFeedback("import", f"the header cannot be read: {first.flaw}")
    try:
        separator = max(_SEPARATORS, key=lambda each: len(_split(text, each)))
    except csv.Error:
        raise MalformedFeedback("import", "the header cannot be read: not CSV") from None
    header = _split(text, separator)
    if any("@" in name for name in header):
        return Layout(framing=Framing.CSV, separator=separator, names=_NO_HEADER)
    return Layout(framing=Framing.CSV, begin=first.after, separator=separator, names=tuple(map(folded, header)))


def _split(header: str, separator: str) -> list[str]:
    return next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])


def _csv_rows(record: Record, layout: Layout) -> Iterator[Row]:
    text = record.data.removeprefix(_BOM).decode().removesuffix("\n")
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=layout.separator, skipinitialspace=True)
    line = record.line
    for values in reader:
        if len(values) > len(layout.names):
            yield Row(line, {}, "more fields than there are columns")
        elif any(map(str.strip, values)):
            pairs = zip(layout.names, map(str.strip, values), strict=False)
            yield Row(line, {name: value for name, value in pairs if value})
        line = record.line + reader.line_num


def _is_row(line: bytes) -> bool:
    """Whether a line is an object by itself, and no list of rows, which may be empty."""
    try:
        found = _decode(line)
        if not isinstance(found, dict) or _holds_rows(found):
            return False
        return bool(_plain(found)) or not any(isinstance(each, list) for each in found.values())
    except DECODE_ERRORS:
        return False


def _holds_rows(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_rows, value.values()))
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _plain(found: Any) -> Fields:
    """Texts and numbers by name; of a list of them, all with commas between."""
    if not isinstance(found, dict):
        raise msgspec.DecodeError("not an object")
    told = {folded(name): _text(value) for name, value in found.items()}
    return {name: value for name, value in told.items() if value}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(each) for each in value if not isinstance(each, list))
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
