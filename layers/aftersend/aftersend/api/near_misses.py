"""Who may have been meant by a recipient that nobody knows: the mistakes of typing that are made most, undone. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from aftersend.core.recipient import parse_recipient, split_channel
from aftersend.core.vocabulary import Channel

MAX_SPELLINGS: Final = 100  # as many as are read at once


def find_spellings(recipient: str) -> list[str]:
    """Return other recipients that `recipient` (canonical) may be a slip of the keyboard for, the likeliest first."""
    channel, name = split_channel(recipient)
    if channel not in (Channel.EMAIL, Channel.SMS):
        return []
    found: dict[str, None] = {}
    for text in _vary(name):
        try:
            found[parse_recipient(f"{channel}:{text}")] = None
        except ValueError:
            continue
    found.pop(recipient, None)
    return list(islice(found, MAX_SPELLINGS))


def _vary(text: str) -> Iterator[str]:
    """Two signs that changed their places, one too many, one that should stand twice; and a tag that was added."""
    local, at, domain = text.rpartition("@")
    if "+" in local:
        yield local.partition("+")[0] + at + domain
    for place in range(len(text) - 1):
        yield text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    for place in range(len(text)):
        yield text[:place] + text[place + 1 :]
    for place in range(len(text)):
        yield text[:place] + text[place] + text[place:]
    if domain:
        yield text + "m"  # ".co"
        yield text + ".com"
