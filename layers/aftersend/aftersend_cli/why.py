"""`aftersend why`: whether somebody is written to, why, since when, in whose words, and whether it may be lifted."""

from __future__ import annotations

import argparse
from typing import Any

from aftersend_cli.asked import (
    EVERYWHERE,
    NOTHING_KNOWN,
    SUPPRESSED,
    add_recipient,
    add_stream,
    describe_missing,
    find_suppression,
    list_causes,
    list_outcomes,
    read_recipient,
)
from aftersend_cli.endpoint import Endpoint, encode
from aftersend_cli.output import Output

SHOWN = 10  # messages


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipient(parser)
    add_stream(parser)


def run(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Answer; 1 where they must not be written to."""
    recipient = read_recipient(options.recipient)
    if options.stream:
        return _answer_about_stream(recipient, options.stream, api, output)
    got = api.ask("GET", f"/recipients/{encode(recipient)}", {"limit": SHOWN}, expected=frozenset({NOTHING_KNOWN}))
    if got.status == NOTHING_KNOWN:
        output.write_json(got.json()) if output.as_json else output.write(describe_missing(recipient), "good")
        return 0
    found = got.json()
    if output.as_json:
        output.write_json(found)
    else:
        _show(found, output)
    return SUPPRESSED if any(each["suppressed"] for each in _find_everywhere(found)) else 0


def _find_everywhere(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in found["suppressions"] if each["scope"] == EVERYWHERE]


def _answer_about_stream(recipient: str, stream: str, api: Endpoint, output: Output) -> int:
    answer, found = find_suppression(api, recipient, stream)
    if found is None:
        output.write_json(answer.json()) if output.as_json else output.write(describe_missing(recipient), "good")
        return 0
    if output.as_json:
        output.write_json(found)
    else:
        output.write(found["answer"]["sentence"], "bad" if found["suppressed"] else "good")
        _show_causes([found], output)
    return SUPPRESSED if found["suppressed"] else 0


def _show(found: dict[str, Any], output: Output) -> None:
    output.write(found["answer"]["sentence"], "bad" if found["suppressed"] else "good")
    if quoted := _find_words(found):
        output.quote(quoted)
    _show_causes(found["suppressions"], output)
    if found["outcomes"]:
        output.write()
        head = ("when", "what became of it", "reason", "message", "subject")
        output.table(head, list_outcomes(found["outcomes"], output))
        if "next" in found:
            output.write(f"… and more: --json has the cursor of the next page, {SHOWN} messages are shown.", "dim")
    _show_history(found["suppressions"], output)


def _show_causes(suppressions: list[dict[str, Any]], output: Output) -> None:
    rows = [row for each in suppressions for row in list_causes(each["causes"], each["scope"], output)]
    if rows:
        output.write()
        output.table(("cause", "stream", "counts", "first", "latest", "ends", "source"), rows)


def _show_history(suppressions: list[dict[str, Any]], output: Output) -> None:
    rows = [
        (output.moment(each["at"]), each["act"], each["by"].rpartition("/")[2], each.get("note", ""))
        for one in suppressions
        for each in one.get("history", ())
    ]
    if rows:
        output.write()
        output.table(("when", "decided", "by", "note"), rows)


def _find_words(found: dict[str, Any]) -> str | None:
    """The words of the refusal that speaks: those of the message that the first cause that holds names."""
    holding = [cause for each in found["suppressions"] for cause in each["causes"] if cause["holds"]]
    named = {(cause.get("latest") or {}).get("message") for cause in holding}
    return next((each["text"] for each in found["outcomes"] if each["message"] in named and each.get("text")), None)
