"""Every interleaving of two and of three concurrent functions, with and without crashes: the tables are always equal.

What runs is `ingest` itself, from the reading of stored outcomes (which may be stale when they are used) to the last
look at the suppressions; `tests.support.explorer` visits every state that its calls can reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from aftersend.core import policy, writes
from aftersend.core.model import Act, Decision, Evidence, Feedback, Kind, Suppression
from aftersend.core.policy import Policy
from aftersend.core.writes import Put, Refused, SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from tests.support.explorer import Explorer, Worker
from tests.support.facts import ANN, START, bounce, classify, fact, fake_source, message
from tests.support.oracle import Tables, differences, expected, stored
from tests.support.ports import MemoryStore, ports

POLICY = policy.load()
Batch = Sequence[Feedback]

FOUR = [bounce(2 * number, message=f"test:{number}") for number in range(4)]
FIVE = [*FOUR, bounce(8, message="test:4")]
FIFTH, SIXTH = bounce(8, message="test:4"), bounce(10, message="test:5")
LATE = fact(Kind.DELIVERED, 9, message="test:6")  # after the fifth bounce
EARLY = fact(Kind.DELIVERED, 7, message="test:6")  # between the fourth and the fifth
OPENED = fact(Kind.OPENED, 9, message="test:0")
FORGED = bounce(8, message="test:4", evidence=Evidence(provider_code="hard", forgeable=True))
FORGED_FIFTH = bounce(8, message="test:4", evidence=Evidence(provider_code="soft", forgeable=True))


class Case(NamedTuple):
    """What is stored already, and what each of the workers gets at the same time."""

    before: Batch
    workers: Sequence[Batch]
    suppressed: str  # what must stand at the end, from hand


CASES = {
    "two soft bounces, the fourth and the fifth": Case(FOUR[:3], [FOUR[3:], [FIFTH]], "streak"),
    "the fifth and the sixth": Case(FOUR, [[FIFTH], [SIXTH]], "streak"),
    "two soft bounces of one message": Case(FOUR, [[FIFTH], [bounce(9, message="test:4")]], "streak"),
    "the fifth, and a delivery after it": Case(FOUR, [[FIFTH], [LATE]], ""),
    "the fifth, and a delivery before it": Case(FOUR, [[FIFTH], [EARLY]], ""),
    "the fifth, and an opening after it": Case(FOUR, [[FIFTH], [OPENED]], ""),
    "the fifth, and its own delivery": Case(FOUR, [[FIFTH], [fact(Kind.DELIVERED, 7, message="test:4")]], "streak"),
    "the fifth, then hard in the same message": Case(FOUR, [[FIFTH], [bounce(9, "hard", "test:4")]], "hard"),
    "the fifth, and a hard one elsewhere": Case(FOUR, [[FIFTH], [bounce(9, "hard", "test:7")]], "hard streak"),
    "hard and a complaint": Case(
        [], [[bounce(1, "hard")], [fact(Kind.COMPLAINED, 2, message="test:1")]], "complaint hard"
    ),
    "hard, and a delivery after it": Case([], [[bounce(1, "hard")], [LATE]], "hard"),
    "hard, and a delivery before it": Case([], [[bounce(9.5, "hard")], [LATE]], "hard"),
    "hard twice, and a delivery between": Case([bounce(1, "hard")], [[LATE], [bounce(9.5, "hard", "test:8")]], "hard"),
    "hard, and two deliveries": Case(
        [], [[bounce(1, "hard")], [LATE], [fact(Kind.DELIVERED, 3, message="test:8")]], "hard"
    ),
    "hard, the fifth, and a delivery": Case(FOUR, [[bounce(1, "hard", "test:7")], [FIFTH], [LATE]], "hard"),
    "hard, and a delivery that is taken back": Case(
        [LATE], [[bounce(1, "hard")], [bounce(9.5, "block", "test:6")]], "hard"
    ),
    "on the provider's list, and hard": Case([], [[bounce(1, "listed")], [bounce(2, "hard")]], "hard provider"),
    "a complaint and its withdrawal": Case(
        [], [[fact(Kind.COMPLAINED, 1)], [fact(Kind.COMPLAINT_WITHDRAWN, 2)]], "complaint"
    ),
    "the fifth, and a complaint about it": Case(
        FOUR, [[FIFTH], [fact(Kind.COMPLAINED, 9, message="test:4")]], "complaint"
    ),
    "a standing streak, and two deliveries": Case(FIVE, [[LATE], [fact(Kind.DELIVERED, 11, message="test:8")]], ""),
    "a standing streak, a delivery and the sixth": Case(FIVE, [[LATE], [SIXTH]], ""),
    "a standing streak, a delivery that is taken back": Case(
        FIVE, [[LATE], [bounce(9.5, "block", "test:6")]], "streak"
    ),
    "a delivery that was stored is taken back": Case(
        [*FIVE, LATE], [[bounce(9.5, "block", "test:6")], [SIXTH]], "streak"
    ),
    "a delivery that is called spam": Case(
        [*FOUR, LATE], [[FIFTH], [fact(Kind.COMPLAINED, 10, message="test:6")]], "complaint"
    ),
    "the same twice": Case(FOUR, [[FIFTH], [FIFTH]], "streak"),
    "two batches of two": Case(FOUR[:3], [[FOUR[3], LATE], [FIFTH, SIXTH]], ""),
    "a forgery and what vouches for its message": Case(
        [], [[FORGED], [fact(Kind.SENT, 0, message="test:4"), fact(Kind.SENT, 0, message="test:5")]], "hard"
    ),
    "a forgery, what vouches for its message, and a complaint": Case(
        [], [[FORGED], [fact(Kind.SENT, 0, message="test:4")], [fact(Kind.COMPLAINED, 1)]], "complaint hard"
    ),
    "a forgery of the fifth and what vouches for it": Case(
        FOUR, [[FORGED_FIFTH], [fact(Kind.SENT, 0, message="test:4")]], "streak"
    ),
    "three soft bounces": Case(FOUR[:2], [FOUR[2:3], FOUR[3:], [FIFTH]], "streak"),
    "three, one a delivery": Case(FOUR[:3], [FOUR[3:], [FIFTH], [LATE]], ""),
    "three, one a delivery that is taken back": Case(
        FOUR, [[FIFTH], [LATE], [bounce(9.5, "block", "test:6")]], "streak"
    ),
    "three of one message": Case(
        [], [[FIFTH], [bounce(9, "hard", "test:4")], [fact(Kind.COMPLAINED, 10, message="test:4")]], "complaint hard"
    ),
    "the same three times": Case(FOUR, [[FIFTH], [FIFTH], [FIFTH]], "streak"),
}


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _work(facts: Batch, store: Any) -> object:
    report = ingest([message(facts)], ports(store, policy=POLICY))
    assert not report.failed and not report.unreadable
    return report


def _store(before: Batch) -> MemoryStore:
    store = MemoryStore()
    for each in before:
        _work([each], store)
    return store


def _explored(explorer: Explorer, right: Tables) -> int:
    """The number of states; fails with the calls that led to a wrong end."""
    for state in explorer.ends().values():
        wrong = differences(stored(explorer.store(state)), right)
        assert not wrong, "\n".join([*explorer.trace(state), "left, and should have left:", *wrong])
    return explorer.visited


@pytest.mark.parametrize("name", CASES)
def test_every_interleaving_gives_the_same_tables(name: str) -> None:
    """Law 3: "Any split of the feedback into batches, processed one after another or at once by concurrent functions,
    gives the same tables."
    """
    case = CASES[name]
    right = expected([*case.before, *(each for batch in case.workers for each in batch)], classify, POLICY)
    workers: list[Worker] = [partial(_work, batch) for batch in case.workers]
    states = _explored(Explorer(workers, _store(case.before)), right)
    assert states > {2: 20, 3: 200}[len(workers)]
    suppression = right.suppressions.get((ANN, "*"))
    assert " ".join(sorted(suppression.causes if suppression else ())) == case.suppressed


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if len(case.workers) == 2])
def test_a_crash_before_any_step_of_any_worker_heals_when_the_batch_comes_again(name: str) -> None:
    """Law 4: "A crash between any two writes, followed by redelivery, gives the same tables."""
    case = CASES[name]
    right = expected([*case.before, *(each for batch in case.workers for each in batch)], classify, POLICY)
    workers: list[Worker] = [partial(_work, batch) for batch in case.workers]
    without = Explorer(workers, _store(case.before))
    without.ends()
    assert _explored(Explorer(workers, _store(case.before), crashes=2), right) > 2 * without.visited


