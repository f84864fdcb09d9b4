"""What the demo marks as unproven, in the list of messages and in the history of one."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from aftersend import classify
from aftersend.core.model import BY_MAIL, Evidence, Feedback, Kind
from aftersend.core.outcome import merge
from local import show
from tests.support.facts import fact

CLASSIFIER = classify.load()
MAILED = Evidence(code=550, status="5.1.1", text="550 5.1.1 user unknown", forgeable=True)
REPORT = fact(Kind.BOUNCED, 1, evidence=MAILED, source=BY_MAIL)
PROVEN = replace(REPORT, evidence=replace(MAILED, forgeable=False), id="")
SENT = fact(Kind.SENT, 0.5)


@pytest.mark.parametrize(
    ("facts", "marked"),
    [([REPORT], True), ([PROVEN], False), ([SENT, REPORT], False), ([SENT, PROVEN], False)],
)
def test_a_report_is_marked_where_nothing_proves_it(facts: list[Feedback], *, marked: bool) -> None:
    """A token proves it, or that another source knows the message; what decides says so, too."""
    outcome = merge(None, facts, CLASSIFIER)
    listed = _print(show.outcomes([outcome], everything=True))
    history = _print(show.history(outcome, {each.id: 1 for each in facts}, CLASSIFIER))
    assert ("unproven" in listed, "unproven" in history) == (marked, marked)
    assert "this decides" in history


def test_a_report_that_decides_nothing_is_marked_beside_what_does() -> None:
    """Amazon SES gets the bounces of what it sends: no other report about its messages counts."""
    facts = [replace(each, message="ses:1", id="") for each in (SENT, REPORT)]
    outcome = merge(None, facts, CLASSIFIER)
    assert "unproven" not in _print(show.outcomes([outcome], everything=True))
    assert "unproven" in _print(show.history(outcome, {each.id: 1 for each in facts}, CLASSIFIER))


def test_what_was_due_is_shown_as_expired_though_nobody_has_written_that() -> None:
    waiting = merge(None, [SENT], CLASSIFIER, validity={SENT.source: 84})
    assert "expired" in _print(show.outcomes([waiting], everything=True))
    assert "expired" not in _print(show.outcomes([merge(None, [SENT], CLASSIFIER)], everything=True))


def _print(table: object) -> str:
    written = io.StringIO()
    Console(file=written, width=200).print(table)
    return written.getvalue()
