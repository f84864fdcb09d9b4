"""Every interleaving of a re-evaluation with functions that process feedback under the rules that it brings.

What is stored already was stored under other rules. `tests.support.explorer` visits every state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.core.model import Act, Decision, Evidence, Feedback, Kind
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.writes import Put, Refused, SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import reevaluate_recipient
from tests.support.explorer import Explorer, Worker
from tests.support.facts import ANN, START, bounce, classify, fact, fake_source, message
from tests.support.oracle import Tables, differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.reevaluation import RULES, MemoryRecipients, reevaluation

Batch = Sequence[Feedback]

TRUSTING = policy.load("[report]\nrequire_proof = false")
STRICT = policy.load()
AT_ONCE = policy.load("[streak]\nbounces = 2")
EVERYWHERE = policy.load("[unsubscribed]\neverywhere = true")
SOFT_IS_HARD, HARD_IS_SOFT = RULES[1], RULES[2]

FOUR = [bounce(2 * number, message=f"test:{number}") for number in range(4)]
FIFTH = bounce(8, message="test:4")
LATE = fact(Kind.DELIVERED, 9, message="test:6")
OPENED = fact(Kind.OPENED, 9, message="test:0")
HARD = [bounce(1, "hard"), bounce(5, "hard", "test:2")]


def _left(day: float, number: int, *, forgeable: bool = False) -> Feedback:
    evidence = Evidence(forgeable=forgeable)
    return fact(Kind.UNSUBSCRIBED, day, message=f"test:{number}", scope="news", evidence=evidence)


def _reported(day: float, word: str, name: str) -> Feedback:
    return bounce(day, message=name, evidence=Evidence(provider_code=word, forgeable=True))


class Case(NamedTuple):
    """What was stored under the old rules, and who works at the same time under the new ones."""

    before: Batch
    old: tuple[Policy, Classify]
    new: tuple[Policy, Classify]
    batches: Sequence[Batch]  # that functions work meanwhile
    suppressed: str  # what must stand at the end, from hand: scope and causes
    walkers: int = 1


CASES = {
    "nothing else": Case(HARD, (STRICT, classify), (STRICT, HARD_IS_SOFT), [], ""),
    "two re-evaluations": Case(HARD, (STRICT, classify), (STRICT, HARD_IS_SOFT), [], "", walkers=2),
    "soft turns hard, and a delivery": Case(
        FOUR[:2], (STRICT, classify), (STRICT, SOFT_IS_HARD), [[LATE]], "*: hard"
    ),
    "hard turns soft, and a hard one between the marks": Case(
        HARD, (STRICT, classify), (STRICT, RULES[3]), [[bounce(3, "soft", "test:3")]], "*: provider"
    ),
    "what was hard no longer is, and something else is, between its marks": Case(
        HARD, (STRICT, classify), (STRICT, HARD_IS_SOFT), [[bounce(3, "listed", "test:3")]], "*: hard"
    ),
    "what was hard no longer is, and a report by mail is, between its marks": Case(
        HARD, (STRICT, classify), (STRICT, HARD_IS_SOFT),
        [[fact(Kind.SENT, 0, message="test:3"), _reported(3, "listed", "test:3")]], "*: hard",
    ),
    "a shorter streak, and a bounce": Case(FOUR[:1], (STRICT, classify), (AT_ONCE, classify), [[FOUR[1]]], "*: streak"),
    "a shorter streak, and what ends it": Case(FOUR[:2], (STRICT, classify), (AT_ONCE, classify), [[LATE]], ""),
    "a longer streak, and its end": Case(FOUR[:2], (AT_ONCE, classify), (STRICT, classify), [[FOUR[2]], [LATE]], ""),
    "a longer streak that grows": Case(
        FOUR, (AT_ONCE, classify), (STRICT, classify), [[FIFTH], [OPENED]], ""
    ),
    "a stream that is left meanwhile, between forgeries": Case(
        [_left(1, 1, forgeable=True), _left(5, 2, forgeable=True)],
        (TRUSTING, classify), (STRICT, classify), [[_left(3, 3)]], "news: unsubscribed",
    ),
    "forgeries, and what vouches for one": Case(
        [_left(1, 1, forgeable=True), _left(5, 2, forgeable=True)],
        (TRUSTING, classify), (STRICT, classify), [[fact(Kind.SENT, 0, message="test:1")]], "news: unsubscribed",
    ),
    "one stream is now all of them": Case(
        [_left(1, 1)], (STRICT, classify), (EVERYWHERE, classify), [[_left(3, 3)]], "*: unsubscribed"
    ),
    "all streams are now one": Case(
        [_left(1, 1)], (EVERYWHERE, classify), (STRICT, classify), [[_left(3, 3)]], "news: unsubscribed"
    ),
    "a stream is joined again": Case(
        [_left(1, 1)], (EVERYWHERE, classify), (STRICT, classify),
        [[fact(Kind.SUBSCRIBED, 3, message="test:3", scope="news")]], "news: unsubscribed",
    ),
    "the outcome itself grows": Case(
        [bounce(1, "hard")], (STRICT, classify), (STRICT, HARD_IS_SOFT),
        [[fact(Kind.COMPLAINED, 3), fact(Kind.OPENED, 2)]], "*: complaint",
    ),
    "hard stays hard, and is contradicted": Case(
        HARD[:1], (TRUSTING, classify), (STRICT, SOFT_IS_HARD), [[LATE], [bounce(4, "soft", "test:5")]], "*: hard"
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _process(facts: Batch, rules: tuple[Policy, Classify], store: Any) -> None:
    report = ingest([message(facts)], ports(store, policy=rules[0], classify=rules[1]))
    assert not report.failed and not report.unreadable


def _reevaluate(rules: tuple[Policy, Classify], store: Any) -> object:
    return reevaluate_recipient(ANN, reevaluation(store, *rules, MemoryRecipients(store)))


def _store(case: Case) -> MemoryStore:
    store = MemoryStore()
    for each in case.before:
        _process([each], case.old, store)
    return store


def _workers(case: Case) -> list[Worker]:
    walkers: list[Worker] = [partial(_reevaluate, case.new) for _ in range(case.walkers)]
    return [*walkers, *(partial(_process, batch, case.new) for batch in case.batches)]


def _right(case: Case) -> Tables:
    policy_, judge = case.new
    return expected([*case.before, *(each for batch in case.batches for each in batch)], judge, policy_)


def _explored(explorer: Explorer, right: Tables) -> int:
    for state in explorer.ends().values():
        wrong = differences(stored(explorer.store(state)), right)
        assert not wrong, "\n".join([*explorer.trace(state), "left, and should have left:", *wrong])
    return explorer.visited


@pytest.mark.parametrize("name", CASES)
def test_every_interleaving_gives_the_tables_of_the_new_rules(name: str) -> None:
    case = CASES[name]
    right = _right(case)
    found = [f"{key[1]}: {' '.join(sorted(row.causes))}" for key, row in right.suppressions.items()]
    assert " ".join(found) == case.suppressed, "what is right is wrong"
    assert differences(stored(_store(case)), right), "nothing is to be done"
    assert _explored(Explorer(_workers(case), _store(case)), right) > {1: 5, 2: 40, 3: 400}[len(_workers(case))]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if len(_workers(case)) < 3])
def test_a_crash_before_any_step_heals_when_the_message_comes_again(name: str) -> None:
    case = CASES[name]
    without = Explorer(_workers(case), _store(case))
    without.ends()
    assert _explored(Explorer(_workers(case), _store(case), crashes=2), _right(case)) > without.visited


def _release(rules: Policy, store: Any) -> None:
    """A person lifts the suppression as of day 9."""
    key = ANN, "*"
    release = Decision(at=RELEASED, by="a person", act=Act.RELEASED)
    steps = update_suppression(
        SuppressionUpdate(key, recount=True, decisions=(release,)), store.get_suppressions([key]).get(key), rules
    )
    answer = None
    try:
        while True:
            answer = store.answer(steps.send(answer))
    except StopIteration:
        return


RELEASED = START.replace(day=10)


@pytest.mark.parametrize("late", [8, 20])
def test_a_release_at_the_same_time_neither_loses_nor_is_lost(late: int) -> None:
    facts = [bounce(1), bounce(late, message="test:2")]
    store = MemoryStore()
    _process(facts, (STRICT, classify), store)
    right = expected(facts, SOFT_IS_HARD, STRICT, {(ANN, "*"): RELEASED})
    explorer = Explorer([partial(_reevaluate, (STRICT, SOFT_IS_HARD)), partial(_release, STRICT)], store)
    for state in explorer.ends().values():
        found = stored(explorer.store(state))
        row = found.suppressions[ANN, "*"]
        found.suppressions[ANN, "*"] = replace(row, released_by=None, history=())
        wrong = differences(found, right)
        assert not wrong, "\n".join([*explorer.trace(state), *wrong])
    assert explorer.visited > 20


def _without_second_look(*arguments: Any) -> Any:
    """`update_suppression`, but it ends with its first write."""
    steps, answer = update_suppression(*arguments), None
    try:
        while True:
            request = steps.send(answer)
            answer = yield request
            if isinstance(request, Put) and not isinstance(answer, Refused):
                return request.item
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize(
    "name",
    [
        "a stream that is left meanwhile, between forgeries",
        "what was hard no longer is, and a report by mail is, between its marks",
    ],
)
def test_without_a_second_look_evidence_would_be_lost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds nothing to write relies on what is there; whoever takes that away must look again."""
    monkeypatch.setattr("aftersend.jobs.reevaluate.update_suppression", _without_second_look)
    case = CASES[name]
    explorer = Explorer(_workers(case), _store(case))
    found = [stored(explorer.store(state)) for state in explorer.ends().values()]
    assert _right(case) in found
    assert any(each != _right(case) for each in found)
