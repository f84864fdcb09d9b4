"""The command line of `aftersend`: what touches a stack. It says what it will do, and asks before it writes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

from aftersend.aws.errors import CallFailed
from aftersend.classify.rules import RuleError
from aftersend.core.errors import AftersendError, ConfigurationError
from aftersend_cli import bridge_arguments, reevaluate, restore, rules, smoke, sync
from aftersend_cli.errors import FAILED, REFUSED, CommandError
from aftersend_cli.stack import find_stack, use_account
from aftersend_cli.versions import find_version

_INTERRUPTED: Final = 130  # as shells have it: 128, and the number of the signal
_EXIT_CODES: Final = """
exit codes:
  0  it is done
  1  it was tried, and something failed, or the answer was no
  2  it was asked for wrongly, and nothing was done
"""


class _Command(NamedTuple):
    """One command: what it does, an example of each of its uses, and whether it asks before it writes."""

    module: ModuleType
    help: str
    examples: tuple[str, ...]
    writes: bool = True


_OF_A_STACK: Final = {
    "smoke": _Command(
        smoke,
        "prove a stack: send a bounce through it, show what it makes of it, and delete that",
        ("--stack aftersend", "--stack aftersend --from news@example.com --yes"),
    ),
    "reevaluate": _Command(
        reevaluate,
        "bring what is stored to other rules or another policy",
        ("--stack aftersend --policy policy.toml --dry-run", "--stack aftersend --rules rules.toml --profile mail"),
    ),
    "restore": _Command(
        restore,
        "join restored tables with those in use",
        ("--stack aftersend --from-outcomes restored-outcomes --from-suppressions restored-suppressions",),
    ),
    "sync": _Command(
        sync,
        "bring the suppression list of Amazon SES to what a stack says",
        ("--stack aftersend --dry-run", "--stack aftersend --yes"),
    ),
    "rules": _Command(
        rules,
        "say what a file of rules would make of the texts that no rule of a stack knows",
        ("rules.toml --stack aftersend",),
        writes=False,
    ),
}
_BRIDGE: Final = "rabbitmq"
_BRIDGE_EXAMPLES: Final = (
    "--stack aftersend --queue results=completed_deliveries",
    "--to https://sqs.eu-west-1.amazonaws.com/111122223333/feedback --queue results=completed_deliveries --yes",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. What goes wrong is one line on standard error."""
    options = make_parser().parse_args(arguments)
    try:
        return _run(options)
    except BrokenPipeError:  # the reader has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:  # Ctrl-C, wherever it was
        return _INTERRUPTED
    except _FAULTS as error:
        sys.stderr.write(f"aftersend: {' '.join(_explain(error).split())}\n")
        return error.code if isinstance(error, CommandError) else _CODES.get(type(error), FAILED)


# All that a command meets which is no mistake in it.
_FAULTS: Final = (AftersendError, BotoCoreError, CallFailed, ClientError, CommandError, OSError)
_CODES: Final[dict[type[Exception], int]] = dict.fromkeys(
    (ConfigurationError, RuleError, ProfileNotFound, NoCredentialsError, NoRegionError), REFUSED
)


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _run(options: argparse.Namespace) -> int:
    use_account(options.profile, options.region)
    if options.command == _BRIDGE:
        return int(_load_bridge().run(options))
    command = _OF_A_STACK[options.command]
    return int(command.module.run(options, find_stack(options.stack)))


def _load_bridge() -> ModuleType:
    try:
        return importlib.import_module("aftersend_cli.rabbitmq")
    except ModuleNotFoundError as error:
        if error.name != "pika":
            raise
        raise CommandError("the client of RabbitMQ is missing: pip install 'aftersend[rabbitmq]'") from None


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    parser = argparse.ArgumentParser(
        prog="aftersend",
        description=__doc__,
        epilog="`aftersend COMMAND --help` has examples. What runs without a stack: python -m local --help",
    )
    parser.add_argument("--version", action="version", version=f"aftersend {find_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _OF_A_STACK.items():
        each = _add(commands, name, command.help, command.examples)
        command.module.arguments(each)
        each.add_argument("--stack", metavar="NAME", required=True, help="as CloudFormation calls it")
        _add_account(each, writes=command.writes)
    each = _add(commands, _BRIDGE, "feed a stack from RabbitMQ, until a signal says stop", _BRIDGE_EXAMPLES)
    bridge_arguments.declare(each)
    _add_account(each, writes=True)
    return parser


def _add(commands: Any, name: str, help_: str, examples: Sequence[str]) -> argparse.ArgumentParser:
    lines = "".join(f"  aftersend {name} {each}\n" for each in examples)
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_,
        description=f"{help_[0].upper()}{help_[1:]}.",
        epilog=f"examples:\n{lines}{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _add_account(parser: argparse.ArgumentParser, *, writes: bool) -> None:
    parser.add_argument("--profile", metavar="NAME", help="of AWS, out of your configuration; SSO too")
    parser.add_argument("--region", metavar="NAME", help="where the stack is, if not where the profile says")
    if writes:
        parser.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can be asked")


if __name__ == "__main__":
    sys.exit(main())
