"""`aftersend review` and `incidents`: what a person should look at, and what they decide."""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any, Final

from aftersend_cli.asked import EVERYWHERE, add_note
from aftersend_cli.asking import confirm_change
from aftersend_cli.endpoint import Endpoint, encode
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output, name_recipient

_DECISIONS: Final = ("keep", "suppress", "release")


def _declare_review(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("decision", nargs="?", choices=_DECISIONS, help="what is decided; without it, they are listed")
    parser.add_argument("--recipient", metavar="ADDRESS", help="of the decision")
    parser.add_argument("--message", metavar="ID", help="of the decision; without it, it is about their suppression")
    parser.add_argument("--stream", metavar="NAME", default=EVERYWHERE, help="of the suppression")
    parser.add_argument("--force", action="store_true", help="release what they wished themselves, too")
    parser.add_argument("--why", choices=("contradicted", "undetermined", "content"), help="list only these")
    add_note(parser, required=False)


def _run_review(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    return _decide(options, api, output) if options.decision else _list(options, api, output)


def _list(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    cursor, rows = None, []
    while True:
        page = api.ask("GET", "/review", {"why": options.why, "cursor": cursor}).json()
        for name in ("suppressions", "outcomes"):
            for each in page.get(name, ()):
                if output.as_json:
                    output.write_json(each)
                else:
                    rows.append(_make_row(each))
        cursor = page.get("next")
        if cursor is None:
            break
    if not output.as_json:
        output.table(("recipient", "message", "why", "what was said"), rows)
        output.write(f"{len(rows)} to look at." if rows else "Nothing to look at.")
    return 0


def _make_row(found: dict[str, Any]) -> tuple[str, ...]:
    if "message" not in found:
        return name_recipient(found["recipient"]), "", found["review"], found["answer"]["sentence"]
    decided = [fact for fact in found["feedback"] if fact.get("decided")]
    text = (decided[0].get("evidence") or {}).get("text", "") if decided else ""
    return name_recipient(found["recipient"]), found["message"], found.get("review", ""), text


def _decide(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    if not options.recipient or not options.note:
        raise UsageError("a decision names its --recipient, and why: --note")
    plan = (
        f"{options.decision}: {options.recipient}{f', {options.message}' if options.message else ''}: “{options.note}”"
    )
    confirm_change("What is known by now needs no further look.", plan, yes=options.yes)
    body = {name: getattr(options, name) for name in ("recipient", "decision", "note", "force")}
    if options.message:
        found = api.ask("POST", "/review/outcomes", body=body | {"message": options.message}).json()
    else:
        found = api.ask("POST", "/review/suppressions", body=body | {"scope": options.stream}).json()
    output.show(found, "Done.", "good")
    return 0


def _declare_incidents(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("decision", nargs="?", choices=("confirm", "revert"), help="without it, they are listed")
    parser.add_argument("incident", nargs="?", metavar="ID")
    about = "list only these; without it, those that are open or reverted"
    parser.add_argument("--state", choices=("open", "reverted", "confirmed"), help=about)
    add_note(parser, required=False)


def _run_incidents(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    found = api.ask("GET", "/incidents", {"state": options.state}).json()["incidents"]
    if options.decision is None:
        if output.as_json:
            for each in found:
                output.write_json(each)
            return 0
        head = ("id", "domain", "from", "until", "reason", "state", "refused", "of")
        output.table(head, [_make_incident(each, output) for each in found])
        output.write(f"{len(found)} incidents." if found else f"No incident is {options.state or 'open or reverted'}.")
        return 0
    incident = next((each for each in found if each["id"] == options.incident), None)
    if incident is None:
        raise UsageError(f"no incident {options.incident or ''} is {options.state or 'open or reverted'}")
    what = "Let its evidence count" if options.decision == "confirm" else "Take it back: its evidence never counts"
    said = (
        f"{incident['domain']}, {incident['since']} to {incident['until']}: {incident['refused']} of {incident['sent']}"
    )
    confirm_change(f"{said} were refused as {incident['reason']}.", f"{what}.", yes=options.yes)
    body = {"decision": options.decision} | ({"note": options.note} if options.note else {})
    api.ask("PUT", f"/incidents/{encode(incident['id'])}/decision", body=body)
    output.show({"incident": incident["id"], **body}, "Done.", "good")  # the API answers nothing
    return 0


def _make_incident(found: dict[str, Any], output: Output) -> tuple[str, ...]:
    times = output.moment(found["since"]), output.moment(found["until"])
    numbers = str(found["refused"]), str(found["sent"])
    return found["id"], found["domain"], *times, found["reason"], found["state"], *numbers


review: Final = SimpleNamespace(arguments=_declare_review, run=_run_review)
incidents: Final = SimpleNamespace(arguments=_declare_incidents, run=_run_incidents)
