"""The command line of `aftersend`: what touches a stack. It says what it will do, and asks before it writes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from aftersend.core.errors import AftersendError, ConfigurationError
from aftersend.version import VERSION
from aftersend_cli.account import use_account
from aftersend_cli.commands import COMMANDS, Asks, Command, load
from aftersend_cli.endpoint import API, find_endpoint
from aftersend_cli.errors import FAILED, NOT_ALLOWED, NOT_KNOWN, REFUSED, CommandError
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
  130  interrupted
"""


# What boto3 raises where nobody has signed in, and what services answer then, or where that is not allowed.
_NOBODY_SIGNED_IN: Final = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "SSOError",
    "TokenRetrievalError",
)
_NOT_ALLOWED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
# What is wrong with a file that was named; whatever else fails of a file fails on the way.
_WRONG_FILES: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. What goes wrong is one line on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    name = next((each for each in given if not each.startswith("-")), "")
    if not _open_streams():
        return REFUSED
    try:
        return _run(make_parser(name).parse_args(given))
    except BrokenPipeError:  # the reader has seen enough: `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:  # Ctrl-C, wherever it was
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        hint = _WITHOUT_BOTO3 if COMMANDS[name].asks is Asks.API else ""
        sys.stderr.write(f"aftersend: {missing} is missing: pip install 'aftersend[{_EXTRAS[missing]}]'{hint}\n")
        return REFUSED
    except _find_faults() as error:  # looked up only once there is one
        sys.stderr.write(f"aftersend: {' '.join(_explain(error).split())}\n")
        return _find_code(error)


def _open_streams() -> bool:
    """Have a standard input that is closed be an empty one; whether there is an output.

    What cannot be written in the encoding of either is written as an escape: texts of others hold anything.
    """
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  # for as long as the process lives
    if sys.stdout is None:
        os.write(sys.__stderr__.fileno(), b"aftersend: standard output is closed\n") if sys.__stderr__ else None
        return False
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # of text, as both are here
    return True


def _find_faults() -> tuple[type[Exception], ...]:
    """Return all that a command meets which is no mistake in it."""
    from aftersend.aws.errors import CallFailed  # noqa: PLC0415  # most commands end without

    return (
        AftersendError,
        CallFailed,
        CommandError,
        OSError,
        UnicodeError,
        *_find_classes("BotoCoreError", "ClientError"),
    )


def _find_classes(*names: str) -> tuple[type[Exception], ...]:
    """Return exceptions of boto3's; none where nobody has imported it, and so nobody can have raised them."""
    exceptions = sys.modules.get("botocore.exceptions")
    return tuple(getattr(exceptions, each) for each in names) if exceptions else ()


def _find_code(error: Exception) -> int:
    """Return the exit code for what went wrong."""
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, _find_classes(*_NOBODY_SIGNED_IN)) or _find_refusal(error) in _NOT_ALLOWED:
        return NOT_ALLOWED
    if isinstance(
        error, _find_classes("HTTPClientError", "ConnectionError")
    ):  # nobody answered, be it that there is no network
        return NOT_KNOWN
    wrong_accounts = _find_classes("ProfileNotFound", "NoRegionError")
    wrongly = isinstance(error, (ConfigurationError, UnicodeError, *_WRONG_FILES, *wrong_accounts))
    return REFUSED if wrongly else FAILED


def _find_refusal(error: Exception) -> str:
    """Return how a service of AWS calls what it refused; "" where it did not."""
    answer = getattr(error, "response", None)
    return str(answer["Error"].get("Code", "")) if isinstance(answer, dict) and "Error" in answer else ""


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return "what is read is no UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "what was given is no UTF-8"
    return str(error) or type(error).__name__


def _run(options: argparse.Namespace) -> int:
    command = COMMANDS[options.command]
    output = Output(as_json=options.json, utc=getattr(options, "utc", False))
    if command.asks is Asks.NOBODY:
        return int(load(command.place).run(options, output))
    use_account(options.profile, options.region)
    if command.asks is Asks.NAMED:
        return int(load(command.place).run(options, output))
    if command.asks is Asks.STACK or (command.of_stack and options.stack):
        from aftersend_cli.stack import find_stack  # noqa: PLC0415  # what asks the API imports no tables

        place = load(command.of_stack or command.place)
        return int(place.run(options, find_stack(options.stack), output))
    return int(load(command.place).run(options, find_endpoint(options.api, options.stack), output))


def make_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """Return what reads the arguments: of the command that is `wanted` alone, or of all for None."""
    parser = argparse.ArgumentParser(
        prog="aftersend",
        description=__doc__,
        epilog="`aftersend COMMAND --help` has examples. What runs without a stack: python -m local --help",
    )
    parser.add_argument("--version", action="version", version=f"aftersend {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        each = _add(commands, name, command)
        if wanted in {None, name}:
            load(command.place).arguments(each)
            for add in _OPTIONS[command.asks]:
                add(each)
            if command.writes:
                each.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can be asked")
    return parser


def _add(commands: Any, name: str, command: Command) -> argparse.ArgumentParser:
    lines = "".join(f"  aftersend {name} {each}\n" for each in command.examples)
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=command.help,
        description=f"{command.help[0].upper()}{command.help[1:]}.",
        epilog=f"examples:\n{lines}{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", metavar="NAME", required=True, help="as CloudFormation calls it")


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", metavar="NAME", help="whose API is asked, as CloudFormation calls it")
    about = f"its address instead; else {API} of the environment has it"
    parser.add_argument("--api", "--api-url", metavar="URL", help=about)


def _add_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", metavar="NAME", help="of AWS, out of your configuration; SSO too")
    parser.add_argument("--region", metavar="NAME", help="where the stack is, if not where the profile says")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="write the answer as JSON: of lists, a line for each")


def _add_utc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--utc", action="store_true", help="times in UTC; elsewhere than on a terminal they always are")


_OPTIONS: Final[dict[Asks, tuple[Callable[[argparse.ArgumentParser], None], ...]]] = {
    Asks.API: (_add_endpoint, _add_json, _add_utc, _add_account),
    Asks.STACK: (_add_stack, _add_json, _add_utc, _add_account),
    Asks.NAMED: (_add_json, _add_account),
    Asks.NOBODY: (_add_json,),
}


if __name__ == "__main__":
    sys.exit(main())