def _release(store: Any) -> None:
    """A person lifts the suppression as of day 9, and the streak is computed again."""
    key = ANN, "*"
    release = Decision(at=RELEASED, by="a person", act=Act.RELEASED)
    current = store.get_suppressions([key]).get(key)
    steps, answer = (
        update_suppression(SuppressionUpdate(key, recount=True, decisions=(release,)), current, POLICY),
        None,
    )
    try:
        while True:
            answer = store.answer(steps.send(answer))
    except StopIteration:
        return


RELEASED = START + timedelta(days=9)


@pytest.mark.parametrize("arrival", [FIFTH, SIXTH, bounce(9.5, "hard", "test:9"), LATE])
def test_a_release_at_the_same_time_neither_loses_nor_is_lost(arrival: Feedback) -> None:
    """Design, words: "later evidence can suppress again, older evidence cannot"."""
    right = expected([*FIVE, arrival], classify, POLICY, {(ANN, "*"): RELEASED})
    explorer = Explorer([partial(_work, [arrival]), _release], _store(FIVE))
    for state in explorer.ends().values():
        found = stored(explorer.store(state))
        row = found.suppressions[ANN, "*"]
        found.suppressions[ANN, "*"] = replace(row, released_by=None, history=())
        wrong = differences(found, right)
        assert not wrong, "\n".join([*explorer.trace(state), *wrong])
    assert explorer.visited > 25


