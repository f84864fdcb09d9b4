"""Causes widen and never depend on order; what holds, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.active_causes import describe_active_causes
from aftersend.core.causes import Claim, make_claim
from aftersend.core.model import (
    Act,
    Cause,
    CauseKind,
    Decision,
    Evidence,
    EvidenceRef,
    Kind,
    Life,
    Reverted,
    Suppression,
)
from aftersend.core.policy import load
from aftersend.core.suppression import (
    BETWEEN,
    HISTORY,
    apply_decisions,
    apply_reverts,
    compute_lapse,
    find_active_causes,
    find_causes_needing_force,
    find_contradiction_to_review,
    merge_claims,
    rebuild,
    replace_life,
    replace_streak,
)
from tests.support.facts import ANN, START, bounce, classify, fact

NOTHING = Suppression(recipient=ANN)
POLICY = load()


def _day(day: float) -> datetime:
    return START + timedelta(days=day)


def _make_ref(day: float, name: str = "f", derived: bool = False) -> EvidenceRef:
    return EvidenceRef(at=_day(day), feedback=name, message="test:1", source="test", derived=derived)


def _claims(*facts: object) -> list[Claim]:
    found = (make_claim(each, classify(each), POLICY) for each in facts)  # type: ignore[arg-type]
    return [each for each in found if each is not None]


_refs = st.builds(_make_ref, st.integers(0, 3), st.sampled_from("abc"), st.booleans())
_evidence = st.builds(lambda ref: Cause(first=ref, latest=ref), _refs) | st.builds(
    lambda ref: Cause(withdrawn=ref), _refs
)
_kinds = st.sampled_from([CauseKind.HARD, CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED])
_claim_lists = st.lists(st.builds(lambda kind, cause: Claim(ANN, "*", kind, cause), _kinds, _evidence), max_size=6)


_complaints = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=6)  # the day, and: derived
_releases = st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=3)  # the day, and: with force


@given(_complaints, _releases, st.data())
def test_a_release_lifts_only_complaints_that_name_nobody_unless_forced(
    complaints: list[tuple[int, bool]], releases: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Law 1, and design §4: of all complaints, also those between the first and the latest, each counts by itself."""
    refs = [_make_ref(day, str(number), derived) for number, (day, derived) in enumerate(complaints)]
    claims = [Claim(ANN, "*", CauseKind.COMPLAINT, Cause(first=ref, latest=ref)) for ref in refs]
    decisions = [
        Decision(at=_day(day), by="ann", act=Act.RELEASED, force=force, note=str(number))
        for number, (day, force) in enumerate(releases)
    ]
    stored = NOTHING
    given: list[Claim | Decision] = [*claims, *decisions]
    for each in data.draw(st.permutations(given)):
        stored = merge_claims(stored, [each]) if isinstance(each, Claim) else apply_decisions(stored, [each])
    lifted = [any(day <= until and (force or derived) for until, force in releases) for day, derived in complaints]
    assert find_active_causes(stored, _day(9)) == (() if all(lifted) else (CauseKind.COMPLAINT,))
    assert bool(find_causes_needing_force(stored, _day(9))) == any(
        not derived and not gone for (_, derived), gone in zip(complaints, lifted, strict=True)
    )


