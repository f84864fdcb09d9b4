"""The spike guard: its sketches are sets, its counts are near enough, and it acts at its exact threshold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend import classify as classifier
from aftersend.aws.errors import NoAnswer
from aftersend.core import spike_guard
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, CauseKind, Decision, Evidence, Feedback, Kind, Reason
from aftersend.core.outcome import merge
from aftersend.core.plan import plan_updates
from aftersend.core.policy import load
from aftersend.core.spike_guard import (
    SAMPLE,
    SIZE,
    Traffic,
    Window,
    find_group,
    find_incidents,
    find_reverted_windows,
    find_window,
    merge_traffic,
)
from aftersend.core.suppression import find_active_causes
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from aftersend.storage.spike_windows import SpikeWindows, decode_traffic, encode_state
from aftersend.verp import Verp
from tests.simulation.dynamodb import DynamoDB
from tests.support.facts import ANN, START, classify, fact, fake_source, message
from tests.support.ports import NOW, MemoryStore, MemoryWatch, ports
from tests.support.strategies import deliveries, feedback

RULES = load().guard
WINDOW = find_window(ANN, START, RULES)
EMPTY = Traffic(window=WINDOW)
_REASONS = st.sampled_from([Reason.USER_UNKNOWN, Reason.MAILBOX_DISABLED])
_RECIPIENTS = st.integers(0, 400).map(lambda number: f"email:u{number}@example.com")
_DECISIONS = st.builds(
    lambda day, act: Decision(at=START + timedelta(days=day), by="ops", act=act),
    st.integers(0, 3),
    st.sampled_from([Act.CONFIRMED, Act.REVERTED]),
)
_REPORTS = (
    st.builds(lambda recipient, reason: spike_guard.report_refusal(WINDOW, recipient, reason), _RECIPIENTS, _REASONS)
    | st.builds(lambda recipient: spike_guard.report_delivery(WINDOW, recipient) or EMPTY, _RECIPIENTS)
    | st.builds(lambda reason, decision: spike_guard.report_decision(WINDOW, reason, decision), _REASONS, _DECISIONS)
)


@given(st.lists(_REPORTS, max_size=200), st.data())
def test_reports_of_a_window_come_in_any_order_and_number(reports: list[Traffic], data: st.DataObject) -> None:
    """Laws 1, 2 and 3, for windows."""
    one, other = EMPTY, EMPTY
    for each in reports:
        one = merge_traffic(one, each)
    middle = data.draw(st.integers(0, len(reports)))
    halves = [EMPTY, EMPTY]
    for place, each in enumerate(data.draw(st.permutations([*reports, *reports[:20]]))):
        halves[place < middle] = merge_traffic(halves[place < middle], each)
    other = merge_traffic(*halves)
    assert other == one
    assert merge_traffic(one, other) is one


class _Stopping:
    """A client whose updates fail by chance, before they are done or after: the function stops there."""

    def __init__(self, real: DynamoDB, draw: Callable[[], str]) -> None:
        self._real, self._draw = real, draw

    def get_item(self, **request: Any) -> Any:
        return self._real.get_item(**request)

    def update_item(self, **request: Any) -> Any:
        fate = self._draw()
        if fate == "before":
            raise NoAnswer("stopped")
        answer = self._real.update_item(**request)
        if fate == "after":
            raise NoAnswer("stopped")
        return answer


@settings(max_examples=40)
@given(st.lists(_REPORTS, min_size=1, max_size=120), st.data())
def test_processes_that_stop_leave_the_same_window(reports: list[Traffic], data: st.DataObject) -> None:
    """Laws 1 to 4, on the table: by any process, in any order, again where one stopped, and what follows fits."""
    rules = load("[guard]\nfloor = 10\nshare_percent = 20").guard
    chance = data.draw(st.randoms(use_true_random=False))
    table = DynamoDB({"SpikeWindows": "SpikeWindows"})
    client: Any = _Stopping(table, lambda: chance.choice(("", "", "before", "after")))
    processes = [SpikeWindows(client, "SpikeWindows", rules) for _ in range(3)]
    left = [*reports, *reports[: len(reports) // 4]]
    while left:
        report = left.pop(chance.randrange(len(left)))
        place = chance.randrange(len(processes))
        try:
            processes[place].record(report)
        except StoreUnavailable:
            processes[place] = SpikeWindows(client, "SpikeWindows", rules)
            left.append(report)
    known = EMPTY
    for each in reports:
        known = merge_traffic(known, each)
    items = list(table.tables["SpikeWindows"].items.values())
    if known == EMPTY:
        assert items == []
        return
    [item] = items
    stored = decode_traffic(item)
    assert replace(stored, version=0) == known
    assert {name: item[name] for name in ("state", "expires_at") if name in item} == encode_state(known, rules)


def _many(count: int, reason: Reason | None, start: int = 0) -> Traffic:
    traffic = EMPTY
    for number in range(start, start + count):
        recipient = f"email:u{number}@example.com"
        report = (
            spike_guard.report_delivery(WINDOW, recipient)
            if reason is None
            else spike_guard.report_refusal(WINDOW, recipient, reason)
        )
        traffic = merge_traffic(traffic, report) if report else traffic
    return traffic


@pytest.mark.parametrize("count", [1, SIZE - 1, SIZE, 300, 5000])
def test_a_sketch_counts_exactly_up_to_its_size_and_nearly_beyond(count: int) -> None:
    traffic = merge_traffic(_many(count, Reason.USER_UNKNOWN), _many(10 * count, None, start=100_000))
    found = find_incidents(traffic, load("[guard]\nfloor = 10\nshare_percent = 1").guard)
    assert len(found) == (count >= 10)
    if not found:
        return
    (incident,) = found
    assert incident.refused == count if count < SIZE else abs(incident.refused - count) < count / 3
    assert abs(incident.sent - 11 * count) < 11 * count / 2
    assert all(len(sketch) <= SIZE for sketch in (traffic.reached, *traffic.refused.values()))


@pytest.mark.parametrize(("refused", "delivered", "open_"), [(49, 0, False), (50, 0, True), (55, 400, False)])
def test_floor_and_share(refused: int, delivered: int, open_: bool) -> None:
    """Design §6: "when one domain's hard bounces in a window exceed a share and a floor, an *incident* is opened"."""
    traffic = merge_traffic(_many(refused, Reason.USER_UNKNOWN), _many(delivered, None, start=1000))
    assert bool(find_incidents(traffic, RULES)) == open_
    assert find_incidents(traffic, load("[guard]\nwatch = false").guard) == []


@pytest.mark.parametrize(("act", "left"), [(Act.CONFIRMED, 0), (Act.REVERTED, 1)])
def test_a_person_ends_an_incident(act: Act, left: int) -> None:
    """Confirmed, its causes hold; reverted, they never do, and neither does what comes late."""
    decision = Decision(at=START, by="ops", act=act)
    traffic = merge_traffic(
        _many(60, Reason.USER_UNKNOWN), spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, decision)
    )
    assert len(find_incidents(traffic, RULES)) == left


def test_an_incident_is_about_its_own_domain_reason_and_window() -> None:
    found = find_incidents(_many(60, Reason.USER_UNKNOWN), RULES)
    (window,) = find_reverted_windows(found, ANN)
    assert (window.since, window.until, window.reason) == (
        WINDOW.since,
        WINDOW.until - timedelta(milliseconds=1),
        Reason.USER_UNKNOWN,
    )
    assert find_reverted_windows(found, "email:ann@example.org") == []


@pytest.mark.parametrize(
    ("recipient", "domain"),
    [
        ("email:a@b.example", "b.example"),
        ("email:odd", "odd"),
        ("push:apns:t0", "push:apns"),
        ("push:webpush:https://push.example/a:b", "push:webpush"),
        ("sms:+14255550156", "sms:+1"),
        ("sms:+491701234567", "sms:+49"),
        ("sms:+3541234567", "sms:+354"),
        ("sms:12345", "sms"),
        ("erased:0123", "erased"),
    ],
)
def test_what_has_an_accident_as_a_whole(recipient: str, domain: str) -> None:
    assert find_group(recipient) == domain


@given(st.data())
def test_the_guard_knows_the_same_whatever_the_order_and_the_batches(data: st.DataObject) -> None:
    """Laws 1, 2 and 3, on the whole way of the data: also where somebody vouches late for what could be forged."""

    def known(batches: list[list[Feedback]]) -> dict[Window, Traffic]:
        watch, store = MemoryWatch(), MemoryStore()
        for batch in batches:
            assert not ingest([message(batch)], ports(store, spike_windows=watch)).failed
        return watch.windows

    given_facts = data.draw(feedback())
    with fake_source():
        assert known(data.draw(deliveries(given_facts))) == known([given_facts])


@pytest.mark.parametrize(("refused", "open_"), [(15, False), (16, True)])
def test_an_incident_begins_at_the_very_share(refused: int, open_: bool) -> None:
    rules = load("[guard]\nfloor = 10\nshare_percent = 50").guard
    one_of_the_sample = Traffic(window=WINDOW, reached=(SAMPLE,))
    traffic = merge_traffic(_many(refused, Reason.USER_UNKNOWN), one_of_the_sample)
    found = find_incidents(traffic, rules)
    assert bool(found) == open_
    assert not found or (found[0].refused, found[0].sent) == (SAMPLE, 2 * SAMPLE)


def test_a_decision_is_about_one_reason() -> None:
    confirmed = Decision(at=START, by="ops", act=Act.CONFIRMED)
    traffic = merge_traffic(_many(60, Reason.USER_UNKNOWN), _many(60, Reason.MAILBOX_DISABLED))
    traffic = merge_traffic(traffic, spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, confirmed))
    assert [each.reason for each in find_incidents(traffic, RULES)] == [Reason.MAILBOX_DISABLED]


@pytest.mark.parametrize(("act", "left"), [(Act.CONFIRMED, 0), (Act.REVERTED, 1)])
def test_the_last_decision_counts(act: Act, left: int) -> None:
    first = Act.REVERTED if act is Act.CONFIRMED else Act.CONFIRMED
    traffic = _many(60, Reason.USER_UNKNOWN)
    for day, each in ((2, act), (1, first)):
        decision = Decision(at=START + timedelta(days=day), by="ops", act=each)
        traffic = merge_traffic(traffic, spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, decision))
    assert len(find_incidents(traffic, RULES)) == left


def test_decisions_of_several_reasons_come_in_any_order() -> None:
    """Law 1: also where one of them takes the place of an earlier one."""
    reports = [
        spike_guard.report_decision(
            WINDOW, reason, Decision(at=START + timedelta(days=day), by="ops", act=Act.CONFIRMED)
        )
        for day, reason in enumerate([Reason.USER_UNKNOWN, Reason.MAILBOX_DISABLED, Reason.USER_UNKNOWN])
    ]
    one, *others = (merge_traffic(merge_traffic(merge_traffic(EMPTY, a), b), c) for a, b, c in permutations(reports))
    assert all(other == one for other in others)
    assert len(one.judged) == 2


@pytest.mark.parametrize(("minutes", "hour"), [(0, 0), (59, 0), (60, 1), (150, 2)])
def test_a_window_is_as_long_as_the_policy_says(minutes: int, hour: int) -> None:
    window = find_window(ANN, START + timedelta(minutes=minutes), load("[guard]\nwindow_hours = 1").guard)
    assert (window.since, window.until) == (START + timedelta(hours=hour), START + timedelta(hours=hour + 1))


def test_windows_meet_without_a_gap() -> None:
    moment = timedelta(milliseconds=1)
    before, after = (find_window(ANN, WINDOW.until - each, RULES) for each in (moment, timedelta()))
    assert (before, after.since) == (WINDOW, WINDOW.until)
    assert SAMPLE > 1


def _dsn(recipient: str, number: int, to: str) -> Message:
    """A report by mail of a hard bounce in an hour that its sender chooses."""
    date = "Sun, 01 Mar 2026 10:30:00 +0000"
    body = f"""Delivered-To: {to}
