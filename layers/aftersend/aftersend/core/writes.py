"""The order of steps that makes concurrent writers agree, as pure generators: they say what to read and write next.

`ingest` drives them against DynamoDB; a test drives two and three of them through every interleaving. Nothing here
touches a network, a clock or a thread, so what the test proves is what runs.

A generator yields one request and is sent its answer:

    Put(item)              -> None where it was stored, or `Refused(current)` where the version had moved on
    ReadSuppression(key)   -> Suppression | None, strongly consistent
    ReadOutcomes(recipient)-> list[Outcome], strongly consistent, all of them
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeGuard, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.causes import Claim, find_contradiction, find_streak
from aftersend.core.errors import ContentionExhausted, VersionMoved
from aftersend.core.feedback_set import is_judgeable
from aftersend.core.model import CauseKind, Decision, Feedback, Key, Outcome, Reverted, Suppression
from aftersend.core.outcome import Classify, merge
from aftersend.core.policy import SHIPPED, Policy, Reports
from aftersend.core.suppression import (
    apply_decisions,
    apply_reverts,
    merge_claims,
    rebuild,
    replace_contradiction,
    replace_streak,
)

# Each refusal means that another writer got through, so this many in a row is a fault and not bad luck.
MAX_TRIES = 50


class Put(Struct, frozen=True):
    """Store `item` if the stored version is still `item.version - 1` (0 says: if there is none)."""

    item: Outcome | Suppression


class Refused(Struct, frozen=True):
    """A Put that lost: what another writer stored meanwhile, or None where it is gone again."""

    current: Outcome | Suppression | None


class ReadSuppression(Struct, frozen=True):
    """Read one suppression by recipient and scope."""

    key: Key


class ReadOutcomes(Struct, frozen=True):
    """Read every outcome of one recipient."""

    recipient: str


_T = TypeVar("_T")

Request = Put | ReadSuppression | ReadOutcomes
Answer = None | Refused | Suppression | list[Outcome]


def run_steps(steps: Generator[Request, Answer, _T], answer: Callable[[Request], Answer]) -> _T:
    """Carry out every step and return the result; `answer` reads and writes a store, or wraps one that does."""
    given: Answer = None
    try:
        while True:
            given = answer(steps.send(given))
    except StopIteration as end:
        result: _T = end.value
        return result


def lost_race(answer: object, item: Outcome | Suppression) -> TypeGuard[Refused]:
    """Return whether the Put of `item` lost against another writer.

    What stands there may be our own: the answer to a write that was done got lost, and the client tried again.
    """
    return isinstance(answer, Refused) and answer.current != item


def update_outcome(
    stored: Outcome | None,
    new: Sequence[Feedback],
    classify: Classify,
    *,
    look: Decision | None = None,
    afresh: bool = False,
    reports: Reports = SHIPPED.report,
) -> Generator[Request, Answer, Outcome]:
    """Bring `new` feedback of one key into its outcome, of which `stored` was read. Returns what is stored then.

    `look` is the decision of a person who has looked at what was put up for review. `afresh` derives everything anew,
    because the rules have changed; `reports` says what proves a report by mail. Raises VersionMoved where there is
    nothing new, and nothing left to look at: it has been erased. Raises ContentionExhausted after MAX_TRIES refusals.
    """
    for _ in range(MAX_TRIES):
        if stored is None and not new:
            raise VersionMoved(0)
        outcome = merge(stored, new, classify, look=look, afresh=afresh, reports=reports)
        if outcome is stored:
            return outcome
        outcome = replace(outcome, version=outcome.version + 1)
        refused = yield Put(outcome)
        if not isinstance(refused, Refused):
            return outcome
        stored = _expect_outcome(refused.current)
    raise ContentionExhausted(f"an outcome changed {MAX_TRIES} times while it was being written")


class SuppressionUpdate(Struct, frozen=True):
    """What has to be updated in one suppression after outcomes were written, or because a person decided.

    `recount` says that a soft bounce was stored, so the streak must be computed; without it a streak that stands
    there is computed again, because a delivery or an engagement may have ended it.
    """

    key: Key
    claims: tuple[Claim, ...] = ()
    recount: bool = False
    decisions: tuple[Decision, ...] = ()
    windows: tuple[Reverted, ...] = ()
    rebuild: Callable[[list[Outcome]], list[Claim]] | None = None  # all claims of the outcomes, under changed rules
    expect: int | None = None  # the version that the person has seen; another one is refused


def update_suppression(
    update: SuppressionUpdate, stored: Suppression | None, policy: Policy
) -> Generator[Request, Answer, Suppression | None]:
    """Bring claims and the streak into one suppression, of which `stored` was read *after* the outcomes were written.

    Two rules make it exact. Whoever computes a streak has read the suppression first and the outcomes then, and
    writes only if the suppression is still the one it read: a later writer never has an older view than an earlier
    one. And whoever has computed a streak and written it computes it once more. So when a bounce and a delivery are
    stored at the same time, the second of them sees the other; and a worker that found nothing to write is not
    overruled by one that had looked earlier. What contradicts a hard bounce is computed with it, in the same way.

    Raises VersionMoved where another version is stored than the one that was expected, and ContentionExhausted after
    MAX_TRIES refusals.
    """
    recipient, scope = update.key
    recount = update.recount
    expect = update.expect
    for _ in range(MAX_TRIES):
        before = stored or Suppression(recipient=recipient, scope=scope)
        if expect is not None and before.version != expect:
            raise VersionMoved(before.version)
        after = apply_reverts(apply_decisions(merge_claims(before, update.claims), update.decisions), update.windows)
        recount = recount or CauseKind.STREAK in after.causes or CauseKind.HARD in after.causes
        looks = update.rebuild is not None or (scope == "*" and recount)
        if looks:
            outcomes = yield ReadOutcomes(recipient)
            assert isinstance(outcomes, list)
            after = _derive(after, outcomes, update, policy)
        if after == before:
            return stored
        after = replace(after, version=before.version + 1)
        answer = yield Put(after)
        if lost_race(answer, after):
            stored = _expect_suppression(answer.current)
        elif looks:
            stored, expect = _expect_suppression((yield ReadSuppression(update.key))), None
        else:
            return after
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being written")


def _derive(
    suppression: Suppression, outcomes: list[Outcome], update: SuppressionUpdate, policy: Policy
) -> Suppression:
    """`suppression` with what follows from all outcomes of its recipient."""
    if update.rebuild is not None:
        known = {fact.id for outcome in outcomes for fact in outcome.feedback if is_judgeable(fact)}
        suppression = rebuild(suppression, update.rebuild(outcomes), known)
    if suppression.scope != "*":
        return suppression
    suppression = replace_streak(
        suppression, find_streak(outcomes, policy, suppression.released_at, suppression.reverted)
    )
    if (hard := suppression.causes.get(CauseKind.HARD)) is not None:
        suppression = replace_contradiction(suppression, find_contradiction(outcomes, hard, policy))
    return suppression


def _expect_outcome(answer: object) -> Outcome | None:
    assert answer is None or isinstance(answer, Outcome)
    return answer


def _expect_suppression(answer: object) -> Suppression | None:
    assert answer is None or isinstance(answer, Suppression)
    return answer