@given(_complaints, st.data())
def test_what_is_left_of_complaints_is_known_by_whether_it_names_anybody(
    complaints: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Without the feedback of one the others count: a named one that was the latest but derived ones is not lost."""
    refs = [_make_ref(day, str(number), derived) for number, (day, derived) in enumerate(complaints)]
    claims = [Claim(ANN, "*", CauseKind.COMPLAINT, Cause(first=ref, latest=ref)) for ref in refs]
    known = data.draw(st.sets(st.sampled_from([ref.feedback for ref in refs])))
    stored = merge_claims(NOTHING, claims)
    again = rebuild(stored, [claim for claim, ref in zip(claims, refs, strict=True) if ref.feedback in known], known)
    assert again == stored


@given(_claim_lists, st.data())
def test_claims_come_in_any_order_grouping_and_number(claims: list[Claim], data: st.DataObject) -> None:
    """Design §4: "Evidence only widens (first = smallest, latest = greatest by (at, id)), so causes are a set too"."""
    at_once, one_by_one = merge_claims(NOTHING, claims), NOTHING
    repeats = data.draw(st.lists(st.sampled_from(claims), max_size=3)) if claims else []
    for each in data.draw(st.permutations([*claims, *repeats])):
        one_by_one = merge_claims(one_by_one, [each])
    assert one_by_one == at_once
    assert merge_claims(at_once, claims) is at_once
    for kind, cause in at_once.causes.items():
        causes = [each.cause for each in claims if each.kind is kind]
        orders = sorted(ref.order for each in causes if (ref := each.first))
        assert [ref.order for ref in (cause.first, cause.latest) if ref] == (orders[:1] + orders[-1:] if orders else [])


@pytest.mark.parametrize(
    ("complained", "withdrawn", "holds"), [(1, 2, False), (2, 1, True), (1, None, True), (None, 1, False)]
)
def test_a_complaint_is_withdrawn_by_what_is_later_than_it(
    complained: int | None, withdrawn: int | None, holds: bool
) -> None:
    """Design §4: "A complaint is withdrawn by a `complaint_withdrawn` that is later than it." In any order."""
    days = ((Kind.COMPLAINED, complained), (Kind.COMPLAINT_WITHDRAWN, withdrawn))
    for order in permutations([fact(kind, day) for kind, day in days if day is not None]):
        known = NOTHING
        for each in order:
            known = merge_claims(known, _claims(each))
        assert find_active_causes(known, _day(99)) == ((CauseKind.COMPLAINT,) if holds else ())


def test_who_joins_again_after_leaving_is_not_suppressed_and_who_leaves_again_is() -> None:
    left, joined = fact(Kind.UNSUBSCRIBED, 1, scope="news"), fact(Kind.SUBSCRIBED, 2, scope="news")
    assert find_active_causes(merge_claims(NOTHING, _claims(left, joined)), _day(9)) == ()
    again = fact(Kind.UNSUBSCRIBED, 3, scope="news")
    assert find_active_causes(merge_claims(NOTHING, _claims(again, joined, left)), _day(9)) == (CauseKind.UNSUBSCRIBED,)


@pytest.mark.parametrize(("released", "holds"), [(0.9, True), (1, False), (2, False)])
def test_a_release_lifts_older_evidence_only(released: float, holds: bool) -> None:
    """Design, words: "later evidence can suppress again, older evidence cannot"."""
    known = merge_claims(Suppression(recipient=ANN, released_at=_day(released)), _claims(bounce(1, "hard")))
    assert (find_active_causes(known, _day(99)) != ()) == holds
    assert find_active_causes(merge_claims(known, _claims(bounce(3, "hard"))), _day(99)) == (CauseKind.HARD,)


_decisions = st.builds(
    lambda day, by, act, force: Decision(at=_day(day), by=by, act=act, force=force),
    st.integers(0, 3),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(Act),
    st.booleans(),
)
_windows = st.builds(
    lambda day, length, reason: Reverted(_day(day), _day(day + length), reason),
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from(["user_unknown", "mailbox_full"]),
)


@given(_claim_lists, st.lists(_decisions, max_size=4), st.lists(_windows, max_size=3), st.data())
def test_evidence_and_decisions_come_in_any_order(
    claims: list[Claim], decisions: list[Decision], windows: list[Reverted], data: st.DataObject
) -> None:
    """Design, words: a release is "a person's decision to lift a suppression; later evidence can suppress again, older
    evidence cannot", whichever of them is known first.
    """
    at_once = apply_reverts(apply_decisions(merge_claims(NOTHING, claims), decisions), windows)
    one_by_one = NOTHING
    for each in data.draw(st.permutations([*claims, *decisions, *windows, *decisions[:1]])):
        match each:
            case Claim():
                one_by_one = merge_claims(one_by_one, [each])
            case Decision():
                one_by_one = apply_decisions(one_by_one, [each])
            case Reverted():
                one_by_one = apply_reverts(one_by_one, [each])
    assert one_by_one == at_once
    releases = [each.at for each in decisions if each.act is Act.RELEASED]
    assert at_once.released_at == max(releases, default=None)
    for kind in find_active_causes(at_once, _day(99)):
        latest, barrier = at_once.causes[kind].latest, [each.at for each in decisions if _lifts(each, kind)]
        assert latest is not None and all(latest.at > at for at in barrier)


def _lifts(decision: Decision, kind: CauseKind) -> bool:
    return decision.act is Act.RELEASED and (
        decision.force or kind not in (CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED)
    )


def test_a_decision_is_cut_to_what_tables_keep() -> None:
    finer = _day(1) + timedelta(microseconds=1999)
    decision = Decision(at=finer, by="ann", act=Act.ADDED, until=finer)
    assert (decision.at, decision.until) == (_day(1) + timedelta(milliseconds=1),) * 2
    assert decision == Decision(at=decision.at, by="ann", act=Act.ADDED, until=decision.at)


def test_decisions_that_say_different_things_are_different_ones() -> None:
    one: dict[str, Any] = {"at": _day(1), "by": "ann", "act": Act.RELEASED}
    others: list[dict[str, Any]] = [
        *({"at": _day(2)}, {"by": "bob"}, {"act": Act.ADDED}),
        *({"note": "x"}, {"force": True}, {"until": _day(3)}),
    ]
    decisions = [Decision(**(one | other)) for other in [{}, *others]]
    assert len({each.id for each in decisions}) == len(decisions)
    assert len(apply_decisions(NOTHING, [*decisions, *decisions]).history) == len(decisions)


def test_the_last_release_is_the_one_that_counts_and_of_two_at_once_the_same_one() -> None:
    """Law 1, for what people do: in any order."""
    known = merge_claims(NOTHING, _claims(fact(Kind.COMPLAINED, 3), bounce(3, "hard")))
    releases = [
        Decision(at=_day(day), by=by, act=Act.RELEASED, note=note, force=force)
        for day, by, note, force in [(1, "zoe", "z", True), (4, "ann", "z", True), (4, "bob", None, False)]
    ]
    also = Decision(at=_day(4), by="bob", act=Act.RELEASED, note="asked")
    for order in permutations([*releases, also]):
        after = apply_decisions(known, order)
        assert (after.released_at, after.released_by, after.note) == (_day(4), "bob", "asked")
        assert after.forced_at == _day(4)
        assert find_active_causes(after, _day(99)) == ()


def test_only_force_lifts_a_complaint() -> None:
    known = merge_claims(NOTHING, _claims(fact(Kind.COMPLAINED, 1), bounce(1, "hard")))
    released = apply_decisions(known, [Decision(at=_day(2), by="ann", act=Act.RELEASED)])
    forced = apply_decisions(known, [Decision(at=_day(2), by="ann", act=Act.RELEASED, force=True)])
    assert find_active_causes(released, _day(3)) == (CauseKind.COMPLAINT,)
    assert find_active_causes(forced, _day(3)) == ()


def test_the_last_decisions_are_kept_and_the_last_release_whatever_came_after() -> None:
    release = Decision(at=_day(0), by="ann", act=Act.RELEASED, note="asked")
    looks = [Decision(at=_day(1 + number), by="bob", act=Act.RESOLVED) for number in range(HISTORY)]
    known = apply_decisions(NOTHING, [release, *looks])
    assert known.history == tuple(looks)
    assert (known.released_at, known.released_by, known.note) == (_day(0), "ann", "asked")


@pytest.mark.parametrize(
    ("days", "since", "until", "holds"),
    [([2], 1, 3, False), ([2], 2, 2, False), ([2], 2.1, 3, True), ([0, 2], 1, 3, True), ([2, 9], 1, 3, True)],
)
def test_evidence_in_a_reverted_window_does_not_count(
    days: list[float], since: float, until: float, holds: bool
) -> None:
    """Issue: "undo all causes of one domain + reason + time window"; what else there is against the address stands."""
    known = merge_claims(NOTHING, _claims(*(bounce(day, "hard") for day in days)))
    window = Reverted(_day(since), _day(until), "user_unknown")
    assert bool(find_active_causes(apply_reverts(known, [window]), _day(99))) == holds
    assert bool(find_active_causes(known, _day(99), [window])) == holds
    assert find_active_causes(apply_reverts(known, [Reverted(_day(since), _day(until), "mailbox_full")]), _day(99))


def test_the_end_of_a_cause_is_that_of_its_latest_evidence() -> None:
    early, late = (
        Claim(ANN, "*", CauseKind.PAUSE, Cause(first=_make_ref(day), latest=_make_ref(day), until=_day(day + 1)))
        for day in (1, 3)
    )
    for claims in ([early, late], [late, early]):
        assert merge_claims(NOTHING, claims).causes[CauseKind.PAUSE].until == _day(4)
    endless = Claim(ANN, "*", CauseKind.PAUSE, Cause(first=_make_ref(3), latest=_make_ref(3)))
    for claims in ([endless, late], [late, endless]):
        assert merge_claims(NOTHING, claims).causes[CauseKind.PAUSE].until is None


def test_a_contradicted_hard_bounce_is_put_up_until_a_person_has_looked() -> None:
    known = replace_life(merge_claims(NOTHING, _claims(bounce(1, "hard"))), Life(_make_ref(5)))
    assert find_contradiction_to_review(known) == _make_ref(5)
    assert find_active_causes(known, _day(99)) == (CauseKind.HARD,)
    for day, left in ((4, _make_ref(5)), (5, None)):
        assert (
            find_contradiction_to_review(apply_decisions(known, [Decision(at=_day(day), by="ann", act=Act.RESOLVED)]))
            == left
        )
    assert (
        find_contradiction_to_review(apply_decisions(known, [Decision(at=_day(5), by="ann", act=Act.RELEASED)])) is None
    )
    assert find_contradiction_to_review(merge_claims(NOTHING, _claims(bounce(1, "hard")))) is None


def test_only_the_last_look_of_a_person_resolves_a_contradiction() -> None:
    hard = merge_claims(NOTHING, _claims(bounce(1, "hard")))
    looks = [Decision(at=_day(day), by="ann", act=Act.RESOLVED) for day in (3, 6)]
    other = Decision(at=_day(9), by="ann", act=Act.ADDED)
    assert find_contradiction_to_review(apply_decisions(hard, looks)) is None
    assert find_contradiction_to_review(apply_decisions(replace_life(hard, Life(_make_ref(5))), looks)) is None
    assert find_contradiction_to_review(
        apply_decisions(replace_life(hard, Life(_make_ref(7))), [*looks, other])
    ) == _make_ref(7)


@pytest.mark.parametrize(
    ("known", "left"),
    [
        ("", Cause(first=_make_ref(1, "a"), latest=_make_ref(3, "b"), withdrawn=_make_ref(2, "c"), until=_day(13))),
        ("a", Cause(first=_make_ref(3, "b"), latest=_make_ref(3, "b"), withdrawn=_make_ref(2, "c"), until=_day(13))),
        ("b", Cause(first=_make_ref(1, "a"), latest=_make_ref(1, "a"), withdrawn=_make_ref(2, "c"), until=_day(11))),
        ("c", Cause(first=_make_ref(1, "a"), latest=_make_ref(3, "b"), until=_day(13))),
        ("ab", Cause(withdrawn=_make_ref(2, "c"))),
        ("abc", None),
    ],
)
def test_of_a_cause_stays_what_rests_on_feedback_that_is_gone(known: str, left: Cause | None) -> None:
    """And it ends as long after its own latest evidence as the whole did."""
    cause = Cause(first=_make_ref(1, "a"), latest=_make_ref(3, "b"), withdrawn=_make_ref(2, "c"), until=_day(13))
    before = merge_claims(NOTHING, [Claim(ANN, "*", CauseKind.COMPLAINT, cause)])
    assert rebuild(before, [], frozenset(known)).causes.get(CauseKind.COMPLAINT) == left
    endless = merge_claims(
        NOTHING, [Claim(ANN, "*", CauseKind.HARD, Cause(first=_make_ref(1, "a"), latest=_make_ref(3, "b")))]
    )
    assert rebuild(endless, [], frozenset("b")).causes[CauseKind.HARD].until is None


def test_a_cause_with_an_end_holds_until_then() -> None:
    """Design §4: active "and which has not lapsed at `now`"."""
    known = replace_streak(NOTHING, Cause(first=_make_ref(1), latest=_make_ref(5), until=_day(35)))
    moment = timedelta(milliseconds=1)
    assert find_active_causes(known, _day(35) - moment) == (CauseKind.STREAK,)
    assert find_active_causes(known, _day(35)) == ()


def test_a_streak_is_put_in_the_place_of_the_old_one() -> None:
    old, new = (Cause(first=_make_ref(1), latest=_make_ref(day), count=5) for day in (5, 6))
    known = replace_streak(merge_claims(NOTHING, _claims(bounce(1, "hard"))), old)
    assert replace_streak(known, old) is known
    assert replace_streak(known, new).causes[CauseKind.STREAK] == new
    assert list(replace_streak(known, None).causes) == [CauseKind.HARD]
    assert replace_streak(NOTHING, None) is NOTHING


def test_scopes_are_distinguished() -> None:
    claims = _claims(fact(Kind.UNSUBSCRIBED, 1, scope="news"), bounce(1, "hard"))
    assert [(each.scope, each.kind) for each in claims] == [("news", CauseKind.UNSUBSCRIBED), ("*", CauseKind.HARD)]


@pytest.mark.parametrize(
    ("suppression", "lapse"),
    [
        (NOTHING, None),
        (replace_streak(NOTHING, Cause(first=_make_ref(1), latest=_make_ref(5), until=_day(35))), 35),
        (merge_claims(NOTHING, _claims(bounce(1, "hard"))), None),
        (merge_claims(Suppression(recipient=ANN, released_at=_day(2)), _claims(bounce(1, "hard"))), 2),
        (merge_claims(Suppression(recipient=ANN, released_at=_day(1)), _claims(bounce(2, "hard"))), None),
        (merge_claims(NOTHING, _claims(fact(Kind.COMPLAINED, 1), fact(Kind.COMPLAINT_WITHDRAWN, 3))), 3),
        (Suppression(recipient=ANN, released_at=_day(4)), 4),
    ],
)
def test_when_nothing_can_hold_any_more(suppression: Suppression, lapse: float | None) -> None:
    assert compute_lapse(suppression) == (None if lapse is None else _day(lapse))


LEFT = "Permanent/UnsubscribedRecipient"


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.REJECTED])
def test_who_left_a_stream_is_suppressed_there_alone_until_they_join_again(kind: Kind) -> None:
    """Decision: the provider's list of who left a topic is no list of who takes no mail at all."""
    refused = fact(kind, day=1, scope="shop/weekly", evidence=Evidence(provider_code=LEFT))
    (claim,) = _claims(refused)
    assert (claim.scope, claim.kind) == ("shop/weekly", CauseKind.UNSUBSCRIBED)
    stored = merge_claims(Suppression(recipient=ANN, scope="shop/weekly"), [claim])
    assert find_active_causes(stored, _day(2)) == (CauseKind.UNSUBSCRIBED,)
    joined = merge_claims(stored, _claims(fact(Kind.SUBSCRIBED, day=3, scope="shop/weekly")))
    assert find_active_causes(joined, _day(4)) == ()


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.REJECTED])
def test_who_left_a_stream_that_nobody_names_is_not_suppressed(kind: Kind) -> None:
    assert _claims(fact(kind, day=1, evidence=Evidence(provider_code=LEFT))) == []


