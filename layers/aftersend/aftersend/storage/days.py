"""The indexes by the day of a suppression's newest cause, and by what a person should look at, in parts. Pure.

All that is suppressed today is of one day, and one partition takes 1,000 writes a second: an import of a list would
wait for it, and so would a campaign whose refusals no rule knows. So a day and a reason have several parts, and whoever
lists one reads all of them. What places an item in its part tells the items apart, so a list goes on behind any of
them, in all parts at once:

    day        2026-03-02/3
    at         2026-03-02T10:00:00.000Z/5f0c9a72d1    the time, and a digest of the key
    review     undetermined/3
    review_at  2026-03-02T10:00:00.000Z/5f0c9a72d1    of an outcome; a suppression has its `at`

Source: DynamoDB developer guide, "Using write sharding to distribute workloads evenly".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from heapq import merge
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from aftersend.core.model import Key
from aftersend.core.times import format_time

PARTS: Final = 4  # as many as the partitions that a new table has

Item = dict[str, Any]


class PartPage(Struct, frozen=True):
    """What was read of one part, in order, and whether there is more of it."""

    items: Sequence[Item]
    has_more: bool


def encode_day(key: Key, newest: datetime) -> Item:
    """Return the attributes that place a suppression in the index, whose newest cause is of this time (UTC)."""
    digest, time = _find_digest(key), format_time(newest)
    return {"day": {"S": f"{time[:10]}/{_find_part(digest)}"}, "at": {"S": f"{time}/{digest}"}}


def encode_outcome_review(key: Key, why: str, last_at: datetime) -> Item:
    """Return the attributes that place an outcome, of which this was heard last (UTC), among those to look at."""
    return encode_review(key, why) | {"review_at": {"S": f"{format_time(last_at)}/{_find_digest(key)}"}}


def encode_review(key: Key, why: str) -> Item:
    """Return the attribute that puts a suppression up for a look; its time is that of its day."""
    return {"review": {"S": f"{why}/{_find_part(_find_digest(key))}"}}


def decode_review(item: Item) -> str | None:
    """Return why a person should look at an item; None where nobody should."""
    return str(item["review"]["S"]).partition("/")[0] if "review" in item else None


def _find_digest(key: Key) -> str:
    return blake2b("\0".join(key).encode(), digest_size=5).hexdigest()


def _find_part(digest: str) -> int:
    return int(digest[:2], 16) % PARTS


def list_review_parts(why: str) -> list[str]:
    """List the partition keys of what a person should look at for this reason."""
    return [f"{why}/{part}" for part in range(PARTS)]


def list_parts(day: str) -> list[str]:
    """List the partition keys of a day: its parts, and what was written when a day was one."""
    return [*(f"{day}/{part}" for part in range(PARTS)), day]


def share_limit(limit: int) -> int:
    """Return how many items of each part are read for a page of `limit`: few more than come into it."""
    return min(limit, limit // PARTS + 4)


def merge_parts(
    pages: Iterable[PartPage], limit: int, *, place: str = "at", oldest_first: bool
) -> tuple[list[Item], Item | None]:
    """Return a page of all parts by the attribute `place`, and what to go on behind; None where there is no more.

    Beyond the end of a page of which there is more, nothing is known of the others' order, so the page ends there. It
    is never empty where there is anything.
    """

    def find_place(row: Item) -> str:
        return str(row[place]["S"])

    pages = list(pages)
    ends = [find_place(page.items[-1]) for page in pages if page.has_more]
    end = (min if oldest_first else max)(ends) if ends else None
    rows = merge(*(page.items for page in pages), key=find_place, reverse=not oldest_first)
    known = [row for row in rows if end is None or (find_place(row) <= end if oldest_first else find_place(row) >= end)]
    chosen = list(islice(known, limit))
    return chosen, {place: chosen[-1][place]} if ends or len(known) > limit else None
