"""`aftersend message`: what became of a message, to each of its recipients, with every report and what decided."""

from __future__ import annotations

import argparse
from typing import Any

from aftersend_cli.asked import NOTHING_KNOWN
from aftersend_cli.endpoint import Endpoint, encode
from aftersend_cli.output import Output, name_recipient


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    about = "as outcomes have it, ses:0102-b2; or NAME=VALUE, an identifier of your own"
    parser.add_argument("message", metavar="ID", help=about)
    parser.add_argument("--to", metavar="ADDRESS", help="one of its recipients")


def run(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Show it."""
    path, query = f"/messages/{encode(options.message)}", {"recipient": options.to}
    name, is_identifier, _ = options.message.partition("=")
    if is_identifier and ":" not in name:
        path, query = "/messages", {"identifier": options.message}
    cursor, found = None, False
    while True:
        got = api.ask("GET", path, {**query, "cursor": cursor}, expected=frozenset({NOTHING_KNOWN}))
        if got.status == NOTHING_KNOWN:
            output.write_json(got.json()) if output.as_json else output.write("Nothing is known of this message.")
            return 0
        page = got.json()
        for outcome in page["outcomes"]:
            if output.as_json:
                output.write_json(outcome)
            else:
                if found:
                    output.write()
                _show(outcome, output)
            found = True
        cursor = page.get("next")
        if cursor is None:
            return 0


def _show(outcome: dict[str, Any], output: Output) -> None:
    verdict = outcome.get("verdict") or {}
    title = f"{outcome['message']} to {name_recipient(outcome['recipient'])}: {outcome['status']}"
    output.write(f"{title}{', ' + verdict['reason'] if verdict else ''}", "bold")
    about = [f"“{outcome['subject']}”"] if outcome.get("subject") else []
    about += [f"from {outcome['sender']}"] if outcome.get("sender") else []
    if about:
        output.write(" ".join(about))
    if outcome.get("unproven"):
        output.write("Nothing proves it: anybody could have sent all of these reports, so it decides nothing.")
    if verdict.get("advice"):
        output.write(verdict["advice"])
    for fact in outcome["feedback"]:
        _show_fact(fact, output)


def _show_fact(fact: dict[str, Any], output: Output) -> None:
    verdict = fact.get("verdict") or {}
    notes = [f"rule {verdict['rule']}"] if verdict.get("rule") else []
    notes += ["decides"] if fact.get("decided") else []
    notes += ["unproven"] if fact.get("unproven") else []
    line = f"  {output.moment(fact['at'])}  {fact['kind']}  ({fact['source']}{''.join(f', {note}' for note in notes)})"
    output.write(line, "bold" if fact.get("decided") else "")
    if text := (fact.get("evidence") or {}).get("text"):
        output.quote(text)
