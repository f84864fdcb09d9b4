"""Counters are exact: whatever a stream delivers, and however badly, they equal a recount from scratch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend.core import policy, statistics
from aftersend.core.erasure import make_alias, merge_into_alias, strip_suppressions
from aftersend.core.model import Act, Decision, Feedback, Suppression
from aftersend.core.statistics import CounterRow, Counts, Gone, sum_rows
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from tests.support.facts import classify, fake_source, message
from tests.support.ports import NOW, ports
from tests.support.reevaluation import reevaluation, run
from tests.support.strategies import SHORT, feedback
from tests.support.streams import StreamWorld

STREAMS = policy.load('[streams]\n"news@example.com" = "news"\n"*" = "others"').find_stream
STRICT = policy.load("[streak]\nbounces = 2\napart_hours = 24\ngap_days = 3\n[hard]\nlapse_days = 9")
KEY = b"a key of a deployment"


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


@pytest.fixture(scope="module", autouse=True)
def _little_room() -> Iterator[None]:
    """Days with more values than have room must be common."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "MAX_VALUES", 1)
        patch.setattr(statistics, "MAX_ROWS", 25)
        patch.setattr(statistics, "MAX_CELLS", 4)
        yield


class History:
    """What happens to the tables: feedback, people's decisions, other rules, erasure, and time."""

    def __init__(self, world: StreamWorld, random: Random) -> None:
        self.world, self.store, self._random = world, world.store, random

    def ingest(self, facts: list[Feedback]) -> None:
        bodies = [message([each], str(number)) for number, each in enumerate(facts)]
        report = ingest(bodies, ports(self.store, policy=SHORT))
        assert not report.failed and not report.unreadable

    def release(self) -> None:
        if rows := self._suppressions():
            force = self._random.random() < 0.5
            self._update(self._random.choice(rows), Decision(at=NOW, by="a person", act=Act.RELEASED, force=force))

    def reevaluate(self) -> None:
        run(ReevaluationJob(), reevaluation(self.store, self._random.choice([STRICT, SHORT]), classify))

    def expire(self) -> None:
        if rows := self.store.list_rows():
            self.store.remove(self._random.choice(rows), by_ttl=True)

    def erase(self) -> None:
        """What an erasure does to the tables: rows of the alias first, then nothing of the person."""
        rows = self.store.list_rows()
        if not rows:
            return
        who = self._random.choice(rows).recipient
        alias = make_alias(who, KEY)
        mine = [row for row in rows if row.recipient == who]
        own = [row for row in mine if isinstance(row, Suppression)]
        for stripped in strip_suppressions(own, alias, NOW):
            (of_scope,) = [row for row in own if row.scope == stripped.scope]
            known = self.store.get_suppressions([stripped.key]).get(stripped.key)
            claims = merge_into_alias(stripped, of_scope, known or Suppression(recipient=alias, scope=stripped.scope))
            self._drive(update_suppression(SuppressionUpdate(stripped.key, claims=tuple(claims)), known, SHORT))
        for row in mine:
            self.store.remove(row, by_ttl=False)

    def _suppressions(self) -> list[Suppression]:
        return [row for row in self.store.list_rows() if isinstance(row, Suppression)]

    def _update(self, row: Suppression, decision: Decision) -> None:
        self._drive(update_suppression(SuppressionUpdate(row.key, decisions=(decision,)), row, SHORT))

    def _drive(self, steps: Any) -> None:
        answer: Any = None
        while True:
            try:
                answer = self.store.answer(steps.send(answer))
            except StopIteration:
                return


@settings(max_examples=40)
@given(feedback(max_size=20), st.randoms(use_true_random=False))
def test_counters_equal_a_recount_whatever_is_delivered(facts: list[Feedback], random: Random) -> None:
    """Issue: "equal to a recount from scratch after any order, repeats, crashes, re-evaluation and release; what
    expired or was erased stays in history, nameless (live + gone = counted)."
    """
    world = StreamWorld(random, random.choice([0, 0.3, 0.6]), STREAMS)
    history = History(world, random)
    happens = [history.release, history.reevaluate, history.expire, history.erase, world.store.split]
    while facts:
        size = random.randint(1, 6)
        batch, facts = facts[:size], facts[size:]
        history.ingest(batch)
        for _ in range(random.randint(0, 2)):
            random.choice(happens)()
        if random.random() < 0.6:
            world.deliver()
    world.deliver()
    assert not world.find_disagreements()
    stored = world.read()
    for why in Gone:
        left = [row for row, by_ttl in world.store.removed if by_ttl == (why is Gone.EXPIRED)]
        assert _sum_values(stored, why) == _sum_values(sum_rows(left, STREAMS)), "what has left the tables is not lost"


def _sum_values(rows: Mapping[CounterRow, Counts], gone: Gone | None = None) -> dict[Any, int]:
    """Counters of what is gone, or of all, over all values: senders' values may have had no room."""
    total: Counter[Any] = Counter()
    for row, cells in rows.items():
        if row.gone is gone:
            for cell, number in cells.items():
                total[cell._replace(value="")] += number
    return {cell: number for cell, number in total.items() if number}
