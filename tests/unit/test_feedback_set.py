"""The set of facts: bounds that no order can change, and copies that are joined field by field."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend import classify
from aftersend.core.feedback_set import (
    BOUNDS,
    CORRELATIONS,
    LINE,
    SCOPES,
    WHOLE,
    is_judgeable,
    join,
    merge_contexts,
)
from aftersend.core.feedback_set import union as unite
from aftersend.core.model import Class, Context, Engagement, Evidence, Feedback, Kind
from tests.support.facts import START, bounce, fact
from tests.support.facts import classify as judge
from tests.support.strategies import full_evidence


def union(stored: tuple[Feedback, ...], new: Iterable[Feedback]) -> tuple[Feedback, ...]:
    return unite(stored, new, judge)


def _many(kind: Kind, count: int) -> list[Feedback]:
    """`count` facts of one kind, an hour apart, each with a text of its own."""
    return [fact(kind, number / 24, evidence=Evidence(text=f"text {number}", code=550)) for number in range(count)]


def test_an_outcome_holds_64_facts_that_decide_and_32_each_of_opens_and_clicks() -> None:
    assert set(BOUNDS) == set(Kind)
    assert sum(bound for kind, bound in BOUNDS.items() if kind not in (Kind.OPENED, Kind.CLICKED)) == 64
    assert BOUNDS[Kind.OPENED] == BOUNDS[Kind.CLICKED] == 32


@pytest.mark.parametrize("kind", Kind)
def test_of_each_kind_the_earliest_and_the_very_last_stay(kind: Kind) -> None:
    """Design §4: "kept by a rule that is itself order-free (smallest ids by (occurred_at, id), plus the exact first and
    last)".
    """
    facts, bound = _many(kind, BOUNDS[kind] + 5), BOUNDS[kind]
    left = [each.id for each in union((), facts)]
    assert left == [each.id for each in [*facts[: bound - 1], facts[-1]]]


@pytest.mark.parametrize("kind", Kind)
@given(data=st.data())
def test_the_bound_takes_facts_in_any_order_and_grouping(kind: Kind, data: st.DataObject) -> None:
    """Law 1 and law 3, beyond the bound: what one writer drops, every other writer drops too."""
    facts = _many(kind, BOUNDS[kind] + 4)
    at_once = union((), facts)
    grown: tuple[Feedback, ...] = ()
    shuffled = data.draw(st.permutations(facts))
    step = data.draw(st.integers(1, len(facts)))
    for start in range(0, len(shuffled), step):
        grown = union(grown, shuffled[start : start + step])
    assert grown == at_once
    assert union(at_once, facts) == at_once


def test_a_proof_that_comes_late_is_as_good_as_one_that_comes_early() -> None:
    """Law 1: one report came by two ways, of which one could be forged; others that could be forged crowd around it."""
    forged = [bounce(day, evidence=Evidence(text=f"text {day}", forgeable=True)) for day in range(7)]
    for proven in (bounce(day, evidence=Evidence(text=f"text {day}")) for day in range(7)):
        assert union(union((), forged), [proven]) == union(union((), [proven]), forged)


def test_what_could_be_forged_pushes_nothing_out() -> None:
    """No stranger may choose what is known: forgeries of any number leave the real facts their places."""
    real = _many(Kind.BOUNCED, BOUNDS[Kind.BOUNCED])
    forged = [bounce(number / 50, evidence=Evidence(text=f"no {number}", forgeable=True)) for number in range(200)]
    kept = union((), [*real, *forged])
    assert {each.id for each in kept} >= {each.id for each in real}
    assert len(kept) == len(real) + 2


def _report(kind: Kind, day: float, word: str = "soft", **others: Any) -> Feedback:
    evidence = Evidence(provider_code=word, text=f"{word} {day}", forgeable=True)
    return fact(kind, day, evidence=evidence, **others)


def test_of_reports_the_first_and_the_last_of_each_meaning_stay_and_say_what_they_meant() -> None:
    """However many delays and lies come between; what is cut out of one cannot be judged again."""
    reports = [_report(Kind.BOUNCED, day / 4, word) for day in range(8) for word in ("soft", "hard", "listed", "block")]
    kept = union((), [*reports, *(_report(Kind.DEFERRED, day) for day in range(20))])
    bounces = [each for each in kept if each.kind is Kind.BOUNCED]
    verdicts = {each.id: judge(each) for each in bounces}
    for word in ("hard", "listed"):
        ends = [each for each in reports if each.evidence and each.evidence.provider_code == word]
        assert {verdicts[end.id] for end in (ends[0], ends[-1])} == {judge(ends[0])}
    assert len(kept) == 6 + 2
    assert [is_judgeable(each) for each in bounces] == [False] * 5 + [True]


def test_reports_may_be_about_so_many_streams() -> None:
    reports = [_report(Kind.COMPLAINED, day, scope=f"stream{day % 5}") for day in range(20)]
    kept = union((), reports)
    assert {each.scope for each in kept} == {f"stream{number}" for number in range(SCOPES)}
    assert len(kept) == 2 * SCOPES


def test_kinds_do_not_take_each_others_place() -> None:
    facts = [each for kind in Kind for each in _many(kind, BOUNDS[kind])]
    assert {each.id for each in union((), facts)} == {each.id for each in facts}


def test_the_earliest_bounces_and_the_last_keep_what_was_said_and_the_others_nothing_to_judge() -> None:
    left = union((), _many(Kind.BOUNCED, BOUNDS[Kind.BOUNCED]))
    with_text = [each.evidence is not None and each.evidence.text is not None for each in left]
    assert with_text == [True] * WHOLE[Kind.BOUNCED] + [False] * (len(left) - WHOLE[Kind.BOUNCED] - 1) + [True]


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.REJECTED, Kind.DEFERRED, Kind.UNKNOWN])
def test_what_was_cut_out_of_a_fact_is_not_judged_by_what_is_left(kind: Kind) -> None:
    """Law 5: a fact that keeps no text must not be taken for worse than it is."""
    whole = Evidence(
        code=550, status="5.1.1", text="user unknown", provider_code="Permanent/General", action="failed", attempt=3
    )
    facts = [fact(kind, number / 24, evidence=replace(whole, text=f"user unknown {number}")) for number in range(20)]
    rules = classify.load()
    slim = [each for each in union((), facts) if each.evidence and each.evidence.text is None]
    assert slim or BOUNDS[kind] == 2
    assert {getattr(rules(each), "klass", Class.UNDETERMINED) for each in slim} <= {Class.UNDETERMINED}
    assert all(each.evidence is not None and each.evidence.attempt == 3 for each in slim)


def test_what_was_derived_is_still_known_to_be_where_nothing_else_is() -> None:
    facts = [fact(Kind.DELIVERED, day, evidence=Evidence(text=f"text {day}", derived=day == 1)) for day in range(4)]
    assert [each.evidence and each.evidence.derived for each in union((), facts)] == [False, True, False, False]


def test_what_rules_may_judge_again_is_what_still_has_all_that_they_look_at() -> None:
    """Of a refusal that is the whole; of a complaint its kind says all, however short its text was cut."""
    bounces = union((), _many(Kind.BOUNCED, 6))
    assert [is_judgeable(each) for each in bounces] == [True, True, True, False, False, True]
    (complaint,) = union((), [fact(Kind.COMPLAINED, evidence=Evidence(text="x" * 1024))])
    assert is_judgeable(complaint)


def test_two_of_a_kind_stay_as_they_came() -> None:
    two = [fact(Kind.DELIVERED, day, evidence=Evidence(text="ok", tls=f"TLSv1.{day}")) for day in (2, 3)]
    assert union((), two) == tuple(two)


def test_what_was_opened_in_between_keeps_only_whether_a_machine_did() -> None:
    seen = Engagement(ip="192.0.2.1", user_agent="agent", link="https://example.com", machine=True)
    opens = [fact(Kind.OPENED, number / 24, engagement=seen) for number in range(4)]
    assert [each.engagement for each in union((), opens)] == [
        seen,
        Engagement(machine=True),
        Engagement(machine=True),
        seen,
    ]


def test_how_a_connection_was_secured_stays_in_the_last_of_its_kind() -> None:
    """Law 1: by whatever order and grouping it came."""
    facts = [bounce(day, evidence=Evidence(text=f"text {day}", tls=f"TLSv1.{day}")) for day in range(4)]
    at_once = union((), facts)
    assert [each.evidence and each.evidence.tls for each in at_once] == [None, None, None, "TLSv1.3"]
    for order in permutations(facts):
        grown: tuple[Feedback, ...] = ()
        for each in order:
            grown = union(grown, [each])
        assert grown == union(at_once, facts) == at_once


@pytest.mark.parametrize(("kind", "limit"), [(Kind.DELIVERED, LINE), (Kind.COMPLAINED, LINE), (Kind.BOUNCED, 1024)])
def test_a_text_that_decides_nothing_keeps_a_line(kind: Kind, limit: int) -> None:
    [stored] = union((), [fact(kind, evidence=Evidence(text="x" * 1024))])
    assert stored.evidence == Evidence(text="x" * limit)
    assert stored.id == fact(kind, evidence=Evidence(text="x" * 1024)).id


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Evidence(remote_mta="a"), Evidence(reporting_mta="b"), Evidence(remote_mta="a", reporting_mta="b")),
        (Evidence(attempt=1), Evidence(attempt=3), Evidence(attempt=3)),
        (Evidence(derived=True), Evidence(), Evidence()),
        (Evidence(derived=True), Evidence(derived=True), Evidence(derived=True)),
        (Evidence(remote_mta="a"), Evidence(remote_mta="b"), Evidence(remote_mta="b")),
        (Engagement(machine=True), Engagement(), Engagement()),
        (Context(correlation={"a": "1"}), Context(correlation={"b": "2"}), Context(correlation={"a": "1", "b": "2"})),
        (Context(correlation={"a": "1"}), Context(correlation={"a": "2"}), Context(correlation={"a": "2"})),
        (Context(subject="Hello"), Context(sender="a@example.com"), Context(subject="Hello", sender="a@example.com")),
    ],
)
def test_two_copies_of_a_fact_hold_what_both_hold(one: Any, other: Any, both: Any) -> None:
    assert join(one, other) == both
    assert join(other, one) == both


@given(full_evidence(), full_evidence(), full_evidence())
def test_joining_is_free_of_order(one: Evidence, two: Evidence, three: Evidence) -> None:
    """Law 1 and law 2 for copies: commutative, associative, idempotent."""
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))
    assert join(one, one) is one
    assert join(join(one, two), two) == join(one, two)


def test_facts_are_kept_without_context_and_contexts_are_gathered() -> None:
    context = Context(sender="news@example.com", correlation={"campaign": "spring"})
    [stored] = union((), [fact(Kind.SENT, context=context)])
    assert stored.context is None
    assert merge_contexts(Context(), [fact(Kind.SENT), fact(Kind.SENT, context=context)]) == context


def test_correlations_are_bounded_by_their_names_whatever_the_order() -> None:
    facts = [fact(Kind.SENT, context=Context(correlation={f"name{number:02d}": "x"})) for number in range(20)]
    names = [f"name{number:02d}" for number in range(CORRELATIONS)]
    all_names = {f"name{number:02d}": "x" for number in reversed(range(20))}
    at_once = merge_contexts(Context(), [fact(Kind.SENT, context=Context(correlation=all_names))])
    assert sorted(at_once.correlation) == names
    for order in (facts, facts[::-1], facts[10:] + facts[:10]):
        grown = Context()
        for each in order:
            grown = merge_contexts(grown, [each])
        assert sorted(grown.correlation) == names


def test_facts_come_in_the_order_of_time_and_id() -> None:
    facts = [bounce(2, message="test:1"), bounce(1, message="test:1"), bounce(1, "hard", "test:1")]
    right = sorted(facts, key=lambda each: (each.occurred_at, each.id))
    assert all(list(union((), order)) == right for order in permutations(facts))
    assert right[0].occurred_at > START
