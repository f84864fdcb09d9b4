"""One spelling for each recipient of every channel, so that feedback, outcomes and suppressions of one person meet.

A canonical recipient begins with its channel:

    email:user@xn--bcher-kva.example    local part and domain in lower case, the domain as IDNA A-labels; `+tag` and
                                        dots stay: only the receiving system knows what they mean (RFC 5321 2.3.11)
    sms:+14255550156                    E.164: "+" and 7 to 15 digits
    push:apns:740f4707…                 the service, then its token as it is given

There are two ways to read one. `canonicalize_…` is for what remote systems report: it takes whatever they write, and
keeps what is no recipient at all, bounded, because a report about it must not be lost. `parse_recipient` is for what a
person or a client names: exactly one recipient, or an error that says what is wrong and quotes nothing. What is stored
although nobody can have it is named exactly as it is stored, where we have written it ourselves
(`parse_stored_recipient`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote

from aftersend.core.text import truncate
from aftersend.core.vocabulary import Channel

MAX_RECIPIENT_BYTES: Final = 320  # of an address, RFC 5321 section 4.5.3.1: 64 octets of local part, "@", 255 of domain
MAX_TOKEN_BYTES: Final = 960  # of a push token: with its channel it fits the key of an index, which has 1,024 bytes
MAX_GIVEN_BYTES: Final = 2048  # of what a person or a client names, in any spelling
MAX_READINGS: Final = 8  # of what no address is spelled like: letters that turn into other letters, cut brackets

_PLAIN: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*").fullmatch
# Texts, which are compiled when they are first needed: most addresses are plain (decision 69).
_QUOTED: Final = r'"[^"]{1,64}"@[^\s<>(),;"]{1,255}'
_TYPED: Final = r"(?i:(?:rfc822|utf-8|smtp|mailto)\s*[;:]\s*)"
# RFC 5321's dot-string; dots may stand anywhere, because some mobile carriers gave out such addresses ("ann.@…").
_DOT_STRING: Final = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,\"]+"
_QUOTED_DOT_STRING: Final = r'"([^\s\x00-\x20\x7f()<>\[\]:;@\\,\"]+)"'
_QUOTED_STRING: Final = r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"'
_DOMAIN: Final = r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_LITERAL: Final = r"\[(?:ipv6:[0-9a-f:.]{2,45}|[0-9.]{7,15})\]"
# A display name in front of angle brackets: words or one quoted string (RFC 5322 section 3.4), but no second address.
_NAMED: Final = r'(?:"(?:[^"\\]|\\.){0,256}"|[^"<>@,;]{0,256})\s*<([^<>]+)>'
# Characters that show nothing: what is copied from a page or a spreadsheet often has them, no address does.
_INVISIBLE: Final = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+"
_SEPARATORS: Final = r"[\s().\-/\u2010-\u2015]+"
_NUMBER: Final = r"\+[1-9][0-9]{6,14}"
_SERVICE: Final = r"[a-z0-9][a-z0-9._-]{0,31}"
_WITHOUT_BLANKS: Final = r"[\x21-\x7e]+"


def split_channel(recipient: str) -> tuple[Channel | None, str]:
    """Split a canonical recipient into its channel and the rest; None is the channel of somebody who was erased."""
    name, _, rest = recipient.partition(":")
    return (Channel(name), rest) if name in _CHANNELS else (None, rest)


_CHANNELS: Final = frozenset(Channel)


def canonicalize_email(raw: str) -> str:
    """Return the canonical form of an e-mail recipient, as a source spells it.

    Takes display names, angle brackets and the address types of RFC 3464 ("rfc822; user@example.com"). What is no
    address at all stays, in lower case and bounded: a report about it must not be lost.
    """
    if _PLAIN(raw) and len(raw) <= MAX_RECIPIENT_BYTES:
        return "email:" + raw
    return "email:" + _repeat(_read_reported_address, raw)


def canonicalize_sms(raw: str) -> str:
    """Return the canonical form of a telephone number, as a source spells it.

    Separators go, and a leading 00 becomes "+". A number without its country stays as it is, and so does what is no
    number at all, in lower case and bounded.
    """
    return "sms:" + _repeat(_read_reported_number, raw)


def canonicalize_push(service: str, token: str) -> str:
    """Return the canonical form of a push token of a service ("apns", "fcm", "webpush"): the token as it is.

    A token beyond MAX_TOKEN_BYTES keeps its beginning and ends in a digest of the whole, so that two stay two.
    """
    given = token.strip()
    if len(given.encode("utf-8", "replace")) > MAX_TOKEN_BYTES:
        digest = blake2b(given.encode("utf-8", "replace"), digest_size=16).hexdigest()
        given = f"{given.encode('utf-8', 'replace')[: MAX_TOKEN_BYTES - 40].decode('utf-8', 'ignore')}~{digest}"
    return f"push:{truncate(service.strip().lower(), 32)}:{truncate(given, 2 * MAX_TOKEN_BYTES).strip()}"


def parse_recipient(given: str) -> str:
    """Read the one recipient that a person or a client names, and return its canonical form.

    Takes an e-mail address, alone or with a display name in front of angle brackets, and "sms:+14255550156" or
    "push:SERVICE:TOKEN", the channel in any case. All spellings of one mailbox give one recipient: characters that
    show nothing, full-width and decomposed ones, `mailto:`, quotation marks that are not needed.

    Raises ValueError for everything else; its text says what is wrong, and quotes nothing.
    """
    if len(given.encode("utf-8", "replace")) > MAX_GIVEN_BYTES:
        raise ValueError(f"a recipient has at most {MAX_GIVEN_BYTES} bytes")
    name, colon, rest = given.strip().partition(":")
    match name.strip().lower() if colon else "":
        case Channel.SMS:
            return _parse_sms(rest)
        case Channel.PUSH:
            return _parse_push(rest)
        case Channel.EMAIL:
            return _parse_email(rest)
    return _parse_email(given)


def parse_stored_recipient(text: str) -> str:
    """Read a recipient that this product has written itself, in an export or in an answer: exactly as it is stored.

    Sources report names that nobody can have ("email:undisclosed recipients"), and those stand in tables and exports
    too. Such a name is taken only in its canonical form, its channel in front, and never as anybody else.

    Raises ValueError for everything else, as `parse_recipient` does.
    """
    try:
        return parse_recipient(text)
    except ValueError:
        if text and len(text.encode("utf-8", "replace")) <= MAX_GIVEN_BYTES and _canonicalize_again(text) == text:
            return text
        raise


def _canonicalize_again(text: str) -> str | None:
    """What a source's report would be stored as, were it spelled as this stored recipient is."""
    name, _, rest = text.partition(":")
    match name if rest else "":
        case Channel.EMAIL:
            return canonicalize_email(rest)
        case Channel.SMS:
            return canonicalize_sms(rest)
        case Channel.PUSH:
            return canonicalize_push(*rest.partition(":")[::2])
    return None


