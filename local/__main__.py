"""The command line: `python -m local parse|classify|expect|demo`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from aftersend.parsers import PARSERS
from local import commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BrokenPipeError:  # the reader has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'local'}: {error.strerror or error}\n")
        return 1


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "parse":
            return commands.parse(options.source, options.files)
        case "classify":
            return commands.judge(options.file)
        case "expect":
            return commands.expectations(options.files)
    from local.demo import demo  # noqa: PLC0415  # the embedded stack takes a second to import

    return demo(seed=options.seed, everything=options.all)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Aftersend on this machine, without AWS.")
    commands_ = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    each = commands_.add_parser("parse", help="print the feedback in files, and what it means, as JSON Lines")
    each.add_argument("source", choices=sorted(PARSERS), help="who sent them")
    each.add_argument("files", nargs="+", metavar="FILE", help="one body, or JSON Lines of bodies; - is stdin")

    each = commands_.add_parser("classify", help="say what refusals mean: JSON Lines in, JSON Lines out")
    each.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="lines {id, source, replycode, status, text …}; - is stdin"
    )

    each = commands_.add_parser("expect", help="write what samples say now as their expectation")
    each.add_argument("files", nargs="+", metavar="FILE", help="events/<source>/<case>.json")

    each = commands_.add_parser("demo", help="run the whole bundle here and show what it finds")
    each.add_argument("--seed", type=int, default=7, help="of the order in which the samples arrive (default 7)")
    each.add_argument("--all", action="store_true", help="show every outcome, not one of each kind")
    return parser


if __name__ == "__main__":
    sys.exit(main())