def _unannounced(suppression: Suppression, update: SuppressionUpdate, policy_: Policy) -> Any:
    """`writes._look`, but all outcomes are read before anybody can know that signs of life matter."""
    after = yield from _LOOK(suppression, update, policy_)
    if after.life is not None and after.life.pending:
        after = yield from _LOOK(after, update, policy_)
    return after


_LOOK = writes._look


def _overruled(*arguments: Any) -> Any:
    """`update_suppression`, but what it computed from outcomes is not looked at once more."""
    steps, answer = update_suppression(*arguments), None
    try:
        while True:
            request = steps.send(answer)
            answer = yield request
            item = request.item if isinstance(request, Put) and not isinstance(answer, Refused) else None
            if isinstance(item, Suppression) and not (item.life and item.life.pending):
                return item
    except StopIteration as end:
        return end.value


def _stubborn(*arguments: Any) -> Any:
    """`update_suppression`, but where its write is refused it writes the same over the newer version."""
    steps, answer = update_suppression(*arguments), None
    try:
        while True:
            request = steps.send(answer)
            answer = yield request
            while isinstance(request, Put) and isinstance(answer, Refused):
                version = answer.current.version if answer.current else 0
                answer = yield Put(replace(request.item, version=version + 1))
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize(
    ("where", "broken", "name"),
    [
        ("core.writes._look", _unannounced, "the fifth, and a delivery after it"),
        ("ingest.update_suppression", _overruled, "a standing streak, a delivery that is taken back"),
        ("ingest.update_suppression", _stubborn, "hard and a complaint"),
    ],
)
def test_the_exploration_finds_what_a_weaker_protocol_gets_wrong(
    where: str, broken: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule of `writes.update_suppression` is needed: without it some interleaving goes wrong, and it is found."""
    monkeypatch.setattr(f"aftersend.{where}", broken)
    case = CASES[name]
    right = expected([*case.before, *(each for batch in case.workers for each in batch)], classify, POLICY)
    explorer = Explorer([partial(_work, batch) for batch in case.workers], _store(case.before))
    found = [stored(explorer.store(state)) for state in explorer.ends().values()]
    assert right in found
    assert any(each != right for each in found)
