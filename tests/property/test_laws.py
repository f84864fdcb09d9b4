"""Laws 1 to 3 and 6: order, repetition, batches and paths make no difference, and everything is explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.classify import load as load_rules
from aftersend.core.causes import make_claim
from aftersend.core.feedback_set import merge_contexts
from aftersend.core.feedback_set import union as unite
from aftersend.core.model import (
    Cause,
    CauseKind,
    Context,
    Engagement,
    Evidence,
    EvidenceRef,
    Feedback,
    Kind,
    Phase,
    Reverted,
    Suppression,
)
from aftersend.core.outcome import merge
from aftersend.core.policy import Policy, load
from aftersend.core.steps import run_steps
from aftersend.core.suppression import find_active_causes
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from tests.support.facts import ANN, bounce, classify, fact, fake_source, message
from tests.support.oracle import differences, expected, stored
from tests.support.ports import NOW, MemoryArchive, MemoryDeadLetters, MemoryStore, ports
from tests.support.strategies import (
    SHORT,
    deliveries,
    facts,
    feedback,
    firsthand,
    reports,
    reverts,
    streaks,
    vary,
    ways,
)


def _same_key(facts: list[Feedback]) -> list[Feedback]:
    """The facts of the outcome that the first one belongs to."""
    return [each for each in facts if each.key == facts[0].key]


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


@given(st.data())
def test_any_order_repetition_and_batching_gives_the_same_tables(data: st.DataObject) -> None:
    """Law 1: "Any order of the same feedback gives the same tables." Law 2: "Feedback seen once or a hundred times, by
    whichever path, gives the same tables, counters included." Law 3: "Any split of the feedback into batches …"
    """
    given_facts = data.draw(feedback())
    store = MemoryStore()
    for batch in data.draw(deliveries(given_facts)):
        bodies = [message([each], str(number)) for number, each in enumerate(batch)]
        report = ingest(bodies, ports(store, policy=SHORT))
        assert not report.failed and not report.unreadable
    assert not differences(stored(store), expected(given_facts, classify, SHORT))


@given(reports(), st.data())
def test_reports_by_mail_count_the_same_whoever_vouches_for_them_and_when(
    given_facts: list[Feedback], data: st.DataObject
) -> None:
    """Law 1 for reports, whatever their number: what vouches for a message may come before, between or after them."""
    vouching = [each for each in given_facts if each.evidence is None or not each.evidence.forgeable]
    mailed = data.draw(st.permutations([each for each in given_facts if each not in vouching]))
    between = data.draw(st.integers(0, len(mailed)))
    for place in {0, between, len(mailed)}:
        store = MemoryStore()
        for each in [*mailed[:place], *vouching, *mailed[place:]]:
            ingest([message([each])], ports(store, policy=SHORT))
        assert not differences(stored(store), expected(given_facts, classify, SHORT))


def test_delays_push_out_no_bounce() -> None:
    """Law 1: "Any order of the same feedback gives the same tables", on the reports of one message."""
    forged = {"forgeable": True, "provider_code": "soft"}
    told_by_mail = [
        *(fact(Kind.DEFERRED, hour / 24, evidence=Evidence(**forged)) for hour in (4, 24)),  # type: ignore[arg-type]
        fact(Kind.BOUNCED, 2, evidence=Evidence(provider_code="hard", forgeable=True)),
        fact(Kind.DELIVERED, 3, evidence=Evidence(forgeable=True)),
    ]
    sent = fact(Kind.SENT)
    for order in ([sent, *told_by_mail], [*told_by_mail, sent]):
        store = MemoryStore()
        for each in order:
            ingest([message([each])], ports(store, policy=SHORT))
        (row,) = stored(store).suppressions.values()
        assert CauseKind.HARD in row.causes


@given(streaks(), st.data())
def test_streaks_are_free_of_order_and_batches(given_facts: list[Feedback], data: st.DataObject) -> None:
    """Law 1 where it is hardest: a streak is made and ended by feedback about other messages."""
    store = MemoryStore()
    for each in data.draw(st.permutations(given_facts)):
        ingest([message([each])], ports(store, policy=SHORT))
    assert not differences(stored(store), expected(given_facts, classify, SHORT))


BY_TOKEN = load("[report]\nproof = 'token'\n[streak]\nbounces = 2\ngap_days = 3")


@given(firsthand(), reports(max_size=6), st.sampled_from([SHORT, BY_TOKEN]), st.data())
def test_reports_beside_what_a_provider_says_are_free_of_order_and_batches(
    said: list[Feedback], mailed: list[Feedback], policy: Policy, data: st.DataObject
) -> None:
    """Laws 1, 2 and 3 for reports by mail about messages that Amazon SES tells of, whatever has to prove them."""
    given_facts = said + mailed
    store = MemoryStore()
    for batch in data.draw(deliveries(given_facts)):
        ingest([message(batch)], ports(store, policy=policy))
    assert not differences(stored(store), expected(given_facts, classify, policy))


@given(streaks(), reverts(), st.data())
def test_reverts_and_feedback_come_in_any_order(
    given_facts: list[Feedback], windows: list[Reverted], data: st.DataObject
) -> None:
    """Law 1 where people take part: what lies in a reverted window counts in no row, whichever of them came first."""
    store = MemoryStore()
    revert_update = SuppressionUpdate((ANN, "*"), windows=tuple(windows))
    steps: list[Feedback | SuppressionUpdate] = [*given_facts, revert_update]
    for each in data.draw(st.permutations(steps)):
        if isinstance(each, SuppressionUpdate):
            before = store.get_suppressions([each.key]).get(each.key)
            run_steps(update_suppression(each, before, SHORT), store.answer)
        else:
            ingest([message([each])], ports(store, policy=SHORT))
    right = expected(given_facts, classify, SHORT, reverted={(ANN, "*"): windows})
    assert not differences(stored(store), right)
    row = right.suppressions.get((ANN, "*"), Suppression(recipient=ANN))
    said = [claim for each in given_facts if (claim := make_claim(each, classify(each), SHORT))]
    hard = [each.cause.latest for each in said if each.kind is CauseKind.HARD and each.cause.latest]
    counts = [ref for ref in hard if not any(map(ref.is_inside, windows))]
    assert (CauseKind.HARD in find_active_causes(row, NOW)) == bool(counts)
    standing = row.causes.get(CauseKind.STREAK)
    assert standing is None or not any(ref.is_inside(each) for ref in _ends(standing) for each in windows)


def _ends(cause: Cause) -> list[EvidenceRef]:
    return [ref for ref in (cause.first, cause.latest) if ref is not None]


@given(st.data())
def test_what_was_reported_already_writes_nothing(data: st.DataObject) -> None:
    """Design §3: "A union that changes nothing writes nothing." """
    given_facts = data.draw(feedback())
    store = MemoryStore()
    ingest([message(given_facts)], ports(store, policy=SHORT))
    puts = store.puts
    for batch in data.draw(deliveries(given_facts)):
        report = ingest([message(batch)], ports(store, policy=SHORT))
        assert not any(count for (_, what, _), count in report.counts.items() if what in ("Feedback", "Suppressed"))
    assert store.puts == puts


@given(st.data())
def test_the_fold_of_one_outcome_is_free_of_order_and_batches(data: st.DataObject) -> None:
    """Law 1, law 2, law 3 for `outcome.absorb` alone: union is commutative, associative and idempotent."""
    given_facts = _same_key(data.draw(feedback(max_size=30)))
    at_once = merge(None, given_facts, classify)
    outcome = None
    for batch in data.draw(deliveries(given_facts)):
        outcome = merge(outcome, batch, classify)
    assert outcome == at_once
    assert merge(at_once, given_facts, classify) is at_once


def union(stored: tuple[Feedback, ...], new: Iterable[Feedback]) -> tuple[Feedback, ...]:
    return unite(stored, new, classify)


@given(st.data())
def test_union_takes_sets_in_any_grouping(data: st.DataObject) -> None:
    """Law 3 for `facts.union`: sets that different functions hold can be united in any order and grouping."""
    one, two, three = (union((), data.draw(feedback(max_size=8) | reports())) for _ in range(3))
    assert union(union(one, two), three) == union(one, union(two, three))
    assert union(one, two) == union(two, one)
    assert union(one, one) == one


@given(st.data())
def test_contexts_take_in_any_order(data: st.DataObject) -> None:
    """Law 1 for what the sender said of a message: copies of a fact that hold more or less of it are joined."""
    given_facts = data.draw(feedback())
    at_once = merge_contexts(Context(), given_facts)
    one_by_one = Context()
    for each in data.draw(st.permutations(given_facts)):
        one_by_one = merge_contexts(one_by_one, [each])
    assert one_by_one == at_once


@given(facts(), ways)
def test_a_fact_has_one_identity_however_fully_it_is_reported(one: Feedback, way: Any) -> None:
    """Model: "The same fact by whichever path": where it was seen on its way is no part of its identity."""
    other = vary(way, one)
    assert other.id == one.id
    assert union((), [one, other]) == union((), [other, one])
    assert len(union((), [one, other])) == 1


DECIDES: list[dict[str, Any]] = [
    {"source": "another"},
    {"message": "test:other"},
    {"recipient": "email:other@example.com"},
    {"kind": Kind.UNKNOWN},
    {"occurred_at": NOW},
    {"scope": "another"},
    *({"evidence": Evidence(**said)} for said in [  # type: ignore[arg-type]  # each of its own type
        {"code": 421}, {"status": "5.9.9"}, {"text": "a"}, {"provider_code": "b"}, {"action": "failed"},
        {"phase": Phase.AUTH}, {"event_id": "c"}, {"forgeable": True},
    ]),
    {"engagement": Engagement(ip="192.0.2.9")},
    {"engagement": Engagement(user_agent="d")},
    {"engagement": Engagement(link="e")},
]  # fmt: skip


def test_two_copies_of_one_fact_have_one_verdict() -> None:
    """Model: "two copies of one fact have one verdict", also under rules that look at the machine that answered."""
    rules = load_rules(
        """
        [[rule]]
        id = "partner"
        when.text = ["mailbox parked"]
        when.domain = ["mail.example"]
        then.reason = "mailbox_disabled"
        """
    )
    one = bounce(1, evidence=Evidence(code=550, text="mailbox parked", remote_mta="mx.mail.example"))
    other = bounce(1, evidence=Evidence(code=550, text="mailbox parked"))
    assert rules(one) != rules(other), "else this proves nothing"
    assert one.id != other.id


@given(facts(), st.sampled_from(DECIDES))
def test_facts_that_decide_differently_are_different_facts(one: Feedback, other: dict[str, Any]) -> None:
    """Model: "all that decides something" is part of a fact's identity. Whether it could be forged decides, too."""
    plain = replace(one, evidence=Evidence(), engagement=Engagement(), id="")
    changed = replace(plain, **other, id="")
    assume(changed.kind is not plain.kind or "kind" not in other)
    assert changed.id != plain.id


