"""Renders outcomes as rows of a file: CSV (RFC 4180) with a header, or a JSON object a line. Pure."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Format = Literal["json", "csv", "jsonl"]
CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_ASKED: Final[dict[str, Format]] = {"text/csv": "csv", "application/x-ndjson": "jsonl", "application/jsonl": "jsonl"}
# What a spreadsheet takes for the beginning of a formula. Source: OWASP, "CSV Injection".
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_KEYS: Final = frozenset({"recipient", "message"})  # changed, they would name nobody

_encode: Final = msgspec.json.Encoder().encode
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def choose_format(given: Format | None, accept: str | None) -> Format:
    """Return the format that the parameter names, else the first of the header Accept that there is, else JSON."""
    if given is not None:
        return given
    asked = [each.partition(";")[0].strip().lower() for each in (accept or "").split(",")]
    return next((_ASKED.get(each, "json") for each in asked if each in _ASKED or each == "application/json"), "json")


def render_rows(rows: Sequence[Struct], kind: Format, columns: Sequence[str], *, with_header: bool) -> str:
    """Return rows of one type as a file; `with_header` where it is the beginning of one."""
    if kind == "jsonl":
        return _encode_lines(rows).decode()
    import csv  # noqa: PLC0415  # a start does not wait for what is seldom asked for

    out = io.StringIO()
    writer = csv.writer(out)
    if with_header:
        writer.writerow(columns)
    for row in rows:
        values = msgspec.to_builtins(row)
        writer.writerow([_write_cell(name, values.get(name)) for name in columns])
    return out.getvalue()


def _write_cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else _encode(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) and name not in _KEYS else text
