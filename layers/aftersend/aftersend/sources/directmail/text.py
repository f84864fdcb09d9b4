"""The older notification of DirectMail: `key=value&key=value`, neither percent-encoded nor escaped in any way.

Source: DirectMail documentation, "Set up asynchronous notifications". A remote server writes `err_msg` and a link may
hold anything, so both can look like more of the notification. They are cut out first and never searched: `err_msg` ends
where the last `failed_type` begins, `url` takes all that follows. Elsewhere only a key that is known ends a value.
"""

from __future__ import annotations

import re
from typing import Final

from aftersend.sources.directmail.body import NAMES

_NAMES: Final = frozenset(NAMES)
_ERROR: Final = "err_msg"
_FREE: Final = frozenset({_ERROR, "url"})
_TYPE: Final = "failed_type"
_SENDERS_OWN: Final = "X-Notify-Message-ID"  # whatever the sender liked to write

_MOST: Final = 1_000  # "&" that are looked at: there are 28 keys, and an address may hold some

# Line breaks around keys: the document's own example has one.
_LAST: Final = re.compile(rf"&\s*{_TYPE}\s*=")


def parse_fields(text: str) -> dict[str, str]:
    """Parse a notification into values by their keys; of a key that comes twice, the first value counts."""
    found: dict[str, str] = {}
    name, rest = _split(text, found)
    if name == _ERROR and _TYPE not in found:
        ends = [match.start() for match in _LAST.finditer(rest)]
        if ends:
            _split(rest[ends[-1] :], found)
            rest = rest[: ends[-1]]
    if name:
        found.setdefault(name, rest.strip())
    return found


def _split(text: str, found: dict[str, str]) -> tuple[str, str]:
    """Add what stands before the first free text to `found`; returns the name of that text and all behind it."""
    pieces = text.split("&", _MOST)
    name, parts = "", [""]
    for place, piece in enumerate(pieces, 1):
        key, equals, value = piece.partition("=")
        key = key.strip()
        if not equals or key not in _NAMES:
            parts.append(piece)
            continue
        if name:
            found.setdefault(name, _cut_value(name, "&".join(parts)))
        if key in _FREE:
            return key, "&".join((value, *pieces[place:]))
        name, parts = key, [value]
    if name:
        found.setdefault(name, _cut_value(name, "&".join(parts)))
    return "", ""


def _cut_value(name: str, value: str) -> str:
    """Without a key that nobody knows yet: an "&" belongs to a value only in a local part, or in the sender's own."""
    if "&" in value and name != _SENDERS_OWN:
        end = value.find("&", value.find("@") + 1)
        value = value[:end] if end >= 0 else value
    return value.strip()
