"""How are we doing: counts of messages and suppressions by day, and rates beside the limits that SES judges by."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.core.rates import LIMITS, WITHOUT_RATES, Rate, RateKind, RateLimits, compute_rates
from aftersend.core.receiving_system import load_systems
from aftersend.core.statistics import STATUSES, Cell, CounterRow, Dimension, Measure
from aftersend.core.times import Moment

route: Final = Router(tag="How are we doing?")

MAX_DAYS: Final = 92  # of one answer
USUAL: Final = timedelta(days=6)  # before the last day: a week
CONTENT_TYPE: Final = "text/csv; charset=utf-8"
_YEARS: Final = range(1970, 2200)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes what begins so


class StatisticsQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which days, and by what they are counted."""

    since: date | None = field(default=None, name="from")  # a day, UTC; by default six days before `to`
    to: date | None = None  # a day, UTC, included; by default today
    by: Dimension = Dimension.ALL
    value: Annotated[str, Meta(min_length=1, max_length=128)] | None = None  # only what is counted under this
    format: Literal["json", "csv"] = "json"


class DayCounts(Struct, frozen=True, kw_only=True):
    """What is counted under one value on one day; counts of nothing are left out."""

    day: date
    value: str
    counts: dict[Measure, int]


class TotalCounts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is counted under one value on all days together, and the rates of that."""

    value: str
    name: str | None = None  # what people call a receiving system
    messages: int = 0  # all statuses together
    counts: dict[Measure, int]
    rates: dict[RateKind, Rate] = {}  # none by reason or cause, of which no row holds the whole


class StatisticsView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts by day and value, and in total. Days are of UTC, and those of the first feedback of a message."""

    since: date = field(name="from")
    to: date
    by: Dimension
    recounted_at: Moment | None = None  # when all was counted anew for the last time, which need never happen
    limits: dict[RateKind, RateLimits]
    totals: list[TotalCounts]
    days: list[DayCounts]


@route(
    "GET",
    "/statistics",
    needs="ask",
    query=StatisticsQuery,
    answer=StatisticsView,
    files=("text/csv",),
    problems=("not-found",),
    examples=(
        Example(name="by-system", query="from=2026-03-27&to=2026-03-27&by=system"),
        Example(name="causes-as-csv", query="from=2026-03-25&to=2026-03-31&by=cause&format=csv"),
    ),
)
def get_statistics(request: ApiRequest[StatisticsQuery, None]) -> ApiResponse:
    """Get counts by day and by source, stream, sender's domain, campaign, receiving system, reason, hour or cause.

    Without `from` and `to`, they cover the last seven days. A message is counted on the day of its first feedback and
    under the status that it has now, bounces by their class. Rates are given with what they are made of, not at all of
    few messages, and stand beside the limits of Amazon SES; by reason and by cause there are none, since what was
    delivered has neither. Of senders' domains and campaigns a day has a hundred that
    stand alone; others are counted as `other`. What anybody could have sent is counted by `unproven` alone.

    Counters are a minute or two behind. A stack that does not count answers 404.
    """
    context, wanted = request.context, request.query
    if context.open_statistics is None:
        raise Problem("not-found", "this stack does not count: its parameter Statistics is false")
    first, last = _find_days(wanted, context.clock().date())
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    table = context.open_statistics()
    rows = table.read_rows([CounterRow(day.isoformat(), wanted.by) for day in days])
    lines = _list_lines(rows, wanted.value)
    if wanted.format == "csv":
        return ApiResponse(status=200, content_type=CONTENT_TYPE, body=_render(lines))
    return json_response(_show(wanted.by, first, last, lines, table.read_recount()))


def _find_days(wanted: StatisticsQuery, today: date) -> tuple[date, date]:
    last = wanted.to or today
    if last.year in _YEARS:
        first = wanted.since or last - USUAL
        if first.year in _YEARS and timedelta(0) <= last - first < timedelta(days=MAX_DAYS):
            return first, last
    raise Problem("unprocessable-content", f"from must not be after to, nor {MAX_DAYS} days or more before it")


def _list_lines(rows: Mapping[CounterRow, Mapping[Cell, int]], value: str | None) -> list[DayCounts]:
    found: dict[tuple[str, str], dict[Measure, int]] = {}
    for cells in rows.values():
        for cell, number in cells.items():
            if number and value in (None, cell.value):
                found.setdefault((cell.day, cell.value), {})[cell.measure] = number
    return [
        DayCounts(day=date.fromisoformat(day), value=name, counts=_sort(counts))
        for (day, name), counts in sorted(found.items())
    ]


def _sort(counts: Mapping[Measure, int]) -> dict[Measure, int]:
    """In the order of the measures, so that an answer is the same whenever it is asked for."""
    return {measure: counts[measure] for measure in Measure if measure in counts}


def _show(
    by: Dimension, first: date, last: date, lines: Sequence[DayCounts], recounted_at: datetime | None
) -> StatisticsView:
    sums: dict[str, dict[Measure, int]] = {}
    for line in lines:
        total = sums.setdefault(line.value, {})
        for measure, number in line.counts.items():
            total[measure] = total.get(measure, 0) + number
    names = {key: system.name for key, system in load_systems().items()} if by is Dimension.SYSTEM else {}
    totals = [
        TotalCounts(
            value=value,
            name=names.get(value),
            messages=_count_messages(counts),
            counts=_sort(counts),
            rates={} if by in WITHOUT_RATES else compute_rates(counts),
        )
        for value, counts in sums.items()
    ]
    totals.sort(key=lambda each: (-each.messages, each.value))
    return StatisticsView(
        since=first, to=last, by=by, recounted_at=recounted_at, limits=LIMITS, totals=totals, days=list(lines)
    )


def _count_messages(counts: Mapping[Measure, int]) -> int:
    return sum(counts.get(status, 0) for status in STATUSES)


def _render(lines: Iterable[DayCounts]) -> str:
    """A file as RFC 4180 has it: a row for each day and value, a column for each measure.

    A value that a spreadsheet would take for a formula has an apostrophe before it.
    """
    import csv  # noqa: PLC0415  # a start does not wait for what is seldom asked for

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["day", "value", *(measure.value for measure in Measure)])
    for line in lines:
        value = f"'{line.value}" if line.value.startswith(_FORMULA) else line.value
        writer.writerow([line.day.isoformat(), value, *(line.counts.get(measure, 0) for measure in Measure)])
    return text.getvalue()