Received: from elsewhere by inbound.example.com; Tue, 31 Mar 2026 11:59:00 +0000
From: MAILER-DAEMON@elsewhere.example
To: {to}
Subject: Delivery Status Notification (Failure)
Date: {date}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.elsewhere.example
Arrival-Date: {date}

Final-Recipient: rfc822;{recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--B
Content-Type: message/rfc822

Message-ID: <invented-{number}@sender.example>
From: news@example.com
To: {recipient}

text
--B--
"""
    return Message(f"report-{number}", body.replace("\n", "\r\n").encode(), NOW, "report")


@pytest.mark.parametrize("people", [1, 60], ids=["one bounce address", "a bounce address for each"])
def test_reports_by_mail_lift_no_suppression(people: int) -> None:
    """Law 7: "Nobody is suppressed, freed or erased by a stranger": not by a bounce address that they were sent."""
    rules, store, watch = classifier.load(), MemoryStore(), MemoryWatch()
    verp = Verp((b"a secret of tests",), "b-{token}@bounce.example.com")
    used = ports(store, spike_windows=watch, classify=rules, prove=lambda each: each.message)  # whatever proves them
    gone = [f"gone{number}@big.example" for number in range(9)]
    said = {"code": 550, "status": "5.1.1", "text": "550 5.1.1 user unknown"}
    at = datetime(2026, 3, 1, 10, 20, tzinfo=UTC)
    real = [
        fact(Kind.BOUNCED, recipient=f"email:{each}", occurred_at=at, evidence=Evidence(**said))  # type: ignore[arg-type]
        for each in gone
    ]
    with fake_source():
        ingest([message(real)], used)
    strangers = [f"stranger{number % people}@big.example" for number in range(60)]
    mails = [_dsn(each, number, verp.make("ref-4711", each)) for number, each in enumerate(strangers)]
    report = ingest(mails, used)
    assert not report.failed and not report.unreadable and len(store.outcomes_table) == 9 + 60
    found = [each for known in watch.windows.values() for each in find_incidents(known, RULES)]
    assert found == []
    for each in gone:
        row = store.get_suppressions([(f"email:{each}", "*")])[f"email:{each}", "*"]
        assert find_active_causes(row, NOW, find_reverted_windows(found, f"email:{each}")) == (CauseKind.HARD,)
    assert (f"email:{strangers[0]}", "*") in store.suppressions_table, "they do count against whom they are about"


def test_the_guard_counts_people_and_not_their_messages() -> None:
    many = EMPTY
    for number in range(100):
        told_of = fact(Kind.BOUNCED, code="hard", message=f"test:{number}")
        planned = plan_updates(
            {told_of.key: merge(None, [told_of], classify)}, {told_of.key: [told_of]}, classify, load()
        )
        (each,) = planned.traffic_reports.values()
        many = merge_traffic(many, each.traffic)
    assert find_incidents(many, RULES) == []
    assert [len(sketch) for sketch in many.refused.values()] == [1]
