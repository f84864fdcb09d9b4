"""The table of the spike guard, on every engine: what is reported at the same time is all known in the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.aws.errors import NoAnswer
from aftersend.core import spike_guard
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, Decision, Reason
from aftersend.core.policy import load
from aftersend.core.spike_guard import Traffic, find_window, merge_traffic
from aftersend.storage.spike_windows import IncidentCache, SpikeWindows, decode_traffic, encode_traffic
from aftersend.storage.versioned import FIRST_PAUSE
from tests.engines import Engine
from tests.support.clients import FakeDynamoDB
from tests.support.facts import ANN, START
from tests.support.ports import NOW

RULES = load().guard
WINDOW = find_window(ANN, START, RULES)
DECISION = Decision(at=START, by="ops", act=Act.CONFIRMED, note="they did leave")


def _reports(count: int) -> list[Traffic]:
    recipients = [f"email:u{number}@example.com" for number in range(count)]
    refused = [spike_guard.report_refusal(WINDOW, recipient, Reason.USER_UNKNOWN) for recipient in recipients]
    reached = [spike_guard.report_delivery(WINDOW, recipient) for recipient in recipients]
    return [*refused, *(each for each in reached if each is not None)]


def _all(reports: Sequence[Traffic]) -> Traffic:
    known = Traffic(window=WINDOW)
    for each in reports:
        known = merge_traffic(known, each)
    return known


def test_a_window_is_stored_and_its_incident_found(engine: Engine) -> None:
    windows = SpikeWindows(engine.connect(), engine.table("SpikeWindows"), RULES)
    assert windows.find_incidents() == []
    known = windows.record(_all(_reports(60)))
    assert (known.version, windows.record(_all(_reports(60)))) == (1, known)
    (incident,) = windows.find_incidents()
    assert (incident.window, incident.reason, incident.refused) == (WINDOW, Reason.USER_UNKNOWN, 60)
    assert windows.find_confirmed() == []
    windows.record(spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, DECISION))
    assert windows.find_incidents() == []
    assert windows.find_confirmed() == [replace(incident, decision=DECISION)]


def test_many_who_report_at_once_are_all_heard(concurrent_engine: Engine) -> None:
    """Law 3, for windows; each of them loses now and then, and tries again."""
    table = concurrent_engine.table("SpikeWindows")
    windows = SpikeWindows(concurrent_engine.connect(), table, RULES)
    reports = _reports(40)
    Random(3).shuffle(reports)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(windows.record, [*reports, *reports[:10]]))
    another = SpikeWindows(concurrent_engine.connect(), table, RULES)
    known = another.record(Traffic(window=WINDOW))  # what is stored, and not what one of them has seen last
    assert (known.reached, known.refused) == (_all(reports).reached, _all(reports).refused)


@pytest.mark.parametrize(
    "traffic",
    [_all(_reports(100)), _all([*_reports(3), spike_guard.report_decision(WINDOW, Reason.EXPIRED, DECISION)])],
)
def test_what_is_written_is_read(traffic: Traffic) -> None:
    item = encode_traffic(traffic, RULES)
    assert decode_traffic(item) == traffic
    assert len(str(item)) < 2048


def test_a_window_with_an_incident_does_not_expire() -> None:
    """Causes in it do not hold until a person has confirmed them, however long that takes."""
    spike, revert = _all(_reports(60)), Decision(at=START, by="ops", act=Act.REVERTED)
    states = [
        (spike, {"S": "open"}),
        (merge_traffic(spike, spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, revert)), {"S": "reverted"}),
        (merge_traffic(spike, spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, DECISION)), {"S": "confirmed"}),
        (_all(_reports(3)), None),
    ]
    for traffic, state in states:
        item = encode_traffic(traffic, RULES)
        assert (item.get("state"), "expires_at" in item) == (state, state in (None, {"S": "confirmed"}))


class _Deaf(FakeDynamoDB):
    def get_item(self, **_: Any) -> Any:
        raise NoAnswer("time-out")

    put_item = query = get_item


def test_a_table_that_does_not_answer_is_ours() -> None:
    windows = SpikeWindows(_Deaf(), "SpikeWindows", RULES)
    for call in (lambda: windows.record(Traffic(window=WINDOW)), windows.find_incidents):
        with pytest.raises(StoreUnavailable, match="time-out"):
            call()


def test_incidents_are_read_anew_after_a_while(engine: Engine) -> None:
    windows = SpikeWindows(engine.connect(), engine.table("SpikeWindows"), RULES)
    now = [NOW]
    cache = IncidentCache(windows, lambda: now[0], timedelta(seconds=30))
    assert cache.find_incidents() == []
    windows.record(_all(_reports(60)))
    assert cache.find_incidents() == []
    now[0] += timedelta(seconds=31)
    assert len(cache.find_incidents()) == 1


class _Counting:
    """A client that counts its calls, and whose first writes are lost against another writer's."""

    def __init__(self, client: Any, lost: int = 0) -> None:
        self.client, self.lost, self.calls = client, lost, 0

    def get_item(self, **request: Any) -> Any:
        self.calls += 1
        return self.client.get_item(**request)

    def put_item(self, **request: Any) -> Any:
        self.calls += 1
        if self.lost:
            self.lost -= 1
            SpikeWindows(self.client, request["TableName"], RULES).record(_reports(20)[self.lost])
        return self.client.put_item(**request)


def test_nothing_is_asked_where_nothing_can_change(engine: Engine) -> None:
    """Once a sketch is full few change it, and what was reported once is not reported again."""
    counting, table = _Counting(engine.connect()), engine.table("SpikeWindows")
    windows = SpikeWindows(counting, table, RULES)  # type: ignore[arg-type]
    reports, known, changes = _reports(300), Traffic(window=WINDOW), 0
    for each in reports:
        before, known = known, merge_traffic(known, each)
        changes += known is not before
        windows.record(each)
    assert changes < len(reports)
    assert counting.calls == 2 * changes
    for each in reports:
        assert windows.record(each).refused == known.refused
    assert counting.calls == 2 * changes
    anew = SpikeWindows(engine.connect(), table, RULES).record(Traffic(window=WINDOW))
    assert (anew.refused, anew.reached) == (known.refused, known.reached)


def test_whoever_loses_waits_a_random_while_and_longer_each_time(engine: Engine) -> None:
    pauses: list[float] = []
    counting = _Counting(engine.connect(), lost=5)
    windows = SpikeWindows(counting, engine.table("SpikeWindows"), RULES, pauses.append)  # type: ignore[arg-type]
    windows.record(_all(_reports(60)))
    assert len(pauses) == 5
    assert all(0 <= pause <= FIRST_PAUSE * 2**number for number, pause in enumerate(pauses))
    assert len(set(pauses)) == 5
