"""The command line of `aftersend`: what touches a stack. It says what it will do, and asks before it writes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aftersend.core.errors import AftersendError, ConfigurationError
from aftersend.version import VERSION
from aftersend_cli import bridge_arguments
from aftersend_cli.account import use_account
from aftersend_cli.endpoint import API, find_endpoint
from aftersend_cli.errors import FAILED, REFUSED, CommandError
from aftersend_cli.output import Output

_INTERRUPTED: Final = 130  # as shells have it: 128, and the number of the signal
# What the small package comes without, and the extra that brings it.
_EXTRAS: Final = {
    "boto3": "cli",
    "botocore": "cli",
    "yaml": "cli",
    "aws_lambda_powertools": "rabbitmq",
    "pika": "rabbitmq",
}
_WITHOUT_BOTO3: Final = (
    "; or give --api, and AFTERSEND_TOKEN, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
)
_EXIT_CODES: Final = """
exit codes:
  0  it is done; of a question: may be written to
  1  it was tried, and something failed, or the answer was no; of a question: must not be written to
  2  it was asked for wrongly, and nothing was done
  3  not known: nobody answered, which is neither yes nor no
  4  not signed in, or not allowed
"""


class _Command(NamedTuple):
    """One command: what it does, an example of each of its uses, and whether it asks before it writes."""

    place: str  # the module that has `arguments` and `run`, and behind a colon what in it has them
    help: str
    examples: tuple[str, ...]
    writes: bool = True


# These ask the HTTP API.
_OF_THE_API: Final = {
    "why": _Command(
        "why",
        "say in one sentence whether somebody is written to, why, since when, and whether it may be lifted",
        ("ann@example.com --stack aftersend", "ann@example.com --stream news", "- --json < address.txt"),
        writes=False,
    ),
    "message": _Command(
        "message",
        "show what became of a message, with every report and what decided",
        ("ses:0102-b2 --to ann@example.com", "order=4711"),
        writes=False,
    ),
    "check": _Command(
        "check",
        "say which of these may be written to",
        ("list.txt --stream news", "--allowed < list.txt > allowed.txt", "--recipient ann@example.com"),
        writes=False,
    ),
    "outcomes": _Command(
        "outcomes:outcomes",
        "list what went wrong, the newest first, and say how far that was looked",
        (
            "--since 24h",
            "--since 7d --reason mailbox_full --system gmail",
            "--from 2026-03-01 --to 2026-04-01 --csv > march.csv",
        ),
        writes=False,
    ),
    "problems": _Command(
        "outcomes:problems",
        "show what went wrong in groups, the largest first: why, where, in whose words, and whose it is to mend",
        ("--since 24h", "--since 7d --sender @news.example.com", "--class block --json"),
        writes=False,
    ),
    "stats": _Command(
        "stats",
        "count what became of messages, with rates beside the limits that Amazon SES judges by",
        ("--since 30d", "--by system --since 7d", "--by reason --from 2026-03-01 --to 2026-03-31 --csv > march.csv"),
        writes=False,
    ),
    "status": _Command("status", "say whether anything is stuck", ("", "--json"), writes=False),
    "lift": _Command(
        "decide:lift",
        "lift a suppression",
        ('ann@example.com --note "Wrote that the mailbox works again."',),
    ),
    "suppress": _Command(
        "decide:suppress",
        "suppress somebody by hand",
        ('ann@example.com --note "Asked us by telephone." --until 2026-06-21',),
    ),
    "forget": _Command("decide:forget", "erase all that is stored of somebody", ("ann@example.com",)),
    "review": _Command(
        "review:review",
        "show what a person should look at, and decide it",
        ("--why undetermined", 'keep --recipient ann@example.com --message ses:0102-b2 --note "Their filter."'),
    ),
    "incidents": _Command(
        "review:incidents",
        "show providers' accidents, and decide whether they count",
        ("", 'revert 63744764214fc1b8fa8a --note "Their directory was down."'),
    ),
    "import": _Command(
        "jobs:import_list",
        "import a list: a dry run, unless it is applied",
        ("bounces.csv", "bounces.csv --format sendgrid-bounces --apply --rejects refused.csv"),
    ),
    "export": _Command(
        "jobs:export_list",
        "export the list of suppressions",
        ("-o list.csv", "--format addresses --channel email -o exclude.csv"),
        writes=False,
    ),
    "revert": _Command(
        "jobs:revert",
        "take back what a provider said by accident: a dry run, unless it is applied",
        (
            "example.com --reason user_unknown --since 2026-03-02T08:00:00Z --until 2026-03-02T14:00:00Z "
            '--note "Their directory was gone."',
        ),
    ),
    "jobs": _Command(
        "jobs:jobs",
        "list imports, exports and reverts, or show how far one is",
        ("", "--kind import --state failed", "0123…cdef --json"),
        writes=False,
    ),
    "rules": _Command(
        "rules",
        "say what a file of rules would change: texts that no rule knew, or everything stored",
        ("check rules.toml --stack aftersend", "try rules.toml --stack aftersend", "try one.toml --add --json"),
        writes=False,
    ),
    "dead-letters": _Command(
        "dead_letters:by_api",
        "show what lies in the dead-letter queues, and why; send a queue back to work",
        ("--look", "--stack aftersend --look", "--stack aftersend --redrive FeedbackDeadLetters"),
    ),
    "console": _Command(
        "console",
        "open the console in a browser of this machine, signed in as you are here",
        ("--stack aftersend --profile mail", "--stack aftersend --no-browser --port 8400"),
        writes=False,
    ),
}
_OF_A_STACK: Final = {
    "smoke": _Command(
        "smoke",
        "prove a stack: send a bounce through it, show what it makes of it, and delete that",
        ("--stack aftersend", "--stack aftersend --from news@example.com --yes"),
    ),
    "webhooks": _Command(
        "webhooks",
        "show where events go out to, and what was given up; send that again; say which endpoints there are",
        ("--stack aftersend", "resend crm --stack aftersend", "configure endpoints.json --stack aftersend --yes"),
    ),
    "reevaluate": _Command(
        "reevaluate",
        "bring what is stored to other rules or another policy",
        ("--stack aftersend --policy policy.toml --dry-run", "--stack aftersend --rules rules.toml --profile mail"),
    ),
    "restore": _Command(
        "restore",
        "join restored tables with those in use",
        ("--stack aftersend --from-outcomes restored-outcomes --from-suppressions restored-suppressions",),
    ),
    "recount": _Command(
        "recount",
        "prove that counters are what the tables say, or make them so",
        ("--stack aftersend", "--stack aftersend --apply"),
    ),
    "sync": _Command(
        "sync",
        "bring the suppression list of Amazon SES to what a stack says",
        ("--stack aftersend --dry-run", "--stack aftersend --yes"),
    ),
    "delist": _Command(
        "delist",
        "take who was released off the lists of the provider who had reported them",
        (
            "--stack aftersend --provider sendgrid --dry-run",
            "--stack aftersend --provider mailgun --key-secret mailgun-lists --yes",
        ),
    ),
}
# These ask the API, unless a stack is named: then they look into it.
_EITHER_WAY: Final = {"dead-letters": _OF_THE_API["dead-letters"]._replace(place="dead_letters:by_stack")}
# These work on this machine alone.
_OFFLINE: Final = {
    "parse": _Command(
        "feedback",
        "print the feedback in bodies, events of Lambda or mailboxes, and what it means",
        ("ses bounce.json", "report bounces.mbox", "mailerq body.json --header 'x-queue: retry'"),
    ),
    "classify": _Command(
        "refusals",
        "say what refusals mean: replies of servers, or JSON",
        ("replies.jsonl", "- < replies.txt"),
    ),
    "completion": _Command("completion", "write what makes a shell complete commands", ("bash", "zsh", "fish")),
}
_BRIDGE: Final = "rabbitmq"
_BRIDGE_EXAMPLES: Final = (
    "--stack aftersend --queue results=completed_deliveries",
    "--to https://sqs.eu-west-1.amazonaws.com/111122223333/feedback --queue results=completed_deliveries --yes",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. What goes wrong is one line on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    command = next((each for each in given if not each.startswith("-")), "")
    try:
        return _run(make_parser(command).parse_args(given))
    except BrokenPipeError:  # the reader has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:  # Ctrl-C, wherever it was
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        hint = _WITHOUT_BOTO3 if command in _OF_THE_API else ""
        sys.stderr.write(f"aftersend: {missing} is missing: pip install 'aftersend[{_EXTRAS[missing]}]'{hint}\n")
        return REFUSED
    except _find_faults() as error:  # looked up only once there is one
        sys.stderr.write(f"aftersend: {' '.join(_explain(error).split())}\n")
        return _find_code(error)


def _find_faults() -> tuple[type[Exception], ...]:
    """Return all that a command meets which is no mistake in it."""
    from aftersend.aws.errors import CallFailed  # noqa: PLC0415  # most commands end without

    return AftersendError, CallFailed, CommandError, OSError, *_find_classes("BotoCoreError", "ClientError")


def _find_classes(*names: str) -> tuple[type[Exception], ...]:
    """Return exceptions of boto3's; none where nobody has imported it, and so nobody can have raised them."""
    exceptions = sys.modules.get("botocore.exceptions")
    return tuple(getattr(exceptions, each) for each in names) if exceptions else ()


