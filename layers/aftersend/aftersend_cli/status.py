"""`aftersend status`: whether anything is stuck."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from aftersend_cli.endpoint import Endpoint
from aftersend_cli.output import Output

STUCK: Final = 1  # exit code: something was given up, or could not be read
_HOUR: Final = timedelta(hours=1)


def arguments(_parser: argparse.ArgumentParser) -> None:
    """It takes no arguments of its own."""


def run(_options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Show what is in the queues, which alarms ring, and since when sources are quiet.

    Returns 1 where something was given up or could not be read.
    """
    found = api.ask("GET", "/status").json()
    given_up = sum(each["waiting"] + each["hidden"] for each in found["dead_letters"])
    stuck = bool(given_up or found["unreadable"])
    if output.as_json:
        output.write_json(found)
        return STUCK if stuck else 0
    said = f"{given_up:,} messages were given up, {found['unreadable']:,} bodies could not be read."
    output.write(
        f"{said} aftersend dead-letters shows why." if stuck else "Nothing is stuck.", "bad" if stuck else "good"
    )
    _show_alarms(found["alarms"], output)
    _show_sources(found["sources"], datetime.fromisoformat(found["asked_at"]), output)
    queues = [each for each in [*found["queues"], *found["dead_letters"]] if any(map(each.get, _COUNTS))]
    output.table(
        ("queue", *_COUNTS.values()), [(each["name"], *(f"{each[name]:,}" for name in _COUNTS)) for each in queues]
    )
    output.remark(f"As SQS counts, which is about right; asked at {output.moment(found['asked_at'])}.")
    return STUCK if stuck else 0


def _show_alarms(alarms: dict[str, Any] | None, output: Output) -> None:
    if alarms is None:
        output.write("Nobody can tell which alarms ring: CloudWatch did not answer.", "bad")
        return
    ringing = alarms["ringing"]
    if ringing:
        output.table(
            ("alarm that rings", "since", "what it means"),
            [(each["name"], output.moment(each["since"]), each["meaning"]) for each in ringing],
        )
        return
    blind = f" {alarms['without_data']} of them have had nothing to judge by." if alarms["without_data"] else ""
    output.write(f"None of {alarms['watched']} alarms rings.{blind}")


def _show_sources(sources: Sequence[dict[str, str]] | None, now: datetime, output: Output) -> None:
    if sources is None:
        output.write("Nobody can tell when sources were last heard of: the archive did not answer.", "bad")
        return
    if not sources:
        output.write("No source was heard of so far.")
    times = [(each["source"], each["last_at"]) for each in sources]
    output.table(
        ("source", "last heard of", "quiet for"),
        [(name, output.moment(at), describe_span(now - datetime.fromisoformat(at))) for name, at in times],
    )


def describe_span(span: timedelta) -> str:
    """Return how long something takes, in the unit that a person would take."""
    if span < 2 * _HOUR:
        return f"{max(span // timedelta(minutes=1), 0)} min"
    return f"{span // _HOUR} h" if span < 48 * _HOUR else f"{span.days} days"


_COUNTS = {"waiting": "wait", "hidden": "in work", "delayed": "come later"}
