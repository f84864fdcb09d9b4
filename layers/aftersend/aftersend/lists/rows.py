"""Reads the columns of a record by their names, whatever their order, case, quotes and separator. Pure.

How a file is laid out follows from its beginning: its framing, and of CSV the separator and the header. Names are
compared by their letters and digits alone, so "Created At", "created_at" and "CreatedAt" are one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.lists.records import FilePosition, Framing, Record, split_records

HEAD_SIZE: Final = 256 * 1024  # bytes of a file that its layout is detected by

Fields = Mapping[str, str]  # by column; those that are missing or empty are not there

_SEPARATORS: Final = ",;\t|"
_BOM: Final = b"\xef\xbb\xbf"
_SES_COLUMNS: Final = ("emailaddress", "reason", "lastupdatetime")  # of lists of Amazon SES that have no header

_ADDRESS: Final = re.compile(r"[^\s/\[]@").search  # and no name of a column as "@id", which Adobe Campaign has

_NOT_UTF8: Final = "not UTF-8 text: save it as CSV in UTF-8, or as JSON"

_decode: Final = msgspec.json.Decoder().decode


class FileLayout(Struct, frozen=True, kw_only=True):
    """How a file is laid out, and where its rows begin."""

    framing: Framing
    start: FilePosition = FilePosition()
    separator: str = ","
    columns: tuple[str, ...] = ()  # of CSV, in their order


class Row(Struct, frozen=True):
    """The fields of one row, or what is wrong with it."""

    line: int
    fields: Fields
    error: str | None = None


def detect_layout(head: bytes) -> FileLayout:
    """Return the layout of a file that begins with `head`; raises MalformedFeedback where nobody could read it."""
    text = head.removeprefix(_BOM).lstrip()
    if b"\0" in head:
        raise MalformedFeedback("import", _NOT_UTF8)
    if not text:
        raise MalformedFeedback("import", "there is nothing in it")
    if text[:1] not in b"{[":
        return _detect_csv(head)
    first = text.partition(b"\n")[0].strip()
    return FileLayout(framing=Framing.LINES if _is_row(first) else Framing.DOCUMENT)


def read_rows(record: Record, layout: FileLayout) -> Iterator[Row]:
    """Yield the rows of a record: one, or several where its quotation marks were not meant as such."""
    if record.is_empty:
        return
    if record.error:
        yield Row(record.line, {}, record.error)
        return
    try:
        if layout.framing is Framing.CSV:
            yield from _read_csv(record, layout)
        else:
            yield Row(record.line, _read_object(_decode(record.data.removeprefix(_BOM))))
    except UnicodeDecodeError:
        yield Row(record.line, {}, "not UTF-8")
    except DECODE_ERRORS:
        yield Row(record.line, {}, "not a JSON object")
    except csv.Error:
        yield Row(record.line, {}, "not CSV")


def read_column_names(layout: FileLayout, head: bytes) -> frozenset[str]:
    """Return the names of the columns: of CSV all, of JSON those that the first row has."""
    if layout.framing is Framing.CSV:
        return frozenset(layout.columns)
    for record in split_records([head], layout.framing, layout.start):
        for row in read_rows(record, layout):
            if row.fields:
                return frozenset(row.fields)
    return frozenset()


def fold_name(name: str) -> str:
    """Return a name as its letters and digits alone, in lower case."""
    return "".join(filter(str.isalnum, name.casefold()))


def _detect_csv(head: bytes) -> FileLayout:
    first = next(split_records([head], Framing.CSV, FilePosition()))
    try:
        text = first.data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        raise MalformedFeedback("import", _NOT_UTF8) from None
    if first.error:
        raise MalformedFeedback("import", f"the header cannot be read: {first.error}")
    try:
        separator = max(_SEPARATORS, key=lambda each: len(_split(text, each)))
    except csv.Error:
        raise MalformedFeedback("import", "the header cannot be read: not CSV") from None
    header = _split(text, separator)
    if any(map(_ADDRESS, header)):
        return FileLayout(framing=Framing.CSV, separator=separator, columns=_SES_COLUMNS)
    return FileLayout(
        framing=Framing.CSV, start=first.after, separator=separator, columns=tuple(map(fold_name, header))
    )


def _split(header: str, separator: str) -> list[str]:
    return next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])


def _read_csv(record: Record, layout: FileLayout) -> Iterator[Row]:
    text = record.data.removeprefix(_BOM).decode().removesuffix("\n")
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=layout.separator, skipinitialspace=True)
    line = record.line
    for values in reader:
        if len(values) > len(layout.columns):
            yield Row(line, {}, "more fields than there are columns")
        elif any(map(str.strip, values)):
            pairs = zip(layout.columns, map(str.strip, values), strict=False)
            yield Row(line, {name: value for name, value in pairs if value})
        line = record.line + reader.line_num


def _is_row(line: bytes) -> bool:
    """Whether a line is an object by itself, and no list of rows, which may be empty."""
    try:
        found = _decode(line)
        if not isinstance(found, dict) or _holds_rows(found):
            return False
        return bool(_read_object(found)) or not any(isinstance(each, list) for each in found.values())
    except DECODE_ERRORS:
        return False


def _holds_rows(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_rows, value.values()))
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _read_object(found: Any) -> Fields:
    """Texts and numbers by name; of a list of them, all with commas between."""
    if not isinstance(found, dict):
        raise msgspec.DecodeError("not an object")
    fields = {fold_name(name): _to_text(value) for name, value in found.items()}
    return {name: value for name, value in fields.items() if value}


def _to_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_to_text(each) for each in value if not isinstance(each, list))
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
