"""The command line: `python -m local COMMAND`, on this machine alone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import Any, Final

from aftersend.core.errors import ConfigurationError
from aftersend.sources import SOURCES
from aftersend.version import VERSION
from aftersend_cli import feedback, refusals
from aftersend_cli.output import Output
from local import commands, mapping, reevaluate, rules

_INTERRUPTED: Final = 130  # as shells have it: 128, and the number of the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BrokenPipeError:  # the reader has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:  # Ctrl-C, wherever it was
        return _INTERRUPTED
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'local'}: {error.strerror or error}\n")
        return 1


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "parse":
            return feedback.run(options, Output(as_json=True))
        case "classify":
            return refusals.run(options, Output(as_json=True))
        case "expect":
            return commands.expectations(options.files)
    return _OTHERS[options.command](options)


def _demo(options: argparse.Namespace) -> int:
    from local.demo import demo  # noqa: PLC0415  # the embedded stack takes a second to import

    return demo(seed=options.seed, everything=options.all)


def _serve(options: argparse.Namespace) -> int:
    from local.serve import serve  # noqa: PLC0415  # the embedded stack takes a second to import

    return serve(options.port, with_samples=options.samples, invoke=options.invoke, gateway=options.gateway)


def _push(options: argparse.Namespace) -> int:
    from local.push import push  # noqa: PLC0415  # the server's module takes a second to import

    return push(options.source, options.files, options.to)


_OTHERS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "demo": _demo,
    "mapping": mapping.run,
    "push": _push,
    "reevaluate": reevaluate.reevaluate,
    "rules": rules.run,
    "serve": _serve,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Aftersend on this machine, without AWS.",
        epilog="`python -m local COMMAND --help` has examples. What touches a stack: aftersend --help",
    )
    parser.add_argument("--version", action="version", version=f"aftersend {VERSION}")
    commands_ = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    feedback.arguments(commands_.add_parser("parse", help="print the feedback in files, and what it means"))

    refusals.arguments(commands_.add_parser("classify", help="say what refusals mean: lines in, JSON Lines out"))

    rules.arguments(commands_.add_parser("rules", help="try rules of your own before a stack is given them"))

    mapping.arguments(commands_.add_parser("mapping", help="try a mapping file, which describes a provider"))

    each = commands_.add_parser("expect", help="write what samples say now as their expectation")
    each.add_argument("files", nargs="+", metavar="FILE", help="events/<source>/<case>.json")

    _serving(commands_)
    reevaluate.arguments(commands_.add_parser("reevaluate", help="show what other rules or policy make of all samples"))

    each = commands_.add_parser("demo", help="run the whole bundle here and show what it finds")
    each.add_argument("--seed", type=int, default=7, help="of the order in which the samples arrive (default 7)")
    each.add_argument("--all", action="store_true", help="show every outcome, not one of each kind")
    for name, each in commands_.choices.items():
        each.formatter_class = argparse.RawDescriptionHelpFormatter
        lines = "".join(f"  python -m local {example}\n" for example in _EXAMPLES[name])
        each.epilog = f"examples:\n{lines}"
    return parser


_EXAMPLES: Final = {
    "classify": ("classify replies.jsonl", "classify - < replies.txt"),
    "demo": ("demo", "demo --all --seed 11"),
    "expect": ("expect events/ses/bounce-permanent-general.json",),
    "mapping": ("mapping check acme.toml bounce.json", "mapping check acme.toml - < bounce.json"),
    "parse": (
        "parse ses events/ses/bounce-permanent-general.json",
        "parse report bounce.eml",
        "parse mailerq body.json --header 'x-queue: retry'",
        "parse smpp receipts.jsonl --rules mine.toml",
    ),
    "push": ("push directmail events/directmail/document-failed.txt", "push report bounce.eml --to 127.0.0.1:9000"),
    "reevaluate": ("reevaluate --policy policy.toml --dry-run",),
    "rules": ("rules check rules.toml", "rules check rules.toml --texts replies.jsonl"),
    "serve": ("serve --samples", "serve --invoke env.json --gateway 172.17.0.1"),
}


def _serving(commands_: Any) -> None:
    each = commands_.add_parser("serve", help="run the HTTP APIs here until Ctrl-C, and work what is pushed to them")
    each.add_argument("--port", type=_port, default=8080, metavar="N", help="to listen on (default 8080; 0: any free)")
    each.add_argument("--samples", action="store_true", help="begin with all samples, as if they had come lately")
    each.add_argument("--invoke", metavar="FILE", help="write what `sam local invoke --env-vars` takes into a file")
    each.add_argument(
        "--gateway",
        type=_address,
        default="127.0.0.1",
        metavar="ADDRESS",
        help="of this machine, where containers reach the embedded services (Docker's bridge has 172.17.0.1)",
    )

    each = commands_.add_parser("push", help="have `serve` sign bodies as their source does, and take them")
    each.add_argument("source", choices=sorted(SOURCES), help="who sends them")
    each.add_argument("files", nargs="+", metavar="FILE", help="one body each; - is stdin")
    each.add_argument("--to", default="127.0.0.1:8080", metavar="HOST", help="where it runs (default 127.0.0.1:8080)")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 0 to 65535")
    return int(text)


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no IPv4 address of this machine") from None


if __name__ == "__main__":
    sys.exit(main())
