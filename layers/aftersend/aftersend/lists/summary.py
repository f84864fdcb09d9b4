"""What came of the rows of an import, and of an erasure. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

MAX_ERRORS: Final = 100  # that are reported with their lines; all others are only counted


class RowResult(StrEnum):
    """What came of one row."""

    NEW = "new"  # the address was not suppressed for this
    UPDATED = "updated"  # it was, and this row adds evidence
    UNCHANGED = "unchanged"  # everything in it was known
    SKIPPED = "skipped"  # it says nothing against the address
    INVALID = "invalid"  # it cannot be read


class RowError(Struct, frozen=True):
    """An invalid row: its line, and why it is invalid, without a word of its content."""

    line: int
    why: str


class ImportSummary(Struct, frozen=True, kw_only=True):
    """What came of all rows so far."""

    rows: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    invalid: int = 0
    errors: tuple[RowError, ...] = ()  # the first ones
    lifted: int = 0  # suppressions that a whole list does not have any more

    def add(self, results: Iterable[RowResult], errors: Iterable[RowError] = ()) -> ImportSummary:
        """Return this summary and what came of more rows; each error stands for one invalid row of its own."""
        counts = {result: getattr(self, result) for result in RowResult}
        for result in results:
            counts[result] += 1
        more = list(errors)
        counts[RowResult.INVALID] += len(more)
        shown = (*self.errors, *more)[:MAX_ERRORS]
        return ImportSummary(rows=sum(counts.values()), errors=shown, lifted=self.lifted, **counts)


class ErasureResult(Struct, frozen=True, kw_only=True):
    """What was deleted, and whether the address stays suppressed under its alias."""

    outcomes: int = 0
    suppressions: int = 0
    suppressed: bool = False
