"""Events that go out: whoever follows them knows what the tables know, and hears of nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core.events import (
    MAX_EVENT,
    AddressReleased,
    AddressSuppressed,
    Event,
    IncidentClosed,
    IncidentEnd,
    IncidentOpened,
    IncidentReport,
    OutcomeChanged,
    OutcomeState,
    encode_event,
    find_incident_events,
)
from aftersend.core.model import Act, CauseKind, Context, Decision, Evidence, Feedback, Key, Reason
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.policy import load as load_policy
from aftersend.core.spike_guard import (
    Traffic,
    find_confirmed,
    find_incidents,
    find_window,
    merge_traffic,
    report_decision,
    report_delivery,
    report_refusal,
)
from aftersend.core.suppression import find_active_causes
from aftersend.core.text import truncate
from aftersend.core.times import format_time
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from tests.support.facts import START, fake_source, message
from tests.support.oracle import stored
from tests.support.ports import MemoryStore, ports
from tests.support.reevaluation import POLICIES, RULES, MemoryRecipients, reevaluation, run
from tests.support.strategies import SHORT, deliveries, feedback, streaks
from tests.support.stream import BEFORE, RecordingStore, find_events


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


class Follower:
    """Somebody who knows nothing but the events."""

    def __init__(self) -> None:
        self.outcomes: dict[Key, OutcomeState] = {}
        self.suppressed: dict[Key, dict[CauseKind, str | None]] = {}
        self.versions: dict[tuple[str, Key], int] = {}
        self.ids: list[str] = []

    def hear(self, event: Event) -> None:
        self.ids.append(event.id)
        match event:
            case OutcomeChanged(data=data):
                key = data.recipient, data.message
                assert data.previous == self.outcomes.get(key) or event.type in ("outcome.opened", "outcome.clicked")
                self.outcomes[key] = OutcomeState(status=data.status, klass=data.klass, reason=data.reason)
                self._check_order("outcome", key, data.version)
            case AddressSuppressed(data=data):
                known = self.suppressed.setdefault((data.recipient, data.scope), {})
                known[data.cause] = data.until
                self._check_order("suppression", (data.recipient, data.scope), data.version)
            case AddressReleased(data=data):
                assert self.suppressed.pop((data.recipient, data.scope))
                self._check_order("suppression", (data.recipient, data.scope), data.version)

    def _check_order(self, table: str, key: Key, version: int) -> None:
        assert version >= self.versions.get((table, key), 0)
        self.versions[table, key] = version


def _follow(store: RecordingStore) -> Follower:
    follower = Follower()
    for event in store.find_events():
        follower.hear(event)
    return follower


def _assert_knows(follower: Follower, store: MemoryStore) -> None:
    tables = stored(store)
    assert follower.outcomes == {
        key: OutcomeState(
            status=each.status,
            klass=each.verdict.klass if each.verdict else None,
            reason=each.verdict.reason if each.verdict else None,
        )
        for key, each in tables.outcomes.items()
    }
    standing = {key: find_active_causes(row, BEFORE) for key, row in tables.suppressions.items()}
    assert follower.suppressed.keys() == {key for key, causes in standing.items() if causes}
    for key, causes in standing.items():
        for kind in causes:
            until = tables.suppressions[key].causes[kind].until
            assert follower.suppressed[key][kind] == (format_time(until) if until else None)


anything = feedback() | streaks()


@settings(max_examples=60)
@given(anything, st.data())
def test_whoever_follows_the_events_knows_what_the_tables_know(
    given_facts: list[Feedback], data: st.DataObject
) -> None:
    """Laws 1 to 3 for events: in whatever order and batches, their last words are the tables' state, each said once."""
    store = RecordingStore()
    for batch in data.draw(deliveries(given_facts)):
        ingest([message([each], str(at)) for at, each in enumerate(batch)], ports(store, policy=SHORT))
    follower = _follow(store)
    _assert_knows(follower, store)
    assert len({*follower.ids}) == len(follower.ids)
    said = len(store.changes)
    for each in given_facts:  # Law 2: "Feedback seen once or a hundred times"
        ingest([message([each])], ports(store, policy=SHORT))
    assert [event for change in store.changes[said:] for event in find_events(*change)] == []


@settings(max_examples=40)
@given(anything, st.sampled_from(POLICIES), st.sampled_from(RULES), st.sampled_from(POLICIES), st.sampled_from(RULES))
def test_a_reevaluation_says_what_it_changes_and_nothing_else(
    given_facts: list[Feedback], old: Policy, old_rules: Classify, new: Policy, new_rules: Classify
) -> None:
    """Issue: "nothing for a re-evaluation that changes nothing"."""
    store = RecordingStore()
    ingest([message(given_facts)], ports(store, policy=old, classify=old_rules))
    run(ReevaluationJob(segments=1), reevaluation(store, new, new_rules, MemoryRecipients(store)))
    _assert_knows(_follow(store), store)
    said = len(store.changes)
    run(ReevaluationJob(segments=1), reevaluation(store, new, new_rules, MemoryRecipients(store)))
    assert [event for change in store.changes[said:] for event in find_events(*change)] == []


