"""Finds what went wrong in a span of time, the newest first, with a bounded number of queries.

The index has a day and a status in several parts (`storage.listing`). Those of a day are read at once, merged by time,
and read on where they are needed; where days are empty, or all are wanted and short, more of them are read at once.
Whoever asks is told how far was looked, so a page that is empty says what it says about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from typing import Final

from msgspec import Struct

from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.core.model import Key, Outcome, Status
from aftersend.core.times import UNKNOWN_TIME, format_time, parse_time
from aftersend.storage.listing import LISTED, ListedOutcome, list_partitions
from aftersend.storage.queries import Page
from aftersend.storage.store import BATCH

MAX_QUERIES: Final = 1_280  # of the index for one answer: a month of nothing, or some thousand rows
MAX_ROWS: Final = 5_000  # of the index that one answer looks at
MAX_DAYS: Final = 366  # of a span
USUAL: Final = timedelta(days=7)
_AHEAD: Final = timedelta(days=1)  # that clocks of sources may be ahead of ours
_MOST_AT_ONCE: Final = 500  # rows of a query; some 150 KB
_DAY: Final = timedelta(days=1)


class Span(Struct, frozen=True, kw_only=True):
    """What to look at: places from `low`, which is included, up to `high`, which is not."""

    low: str
    high: str
    statuses: tuple[Status, ...] = LISTED
    unproven: bool = False  # with what anybody could have sent


def make_span(
    since: datetime | None, to: datetime | None, now: datetime, statuses: tuple[Status, ...], *, unproven: bool
) -> Span:
    """Return the span from `since`, included, up to `to`, by default the last days; raises Problem."""
    last = _read_moment(to, "to") if to else now
    first = _read_moment(since, "from") if since else max(last - USUAL, UNKNOWN_TIME)
    if not timedelta(0) < last - first <= timedelta(days=MAX_DAYS):
        raise Problem("unprocessable-content", f"from must be before to, and {MAX_DAYS} days before it at most")
    last = max(min(last, now + _AHEAD), first)  # nothing is known of later days
    return Span(low=format_time(first), high=format_time(last), statuses=statuses, unproven=unproven)


def _read_moment(given: datetime, name: str) -> datetime:
    try:
        return parse_time(given.isoformat())
    except ValueError as error:
        raise Problem("unprocessable-content", f"{name} must be between 1970 and 2200") from error


class _Exhausted(Exception):
    """No further query may be sent."""


class Search:
    """Rows of the index, the newest first. `reached` says how far they have been read: nothing above it is missing."""

    def __init__(self, context: ApiContext, span: Span, at_once: int, *, whole: bool = False) -> None:
        """Take how many rows are asked of each part of the index at first, and whether all of the span is wanted."""
        self._context, self._span, self._at_once, self._whole = context, span, at_once, whole
        self._many = False  # a part of the index had more than was asked of it at first
        self.calls = 0
        self.reached = span.high
        self.finished = False

    def __iter__(self) -> Iterator[ListedOutcome]:
        """Yield every row of the span, as far as the queries reach. Raises StoreUnavailable and Unreadable."""
        day, first = _find_last_day(self._span.high), _find_day(self._span.low)
        ahead = 1
        while day >= first:
            days = [day - number * _DAY for number in range(ahead) if day - number * _DAY >= first]
            found = False
            try:
                for row in self._read_days(days):
                    found = True
                    yield row
                    self.reached = row.place
            except _Exhausted:
                return
            self.reached = max(_begin(days[-1]), self._span.low)
            goes_far = not found or (self._whole and not self._many)
            day, ahead = days[-1] - _DAY, 2 * ahead if goes_far else 1
        self.finished = True

    def _read_days(self, days: Sequence[date]) -> Iterator[ListedOutcome]:
        span = self._span
        per_day = [list(list_partitions(day, span.statuses, unproven=span.unproven)) for day in days]
        fitting = max((MAX_QUERIES - self.calls) // len(per_day[0]), 0)
        if not fitting:
            raise _Exhausted
        names = [name for each in per_day[:fitting] for name in each]
        self.calls += len(names)
        pages = list(self._context.pool.map(lambda name: self._ask(name, self._at_once), names))
        parts = [self._read_on(name, page) for name, page in zip(names, pages, strict=True)]
        yield from merge(*parts, key=lambda row: row.place, reverse=True)
        if fitting < len(days):
            self.reached = max(_begin(days[fitting - 1]), span.low)
            raise _Exhausted

    def _read_on(self, name: str, page: Page[ListedOutcome]) -> Iterator[ListedOutcome]:
        """The rows of one part, page by page."""
        limit = self._at_once
        while True:
            yield from (row for row in page.found if row.place < self._span.high)
            if page.last is None:
                return
            if self.calls >= MAX_QUERIES:
                raise _Exhausted
            self.calls, self._many = self.calls + 1, True
            limit = min(4 * limit, _MOST_AT_ONCE)
            page = self._context.queries.find_listed(name, self._span.low, self._span.high, limit, page.last)

    def _ask(self, name: str, limit: int) -> Page[ListedOutcome]:
        return self._context.queries.find_listed(name, self._span.low, self._span.high, limit)


def _find_day(place: str) -> date:
    return date.fromisoformat(place[:10])


def _find_last_day(high: str) -> date:
    """The last day of which something lies before `high`: where that is the beginning of a day, the one before."""
    day = _find_day(high)
    return day - _DAY if high == _begin(day) else day


def _begin(day: date) -> str:
    return format_time(datetime.combine(day, time(), UTC))


def find_moment(place: str) -> datetime:
    """Return the time (UTC) of a place in the index."""
    return parse_time(place.partition("/")[0])


def read_outcomes(context: ApiContext, keys: Sequence[Key]) -> dict[Key, Outcome]:
    """Return these outcomes as they are now, as many as there are; raises StoreUnavailable and Unreadable."""
    chunks = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    found: dict[Key, Outcome] = {}
    for some in context.pool.map(context.store.get_outcomes, chunks):
        found |= some
    return found
