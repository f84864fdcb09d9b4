"""Finds the addresses in what mail systems write, and which of them name nobody because somebody was hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from aftersend.sources.report.decode import decode_field

# Both halves are bounded, so that a search costs the same at every position of a text.
LOCAL: Final = r"[A-Za-z0-9!#$%&*+/=?^_{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}"
QUOTED: Final = r'"[^"\\\n@]{1,62}"'
DOMAIN: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_])){0,252}"
ADDRESS: Final = rf"(?:{LOCAL}|{QUOTED})@(?:{DOMAIN}|\[[0-9A-Fa-f.:IPv]{{3,45}}\])"

_ANY: Final = re.compile(rf"(?<![A-Za-z0-9!#$%&*+/=?^_{{|}}~.@-])({ADDRESS})")
_WHOLE: Final = re.compile(
    r'(?:"[^"\n]{1,128}"|[^\s<>()\[\],;:"@]{1,128})@(?:[^\s<>()\[\],;:"@]{1,255}|\[[^\]\s]{3,45}\])'
)
_TYPE: Final = re.compile(r"\s{0,9}[A-Za-z][A-Za-z0-9/ -]{1,20};\s{0,9}")
_BRACKETED: Final = re.compile(r"<\s*([^<>\n]{1,400}?)\s*>")
_ESCAPE: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_XTEXT: Final = re.compile(r"\+(2B|3D)")
_HIDDEN: Final = ("redacted", "undisclosed", "unknown", "hidden", "removed", "anonymous", "x" * 12)

MAX_ADDRESSES: Final = 64


def find_addresses(text: str) -> list[str]:
    """Return every address in a text, in order, each spelling once."""
    found: dict[str, None] = {}
    for match in _ANY.finditer(text):
        found.setdefault(match[1])
        if len(found) >= MAX_ADDRESSES:
            break
    return list(found)


def read_address(value: str) -> str | None:
    """Return the address that a field names ("rfc822; <user@example.com>"), or None where it names nobody."""
    text = decode_field(value[:800]).strip()
    typed = _TYPE.match(text)
    if typed:
        text = text[typed.end() :]
    text = _ESCAPE.sub(_unescape, text).strip()
    if _WHOLE.fullmatch(text):
        return text
    bracketed = _BRACKETED.search(text)
    if bracketed:
        inside = bracketed[1].removeprefix("mailto:").removeprefix("SMTP:")
        return inside if _WHOLE.fullmatch(inside) else None
    found = find_addresses(text)
    return found[0] if found else None


def read_original_recipient(value: str) -> str | None:
    """Return the address in Original-Recipient, where some systems leave escapes (xtext, RFC 3461)."""
    return read_address(_XTEXT.sub(lambda match: chr(int(match[1], 16)), value))


def read_addresses(values: Iterable[str]) -> list[str]:
    """Return every address in header fields such as To, in order."""
    found: dict[str, None] = {}
    for value in values:
        for address in _iterate_listed(decode_field(value)):
            found.setdefault(address)
    return list(found)[:MAX_ADDRESSES]


def _iterate_listed(value: str) -> Iterator[str]:
    for match in _BRACKETED.finditer(value):
        if _WHOLE.fullmatch(match[1]):
            yield match[1]
    yield from find_addresses(_BRACKETED.sub(" ", value)) if "<" in value else find_addresses(value)


def names_somebody(address: str | None) -> bool:
    """Return whether the address names somebody: feedback loops write "redacted@" or no address at all."""
    if not address or "@" not in address:
        return False
    local, _, domain = address.lower().rpartition("@")
    return bool(local and domain) and not any(word in local for word in _HIDDEN) and "redacted" not in domain


# Domains of no public name: special-use ones (RFC 6761, 6762, 9476) and those that networks give themselves.
_INTERNAL: Final = (
    "local", "localhost", "localdomain", "internal", "intern", "intranet", "lan", "private", "corp", "home", "loc",
    "localnet", "mshome", "workgroup", "domain", "invalid", "arpa", "alt", "priv", "dmz", "ad", "x400", "uucp",
)  # fmt: skip


def is_internal(address: str, original: str) -> bool:
    """Return whether nobody outside writes to `address`, but to `original`: it is no public name, or one below it."""
    domain, outer = (each.rpartition("@")[2].lower().rstrip(".") for each in (address, original))
    return not _is_public(domain) or (_is_public(outer) and domain.endswith("." + outer))


def _is_public(domain: str) -> bool:
    first, dot, last = domain.rpartition(".")
    return bool(first and dot) and last.isalnum() and not last.isdigit() and last not in _INTERNAL


def is_same(one_address: str, other: str) -> bool:
    """Return whether two spellings are one mailbox for all we know."""
    return one_address.lower() == other.lower()


def _unescape(match: re.Match[str]) -> str:
    point = int(match[1], 16)
    return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else "?"
