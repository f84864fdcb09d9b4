"""Causes widen and never depend on order; what holds, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.causes import Claim, claim
from aftersend.model import Cause, CauseKind, Kind, Mark, Suppression
from aftersend.policy import load
from aftersend.suppression import absorb, active, lapses_at, with_streak
from tests.support.words import ANN, START, bounce, classify, fact

NOTHING = Suppression(recipient=ANN)
POLICY = load()


def _day(day: float) -> datetime:
    return START + timedelta(days=day)


def _mark(day: float, name: str = "f") -> Mark:
    return Mark(at=_day(day), feedback=name, message="told:1", source="told")


def _claims(*facts: object) -> list[Claim]:
    found = (claim(each, classify(each), POLICY) for each in facts)  # type: ignore[arg-type]
    return [each for each in found if each is not None]


_marks = st.builds(_mark, st.integers(0, 3), st.sampled_from("abc"))
_evidence = st.builds(lambda mark: Cause(first=mark, latest=mark), _marks) | st.builds(
    lambda mark: Cause(withdrawn=mark), _marks
)
_kinds = st.sampled_from([CauseKind.HARD, CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED])
_claim_lists = st.lists(st.builds(lambda kind, cause: Claim(ANN, "*", kind, cause), _kinds, _evidence), max_size=6)


@given(_claim_lists, st.data())
def test_claims_come_in_any_order_grouping_and_number(claims: list[Claim], data: st.DataObject) -> None:
    """Design §4: "Evidence only widens (first = smallest, latest = greatest by (at, id)), so causes are a set too"."""
    at_once, one_by_one = absorb(NOTHING, claims), NOTHING
    repeats = data.draw(st.lists(st.sampled_from(claims), max_size=3)) if claims else []
    for each in data.draw(st.permutations([*claims, *repeats])):
        one_by_one = absorb(one_by_one, [each])
    assert one_by_one == at_once
    assert absorb(at_once, claims) is at_once
    for kind, cause in at_once.causes.items():
        told = [each.cause for each in claims if each.kind is kind]
        orders = sorted(mark.order for each in told if (mark := each.first))
        assert [mark.order for mark in (cause.first, cause.latest) if mark] == (
            orders[:1] + orders[-1:] if orders else []
        )


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
            known = absorb(known, _claims(each))
        assert active(known, _day(99)) == ((CauseKind.COMPLAINT,) if holds else ())


def test_who_joins_again_after_leaving_is_not_suppressed_and_who_leaves_again_is() -> None:
    left, joined = fact(Kind.UNSUBSCRIBED, 1, scope="news"), fact(Kind.SUBSCRIBED, 2, scope="news")
    assert active(absorb(NOTHING, _claims(left, joined)), _day(9)) == ()
    again = fact(Kind.UNSUBSCRIBED, 3, scope="news")
    assert active(absorb(NOTHING, _claims(again, joined, left)), _day(9)) == (CauseKind.UNSUBSCRIBED,)


@pytest.mark.parametrize(("released", "holds"), [(0.9, True), (1, False), (2, False)])
def test_a_release_lifts_older_evidence_only(released: float, holds: bool) -> None:
    """Design, words: "later evidence can suppress again, older evidence cannot"."""
    known = absorb(Suppression(recipient=ANN, released_at=_day(released)), _claims(bounce(1, "hard")))
    assert (active(known, _day(99)) != ()) == holds
    assert active(absorb(known, _claims(bounce(3, "hard"))), _day(99)) == (CauseKind.HARD,)


def test_a_cause_with_an_end_holds_until_then() -> None:
    """Design §4: active "and which has not lapsed at `now`"."""
    known = with_streak(NOTHING, Cause(first=_mark(1), latest=_mark(5), until=_day(35)))
    moment = timedelta(milliseconds=1)
    assert active(known, _day(35) - moment) == (CauseKind.STREAK,)
    assert active(known, _day(35)) == ()


def test_a_streak_is_put_in_the_place_of_the_old_one() -> None:
    old, new = (Cause(first=_mark(1), latest=_mark(day), count=5) for day in (5, 6))
    known = with_streak(absorb(NOTHING, _claims(bounce(1, "hard"))), old)
    assert with_streak(known, old) is known
    assert with_streak(known, new).causes[CauseKind.STREAK] == new
    assert list(with_streak(known, None).causes) == [CauseKind.HARD]
    assert with_streak(NOTHING, None) is NOTHING


def test_each_scope_is_told_apart() -> None:
    said = _claims(fact(Kind.UNSUBSCRIBED, 1, scope="news"), bounce(1, "hard"))
    assert [(each.scope, each.kind) for each in said] == [("news", CauseKind.UNSUBSCRIBED), ("*", CauseKind.HARD)]


@pytest.mark.parametrize(
    ("suppression", "lapse"),
    [
        (NOTHING, None),
        (with_streak(NOTHING, Cause(first=_mark(1), latest=_mark(5), until=_day(35))), 35),
        (absorb(NOTHING, _claims(bounce(1, "hard"))), None),
        (absorb(Suppression(recipient=ANN, released_at=_day(2)), _claims(bounce(1, "hard"))), 2),
        (absorb(Suppression(recipient=ANN, released_at=_day(1)), _claims(bounce(2, "hard"))), None),
        (absorb(NOTHING, _claims(fact(Kind.COMPLAINED, 1), fact(Kind.COMPLAINT_WITHDRAWN, 3))), 3),
        (Suppression(recipient=ANN, released_at=_day(4)), 4),
    ],
)
def test_when_nothing_can_hold_any_more(suppression: Suppression, lapse: float | None) -> None:
    assert lapses_at(suppression) == (None if lapse is None else _day(lapse))
