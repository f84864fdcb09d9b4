"""The order of reads and writes: what each generator asks for, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core.causes import Claim, make_claim
from aftersend.core.errors import ContentionExhausted, VersionMoved
from aftersend.core.model import (
    Act,
    Cause,
    CauseKind,
    Decision,
    EvidenceRef,
    Feedback,
    Kind,
    Life,
    Outcome,
    Suppression,
)
from aftersend.core.outcome import merge
from aftersend.core.policy import load
from aftersend.core.steps import run_steps
from aftersend.core.streaks import ReadBounces, select_bounces
from aftersend.core.suppression import merge_claims as absorb_claims
from aftersend.core.suppression import replace_life
from aftersend.core.writes import (
    MAX_TRIES,
    Put,
    ReadOutcomes,
    Refused,
    SuppressionUpdate,
    update_outcome,
    update_suppression,
)
from tests.support.facts import ANN, VERDICTS, bounce, classify, fact
from tests.support.streaks import find_streak

POLICY = load()
EVERYWHERE = ANN, "*"


def _run(steps: Generator[Any, Any, Any], answers: Sequence[Any]) -> tuple[list[Any], Any]:
    """Every request, and the result, when these answers are given; a list of outcomes answers all reads of one look."""
    requests: list[Any] = []
    given, view = iter(answers), None
    try:
        request = next(steps)
        while True:
            requests.append(request)
            if isinstance(request, (ReadBounces, ReadOutcomes)):
                view = next(given) if view is None else view
                request = steps.send(_select(view, request))
            else:
                view, answer = None, next(given)
                request = steps.send(answer)
    except StopIteration as end:
        assert not list(given), "every answer was asked for"
        return requests, end.value


def _select(view: list[Outcome], request: ReadBounces | ReadOutcomes) -> list[Any]:
    if isinstance(request, ReadBounces):
        return select_bounces(view, request)
    return [each for each in view if request.messages is None or each.message in request.messages]


def _work(
    update: SuppressionUpdate, stored: Suppression | None, *views: list[Outcome]
) -> tuple[str, list[Suppression], Suppression | None]:
    """The requests, each as one word, what was put, and the result. Each put comes with the next view of outcomes."""
    requests: list[Any] = []
    puts: list[Suppression] = []

    def answer(request: Any) -> Any:
        requests.append(request)
        if isinstance(request, Put):
            assert isinstance(request.item, Suppression)
            puts.append(request.item)
            return None
        return _select(views[min(len(puts), len(views) - 1)], request)

    after = run_steps(update_suppression(update, stored, POLICY), answer)
    return _kinds(requests), puts, after


def _kinds(requests: Sequence[Any]) -> str:
    """The requests, each as one word; what is read of all outcomes in capitals."""
    words: dict[Any, str] = {ReadBounces: "bounces", Put: "put"}
    return " ".join(
        ("ALL" if each.messages is None else "own") if isinstance(each, ReadOutcomes) else words[type(each)]
        for each in requests
    )


def _stored(*facts: Feedback, version: int = 1) -> Outcome:
    return replace(merge(None, facts, classify), version=version)


def _claims(*facts: Feedback) -> tuple[Claim, ...]:
    found = (make_claim(each, classify(each), POLICY) for each in facts)
    return tuple(each for each in found if each is not None)


FIVE = [_stored(bounce(2 * day, message=f"test:{day}")) for day in range(5)]
STREAK = find_streak(FIVE, POLICY)
assert STREAK is not None


def _with(version: int, streak: Cause | None = None, *facts: Feedback, life: Life | None = None) -> Suppression:
    causes = {each.kind: each.cause for each in _claims(*facts)} | ({CauseKind.STREAK: streak} if streak else {})
    matters = streak or CauseKind.HARD in causes
    return Suppression(recipient=ANN, causes=causes, version=version, life=life or (Life() if matters else None))


ALIVE = _stored(fact(Kind.DELIVERED, 9, message="test:9"))
_REF = EvidenceRef(at=ALIVE.last_at, feedback=ALIVE.decided_by, message="test:9", source="test")
SIGN = Life(_REF, _REF)
PENDING = Life(pending=True)


def test_a_first_outcome_is_put_as_version_one() -> None:
    [put], outcome = _run(update_outcome(None, [bounce(1)], classify), [None])
    assert put == Put(outcome)
    assert outcome == _stored(bounce(1), version=1)


def test_what_is_known_is_not_put() -> None:
    stored = _stored(bounce(1), version=7)
    assert _run(update_outcome(stored, [bounce(1)], classify), []) == ([], stored)


def test_a_refused_put_is_made_again_from_what_is_stored_now() -> None:
    theirs = _stored(fact(Kind.DELIVERED, 1), version=4)
    requests, outcome = _run(update_outcome(None, [bounce(2)], classify), [Refused(theirs), None])
    assert [request.item.version for request in requests] == [1, 5]
    assert outcome == _stored(fact(Kind.DELIVERED, 1), bounce(2), version=5)


def test_a_put_that_another_writer_has_made_already_is_not_made_again() -> None:
    theirs = _stored(bounce(2), fact(Kind.DELIVERED, 1), version=4)
    requests, outcome = _run(update_outcome(None, [bounce(2)], classify), [Refused(theirs)])
    assert (len(requests), outcome) == (1, theirs)


def test_an_outcome_that_has_expired_meanwhile_is_put_anew() -> None:
    requests, outcome = _run(
        update_outcome(_stored(bounce(1), version=3), [bounce(2)], classify), [Refused(None), None]
    )
    assert [request.item.version for request in requests] == [4, 1]
    assert outcome == _stored(bounce(2), version=1)


def test_whoever_loses_every_time_gives_up() -> None:
    others = [_stored(fact(Kind.OPENED, number / 24), version=number + 1) for number in range(MAX_TRIES)]
    with pytest.raises(ContentionExhausted):
        _run(update_outcome(None, [bounce(1)], classify), [Refused(each) for each in others])
    others_too = [Refused(_with(number + 1)) for number in range(MAX_TRIES)]
    with pytest.raises(ContentionExhausted):
        _run(
            update_suppression(SuppressionUpdate(EVERYWHERE, _claims(fact(Kind.COMPLAINED, 1))), None, POLICY),
            others_too,
        )


def test_a_claim_costs_one_write_and_no_read() -> None:
    complaint = _claims(fact(Kind.COMPLAINED, 1))
    [put], after = _run(update_suppression(SuppressionUpdate(EVERYWHERE, complaint), None, POLICY), [None])
    assert put == Put(_with(1, None, fact(Kind.COMPLAINED, 1)))
    assert after == put.item
    assert _run(update_suppression(SuppressionUpdate(EVERYWHERE, complaint), after, POLICY), []) == ([], after)


def test_a_hard_bounce_is_announced_before_signs_of_life_are_looked_for() -> None:
    """A delivery may contradict it that was stored before, or meanwhile."""
    hard, alive = bounce(1, "hard"), [_stored(bounce(1, "hard")), ALIVE]
    for views in ([alive], [alive[:1], alive]):
        kinds, puts, after = _work(SuppressionUpdate(EVERYWHERE, _claims(hard)), None, *views)
        assert kinds == "put ALL put"
        assert puts == [_with(1, None, hard, life=PENDING), replace(replace_life(puts[0], SIGN), version=2)]
        assert after == puts[1]
        assert after.causes[CauseKind.HARD].contradicted == SIGN.last


def test_a_person_decides_of_what_they_have_seen() -> None:
    release = Decision(at=bounce(9).occurred_at, by="a person", act=Act.RELEASED, note="asked by phone")
    seen = _with(3, None, fact(Kind.COMPLAINED, 1))
    [put], after = _run(
        update_suppression(SuppressionUpdate(EVERYWHERE, decisions=(release,), expect=3), seen, POLICY), [None]
    )
    assert (after, put.item.released_at, put.item.history) == (put.item, release.at, (release,))
    with pytest.raises(VersionMoved, match="version 3"):
        _run(update_suppression(SuppressionUpdate(EVERYWHERE, decisions=(release,), expect=2), seen, POLICY), [])
    with pytest.raises(VersionMoved, match="version 4"):
        _run(
            update_suppression(SuppressionUpdate(EVERYWHERE, decisions=(release,), expect=3), seen, POLICY),
            [Refused(replace(seen, version=4))],
        )


def test_a_look_resolves_an_outcome_until_something_later_comes() -> None:
    unclear = _stored(bounce(1, "unclear"))
    look = Decision(at=bounce(2).occurred_at, by="a person", act=Act.RESOLVED)
    [put], outcome = _run(update_outcome(unclear, [], classify, look=look), [None])
    assert (unclear.review, outcome.review, put.item.resolved) == ("undetermined", None, look)
    assert _run(update_outcome(outcome, [], classify, look=look), []) == ([], outcome)
    _, early = _run(update_outcome(outcome, [bounce(1.5, "unclear")], classify), [None])
    _, late = _run(update_outcome(outcome, [bounce(3, "unclear")], classify), [None])
    assert (early.review, late.review) == (None, "undetermined")


def test_what_was_erased_meanwhile_cannot_be_looked_at() -> None:
    look = Decision(at=bounce(2).occurred_at, by="a person", act=Act.RESOLVED)
    with pytest.raises(VersionMoved, match="version 0"):
        _run(update_outcome(_stored(bounce(1, "unclear")), [], classify, look=look), [Refused(None)])


def test_changed_rules_are_written_where_they_change_something() -> None:
    before = _stored(bounce(1), version=4)
    assert _run(update_outcome(before, [], classify, afresh=True), []) == ([], before)
    [put], after = _run(update_outcome(before, [], lambda _: VERDICTS["hard"], afresh=True), [None])
    assert (after, after.verdict, after.version) == (put.item, VERDICTS["hard"], 5)


def test_a_suppression_is_rebuilt_from_what_the_outcomes_say_now() -> None:
    """What rests on outcomes that are gone stays; so does what a person wrote down."""
    expired = bounce(-300, "hard", "test:old")
    known = absorb_claims(_with(3, None, bounce(1, "hard")), _claims(expired))
    outcomes = [_stored(bounce(1, "hard"))]
    steps = update_suppression(SuppressionUpdate(EVERYWHERE, rebuild=lambda _: []), known, POLICY)
    left = replace(_with(4, None, expired), recipient=ANN)
    requests, after = _run(steps, [outcomes, None, outcomes])
    assert requests[0] == ReadOutcomes(ANN)
    assert after == left


def test_nothing_to_say_costs_nothing() -> None:
    assert _run(update_suppression(SuppressionUpdate(EVERYWHERE), None, POLICY), []) == ([], None)


def test_a_soft_bounce_without_a_streak_costs_one_read() -> None:
    update = SuppressionUpdate(EVERYWHERE, recount=True)
    requests, after = _run(update_suppression(update, None, POLICY), [FIVE[:4]])
    assert (_kinds(requests), after) == ("bounces", None)


def test_a_row_that_is_long_enough_is_announced_before_signs_of_life_are_looked_for() -> None:
    """Nobody knows yet who is alive: whoever did not see the announcement had stored what it knows before."""
    kinds, puts, _ = _work(SuppressionUpdate(EVERYWHERE, recount=True), None, FIVE)
    assert kinds == "bounces put ALL put bounces"
    assert puts == [_with(1, life=PENDING), _with(2, STREAK)]


def test_what_was_announced_and_left_is_found_out_by_whoever_comes_next() -> None:
    """Law 4: the one who announced it may have stopped there."""
    kinds, puts, _ = _work(SuppressionUpdate(EVERYWHERE), _with(7, life=PENDING), [*FIVE, ALIVE])
    assert (kinds, puts) == ("ALL put", [_with(8, life=SIGN)])


def test_once_the_last_sign_of_life_is_known_only_what_is_new_is_read() -> None:
    sixth = _stored(bounce(10, message="test:5"))
    update = SuppressionUpdate(EVERYWHERE, recount=True, messages=("test:5",))
    longer = _with(4, find_streak([*FIVE, sixth], POLICY))
    requests, after = _run(update_suppression(update, _with(3, STREAK), POLICY), [[*FIVE, sixth], None, [*FIVE, sixth]])
    assert (_kinds(requests), after) == ("own bounces put own bounces", longer)


def test_a_delivery_ends_a_streak_and_reads_itself_alone() -> None:
    update = SuppressionUpdate(EVERYWHERE, messages=("test:9",))
    gone = _with(4, life=SIGN)
    requests, after = _run(update_suppression(update, _with(3, STREAK), POLICY), [[*FIVE, ALIVE], None, [*FIVE, ALIVE]])
    assert (_kinds(requests), after) == ("own put own", gone)


def test_a_sign_of_life_that_is_taken_back_is_looked_for_in_all_outcomes() -> None:
    refused = _stored(fact(Kind.DELIVERED, 9, message="test:9"), bounce(9.5, "block", "test:9"))
    update = SuppressionUpdate(EVERYWHERE, recount=True, messages=("test:9",))
    kinds, puts, _ = _work(update, _with(4, life=SIGN), [*FIVE, refused])
    assert kinds == "own bounces put ALL put own bounces"
    assert puts == [_with(5, life=PENDING), _with(6, STREAK)]


def test_a_delivery_that_comes_meanwhile_is_found_after_the_announcement() -> None:
    kinds, puts, _ = _work(SuppressionUpdate(EVERYWHERE, recount=True), None, FIVE, [*FIVE, ALIVE])
    assert kinds == "bounces put ALL put bounces"
    assert puts == [_with(1, life=PENDING), _with(2, life=SIGN)]


def test_where_no_row_is_long_enough_nobody_has_to_know_who_is_alive() -> None:
    standing, gone = _with(1, STREAK), _with(2)
    requests, after = _run(
        update_suppression(SuppressionUpdate(EVERYWHERE, recount=True), standing, POLICY),
        [FIVE[:4], None, FIVE[:4]],
    )
    assert (_kinds(requests), after) == ("bounces put bounces", gone)


def test_a_streak_that_was_taken_away_is_looked_for_once_more() -> None:
    """A bounce may have come while it was taken away, and its writer have found the old streak still there."""
    _, puts, _ = _work(SuppressionUpdate(EVERYWHERE, recount=True), _with(1, STREAK), FIVE[:4], FIVE)
    assert puts == [_with(2), _with(3, life=PENDING), _with(4, STREAK)]


def test_a_refusal_starts_again_from_what_is_stored_and_reads_the_outcomes_after_it() -> None:
    theirs = _with(5, None, bounce(1, "hard"))
    both = replace(theirs, causes=theirs.causes | {CauseKind.STREAK: STREAK}, version=6)
    requests, after = _run(
        update_suppression(SuppressionUpdate(EVERYWHERE, recount=True), None, POLICY),
        [FIVE, Refused(theirs), FIVE, None, FIVE],
    )
    assert _kinds(requests) == "bounces put bounces put bounces"
    assert [request for request in requests if isinstance(request, Put)] == [Put(_with(1, life=PENDING)), Put(both, 1)]
    assert after == both


def test_a_stream_has_no_streak() -> None:
    left = _claims(fact(Kind.UNSUBSCRIBED, 1, scope="news"))
    [put], after = _run(update_suppression(SuppressionUpdate((ANN, "news"), left), None, POLICY), [None])
    assert put.item == after
    requests, _ = _run(update_suppression(SuppressionUpdate((ANN, "news"), recount=True), after, POLICY), [])
    assert requests == []


def test_a_stream_that_is_rebuilt_has_no_streak_either() -> None:
    left = _claims(fact(Kind.UNSUBSCRIBED, 1, scope="news"))
    news = Suppression(recipient=ANN, scope="news", causes={each.kind: each.cause for each in left}, version=1)
    update = SuppressionUpdate((ANN, "news"), recount=True, rebuild=lambda _: list(left))
    assert _run(update_suppression(update, news, POLICY), [FIVE]) == ([ReadOutcomes(ANN)], news)


def test_a_suppression_that_was_erased_meanwhile_is_put_anew() -> None:
    complaint = fact(Kind.COMPLAINED, 1)
    requests, after = _run(
        update_suppression(
            SuppressionUpdate(EVERYWHERE, _claims(complaint)), _with(4, None, fact(Kind.COMPLAINED, 0)), POLICY
        ),
        [Refused(None), None],
    )
    assert [request.item.version for request in requests] == [5, 1]
    assert after == _with(1, None, complaint)


def test_bounces_before_a_release_make_no_streak() -> None:
    released = Suppression(recipient=ANN, released_at=bounce(8).occurred_at, version=2)
    requests, after = _run(update_suppression(SuppressionUpdate(EVERYWHERE, recount=True), released, POLICY), [FIVE])
    assert (_kinds(requests), after) == ("bounces", released)


def test_what_stands_there_may_be_our_own_write_of_which_the_answer_was_lost() -> None:
    """The client tries and is refused by what it has written; the version that was expected has not moved."""
    mine = Decision(at=bounce(1).occurred_at, by="ann", act=Act.RESOLVED)
    stored = _with(3, None, bounce(1, "soft", "test:1"))
    after = replace(stored, history=(mine,), version=4)
    update = SuppressionUpdate(EVERYWHERE, decisions=(mine,), expect=3)
    requests, stored_then = _run(update_suppression(update, stored, POLICY), [Refused(after)])
    assert (requests, stored_then) == ([Put(after)], after)
    with pytest.raises(VersionMoved):
        _run(update_suppression(update, stored, POLICY), [Refused(replace(after, note="theirs"))])
