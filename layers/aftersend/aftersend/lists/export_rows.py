"""Renders suppressions as rows of a file. Pure.

`csv` and `jsonl` have a row for each cause, which an import takes back; `addresses` has one for each address, without
the name of its channel, for whatever leaves addresses out of a mailing; `tokens` has one for each push token that is
dead, for whatever disables it. Of a stream that is named, what holds for all
streams is shown too. Erased addresses have no rows: nobody could know whose they are.
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
from aftersend.lists.job import ExportRequest

COLUMNS: Final = ("recipient", "scope", "kind", "since", "at", "reason", "until", "source", "active")
ADDRESS_COLUMNS: Final = ("address", "kind", "reason", "since", "at", "until")
TOKEN_COLUMNS: Final = ("token", "service", "kind", "reason", "since", "at")
CONTENT_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "addresses": "text/csv; charset=utf-8",
    "tokens": "text/csv; charset=utf-8",
}
_DEAD: Final = frozenset({CauseKind.HARD, CauseKind.PROVIDER})  # why a token is; who only left may come back

FindReverts = Callable[[str], Sequence[Reverted]]  # windows of a provider's accident that nobody has judged yet

_encode: Final = msgspec.json.Encoder().encode


class ExportRow(Struct, frozen=True, kw_only=True):
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


def render_header(layout: str) -> bytes:
    """Return what a file begins with."""
    columns = {"csv": COLUMNS, "addresses": ADDRESS_COLUMNS, "tokens": TOKEN_COLUMNS}.get(layout, ())
    return _join(columns) if columns else b""


def render_rows(
    found: Iterable[Suppression], request: ExportRequest, now: datetime, find_reverts: FindReverts
) -> Iterator[bytes]:
    """Yield the rows of those suppressions that the request selects, as they are at `now`."""
    for suppression in found:
        if _is_selected(suppression, request):
            made = _make_rows(suppression, request, now, find_reverts(suppression.recipient))
            yield from _render(made, request.layout)


def _is_selected(suppression: Suppression, request: ExportRequest) -> bool:
    if is_alias(suppression.recipient):
        return False
    channel = suppression.recipient.partition(":")[0]
    of_all = request.layout in ("addresses", "tokens")
    scopes = ("*", request.scope or "*") if request.scope or of_all else (suppression.scope,)
    return request.channel in (None, channel) and suppression.scope in scopes


def _make_rows(
    suppression: Suppression, request: ExportRequest, now: datetime, reverts: Sequence[Reverted]
) -> Iterator[ExportRow]:
    """Yield a row for each cause with evidence."""
    active = find_active_causes(suppression, now, reverts)
    for kind, cause in suppression.causes.items():
        if cause.latest is None or (request.active and kind not in active):
            continue
        yield ExportRow(
            recipient=suppression.recipient,
            scope=suppression.scope,
            kind=kind,
            since=format_time((cause.first or cause.latest).at),
            at=format_time(cause.latest.at),
            reason=cause.latest.reason or "",
            until=format_time(cause.until) if cause.until else "",
            source=cause.latest.source,
            active="yes" if kind in active else "no",
        )


def _render(made: Iterator[ExportRow], layout: str) -> Iterator[bytes]:
    if layout == "jsonl":
        yield from (_encode({name: text for name in COLUMNS if (text := getattr(row, name))}) + b"\n" for row in made)
    elif layout == "csv":
        yield from (_join([getattr(row, name) for name in COLUMNS]) for row in made)
    elif layout == "tokens":
        yield from _render_token(made)
    elif longest := max(made, key=_end_order, default=None):
        address = longest.recipient.partition(":")[2]
        yield _join([address, *[getattr(longest, name) for name in ADDRESS_COLUMNS[1:]]])


def _render_token(made: Iterator[ExportRow]) -> Iterator[bytes]:
    """The row of a token that nothing can reach any more, with the cause that is the newest."""
    dead = [row for row in made if row.kind in _DEAD]
    if newest := max(dead, key=lambda row: row.at, default=None):
        service, _, token = newest.recipient.partition(":")[2].partition(":")
        yield _join([token, service, *[getattr(newest, name) for name in TOKEN_COLUMNS[2:]]])


def _end_order(row: ExportRow) -> tuple[bool, str, str]:
    """Return what the row of an address with several causes is chosen by: it lasts longest, then it is the newest."""
    return not row.until, row.until, row.at


def _join(texts: Iterable[str]) -> bytes:
    return ",".join(map(_quote, texts)).encode() + b"\r\n"


def _quote(text: str) -> str:
    """A field as RFC 4180 has it, and nothing more: whatever hid formulas from spreadsheets would change addresses."""
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in '",\r\n') else text
