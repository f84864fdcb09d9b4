"""`aftersend lift`, `suppress` and `forget`: what a person decides about one recipient, with a note, after a look."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any, Final

from aftersend_cli.asked import (
    add_note,
    add_recipient,
    add_stream,
    describe_missing,
    find_suppression,
    read_recipient,
    write_answer,
)
from aftersend_cli.asking import confirm_change
from aftersend_cli.endpoint import Endpoint, encode
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output
from aftersend_cli.spans import read_moment


def _declare(parser: argparse.ArgumentParser) -> None:
    add_recipient(parser)
    add_stream(parser)
    add_note(parser)


def _declare_lift(parser: argparse.ArgumentParser) -> None:
    _declare(parser)
    parser.add_argument("--force", action="store_true", help="against a complaint or leaving: at their own wish")


def _lift(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    recipient = read_recipient(options.recipient)
    answer, found = find_suppression(api, recipient, options.stream)
    if found is None:  # a release of somebody who was never seen is a typing error far more often than a wish
        raise UsageError(f"{describe_missing(recipient)} There is nothing to lift")
    typed = recipient if options.force else None
    plan = f"Lift it{' against their own wish' if options.force else ''}: “{options.note}”"
    confirm_change(found["answer"]["sentence"], plan, yes=options.yes, typed=typed)
    query = {"scope": options.stream, "note": options.note, "force": options.force}
    path, headers = f"/suppressions/{encode(recipient)}", {"if-match": answer.headers["etag"]}
    write_answer(api.ask("DELETE", path, query, headers=headers).json(), output)
    return 0


def _declare_suppress(parser: argparse.ArgumentParser) -> None:
    _declare(parser)
    parser.add_argument("--until", type=read_moment, metavar="DATE", help="until then (2026-06-21, UTC); else for good")


def _suppress(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    recipient = read_recipient(options.recipient)
    _, found = find_suppression(api, recipient, options.stream)
    sentence = found["answer"]["sentence"] if found else describe_missing(recipient)
    end = options.until.isoformat() if options.until else None
    until = f" until {end}" if end else ""
    confirm_change(sentence, f"Suppress it{until}: “{options.note}”", yes=options.yes)
    body = {"note": options.note} | ({"until": end} if end else {})
    path = f"/suppressions/{encode(recipient)}"
    write_answer(api.ask("PUT", path, {"scope": options.stream}, body=body).json(), output)
    return 0


def _declare_forget(parser: argparse.ArgumentParser) -> None:
    add_recipient(parser)


def _forget(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    recipient = read_recipient(options.recipient)
    plan = (
        f"Erase all that the tables hold of {recipient}. Who was suppressed stays so, under a mark without a name.\n"
        "The archive, backups and logs keep what they have until it ends there; docs/lists.md says when."
    )
    confirm_change("This cannot be taken back.", plan, yes=options.yes, typed=recipient)
    done: dict[str, Any] = api.ask("DELETE", f"/recipients/{encode(recipient)}").json()
    still = "stays suppressed, without a name" if done.get("suppressed") else "was not suppressed"
    said = f"Erased: {done['outcomes']} outcomes, {done['suppressions']} suppressions. The address {still}."
    output.show(done, said)
    return 0


lift: Final = SimpleNamespace(arguments=_declare_lift, run=_lift)
suppress: Final = SimpleNamespace(arguments=_declare_suppress, run=_suppress)
forget: Final = SimpleNamespace(arguments=_declare_forget, run=_forget)
