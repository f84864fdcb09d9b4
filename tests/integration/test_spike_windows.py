"""The table of the spike guard, on every engine: what is reported at the same time is all known in the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from aftersend.aws.errors import NoAnswer
from aftersend.core import spike_guard
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, Decision, Reason
from aftersend.core.policy import load
from aftersend.core.spike_guard import Traffic, find_window, merge_traffic
from aftersend.storage.spike_windows import IncidentCache, SpikeWindows, decode_traffic, encode_traffic
from tests.engines import Engine
from tests.support.clients import FakeDynamoDB
from tests.support.facts import ANN, START
from tests.support.ports import NOW

RULES = load().guard
WINDOW = find_window(ANN, START, RULES)
DECISION = Decision(at=START, by="ops", act=Act.CONFIRMED, note="they did leave")


def _reports(count: int) -> list[Traffic]:
    keys = [(f"email:u{number}@example.com", "ses:1") for number in range(count)]
    refused = [spike_guard.report_refusal(WINDOW, key, Reason.USER_UNKNOWN) for key in keys]
    reached = [spike_guard.report_delivery(WINDOW, key) for key in keys]
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
    windows.record(spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, DECISION))
    assert windows.find_incidents() == []


def test_many_who_report_at_once_are_all_heard(concurrent_engine: Engine) -> None:
    """Law 3, for windows; each of them loses now and then, and tries again."""
    windows = SpikeWindows(concurrent_engine.connect(), concurrent_engine.table("SpikeWindows"), RULES)
    reports = _reports(40)
    Random(3).shuffle(reports)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(windows.record, [*reports, *reports[:10]]))
    known = windows.record(Traffic(window=WINDOW))
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
        (merge_traffic(spike, spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, DECISION)), None),
        (_all(_reports(3)), None),
    ]
    for traffic, state in states:
        item = encode_traffic(traffic, RULES)
        assert (item.get("state"), "expires_at" in item) == (state, state is None)


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
