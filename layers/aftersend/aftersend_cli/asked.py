"""What commands that ask the API share: how a recipient is named, pages of lists, and what is said of nobody known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any, Final

from aftersend_cli.endpoint import ApiAnswer, Endpoint, Query, encode
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output, name_recipient

EVERYWHERE: Final = "*"
SUPPRESSED: Final = 1  # exit code of a question whose answer is no
NOTHING_KNOWN: Final = 404
_STANDARD_INPUT: Final = "-"


def read_recipient(given: str) -> str:
    """Return a recipient as it was given; "-" is read from standard input, so that no shell remembers it."""
    if given != _STANDARD_INPUT:
        return given
    line = sys.stdin.readline().strip()
    if not line:
        raise UsageError("nobody was named on standard input")
    return line


def pages(api: Endpoint, path: str, query: Query, name: str) -> Iterator[dict[str, Any]]:
    """Yield every entry of a list, of all its pages; an empty page may have others behind it."""
    cursor: str | None = None
    while True:
        page = api.ask("GET", path, {**query, "cursor": cursor}).json()
        yield from page[name]
        cursor = page.get("next")
        if cursor is None:
            return


def read_number(text: str) -> int:
    """Read how many (argparse): a number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def find_suppression(api: Endpoint, recipient: str, stream: str | None) -> tuple[ApiAnswer, dict[str, Any] | None]:
    """Return the answer about a recipient in a stream, and what it says; None where nothing is stored."""
    answer = api.ask(
        "GET", f"/suppressions/{encode(recipient)}", {"scope": stream}, expected=frozenset({NOTHING_KNOWN})
    )
    return answer, None if answer.status == NOTHING_KNOWN else answer.json()


def write_answer(found: dict[str, Any], output: Output) -> None:
    """Write a suppression as it is after a change: what the change itself was answered."""
    output.show(found, found["answer"]["sentence"], "bad" if found["suppressed"] else "good")


def add_recipient(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a recipient."""
    about = "an address, sms:+4915…, push:apns:…; - reads it from input"
    parser.add_argument("recipient", metavar="ADDRESS", help=about)


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a stream."""
    parser.add_argument("--stream", metavar="NAME", help="one stream of messages; without it, all of them")


def add_note(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the option with the reason of a decision."""
    parser.add_argument("--note", required=required, metavar="TEXT", help="why; it is stored with who and when")


def list_causes(causes: list[dict[str, Any]], scope: str, output: Output) -> list[tuple[str, ...]]:
    """Return the rows of a table of causes."""
    stream = "all" if scope == EVERYWHERE else scope
    return [
        (
            each["cause"],
            stream,
            "yes" if each["holds"] else f"no: {each.get('ended_by', '')}",
            output.moment((each.get("first") or {}).get("at")),
            output.moment((each.get("latest") or {}).get("at")),
            output.moment(each.get("until")),
            (each.get("latest") or {}).get("source", ""),
        )
        for each in causes
    ]


def list_outcomes(lines: list[dict[str, Any]], output: Output) -> list[tuple[str, ...]]:
    """Return the rows of a table of messages."""
    return [
        (
            output.moment(each["last_at"]),
            each["status"] + (" (unproven)" if each.get("unproven") else ""),
            each.get("reason", ""),
            each["message"],
            each.get("subject", ""),
        )
        for each in lines
    ]


def describe_missing(recipient: str) -> str:
    """Return what is said of somebody of whom nothing is stored."""
    return f"Nothing is known of {name_recipient(recipient)}: nothing that is stored speaks of it."
