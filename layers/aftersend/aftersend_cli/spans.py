"""What commands that ask about a span of time share: `--since 24h`, `--from`, `--to`, and times that people write."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from aftersend_cli.errors import UsageError

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST: Final = 100_000  # of any unit: what is longer is a typing error, and no date


def read_moment(text: str) -> datetime:
    """Read a moment (argparse): without a zone it is UTC, without an hour it is midnight."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 2026-03-02, or 2026-03-02T08:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_duration(text: str) -> timedelta:
    """Read a span of time up to now (argparse): 30m, 24h, 7d, 2w."""
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if found is None or not 0 < int(found[1]) <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time: 30m, 24h, 7d or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def add_span(parser: argparse.ArgumentParser, usual: str) -> None:
    """Add the options that name a span of time; `usual` is what the API takes without them."""
    parser.add_argument(
        "--since", type=read_duration, metavar="SPAN", help=f"so long up to now: 30m, 24h, 7d, 2w (default: {usual})"
    )
    parser.add_argument("--from", dest="begin", type=read_moment, metavar="TIME", help="from then on, UTC: 2026-03-02")
    parser.add_argument("--to", dest="end", type=read_moment, metavar="TIME", help="up to then; without it, up to now")


def find_span(options: argparse.Namespace) -> tuple[datetime | None, datetime | None]:
    """Return the span that was asked for (UTC); None for what was not. Raises UsageError for two beginnings."""
    if options.since and (options.begin or options.end):
        raise UsageError("--since is a span up to now: give it, or --from and --to")
    begin = datetime.now(UTC) - options.since if options.since else options.begin
    if begin and options.end and begin >= options.end:
        raise UsageError("--from is not before --to")
    return begin, options.end