def _repeat(read: Callable[[str], str], text: str) -> str:
    """What reading `text` comes to when nothing changes any more, so that what is stored is read as itself."""
    found = read(text)
    for _ in range(MAX_READINGS):
        if (again := read(found)) == found:
            break
        found = again
    return found


def _read_reported_address(raw: str) -> str:
    local, at, domain = _find_address(_clean(truncate(raw, 2 * MAX_RECIPIENT_BYTES))).rpartition("@")
    return truncate(f"{_unquote_local(local).lower()}{at}{_to_a_labels(domain)}", MAX_RECIPIENT_BYTES)


def _read_reported_number(raw: str) -> str:
    return truncate(_read_number(truncate(raw, MAX_RECIPIENT_BYTES)), MAX_RECIPIENT_BYTES)


def _parse_sms(given: str) -> str:
    number = _read_number(given)
    if not re.fullmatch(_NUMBER, number):
        raise ValueError('a telephone number is "+" with its country code and 7 to 15 digits in all')
    return "sms:" + number


def _parse_push(given: str) -> str:
    service, colon, token = given.strip().partition(":")
    if not colon or not re.fullmatch(_SERVICE, service.lower()) or not re.fullmatch(_WITHOUT_BLANKS, token):
        raise ValueError('a push recipient is "push:SERVICE:TOKEN", the token without blanks')
    return canonicalize_push(service, token)


