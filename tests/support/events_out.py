"""Events that go out, made of facts by the tables' own code: what their tests share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from aftersend.core.events import Event
from aftersend.core.model import Act, Decision, Feedback, Reason, Suppression
from aftersend.core.policy import Policy, load
from aftersend.core.spike_guard import Traffic, find_window, merge_traffic, report_decision, report_refusal
from aftersend.core.suppression import apply_decisions
from aftersend.ingest import ingest
from tests.support.facts import ANN, START, fake_source, message
from tests.support.ports import ports
from tests.support.stream import Change, RecordingStore, find_events

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def make_changes(facts: Sequence[Feedback], policy: Policy | None = None) -> list[Change]:
    """Return what the streams of both tables say of these facts."""
    store = RecordingStore()
    with fake_source():
        ingest([message(facts)], ports(store, policy=policy or load()))
    return store.changes


def make_events(facts: Sequence[Feedback], *, release: bool = False) -> list[Event]:
    """Return the events of these facts, and of a release of whoever is suppressed."""
    changes = make_changes(facts)
    if release:
        (row,) = [each for _, each in changes if isinstance(each, Suppression)][-1:]
        decision = Decision(at=START + timedelta(days=20), by="ops", act=Act.RELEASED, force=True)
        changes.append((row, replace(apply_decisions(row, [decision]), version=row.version + 1)))
    return [event for old, new in changes for event in find_events(old, new)]


def make_spike(refused: int, *, decided: bool = False) -> Traffic:
    """Return what is known of a window in which so many were refused, and that a person has confirmed."""
    window = find_window(ANN, START, load().guard)
    traffic = Traffic(window=window)
    for number in range(refused):
        report = report_refusal(window, f"email:u{number}@example.com", Reason.USER_UNKNOWN)
        traffic = merge_traffic(traffic, report)
    decision = Decision(at=START, by="ops", act=Act.CONFIRMED)
    return merge_traffic(traffic, report_decision(window, Reason.USER_UNKNOWN, decision)) if decided else traffic
