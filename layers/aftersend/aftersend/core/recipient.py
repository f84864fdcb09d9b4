"""One spelling for each recipient, so that feedback, outcomes and suppressions of one address meet.

A canonical recipient carries its channel: `email:user@xn--bcher-kva.example`. The local part and the domain are
lower-cased and the domain becomes IDNA A-labels; display name, angle brackets and comments go; `+tag` and dots stay,
because only the receiving system knows whether they matter (RFC 5321 section 2.3.11).
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from aftersend.core.text import truncate

MAX_RECIPIENT_BYTES: Final = 320  # RFC 5321 section 4.5.3.1: 64 octets of local part, "@", 255 of domain

_PLAIN: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*").fullmatch
_QUOTED: Final = re.compile(r'"[^"]{1,64}"@[^\s<>(),;"]{1,255}').search
_TYPED: Final = re.compile(r"(?:rfc822|utf-8|smtp)\s*;\s*", re.IGNORECASE).match


def canonicalize_email(raw: str) -> str:
    """The canonical form of an e-mail recipient, as a source or a person spells it.

    Takes display names, angle brackets and the address types of RFC 3464 ("rfc822; user@example.com"). What is no
    address at all is kept, lower-cased and bounded: a report about it must not be lost.
    """
    if _PLAIN(raw) and len(raw) <= MAX_RECIPIENT_BYTES:
        return "email:" + raw
    bare = _bare(raw)
    local, at, domain = bare.rpartition("@")
    return "email:" + truncate(f"{local.lower()}{at}{_a_label(domain)}", MAX_RECIPIENT_BYTES)


def canonicalize_recipient(raw: str, channels: Container[str]) -> str:
    """The canonical form of a recipient that may name its channel, in any case: those of `channels` as they are."""
    channel, colon, rest = raw.partition(":")
    named = channel.lower() if colon else ""
    return f"{named}:{rest}" if named in channels else canonicalize_email(rest if named == "email" else raw)


def _bare(raw: str) -> str:
    """The address inside `raw`; everything outside the last pair of angle brackets is decoration."""
    text = truncate(raw, 2 * MAX_RECIPIENT_BYTES).strip()
    typed = _TYPED(text)
    if typed:
        text = text[typed.end() :]
    opening, closing = text.rfind("<"), text.rfind(">")
    if -1 < opening < closing:
        return text[opening + 1 : closing].strip()
    text = "@".join(part.strip() for part in text.split("@"))  # RFC 5322 section 4.4 allows blanks there
    # Comments nest without end (RFC 5322 section 3.2.2), so they are not read: the word with the "@" is the address.
    quoted = _QUOTED(text)
    if quoted:
        return quoted[0]
    return next((word.strip('(),;"') for word in text.split() if "@" in word), text)


def _a_label(domain: str) -> str:
    """The IDNA 2008 A-label form, lower-cased; what IDNA refuses is kept as it is, lower-cased."""
    lowered = domain.lower().rstrip(".")
    if lowered.isascii():
        return lowered
    import idna  # noqa: PLC0415  # only where a name needs it: its tables cost 8 ms of cold start

    try:
        return idna.encode(lowered, uts46=True).decode("ascii")
    except idna.IDNAError:
        return lowered
