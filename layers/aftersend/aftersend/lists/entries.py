"""What one row of a list says, in our words: who, why, when, in which stream. Pure.

What cannot be taken is said without a word of the row, which may be an address.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from aftersend.core.model import CauseKind, Reason
from aftersend.core.recipient import canonicalize_email, canonicalize_recipient
from aftersend.core.text import truncate
from aftersend.core.times import format_time, parse_time
from aftersend.lists.columns import Fields
from aftersend.lists.formats import OURS, Format

# As a request may name one: an export has it, and must be taken back.
_STREAM: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}").fullmatch


class Listed(Struct, frozen=True, kw_only=True):
    """One row, understood. `kind` is None where it says nothing against the address: the sender's fault, say."""

    recipient: str
    kind: CauseKind | None
    at: datetime | None
    scopes: tuple[str, ...] = ()  # the streams that are meant; none where the list does not tell them apart
    since: datetime | None = None
    until: datetime | None = None
    reason: Reason | None = None
    provider_code: str | None = None
    status: str | None = None
    code: str | None = None
    text: str | None = None


_ENDING: Final = frozenset({CauseKind.STREAK, CauseKind.PAUSE})


class Flawed(Exception):
    """A row that cannot be taken; the message says why and quotes nothing of it."""


def listed(fields: Fields, format_: Format) -> Listed:
    """What a row says; raises Flawed where it makes no sense."""
    ours = format_.name == OURS
    if format_.who not in fields:
        raise Flawed("no address")
    kind, word = _kind(fields, format_)
    if ours and fields.get("active") == "no":
        kind = None
    if ours and fields.get("kind") in _ENDING and "until" not in fields:
        raise Flawed("no end, which this kind has")
    refusal = {name: fields.get(getattr(format_, name)) for name in ("status", "code", "text")}
    return Listed(
        recipient=recipient(fields[format_.who], bare=not ours),
        kind=kind,
        at=_moment(fields, format_.at),
        scopes=(stream(fields["scope"]),) if ours and "scope" in fields else _scopes(fields.get(format_.scopes, "")),
        since=_moment(fields, "since") if ours else None,
        until=_moment(fields, "until") if ours else None,
        reason=_reason(fields) if ours else format_.reason,
        provider_code=truncate(fields["note"], 256) if ours and "note" in fields else word,
        **refusal,
    )


def _kind(fields: Fields, format_: Format) -> tuple[CauseKind | None, str | None]:
    """The kind, and the words that say it."""
    words = [fields.get(name, "") for name in format_.words]
    told = "/".join(words).strip("/")
    for key in (told.casefold(), words[0].casefold() if words else ""):
        if key in format_.kinds:
            kind = format_.kinds[key]
            return kind, None if told.casefold() == kind else truncate(told, 64) or None
    raise Flawed(f"no word that we know in {' or '.join(format_.words)}")


_CHANNELS: Final = frozenset({"sms", "push"})  # beside that of addresses
_CANONICAL: Final = re.compile(
    r'email:(?:[^\sA-Z<>"@]{1,64}|"(?:[^"\\A-Z]|\\.){1,62}")@[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,10}'
    r"|sms:\+[0-9]{5,20}|push:[a-z0-9_-]{1,32}:[!-~]{1,512}"
)


def recipient(text: str, *, bare: bool = True) -> str:
    """The canonical recipient; raises Flawed for what is none. Only one that is not `bare` may say its channel."""
    if not bare and _CANONICAL.fullmatch(text):
        return text
    meant = canonicalize_email(text) if bare else canonicalize_recipient(text, _CHANNELS)
    if not _CANONICAL.fullmatch(meant):
        raise Flawed("not an address")
    return meant


def stream(text: str) -> str:
    """The name of a stream, or "*" for all; raises Flawed for what is none."""
    if _STREAM(text) is None:
        raise Flawed("not the name of a stream")
    return text


def _scopes(text: str) -> tuple[str, ...]:
    named = {stream(part.strip(" []'\"")) for part in text.split(",") if part.strip(" []'\"")}
    return ("*",) if "*" in named else tuple(sorted(named))


_SECONDS: Final = re.compile(r"[0-9]{8,10}(?:\.[0-9]{1,9})?")
_MILLISECONDS: Final = re.compile(r"[0-9]{12,13}")
_NO_TIME: Final = re.compile(r"0001-|[^0-9]{0,5}[0-9]{1,2} [A-Za-z]{3} 0001 ")  # how Mailgun writes that it knows none


def _moment(fields: Fields, name: str) -> datetime | None:
    text = fields.get(name, "")
    if not text or _NO_TIME.match(text):
        return None
    try:
        return moment(text)
    except ValueError:
        raise Flawed(f"no time that we can read in {name}") from None


def moment(text: str) -> datetime:
    """The instant that a list means: seconds or milliseconds since 1970, or what `aftersend.core.times` reads."""
    if _SECONDS.fullmatch(text):
        return parse_time(format_time(datetime.fromtimestamp(float(text), UTC)))
    if _MILLISECONDS.fullmatch(text):
        return parse_time(format_time(datetime.fromtimestamp(int(text) / 1000, UTC)))
    return parse_time(text)


def _reason(fields: Fields) -> Reason | None:
    try:
        return Reason(fields["reason"]) if "reason" in fields else None
    except ValueError:
        raise Flawed("no reason that we know") from None