@given(feedback())
def test_everything_names_its_feedback_and_its_rule(given_facts: list[Feedback]) -> None:
    """Law 6: "Every status and every suppression names the feedback and the rule that caused it." """
    store = MemoryStore()
    ingest([message(given_facts)], ports(store, policy=SHORT))
    tables = stored(store)
    by_id = {each.id: each for each in given_facts}
    for outcome in tables.outcomes.values():
        assert by_id[outcome.decided_by].key == outcome.key
        assert (outcome.verdict is None) or outcome.verdict.rule
    for suppression in tables.suppressions.values():
        for cause in suppression.causes.values():
            for ref in filter(None, (cause.first, cause.latest, cause.withdrawn)):
                cited = by_id[ref.feedback]
                assert (ref.at, ref.message, suppression.recipient) == (
                    cited.occurred_at,
                    cited.message,
                    cited.recipient,
                )
                assert ref.rule == getattr(classify(cited), "rule", None)


@given(st.data())
def test_metrics_count_each_feedback_once(data: st.DataObject) -> None:
    """Law 2: "counters included": what is counted as new feedback does not depend on repeats and batches.

    Of a fact that the bounds of a set leave out nobody knows whether it was counted: it counts once or never. All that
    is kept was counted, and whatever comes again counts nothing.
    """
    given_facts = data.draw(feedback())
    store = MemoryStore()

    def count_new(batch: list[Feedback]) -> int:
        report = ingest([message(batch)], ports(store, policy=SHORT))
        return sum(count for (_, what, _), count in report.counts.items() if what in ("Feedback", "Unproven"))

    counted = sum(map(count_new, data.draw(deliveries(given_facts))))
    known, distinct = (
        sum(len(each.feedback) for each in stored(store).outcomes.values()),
        len({each.id for each in given_facts}),
    )
    assert known <= counted <= distinct
    assert count_new(given_facts) == 0


def test_the_defaults_are_what_the_short_streak_is_not() -> None:
    """The laws run with a shorter streak than the default: both are real policies."""
    assert (load().streak.bounces, SHORT.streak.bounces) == (5, 2)


@given(feedback())
def test_no_body_disappears(given_facts: list[Feedback]) -> None:
    """Law 4: "No body disappears." Every body is in the archive, readable or not."""
    bodies = [
        *(message([each], f"m{number}") for number, each in enumerate(given_facts)),
        Message("x", b"?", NOW, "test"),
    ]
    archive, letters = MemoryArchive(), MemoryDeadLetters()
    report = ingest(bodies, ports(policy=SHORT, archive=archive, dead_letters=letters))
    assert archive.bodies == [("test", body) for body in bodies]
    assert list(report.unreadable) == ["x"]
    assert [parked.body for _, parked, _ in letters.parked] == [b"?"]
    assert report.counts["test", "Feedback", Kind.DELIVERED] <= len(given_facts)
