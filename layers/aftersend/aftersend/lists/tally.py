"""What came of the rows of a list. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

MOST_FLAWS: Final = 100  # told of by their lines; the rest is counted


class Fate(StrEnum):
    """What becomes of a row."""

    NEW = "new"  # the address was not suppressed for this
    WIDENED = "widened"  # it was, and this adds evidence
    KNOWN = "known"  # nothing changes
    SKIPPED = "skipped"  # says nothing against the address
    BAD = "bad"  # cannot be taken


class Flaw(Struct, frozen=True):
    """A row that could not be taken."""

    line: int
    why: str


class Tally(Struct, frozen=True, kw_only=True):
    """What came of all rows so far."""

    rows: int = 0
    new: int = 0
    widened: int = 0
    known: int = 0
    skipped: int = 0
    bad: int = 0
    flaws: tuple[Flaw, ...] = ()  # the first ones

    def with_fates(self, fates: Iterable[Fate], flaws: Iterable[Flaw] = ()) -> Tally:
        """This, and what became of more rows; each flaw is a bad row of its own."""
        counts = {fate: getattr(self, fate) for fate in Fate}
        for fate in fates:
            counts[fate] += 1
        more = list(flaws)
        counts[Fate.BAD] += len(more)
        return Tally(rows=sum(counts.values()), flaws=(*self.flaws, *more)[:MOST_FLAWS], **counts)
