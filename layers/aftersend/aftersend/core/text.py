"""Bounds for what strangers write: remote servers choose our diagnostic texts, their length and their bytes."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, and lone surrogates, which no store takes. Runs of them are folded to one space.
_CONTROLS: Final = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+"


def truncate(text: str, limit: int) -> str:
    """Return `text` on one line without control characters, cut to at most `limit` bytes as a JSON string.

    No character is cut in half. Quotation marks and backslashes count twice, because the store keeps facts as JSON
    and its items are bounded.
    """
    if len(text) * 2 <= limit and text.isascii() and text.isprintable():
        return text  # the common case, and short enough however many of its characters count twice
    text = re.sub(_CONTROLS, " ", text[: 2 * limit])
    text = text[:limit]
    escapes = text.count('"') + text.count("\\")
    return text.encode()[: max(limit // 2, limit - escapes)].decode(errors="ignore")


def truncate_or_none(text: str | None, limit: int) -> str | None:
    """Truncate like `truncate`, and return None for nothing: an empty text says no more than a missing one."""
    return (truncate(text, limit) or None) if text else None


MAX_HOST: Final = 64  # bytes of a host's name; it is part of what a refusal is known by, and items are bounded


def truncate_host(text: str | None) -> str | None:
    """Return the name of a host with its *end*, which says whose it is, in at most MAX_HOST bytes; None for nothing.

    Of a longer text only the name stays, which comes first, and whole labels of it as far as there are any.
    """
    whole = truncate_or_none(text, 4 * MAX_HOST)
    if whole is None or truncate(whole, MAX_HOST) == whole:
        return whole
    name = re.split(r"[\s(\[]", whole, maxsplit=1)[0] or whole
    end = truncate(name[::-1], MAX_HOST)[::-1]
    return end if end == name else end.partition(".")[2] or end
