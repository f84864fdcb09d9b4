"""The index of suppressions by the day of their newest cause, in parts. Pure.

All that is suppressed today is of one day, and one partition takes 1,000 writes a second: an import of a list would
wait for it. So a day has several parts, and whoever lists it reads all of them. What places an item in its part tells
the items of a day apart, so a list goes on behind any of them, in all parts at once:

    day  2026-03-02/3
    at   2026-03-02T10:00:00.000Z/5f0c9a72d1    the time, and a digest of the key

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
    digest = blake2b("\0".join(key).encode(), digest_size=5).hexdigest()
    time = format_time(newest)
    return {"day": {"S": f"{time[:10]}/{int(digest[:2], 16) % PARTS}"}, "at": {"S": f"{time}/{digest}"}}


def list_parts(day: str) -> list[str]:
    """List the partition keys of a day: its parts, and what was written when a day was one."""
    return [*(f"{day}/{part}" for part in range(PARTS)), day]


def share_limit(limit: int) -> int:
    """Return how many items of each part are read for a page of `limit`: few more than come into it."""
    return min(limit, limit // PARTS + 4)


def merge_parts(pages: Iterable[PartPage], limit: int, *, oldest_first: bool) -> tuple[list[Item], Item | None]:
    """Return a page of a day, and what to go on behind; None where there is no more.

    Beyond the end of a page of which there is more, nothing is known of the others' order, so the page ends there. It
    is never empty where there is anything.
    """
    pages = list(pages)
    ends = [find_place(page.items[-1]) for page in pages if page.has_more]
    end = (min if oldest_first else max)(ends) if ends else None
    rows = merge(*(page.items for page in pages), key=find_place, reverse=not oldest_first)
    known = [row for row in rows if end is None or (find_place(row) <= end if oldest_first else find_place(row) >= end)]
    chosen = list(islice(known, limit))
    return chosen, {"at": chosen[-1]["at"]} if ends or len(known) > limit else None


def find_place(row: Item) -> str:
    """Return the place of a row among those of its day."""
    return str(row["at"]["S"])
