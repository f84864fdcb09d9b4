"""Re-evaluation gives what the present rules and policy would have given from the start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aftersend.core.feedback_set import is_judgeable
from aftersend.core.model import CauseKind, Evidence, Feedback, Kind, Reason
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from tests.support.facts import bounce, fact, fake_source, message
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.reevaluation import POLICIES, RULES, MemoryRecipients, reevaluation, run
from tests.support.strategies import deliveries, feedback, streaks

policies = st.sampled_from(POLICIES)
rules = st.sampled_from(RULES)
anything = feedback() | streaks()


def _assume_judgeable(store: MemoryStore, facts: list[Feedback], old_rules: Classify, new_rules: Classify) -> None:
    """What is not whole any more cannot be judged anew (decision 2).

    So the rules must agree on each such fact, and where one is forgeable, on all that are; `test_what_is_not_whole_…`
    and `test_of_many_bounces_…` have the rest.
    """
    known = [fact for outcome in stored(store).outcomes.values() for fact in outcome.feedback]
    whole = {fact.id for fact in known if is_judgeable(fact) and not (fact.evidence and fact.evidence.judged)}
    forgeable = any(fact.forgeable for fact in known if fact.id not in whole)
    asked = [fact for fact in facts if fact.id not in whole or (forgeable and fact.forgeable)]
    assume(all(old_rules(fact) == new_rules(fact) for fact in asked))


class Killed(BaseException):
    """The function was stopped where it stood."""


class Mortal:
    """A store that lets so many requests through, and then stops whoever asks."""

    def __init__(self, store: MemoryStore, calls: int) -> None:
        self._store, self._calls = store, calls

    def answer(self, request: Any) -> Any:
        if not self._calls:
            raise Killed
        self._calls -= 1
        return self._store.answer(request)


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _ingest(batch: list[Feedback], store: MemoryStore, policy: Policy, judge: Classify) -> None:
    report = ingest(
        [message([each], str(place)) for place, each in enumerate(batch)], ports(store, policy=policy, classify=judge)
    )
    assert not report.failed and not report.unreadable


@given(anything, policies, rules, policies, rules, st.integers(1, 3), st.data())
def test_the_tables_equal_those_of_the_new_rules_from_the_start(
    facts: list[Feedback],
    old: Policy,
    old_rules: Classify,
    new: Policy,
    new_rules: Classify,
    segments: int,
    data: Any,
) -> None:
    """Issue: "for any feedback ingested under policy/rules A and then re-evaluated under B, the tables equal those of
    ingesting all of it under B from the start, in any order".
    """
    store = MemoryStore()
    for batch in data.draw(deliveries(facts)):
        _ingest(batch, store, old, old_rules)
    run(ReevaluationJob(segments=segments), reevaluation(store, new, new_rules))
    _assume_judgeable(store, facts, old_rules, new_rules)
    assert not differences(stored(store), expected(facts, new_rules, new))


@given(anything, policies, rules, policies, rules, st.lists(st.integers(0, 30), max_size=4))
def test_stopped_anywhere_and_begun_again_it_gives_the_same(
    facts: list[Feedback], old: Policy, old_rules: Classify, new: Policy, new_rules: Classify, stops: list[int]
) -> None:
    """Issue: "with crashes in between". Each stop is before some request, and the work then begins from the start."""
    store = MemoryStore()
    _ingest(facts, store, old, old_rules)
    for calls in stops:
        try:
            run(
                ReevaluationJob(segments=1), reevaluation(Mortal(store, calls), new, new_rules, MemoryRecipients(store))
            )
        except Killed:
            continue
    run(ReevaluationJob(segments=1), reevaluation(store, new, new_rules))
    _assume_judgeable(store, facts, old_rules, new_rules)
    assert not differences(stored(store), expected(facts, new_rules, new))


@given(anything, policies, rules, policies, rules, st.data())
def test_feedback_that_comes_in_before_or_after_makes_no_difference(
    facts: list[Feedback], old: Policy, old_rules: Classify, new: Policy, new_rules: Classify, data: Any
) -> None:
    """Some feedback under the old rules, some under the new ones, before and after, some of it in both."""
    store = MemoryStore()
    early, late = (data.draw(st.lists(st.sampled_from(facts), max_size=8)) for _ in range(2))
    _ingest(early, store, old, old_rules)
    _ingest(late, store, new, new_rules)
    run(ReevaluationJob(), reevaluation(store, new, new_rules))
    _ingest(facts, store, new, new_rules)
    _assume_judgeable(store, facts, old_rules, new_rules)
    assert not differences(stored(store), expected(facts, new_rules, new))


@given(anything, policies, rules, policies, rules)
def test_a_second_time_writes_nothing(
    facts: list[Feedback], old: Policy, old_rules: Classify, new: Policy, new_rules: Classify
) -> None:
    """Issue: "idempotent"."""
    store = MemoryStore()
    _ingest(facts, store, old, old_rules)
    run(ReevaluationJob(), reevaluation(store, new, new_rules))
    puts = store.puts
    ends = run(ReevaluationJob(), reevaluation(store, new, new_rules))
    assert store.puts == puts
    assert not [name for end in ends for name in end.changes.counts if name not in ("recipients", "outcomes")]


@given(anything, policies, rules)
def test_the_same_rules_write_nothing(facts: list[Feedback], same: Policy, same_rules: Classify) -> None:
    store = MemoryStore()
    _ingest(facts, store, same, same_rules)
    puts = store.puts
    run(ReevaluationJob(), reevaluation(store, same, same_rules))
    assert store.puts == puts


@given(anything, policies, rules, policies, rules)
def test_a_dry_run_writes_nothing_and_says_what_would_be_written(
    facts: list[Feedback], old: Policy, old_rules: Classify, new: Policy, new_rules: Classify
) -> None:
    """Issue: "dry run that reports what would change without writing"."""
    store = MemoryStore()
    _ingest(facts, store, old, old_rules)
    before, puts = stored(store), store.puts
    dry = run(ReevaluationJob(dry_run=True), reevaluation(store, new, new_rules))
    assert store.puts == puts
    assert stored(store) == before
    wet = run(ReevaluationJob(), reevaluation(store, new, new_rules))
    assert [each.changes for each in dry] == [each.changes for each in wet]
    assert bool(store.puts - puts) == any("changed" in name for each in wet for name in each.changes.counts)


def test_what_is_not_whole_any_more_stays_judged_as_it_was() -> None:
    """Of two forged refusals of one vouched message, the last is judged anew, and the first is not."""
    first, last = (
        fact(Kind.REJECTED, day, evidence=Evidence(provider_code=code, forgeable=True))
        for day, code in ((0, "hard"), (0.5, "block"))
    )
    store = MemoryStore()
    _ingest([fact(Kind.SENT), first, last], store, POLICIES[0], RULES[0])
    run(ReevaluationJob(), reevaluation(store, POLICIES[0], RULES[2]))  # which calls soft what was hard
    tables = stored(store)
    (outcome,), (row,) = tables.outcomes.values(), tables.suppressions.values()
    assert [each.evidence.judged and each.evidence.judged.reason for each in outcome.feedback if each.evidence] == [
        Reason.USER_UNKNOWN,
        None,
    ]
    assert [(kind, cause.latest.feedback) for kind, cause in row.causes.items() if cause.latest] == [
        (CauseKind.HARD, first.id)
    ]


def test_of_many_bounces_those_between_are_not_judged_anew() -> None:
    """Of five bounces the fourth keeps only that it happened; whom it has suppressed stays suppressed."""
    bounces = [bounce(day, "hard" if day == 3 else "soft") for day in range(5)]
    store = MemoryStore()
    for each in bounces:
        _ingest([each], store, POLICIES[0], RULES[0])
    before = stored(store).suppressions
    assert before
    run(ReevaluationJob(), reevaluation(store, POLICIES[0], RULES[2]))  # which calls soft what was hard
    assert stored(store).suppressions == before