def _find_code(error: Exception) -> int:
    if isinstance(error, CommandError):
        return error.code
    asked_wrongly = _find_classes("ProfileNotFound", "NoCredentialsError", "NoRegionError")
    return REFUSED if isinstance(error, (ConfigurationError, *asked_wrongly)) else FAILED


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _run(options: argparse.Namespace) -> int:
    name = options.command
    if name in _OFFLINE:
        return int(_load(_OFFLINE[name]).run(options))
    use_account(options.profile, options.region)
    if name == _BRIDGE:
        return int(importlib.import_module("aftersend_cli.rabbitmq").run(options))
    into_stack = _OF_A_STACK.get(name) or (_EITHER_WAY.get(name) if options.stack else None)
    if into_stack:
        from aftersend_cli.stack import find_stack  # noqa: PLC0415  # what asks the API imports no tables

        return int(_load(into_stack).run(options, find_stack(options.stack)))
    output = Output(as_json=options.json, utc=options.utc)
    return int(_load(_OF_THE_API[name]).run(options, find_endpoint(options.api, options.stack), output))


def _load(command: _Command) -> Any:
    """Return what has `arguments` and `run`; a command imports nothing that only others need."""
    module, _, attribute = command.place.partition(":")
    found = importlib.import_module(f"aftersend_cli.{module}")
    return getattr(found, attribute) if attribute else found


