"""`aftersend stats`: how it goes, by day or by something else, with rates beside the limits that Amazon SES judges by.

A rate never stands without its numbers: "4.3 % (43 of 1,000, 3.2 to 5.7 %)". Of too few messages there is none.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from aftersend_cli.endpoint import Endpoint
from aftersend_cli.output import Output
from aftersend_cli.spans import add_span, find_span

_DAY: Final = "day"
_BY: Final = {_DAY: "all"} | {
    each: each for each in ("system", "stream", "source", "reason", "sender", "campaign", "hour", "cause", "unproven")
}
# Names and digits behind the point: a complaint rate is judged in tenths of a percent.
_RATES: Final = {"bounce": ("bounces", 1), "complaint": ("complaints", 2), "block": ("our own fault", 1)}
_ORDER: Final = ("sent", "deferred", "expired", "delivered", "complained", "rejected")  # then all others as they come
_LEVELS: Final = {"review": " REVIEW", "pause": " PAUSE"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_span(parser, "7d, in whole days of UTC")
    parser.add_argument("--by", choices=_BY, default=_DAY, help="what is counted beside one another (default: day)")
    parser.add_argument("--value", metavar="TEXT", help="one of these alone: --by system --value gmail")
    parser.add_argument("--csv", action="store_true", help="write a file of CSV, a row for each day and value")


def run(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Show counts and rates."""
    begin, end = find_span(options)
    query = {
        "from": begin and f"{begin:%Y-%m-%d}",
        "to": end and f"{end:%Y-%m-%d}",
        "by": _BY[options.by],
        "value": options.value,
    }
    if options.csv:
        sys.stdout.write(api.ask("GET", "/statistics", {**query, "format": "csv"}).read_file().decode())
        return 0
    found = api.ask("GET", "/statistics", query).json()
    if output.as_json:
        output.write_json(found)
    else:
        _show(found, output, by_day=options.by == _DAY)
    return 0


def _show(found: dict[str, Any], output: Output, *, by_day: bool) -> None:
    totals = found["totals"]
    if not totals:
        output.write(f"Nothing was counted from {found['from']} to {found['to']}.")
        return
    if by_day:
        _show_counts("day", [(each["day"], each["counts"]) for each in found["days"]], output)
        output.write()
    _show_counts(found["by"], [(_name(each), each["counts"]) for each in totals], output)
    rated = [each for each in totals if each.get("rates")]
    if rated:
        output.write()
        output.table((found["by"], *(name for name, _ in _RATES.values())), [_make_rates(each) for each in rated])
        for name, limits in found["limits"].items():
            output.write(_describe_limits(name, limits), "dim")
    output.remark(f"Days of UTC, {found['from']} to {found['to']}, by the first feedback of each message.")


def _show_counts(name: str, rows: list[tuple[str, dict[str, int]]], output: Output) -> None:
    found = dict.fromkeys(measure for _, counts in rows for measure in counts)
    measures = [each for each in _ORDER if each in found] + [each for each in found if each not in _ORDER]
    cells = [(value, *(f"{counts.get(each, 0):,}" for each in measures)) for value, counts in rows]
    output.table((name, *(each.replace("_", " ") for each in measures)), cells)


def _name(total: dict[str, Any]) -> str:
    return str(total.get("name") or total["value"])


def _make_rates(total: dict[str, Any]) -> tuple[str, ...]:
    rates = total["rates"]
    return _name(total), *(_describe_rate(rates.get(name), digits) for name, (_, digits) in _RATES.items())


def _describe_rate(rate: dict[str, Any] | None, digits: int) -> str:
    if rate is None or not rate["denominator"]:
        return ""
    numbers = f"{rate['numerator']:,} of {rate['denominator']:,}"
    if rate.get("rate") is None or not rate["numerator"]:
        return numbers
    span = f"{100 * rate['low']:.{digits}f} to {100 * rate['high']:.{digits}f} %"
    return f"{100 * rate['rate']:.{digits}f} % ({numbers}, {span}){_LEVELS.get(rate.get('level', ''), '')}"


def _describe_limits(name: str, limits: dict[str, Any]) -> str:
    review, pause = (f"{100 * limits[each]:g} %" for each in ("review", "pause"))
    said = _RATES[name][0] if name in _RATES else name
    return f"{said}: reviewed from {review}, paused from {pause}; no rate of fewer than {limits['floor']:,}"
