"""Laws 3 and 4 against the clock: whatever time a function has left, it hands back the rest and loses nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.model import BY_MAIL, Evidence, Feedback, Kind
from aftersend.core.writes import Answer, Put, Request
from aftersend.ingest import MARGIN, ingest
from aftersend.sources.lambda_event import read_messages
from aftersend.sources.message import Message
from tests.support.facts import bounce, classify, fact, fake_source, message
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT, feedback, firsthand, reports


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _countdown(clocks: list[float]) -> Callable[[], float]:
    """Time that runs out after an arbitrary number of looks at the clock."""
    left = itertools.chain(clocks, itertools.repeat(0.0))
    return lambda: next(left)


@given(feedback() | reports() | firsthand(), st.data())
def test_whatever_time_is_left_nothing_is_lost_and_all_is_done_in_the_end(
    given_facts: list[Feedback], data: st.DataObject
) -> None:
    """Law 4: what is handed back comes again and gives the same tables; each turn works one message at least."""
    store = MemoryStore()
    waiting = [message([each], str(number)) for number, each in enumerate(given_facts)]
    for turn in itertools.count():
        clocks = data.draw(st.lists(st.sampled_from([60.0, 40.0, MARGIN + 1, MARGIN - 1]), max_size=30))
        report = ingest(waiting, ports(store, policy=SHORT), _countdown(sorted(clocks, reverse=True)))
        assert not report.failed and not report.unreadable
        assert set(report.unfinished) == report.handed_back
        assert len(report.handed_back) < len(waiting)
        waiting = [each for each in waiting if each.id in report.handed_back]
        if not waiting:
            break
        assert turn < len(given_facts)
    assert not differences(stored(store), expected(given_facts, classify, SHORT))


BATCH: Final = 10  # mails at a time: see template.yaml
RECEIVES: Final = 8  # and how often each is tried


class _Slow(MemoryStore):
    """A store, and a clock that each request moves on."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.now = seconds, 0.0

    def answer(self, request: Request) -> Answer:
        if isinstance(request, Put):
            self.now += self.seconds
        return super().answer(request)


def _compute_remaining(store: _Slow, began: float) -> float:
    return 60 - (store.now - began)


@pytest.mark.parametrize("seed", range(20))
def test_slow_mails_bring_no_genuine_one_into_the_dead_letters(seed: int) -> None:
    """A stranger's mails of 20 recipients each between genuine reports; a write takes half a second."""
    random, store = Random(seed), _Slow(0.5)
    forged = Evidence(provider_code="hard", forgeable=True)
    slow = [
        [fact(Kind.BOUNCED, message=f"m:{n}", recipient=f"email:{n}.{i}@example.org", evidence=forged, source=BY_MAIL)
         for i in range(20)]
        for n in range(60)
    ]  # fmt: skip
    genuine = [[bounce(1, "hard", f"test:{n}", recipient=f"email:{n}@example.com")] for n in range(20)]
    queue = {str(n): facts for n, facts in enumerate(random.sample(slow + genuine, len(slow + genuine)))}
    received = Counter[str]()
    came_back = 0
    while queue:
        taken = random.sample(sorted(queue), min(BATCH, len(queue)))
        records = []
        for id_ in taken:
            received[id_] += 1
            assert received[id_] <= RECEIVES, "a dead letter"
            records.append(_record(message(queue[id_], id_), received[id_]))
        began = store.now
        remaining = partial(_compute_remaining, store, began)
        report = ingest(
            read_messages({"Records": records}, "test"),
            ports(store, policy=SHORT),
            remaining,
        )
        assert not report.failed
        assert store.now - began < 60, "Lambda would have stopped it"
        came_back += len(report.handed_back)
        for id_ in taken:
            if id_ not in report.handed_back:
                del queue[id_]
    assert came_back > len(genuine), "else this proves nothing"
    reported = [each for facts in slow + genuine for each in facts]
    assert not differences(stored(store), expected(reported, classify, SHORT))


def _record(sent: Message, receives: int) -> dict[str, object]:
    return {
        "eventSource": "aws:sqs",
        "messageId": sent.id,
        "body": sent.body.decode(),
        "attributes": {"SentTimestamp": "1772359200000", "ApproximateReceiveCount": str(receives)},
    }


def test_what_was_handed_back_most_often_is_worked_first() -> None:
    records = [_record(message([], str(n)), receives) for n, receives in enumerate([1, 3, 2, 3])]
    assert [each.id for each in read_messages({"Records": records}, "test")] == ["1", "3", "2", "0"]


def test_what_is_handed_back_has_not_failed_and_is_counted_by_itself() -> None:
    bodies = [message([bounce(1, message=f"test:{n}", recipient=f"email:{n}@example.com")], str(n)) for n in range(3)]
    report = ingest(bodies, ports(MemoryStore()), _countdown([60.0]))
    assert (report.failed, report.handed_back) == ({}, {"1", "2"})
    assert report.sum_by_source()["test"]["HandedBack"] == 2
    assert "Failed" not in report.sum_by_source()["test"]
