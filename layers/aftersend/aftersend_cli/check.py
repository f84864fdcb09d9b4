"""`aftersend check`: which of these may be written to."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from aftersend_cli.asked import SUPPRESSED, add_stream
from aftersend_cli.endpoint import Endpoint
from aftersend_cli.errors import NotKnownError, UsageError
from aftersend_cli.output import Output

AT_ONCE: Final = 1000  # recipients of one request


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="one recipient on each line; - is input")
    parser.add_argument("--recipient", action="append", default=[], metavar="ADDRESS", help="instead of a file")
    parser.add_argument(
        "--allowed", action="store_true", help="write those that may be written to, as they stand there"
    )
    add_stream(parser)


def run(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Check all of them; 1 where any must not be written to."""
    names = iter(options.recipient) if options.recipient else _read_lines(options.file)
    held, asked = False, 0
    while some := list(islice(names, AT_ONCE)):
        body = {"recipients": some} | ({"scope": options.stream} if options.stream else {})
        results = api.ask("POST", "/suppressions/check", body=body).json()["results"]
        if len(results) != len(some):
            raise NotKnownError("the API says nothing of some of them")
        asked += len(some)
        for found in results:
            held = held or found["suppressed"]
            _show(found, options, output)
    if not asked:  # a list that went missing is no list of people who may be written to
        raise UsageError("nobody was named")
    return SUPPRESSED if held else 0


def _read_lines(file: str) -> Iterator[str]:
    lines = sys.stdin if file == "-" else Path(file).open(encoding="utf-8-sig")  # noqa: SIM115  # read as it is checked
    with lines:
        for line in lines:
            if line.strip():
                yield line.strip()


def _show(found: dict[str, Any], options: argparse.Namespace, output: Output) -> None:
    if options.allowed:
        if not found["suppressed"]:
            output.write(found["given"])
    elif output.as_json:
        output.write_json(found)
    else:
        causes = ", ".join(sorted({each["cause"] for each in found.get("why", ())}))
        why = found["error"]["detail"] if found.get("error") else causes
        until = f" until {output.moment(found['until'])}" if found.get("until") else ""
        word = "suppressed" if found["suppressed"] else "allowed"
        output.write(
            f"{word}  {found['given']}{f'  {why}{until}' if why else ''}", "bad" if found["suppressed"] else ""
        )