_hard_claims = st.lists(
    st.builds(
        lambda hour, number: _claims(bounce(hour / 24, "hard", f"test:{number}")),
        st.integers(0, 8),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=9,
)
_hours = st.builds(
    lambda hour, length: Reverted(_day(hour / 24), _day((hour + length) / 24), "user_unknown"),
    st.integers(0, 8),
    st.integers(0, 1),
)


@given(_hard_claims, st.lists(_hours, max_size=4), st.lists(_hours, max_size=3), st.data())
def test_a_hard_bounce_holds_while_any_of_its_evidence_counts(
    groups: list[tuple[Claim, ...]], reverted: list[Reverted], pending: list[Reverted], data: st.DataObject
) -> None:
    """Nobody is freed by a guess: two accidents do not take along what lies between them."""
    known = NOTHING
    for claims in data.draw(st.permutations([*groups, *groups[:2]])):
        known = merge_claims(known, claims)
    known = apply_reverts(known, reverted)
    evidence = [ref for claims in groups for each in claims if (ref := each.cause.latest)]
    counts = [ref for ref in evidence if not any(map(ref.is_inside, [*reverted, *pending]))]
    assert find_active_causes(known, _day(99), pending) == ((CauseKind.HARD,) if counts else ())
    named = [each.at for each in describe_active_causes(known, _day(99), pending)]
    assert named == [ref.at for ref in sorted(counts, key=lambda ref: ref.order)[-1:]]


@given(st.lists(st.integers(0, 40 * 60), min_size=1, max_size=40), st.data())
def test_the_evidence_of_a_hard_bounce_is_bounded_and_free_of_order(minutes: list[int], data: st.DataObject) -> None:
    claims = [
        claim
        for number, minute in enumerate(minutes)
        for claim in _claims(bounce(minute / 1440, "hard", f"test:{number}"))
    ]
    at_once = merge_claims(NOTHING, claims)
    halves = [NOTHING, NOTHING]
    middle = data.draw(st.integers(0, len(claims)))
    for place, each in enumerate(data.draw(st.permutations(claims))):
        halves[place < middle] = merge_claims(halves[place < middle], [each])
    joined = halves[0]
    for kind, cause in halves[1].causes.items():
        joined = merge_claims(joined, [Claim(ANN, "*", kind, cause)])
    assert joined == at_once
    assert len(at_once.causes[CauseKind.HARD].between) <= 2 * BETWEEN