def make_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """Return what reads the arguments: of the command that is `wanted` alone, or of all for None."""
    parser = argparse.ArgumentParser(
        prog="aftersend",
        description=__doc__,
        epilog="`aftersend COMMAND --help` has examples. What runs without a stack: python -m local --help",
    )
    parser.add_argument("--version", action="version", version=f"aftersend {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group, add_options in _GROUPS:
        for name, command in group.items():
            each = _add(commands, name, command.help, command.examples)
            if wanted in {None, name}:
                _load(command).arguments(each)
                add_options(each, command)
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


def _add_stack(parser: argparse.ArgumentParser, command: _Command) -> None:
    parser.add_argument("--stack", metavar="NAME", required=True, help="as CloudFormation calls it")
    _add_account(parser, writes=command.writes)


def _add_endpoint(parser: argparse.ArgumentParser, command: _Command) -> None:
    parser.add_argument("--stack", metavar="NAME", help="whose API is asked, as CloudFormation calls it")
    parser.add_argument("--api", metavar="URL", help=f"its address instead; else {API} of the environment has it")
    parser.add_argument("--json", action="store_true", help="write the answer as the API gives it")
    parser.add_argument("--utc", action="store_true", help="times in UTC; elsewhere than on a terminal they always are")
    _add_account(parser, writes=command.writes)


def _add_nothing(_parser: argparse.ArgumentParser, _command: _Command) -> None:
    """It needs no account."""


def _add_account(parser: argparse.ArgumentParser, *, writes: bool) -> None:
    parser.add_argument("--profile", metavar="NAME", help="of AWS, out of your configuration; SSO too")
    parser.add_argument("--region", metavar="NAME", help="where the stack is, if not where the profile says")
    if writes:
        parser.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can be asked")


_GROUPS: Final = ((_OF_THE_API, _add_endpoint), (_OF_A_STACK, _add_stack), (_OFFLINE, _add_nothing))


if __name__ == "__main__":
    sys.exit(main())
