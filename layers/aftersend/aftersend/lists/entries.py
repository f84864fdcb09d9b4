"""Reads one row of a list: who, why, when, in which stream. Pure.

Errors quote nothing of the row, which may be an address.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from aftersend.core.model import CauseKind, Reason
from aftersend.core.recipient import parse_recipient, parse_stored_recipient
from aftersend.core.text import truncate
from aftersend.core.times import format_time, parse_time
from aftersend.core.vocabulary import Channel
from aftersend.lists.formats import OWN_FORMAT, ListFormat
from aftersend.lists.rows import Fields
from aftersend.sources.adobe import CHANNELS, fold

# As a request may name one: an export has it, and must be taken back.
_STREAM: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}").fullmatch


_SERVICE: Final = "service"  # of a token, as the channel says it
_DIGITS: Final = re.compile(r"[1-9][0-9]{7,14}").fullmatch  # a number whose "+" Campaign leaves out

_ENDING_KINDS: Final = frozenset({CauseKind.STREAK, CauseKind.PAUSE})


class ListEntry(Struct, frozen=True, kw_only=True, array_like=True):
    """One row, read. `kind` is None where it says nothing against the address: the sender's fault, for example.

    It is encoded as a list, so that the identity of what was imported hangs on no name of a field.
    """

    recipient: str
    kind: CauseKind | None
    at: datetime | None
    scopes: tuple[str, ...] = ()  # streams; none where the list does not distinguish them
    since: datetime | None = None
    until: datetime | None = None
    reason: Reason | None = None
    provider_code: str | None = None
    status: str | None = None
    code: str | None = None
    text: str | None = None


class InvalidRow(Exception):
    """A row that cannot be read; the message says why and quotes nothing of it."""


def read_entry(fields: Fields, format_: ListFormat) -> ListEntry:
    """Return what a row says; raises InvalidRow where it makes no sense."""
    own = format_.name == OWN_FORMAT
    fields = _translate(fields, format_)
    if format_.recipient not in fields:
        raise InvalidRow("no address")
    kind, provider_code = _read_kind(fields, format_)
    if own and fields.get("active") == "no":
        kind = None
    if own and fields.get("kind") in _ENDING_KINDS and "until" not in fields:
        raise InvalidRow("no end, which this kind has")
    refusal = {name: fields.get(getattr(format_, name)) for name in ("status", "code", "text")}
    return ListEntry(
        recipient=read_recipient(fields, format_),
        kind=kind,
        at=_read_time(fields, format_.at),
        scopes=(parse_stream(fields["scope"]),)
        if own and "scope" in fields
        else _read_scopes(fields.get(format_.scopes, "")),
        since=_read_time(fields, "since") if own else None,
        until=_read_time(fields, "until") if own else None,
        reason=_read_reason(fields) if own else format_.reason,
        provider_code=truncate(fields["note"], 256) if own and "note" in fields else provider_code,
        **refusal,
    )


def _translate(fields: Fields, format_: ListFormat) -> Fields:
    """The fields by the names by which a format knows them; of several that are one, a label before a number."""
    if not format_.aliases:
        return fields
    found: dict[str, str] = {}
    for name in (*(each for each in format_.aliases if each in fields), *fields):
        found.setdefault(format_.aliases.get(name, name), fields[name])
    if format_.channel in found:
        channel, service = CHANNELS.get(fold(found[format_.channel]), (None, ""))
        if channel is None:
            raise InvalidRow(f"no channel that we know in {format_.channel}")
        found |= {format_.channel: channel.value, _SERVICE: service}
    return found


def _read_kind(fields: Fields, format_: ListFormat) -> tuple[CauseKind | None, str | None]:
    """Return the kind, and the provider's own words for it."""
    values = [fields.get(name, "") for name in format_.kind_columns]
    code = "/".join(values).strip("/")
    for key in (code.casefold(), values[0].casefold() if values else ""):
        if key in format_.kinds:
            kind = format_.kinds[key]
            return kind, None if code.casefold() == kind else truncate(code, 64) or None
    raise InvalidRow(f"no value that we know in {' or '.join(format_.kind_columns)}")


_EXPORTED: Final = frozenset({"recipient", "kind", "at", "source", "active"})  # that every row of our exports has


def read_recipient(fields: Fields, format_: ListFormat) -> str:
    """Return the one recipient that a row names; of an export of ours, whoever it was. Raises InvalidRow."""
    text = fields[format_.recipient]
    try:
        if format_.name != OWN_FORMAT:
            return parse_recipient(f"{_find_prefix(fields, format_, text)}{text}")
        return parse_stored_recipient(text) if fields.keys() >= _EXPORTED else parse_recipient(text)
    except ValueError as error:
        raise InvalidRow(f"not one recipient: {error}") from None


def _find_prefix(fields: Fields, format_: ListFormat, text: str) -> str:
    """What stands before an address in the name of its recipient."""
    channel = fields.get(format_.channel, Channel.EMAIL)
    if channel == Channel.SMS:
        return f"{channel}:+" if _DIGITS(text) else f"{channel}:"
    return f"{channel}:{fields[_SERVICE]}:" if channel == Channel.PUSH else f"{channel}:"


def parse_stream(text: str) -> str:
    """Return the name of a stream, or "*" for all; raises InvalidRow for what is none."""
    if _STREAM(text) is None:
        raise InvalidRow("not the name of a stream")
    return text


def _read_scopes(text: str) -> tuple[str, ...]:
    named = {parse_stream(part.strip(" []'\"")) for part in text.split(",") if part.strip(" []'\"")}
    return ("*",) if "*" in named else tuple(sorted(named))


_SECONDS: Final = re.compile(r"[0-9]{8,10}(?:\.[0-9]{1,9})?")
_MILLISECONDS: Final = re.compile(r"[0-9]{12,13}")
_NO_TIME: Final = re.compile(r"0001-|[^0-9]{0,5}[0-9]{1,2} [A-Za-z]{3} 0001 ")  # how Mailgun writes that it knows none


def _read_time(fields: Fields, name: str) -> datetime | None:
    text = fields.get(name, "")
    if not text or _NO_TIME.match(text):
        return None
    try:
        return parse_list_time(text)
    except ValueError:
        raise InvalidRow(f"no time that we can read in {name}") from None


def parse_list_time(text: str) -> datetime:
    """Return the time that a list means: seconds or milliseconds since 1970, or what `aftersend.core.times` reads.

    In UTC, whole milliseconds. Raises ValueError for anything else.
    """
    if _SECONDS.fullmatch(text):
        return parse_time(format_time(datetime.fromtimestamp(float(text), UTC)))
    if _MILLISECONDS.fullmatch(text):
        return parse_time(format_time(datetime.fromtimestamp(int(text) / 1000, UTC)))
    return parse_time(text)


def _read_reason(fields: Fields) -> Reason | None:
    try:
        return Reason(fields["reason"]) if "reason" in fields else None
    except ValueError:
        raise InvalidRow("no reason that we know") from None
