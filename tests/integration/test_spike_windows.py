"""The table of the spike guard, on every engine: what is reported at the same time is all known in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.aws.errors import NoAnswer
from aftersend.core import spike_guard
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, Decision, Reason
from aftersend.core.policy import load
from aftersend.core.spike_guard import SAMPLE, SIZE, Traffic, find_window, merge_traffic
from aftersend.storage.spike_windows import SURPLUS, IncidentCache, SpikeWindows, decode_traffic
from tests.engines import Engine
from tests.simulation.dynamodb import DynamoDB
from tests.support.clients import FakeDynamoDB
from tests.support.facts import ANN, START
from tests.support.ports import NOW
from tests.support.windows import encode_window

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
    item = encode_window(traffic, RULES)
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
        item = encode_window(traffic, RULES)
        assert (item.get("state"), "expires_at" in item) == (state, state in (None, {"S": "confirmed"}))


class _Deaf(FakeDynamoDB):
    def get_item(self, **_: Any) -> Any:
        raise NoAnswer("time-out")

    update_item = query = get_item


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


class _Counting(FakeDynamoDB):
    """A client that counts its reads and its updates, and may do something before an update, or fail after it."""

    def __init__(self, client: Any, before: Sequence[Callable[[], object]] = (), fails_after: int = 0) -> None:
        self.client, self.reads, self.updates = client, 0, 0
        self._before, self._fails_after = list(before), fails_after

    def get_item(self, **request: Any) -> Any:
        self.reads += 1
        return self.client.get_item(**request)

    def update_item(self, **request: Any) -> Any:
        if self._fails_after and self.updates >= self._fails_after:
            raise NoAnswer("stopped")
        self.updates += 1
        if self._before:
            self._before.pop(0)()
        return self.client.update_item(**request)


def test_nothing_is_asked_where_nothing_can_change(engine: Engine) -> None:
    """Once a sketch is full few change it, and what was reported once is not reported again."""
    counting, table = _Counting(engine.connect()), engine.table("SpikeWindows")
    windows = SpikeWindows(counting, table, RULES)
    reports, known, changes = _reports(300), Traffic(window=WINDOW), 0
    for each in reports:
        before, known = known, merge_traffic(known, each)
        changes += known is not before
        windows.record(each)
    assert changes < len(reports)
    corrected = counting.updates - changes
    assert counting.reads == 1 and 1 <= corrected <= 2 + changes // SURPLUS, "an incident begins, and sets are cut"
    for each in reports:
        assert windows.record(each).refused == known.refused
    assert (counting.reads, counting.updates) == (1, changes + corrected)
    anew = SpikeWindows(counting, table, RULES)
    for each in reports:
        found = anew.record(each)
    assert (found.refused, found.reached) == (known.refused, known.reached)
    assert (counting.reads, counting.updates) == (2, changes + corrected), (
        "another process reads once, and adds nothing"
    )


def test_whoever_adds_needs_one_write_whatever_others_add_meanwhile(engine: Engine) -> None:
    """No write can be lost, so none is tried twice."""
    table, reports = engine.table("SpikeWindows"), _reports(9)
    others = [SpikeWindows(engine.connect(), table, RULES) for _ in range(8)]
    told = [partial(other.record, report) for other, report in zip(others, reports[1:], strict=False)]
    counting = _Counting(engine.connect(), [lambda: [each() for each in told]])
    SpikeWindows(counting, table, RULES).record(reports[0])
    assert (counting.reads, counting.updates) == (1, 1)
    assert (
        SpikeWindows(engine.connect(), table, RULES).record(Traffic(window=WINDOW)).refused == _all(reports[:9]).refused
    )


def _stored(engine: Engine, table: str) -> Any:
    [item] = engine.client().scan(TableName=table)["Items"]
    return item


def test_what_follows_is_corrected_by_whoever_comes_next(engine: Engine) -> None:
    """Law 4: a function that stops between adding and correcting is made good when its message comes again."""
    table = engine.table("SpikeWindows")
    stops = SpikeWindows(_Counting(engine.connect(), fails_after=1), table, RULES)
    with pytest.raises(StoreUnavailable, match="stopped"):
        stops.record(_all(_reports(60)))
    assert "state" not in _stored(engine, table)
    with pytest.raises(StoreUnavailable, match="stopped"):
        stops.record(_all(_reports(60)))
    SpikeWindows(engine.connect(), table, RULES).record(_all(_reports(60)))
    item = _stored(engine, table)
    assert item["state"] == {"S": "open"} and "expires_at" not in item


def test_a_correction_gives_way_to_whoever_has_added_since(engine: Engine) -> None:
    """Deliveries close an incident while the one who has seen it begin is about to say so."""
    table = engine.table("SpikeWindows")
    reached = Traffic(window=WINDOW, reached=tuple(range(SAMPLE, 60 * SAMPLE, SAMPLE)))
    late = SpikeWindows(engine.connect(), table, RULES)
    counting = _Counting(engine.connect(), [lambda: None, lambda: late.record(reached)])
    SpikeWindows(counting, table, RULES).record(_all(_reports(60)[:60]))
    assert counting.updates == 2
    item = _stored(engine, table)
    assert "state" not in item and "expires_at" in item
    assert late.find_incidents() == []


@pytest.mark.parametrize("order", [1, -1])
def test_sets_stay_small_and_hold_what_counts(order: int) -> None:
    """Of digests that come the greatest first, every single one is among the smallest when it comes."""
    table = DynamoDB({"SpikeWindows": "SpikeWindows"})
    windows = SpikeWindows(table, "SpikeWindows", RULES)
    for digest in range(1, 301)[::order]:
        windows.record(Traffic(window=WINDOW, refused={Reason.USER_UNKNOWN: (digest,)}))
        [item] = table.tables["SpikeWindows"].items.values()
        assert len(item["refused:user_unknown"]["BS"]) <= SIZE + SURPLUS
    assert windows.record(Traffic(window=WINDOW)).refused == {Reason.USER_UNKNOWN: tuple(range(1, SIZE + 1))}


def test_of_decisions_the_last_one_stays(engine: Engine) -> None:
    table = engine.table("SpikeWindows")
    for day in (1, 3, 2):
        decision = Decision(at=START + timedelta(days=day), by="ops", act=Act.CONFIRMED)
        SpikeWindows(engine.connect(), table, RULES).record(
            spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, decision)
        )
    [left] = _stored(engine, table)["judged"]["SS"]
    assert "2026-03-04" in left