def _parse_email(given: str) -> str:
    address = _peel_link(_clean(given))
    if "<" in address or ">" in address:
        named = re.fullmatch(_NAMED, address)
        if named is None:
            raise ValueError("a recipient is one address; in angle brackets it stands once, after a name or nothing")
        address = _peel_link(named[1].strip())
    local, at, domain = address.rpartition("@")
    local, domain = _unquote_local(local), _to_a_labels(domain)
    if not at or not local or not domain:
        raise ValueError("an e-mail address has a name, an @ and a domain")
    if not (re.fullmatch(_DOT_STRING, local) or re.fullmatch(_QUOTED_STRING, local)):
        raise ValueError("the part before the @ is no name of one mailbox: blanks, brackets and a second @ need quotes")
    if not (re.fullmatch(_DOMAIN, domain) or re.fullmatch(_LITERAL, domain)):
        raise ValueError("what follows the @ is no domain")
    found = f"{local.lower()}@{domain}"
    if len(found.encode()) > MAX_RECIPIENT_BYTES:
        raise ValueError(f"an e-mail address has at most {MAX_RECIPIENT_BYTES} bytes")
    return "email:" + found


def _peel_link(address: str) -> str:
    """What a link of mail leads to (RFC 6068), or an address as it is; raises ValueError for control characters."""
    if address[:7].lower() == "mailto:":
        address = _clean(unquote(address[7:].partition("?")[0]))
    if not address.isprintable():
        raise ValueError("a recipient has no control characters")
    return address


def _clean(text: str) -> str:
    """`text` without what shows nothing, and with one form for characters that have several (Unicode NFKC)."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", re.sub(_INVISIBLE, "", text)).strip()


def _find_address(text: str) -> str:
    """The address inside `text`; everything outside the last pair of angle brackets is decoration."""
    while typed := re.match(_TYPED, text):
        text = text[typed.end() :]
    opening, closing = text.rfind("<"), text.rfind(">")
    if -1 < opening < closing:
        return text[opening + 1 : closing].strip()
    text = "@".join(part.strip() for part in text.split("@"))  # RFC 5322 section 4.4 allows blanks there
    # Comments nest without end (RFC 5322 section 3.2.2), so they are not read: the part with the "@" is the address.
    quoted = re.search(_QUOTED, text)
    if quoted:
        return quoted[0]
    return next((part.strip('(),;"') for part in text.split() if "@" in part), text)


def _unquote_local(local: str) -> str:
    """The local part without quotation marks that it does not need (RFC 5321 section 4.1.2)."""
    quoted = re.fullmatch(_QUOTED_DOT_STRING, local)
    return quoted[1] if quoted else local


def _read_number(raw: str) -> str:
    """A telephone number without its separators, a leading 00 as "+"; what is none in lower case."""
    text = re.sub(_SEPARATORS, "", _clean(raw))
    text = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
    return "+" + text[2:] if text[:2] == "00" and text.isdecimal() else text.lower()


def _to_a_labels(domain: str) -> str:
    """The IDNA 2008 A-label form, in lower case; what IDNA refuses stays as it is, in lower case."""
    lowered = domain.lower().rstrip(" .")
    if lowered.isascii():
        return lowered
    import idna  # noqa: PLC0415  # only where a name needs it: its tables cost 8 ms of cold start

    try:
        return idna.encode(lowered, uts46=True).decode("ascii")
    except idna.IDNAError:
        return lowered