HOSTILE = "550 5.1.1 <ann@example.com> unknown, said mx.example.com \N{SNOWMAN}"


@settings(max_examples=40)
@given(feedback(max_size=4), st.sampled_from(["x", "\N{SNOWMAN}", '"', "\\"]), st.integers(1, 40))
def test_an_event_is_bounded_and_quotes_no_text(given_facts: list[Feedback], letter: str, identifiers: int) -> None:
    """Diagnostic texts hold addresses, and what a sender writes has no end."""
    context = Context(
        sender=letter * 320,
        correlation={truncate(f"{at}{letter * 200}", 128): truncate(letter * 600, 512) for at in range(identifiers)},
    )
    given_facts = [
        replace(each, context=context, evidence=replace(each.evidence or Evidence(), text=HOSTILE), id="")
        for each in given_facts
    ]
    store = RecordingStore()
    ingest([message(given_facts)], ports(store, policy=SHORT))
    for event in store.find_events():
        encoded = encode_event(event)
        assert len(encoded) <= MAX_EVENT
        assert b"unknown, said" not in encoded
        assert "." not in event.id


# ---- Incidents -------------------------------------------------------------------------------------------------------

_GUARD = load_policy().guard
_WINDOW = find_window("email:u1@example.com", START, _GUARD)
_REASONS = (Reason.USER_UNKNOWN, Reason.MAILBOX_DISABLED)


def _refuse(first: int, count: int, reason: Reason) -> Traffic:
    known = Traffic(window=_WINDOW)
    for number in range(first, first + count):
        known = merge_traffic(known, report_refusal(_WINDOW, f"email:u{number}@example.com", reason))
    return known


def _deliver(first: int) -> Traffic:
    known = Traffic(window=_WINDOW)
    for number in range(first, first + 400):
        known = merge_traffic(known, report_delivery(_WINDOW, f"email:w{number}@example.com") or known)
    return known


reports = st.one_of(
    st.builds(_refuse, st.integers(0, 300), st.integers(1, 120), st.sampled_from(_REASONS)),
    st.builds(_deliver, st.integers(0, 3).map(lambda number: number * 400)),
    st.builds(
        lambda reason, hours, act: report_decision(
            _WINDOW, reason, Decision(at=START + timedelta(hours=hours), by="ops", act=act)
        ),
        st.sampled_from(_REASONS),
        st.integers(0, 50),
        st.sampled_from([Act.CONFIRMED, Act.REVERTED]),
    ),
)


def _hear_incidents(given_reports: list[Traffic], known: Traffic) -> tuple[Traffic, list[IncidentReport]]:
    """What a window comes to, and what is said of it on the way."""
    heard: list[IncidentReport] = []
    for number, report in enumerate(given_reports):
        merged = merge_traffic(known, report)
        if merged is not known:
            merged = replace(merged, version=known.version + 1)
            events = find_incident_events(known, merged, _GUARD, START + timedelta(minutes=number))
            heard += [each.data for each in events if isinstance(each, IncidentOpened | IncidentClosed)]
        known = merged
    return known, heard


@settings(max_examples=80)
@given(st.lists(reports, max_size=9), st.randoms())
def test_whoever_follows_incidents_knows_what_people_decided(given_reports: list[Traffic], chance: Random) -> None:
    """Laws 1 and 2: in whatever order, the last word of each is how it stands, a decision is told, and none twice."""
    chance.shuffle(given_reports)
    final, heard = _hear_incidents(given_reports, Traffic(window=_WINDOW))
    last = {each.reason: each.end for each in heard}
    standing = {each.reason: each for each in find_incidents(final, _GUARD)}
    assert {reason for reason, end in last.items() if end is None} == {
        reason for reason, each in standing.items() if each.decision is None
    }
    assert {reason for reason, end in last.items() if end is IncidentEnd.REVERTED} == {
        reason for reason, each in standing.items() if each.decision is not None
    }
    confirmed = {each.reason for each in find_confirmed(final)}
    assert confirmed >= {reason for reason, end in last.items() if end is IncidentEnd.CONFIRMED}
    for one, other in pairwise(sorted(heard, key=lambda each: (each.reason, each.version))):
        assert one.reason != other.reason or one.end != other.end, "nothing is said twice in a row"
    assert _hear_incidents(given_reports, final) == (final, []), "seen again, it says nothing"
