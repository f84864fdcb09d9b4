"""`aftersend outcomes` and `problems`: what went wrong, one by one or in groups, and how far that was looked."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

from aftersend_cli.asked import read_number
from aftersend_cli.endpoint import Endpoint, Query
from aftersend_cli.output import Output, name_recipient
from aftersend_cli.spans import add_span, find_span

AT_ONCE: Final = 200  # rows of one answer, at most
SHOWN: Final = 200  # rows of a table, unless more are asked for
# The filters of the API, as options of the same names.
FILTERS: Final = {
    "status": "bounced, complained, rejected, deferred or expired",
    "class": "of the refusal: hard, soft, block, undetermined",
    "reason": "of the refusal: user_unknown, mailbox_full, …",
    "source": "who said so: ses, mailerq, …",
    "stream": "as the policy gives it to a sender",
    "sender": "an address, or @ and a domain",
    "domain": "of the recipient's address",
    "system": "whose mailbox it is: gmail, microsoft_365, …, other",
    "identifier": "one of your own: X-Campaign:march",
}


def _declare(parser: argparse.ArgumentParser) -> None:
    add_span(parser, "7d")
    for name, about in FILTERS.items():
        parser.add_argument(f"--{name}", metavar="TEXT", help=about)


def _make_query(options: argparse.Namespace) -> dict[str, str | None]:
    begin, end = find_span(options)
    asked = {name: getattr(options, name) for name in FILTERS}
    return {"from": begin and begin.isoformat(), "to": end and end.isoformat(), **asked}


# ---- aftersend outcomes ---------------------------------------------------------------------------------------------


def _declare_outcomes(parser: argparse.ArgumentParser) -> None:
    _declare(parser)
    parser.add_argument(
        "--most", type=read_number, metavar="N", help=f"the newest N alone (default: {SHOWN} in a table, else all)"
    )
    parser.add_argument("--csv", action="store_true", help="write a file of CSV, with all columns")


def _run_outcomes(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    query = _make_query(options)
    if options.csv:
        _write_csv(api, query, options.most, output)
        return 0
    rows: list[tuple[str, ...]] = []
    found, page, more = 0, {}, False
    for page in _read_pages(api, query, options.most or (None if output.as_json else SHOWN), output):
        found, more = found + len(page["outcomes"]), "next" in page
        for each in page["outcomes"]:
            output.write_json(each) if output.as_json else rows.append(_make_row(each, output))
    output.table(("when", "recipient", "status", "reason", "system", "message", "what was said"), rows)
    _tell_reach(found, page["looked_back_to"], output, more=more)
    return 0


def _read_pages(api: Endpoint, query: Query, most: int | None, output: Output) -> Iterator[dict[str, Any]]:
    """Yield the pages of a list up to `most` rows; each says whether there is a next one."""
    left, cursor = most, None
    while True:
        limit = AT_ONCE if left is None else min(left, AT_ONCE)
        page = api.ask("GET", "/outcomes", {**query, "limit": limit, "cursor": cursor}).json()
        output.progress()
        yield page
        cursor = page.get("next")
        left = None if left is None else left - len(page["outcomes"])
        if cursor is None or left == 0:
            return
        output.progress(f"looked back to {output.moment(page['looked_back_to'])} …")  # a page may be short, or empty


def _write_csv(api: Endpoint, query: Query, most: int | None, output: Output) -> None:
    """Write the file as the API gives it; only its first page has the header."""
    found, cursor = 0, None
    while True:
        limit = AT_ONCE if most is None else min(most - found, AT_ONCE)
        page = api.ask("GET", "/outcomes", {**query, "format": "csv", "limit": limit, "cursor": cursor})
        text = page.read_file().decode()
        sys.stdout.write(text)
        found += sum(1 for _ in csv.reader(io.StringIO(text))) - (cursor is None)
        cursor = page.headers.get("next-cursor")
        if cursor is None or found == most:
            break
    _tell_reach(found, page.headers["looked-back-to"], output, more=cursor is not None)


def _make_row(found: dict[str, Any], output: Output) -> tuple[str, ...]:
    return (
        output.moment(found["at"]),
        name_recipient(found["recipient"]),
        found["status"] + (" (unproven)" if found.get("unproven") else ""),
        found.get("reason", ""),
        found.get("system", ""),
        found["message"],
        found.get("text") or found.get("subject", ""),
    )


def _tell_reach(found: int, reached: str, output: Output, *, more: bool) -> None:
    """Say how far was looked, where no program reads it for a row."""
    if not more:
        output.remark(f"{found} that fit; all was looked at, back to {output.moment(reached)}.")
        return
    output.remark(f"The newest {found}: none is missing back to {output.moment(reached)}; --most has older ones.")


# ---- aftersend problems ---------------------------------------------------------------------------------------------


def _declare_problems(parser: argparse.ArgumentParser) -> None:
    _declare(parser)
    parser.add_argument("--most", type=read_number, default=50, metavar="N", help="the N largest groups (default 50)")


def _run_problems(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    limit = min(options.most, AT_ONCE)
    found = api.ask("GET", "/problems", {**_make_query(options), "limit": limit}).json()
    if output.as_json:
        output.write_json(found)
        return 0
    head = ("how many", "status", "class", "reason", "system", "whose", "latest", "example", "what they say")
    output.table(head, [_make_group(each, output) for each in found["groups"]])
    for advice in dict.fromkeys(each["advice"] for each in found["groups"] if each.get("advice")):
        output.write(f"- {advice}")
    reached = output.moment(found["looked_back_to"])
    rest = "" if found["complete"] else "; what is older was not counted: choose a shorter span"
    output.remark(f"{found['counted']} outcomes, back to {reached}{rest}.")
    return 0


def _make_group(found: dict[str, Any], output: Output) -> tuple[str, ...]:
    count = f"{found['count']:,}"
    return (
        f"about {count}" if found.get("sampled") else count,
        found["status"],
        found.get("class", ""),
        found.get("reason", ""),
        found["system"],
        found["whose"],
        output.moment(found["last_at"]),
        found["example"]["message"],
        found.get("pattern", ""),
    )


outcomes: Final = SimpleNamespace(arguments=_declare_outcomes, run=_run_outcomes)
problems: Final = SimpleNamespace(arguments=_declare_problems, run=_run_problems)
