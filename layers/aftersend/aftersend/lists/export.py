"""Suppressions as rows of a file. Pure.

`csv` and `jsonl` have a row for each cause, which an import takes back; `addresses` has one for each address, without
the name of its channel, for whatever leaves addresses out of a mailing. Of a stream that is named, what holds for all
streams is shown too. Erased addresses have no rows: nobody could tell whose they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from aftersend.core.erasure import is_alias
from aftersend.core.model import CauseKind, Reverted, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.core.times import format_time
from aftersend.lists.job import Export

COLUMNS: Final = ("recipient", "scope", "kind", "since", "at", "reason", "until", "source", "active")
ADDRESS_COLUMNS: Final = ("address", "kind", "reason", "since", "at", "until")
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "addresses": "text/csv; charset=utf-8",
}

Pending = Callable[[str], Sequence[Reverted]]  # windows of a provider's accident that nobody has judged yet

_encode: Final = msgspec.json.Encoder().encode


class Line(Struct, frozen=True, kw_only=True):
    """One cause of one suppression, as a text for each column."""

    recipient: str
    scope: str
    kind: CauseKind
    since: str
    at: str
    reason: str
    until: str
    source: str
    active: str


def header(layout: str) -> bytes:
    """What a file begins with."""
    columns = {"csv": COLUMNS, "addresses": ADDRESS_COLUMNS}.get(layout, ())
    return _row(columns) if columns else b""


def rows(found: Iterable[Suppression], wanted: Export, now: datetime, pending: Pending) -> Iterator[bytes]:
    """The rows of those suppressions that are wanted."""
    for suppression in found:
        if _is_wanted(suppression, wanted):
            lines = _lines(suppression, wanted, now, pending(suppression.recipient))
            yield from _written(lines, wanted.layout)


def _is_wanted(suppression: Suppression, wanted: Export) -> bool:
    if is_alias(suppression.recipient):
        return False
    channel = suppression.recipient.partition(":")[0]
    scopes = ("*", wanted.scope or "*") if wanted.scope or wanted.layout == "addresses" else (suppression.scope,)
    return wanted.channel in (None, channel) and suppression.scope in scopes


def _lines(suppression: Suppression, wanted: Export, now: datetime, pending: Sequence[Reverted]) -> Iterator[Line]:
    """A line for each cause with evidence."""
    holding = find_active_causes(suppression, now, pending)
    for kind, cause in suppression.causes.items():
        if cause.latest is None or (wanted.active and kind not in holding):
            continue
        yield Line(
            recipient=suppression.recipient,
            scope=suppression.scope,
            kind=kind,
            since=format_time((cause.first or cause.latest).at),
            at=format_time(cause.latest.at),
            reason=cause.latest.reason or "",
            until=format_time(cause.until) if cause.until else "",
            source=cause.latest.source,
            active="yes" if kind in holding else "no",
        )


def _written(lines: Iterator[Line], layout: str) -> Iterator[bytes]:
    if layout == "jsonl":
        yield from (
            _encode({name: text for name in COLUMNS if (text := getattr(line, name))}) + b"\n" for line in lines
        )
    elif layout == "csv":
        yield from (_row([getattr(line, name) for name in COLUMNS]) for line in lines)
    elif longest := max(lines, key=_lasting, default=None):
        address = longest.recipient.partition(":")[2]
        yield _row([address, *[getattr(longest, name) for name in ADDRESS_COLUMNS[1:]]])


def _lasting(line: Line) -> tuple[bool, str, str]:
    """What is told of an address that is suppressed for several causes: the one that lasts longest, then the newest."""
    return not line.until, line.until, line.at


def _row(texts: Iterable[str]) -> bytes:
    return ",".join(map(_cell, texts)).encode() + b"\r\n"


def _cell(text: str) -> str:
    """A field as RFC 4180 has it, and nothing more: whatever hid formulas from spreadsheets would change addresses."""
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '",\r\n') else text
