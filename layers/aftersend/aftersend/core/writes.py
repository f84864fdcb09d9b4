"""The order of steps that makes concurrent writers agree, as pure generators: they say what to read and write next.

`ingest` drives them against DynamoDB; a test drives two and three of them through every interleaving. Nothing here
touches a network, a clock or a thread, so what the test proves is what runs.

A generator yields one request and is sent its answer:

    Put(item)              -> None where it was stored, or `Refused(current)` where the version had moved on
    ReadSuppression(key)   -> Suppression | None, strongly consistent
    ReadOutcomes(recipient)-> list[Outcome], strongly consistent: all of them, or those of some messages
    ReadBounces(…)         -> list[Bounce], strongly consistent: a page of the index of bounces
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.causes import Claim, find_life, is_taken_back, join_life
from aftersend.core.errors import ContentionExhausted, VersionMoved
from aftersend.core.feedback_set import is_judgeable
from aftersend.core.model import Cause, CauseKind, Decision, Feedback, Key, Life, Outcome, Reverted, Suppression
from aftersend.core.outcome import Classify, merge
from aftersend.core.policy import SHIPPED, Policy, Reports
from aftersend.core.steps import run_steps
from aftersend.core.streaks import Bounce, ReadBounces, read_row, read_streak, select_bounces
from aftersend.core.suppression import (
    apply_decisions,
    apply_reverts,
    merge_claims,
    rebuild,
    replace_life,
    replace_streak,
)

# Each refusal means that another writer got through, so this many in a row is a fault and not bad luck.
MAX_TRIES = 50


class Put(Struct, frozen=True):
    """Store `item` if the stored version is still `item.version - 1` (0 says: if there is none).

    After `refusals` of such a write, whoever carries it out waits a little, by chance, so that writers get through.
    """

    item: Outcome | Suppression
    refusals: int = 0


class Refused(Struct, frozen=True):
    """A Put that lost: what another writer stored meanwhile, or None where it is gone again."""

    current: Outcome | Suppression | None


class ReadSuppression(Struct, frozen=True):
    """Read one suppression by recipient and scope."""

    key: Key


class ReadOutcomes(Struct, frozen=True):
    """Read every outcome of one recipient, or those of some messages."""

    recipient: str
    messages: tuple[str, ...] | None = None


Request = Put | ReadSuppression | ReadOutcomes | ReadBounces
Answer = None | Refused | Suppression | list[Outcome] | list[Bounce]


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
    for refusals in range(MAX_TRIES):
        if stored is None and not new:
            raise VersionMoved(0)
        outcome = merge(stored, new, classify, look=look, afresh=afresh, reports=reports)
        if outcome is stored:
            return outcome
        outcome = replace(outcome, version=outcome.version + 1)
        refused = yield Put(outcome, refusals)
        if not isinstance(refused, Refused):
            return outcome
        stored = _expect_outcome(refused.current)
    raise ContentionExhausted(f"an outcome changed {MAX_TRIES} times while it was being written")


class SuppressionUpdate(Struct, frozen=True):
    """What has to be updated in one suppression after outcomes were written, or because a person decided.

    `recount` says that bounces were stored or may have ended to count, so the streak must be computed. `messages` are
    those of the recipient whose outcomes were stored: what is known of signs of life has to be joined with theirs.
    """

    key: Key
    claims: tuple[Claim, ...] = ()
    recount: bool = False
    decisions: tuple[Decision, ...] = ()
    windows: tuple[Reverted, ...] = ()
    rebuild: Callable[[list[Outcome]], list[Claim]] | None = None  # all claims of the outcomes, under changed rules
    expect: int | None = None  # the version that the person has seen; another one is refused
    messages: tuple[str, ...] = ()
    look: bool = True  # whether outcomes are read; who does not look leaves what is not known to the next who does


class _View(Struct):
    """How far a writer has looked, and must look again after it has written."""

    looked: bool = False
    whole: bool = False  # at every outcome of the recipient
    bounces: bool = False  # at the index of bounces, because a sign of life was taken back


def update_suppression(
    update: SuppressionUpdate, stored: Suppression | None, policy: Policy
) -> Generator[Request, Answer, Suppression | None]:
    """Bring claims, the streak and signs of life into one suppression, of which `stored` was read *after* the outcomes.

    Three rules make it exact. Whoever computes a streak or joins a sign of life has read the suppression first and the
    outcomes then, and writes only if the suppression is still the one it read: a later writer never has an older view
    than an earlier one. Whoever has written what it computed looks once more, as far as it looked before. So when a
    bounce and a delivery are stored at the same time, the second of them sees the other; and a worker that found
    nothing to write is not overruled by one that had looked earlier. And once it is known which sign of life is the
    last, everybody who stores one joins it; only where that one is taken back all outcomes are read again.

    Raises VersionMoved where another version is stored than the one that was expected, and ContentionExhausted after
    MAX_TRIES refusals.
    """
    recipient, scope = update.key
    expect, refusals = update.expect, 0
    view = _View()
    for _ in range(MAX_TRIES):
        before = stored or Suppression(recipient=recipient, scope=scope)
        if expect is not None and before.version != expect:
            raise VersionMoved(before.version)
        after = apply_reverts(apply_decisions(merge_claims(before, update.claims), update.decisions), update.windows)
        after = yield from _look(after, update, policy, view)
        if after == before:
            return stored
        after = replace(after, version=before.version + 1)
        answer = yield Put(after, refusals)
        if lost_race(answer, after):
            stored, refusals = _expect_suppression(answer.current), refusals + 1
        elif view.looked:
            stored, expect = _expect_suppression((yield ReadSuppression(update.key))), None
        else:
            return after
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being written")


def _look(
    suppression: Suppression, update: SuppressionUpdate, policy: Policy, view: _View
) -> Generator[Request, Answer, Suppression]:
    """`suppression` with what follows from the outcomes of its recipient, of which no more are read than it takes.

    Without `recount` the streak can only end: a sign of life drops what came before it, and makes none.
    """
    if not update.look:
        return replace_life(suppression, suppression.life)
    everywhere = suppression.scope == "*"
    hard, row = CauseKind.HARD in suppression.causes, suppression.causes.get(CauseKind.STREAK)
    decided = update.windows or update.decisions
    recount = update.recount or bool(decided and (row or suppression.life))
    if update.rebuild is None and not (everywhere and (recount or hard or row or suppression.life)):
        return suppression
    view.looked = True
    life: Life | None = None
    outcomes: list[Outcome] | None = None
    if update.rebuild is not None or view.whole:
        outcomes = _expect_outcomes((yield ReadOutcomes(suppression.recipient)))
        life = find_life(outcomes, policy)
        view.bounces = view.bounces or (suppression.life is not None and is_taken_back(suppression.life, life))
    elif suppression.life is not None:
        life = yield from _join_life(suppression.life, update, policy)
        view.bounces = view.bounces or life is None
    if update.rebuild is not None and outcomes is not None:
        known = {fact.id for outcome in outcomes for fact in outcome.feedback if is_judgeable(fact)}
        suppression = rebuild(suppression, update.rebuild(outcomes), known)
        if not everywhere:
            return suppression
        hard = CauseKind.HARD in suppression.causes
    recount = recount or view.bounces or update.rebuild is not None
    if recount:
        row = yield from _read_bounces(read_row(suppression, policy), outcomes)
    if not hard and row is None and recount:
        return replace_streak(replace_life(suppression, None), None)  # no sign of life matters
    if life is None:
        view.whole = True
        life = find_life(_expect_outcomes((yield ReadOutcomes(suppression.recipient))), policy)
    streak = yield from _read_bounces(read_streak(row, life, suppression, policy), outcomes)
    return replace_streak(replace_life(suppression, life), streak)


def _read_bounces(
    steps: Generator[ReadBounces, list[Bounce], Cause | None], outcomes: list[Outcome] | None
) -> Generator[Request, Answer, Cause | None]:
    """Carry out every step, on the outcomes where all of them have been read, else on the index."""
    if outcomes is not None:
        return run_steps(steps, lambda wanted: select_bounces(outcomes, wanted))
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(_expect_bounces((yield wanted)))
    except StopIteration as end:
        found: Cause | None = end.value
        return found


def _join_life(known: Life, update: SuppressionUpdate, policy: Policy) -> Generator[Request, Answer, Life | None]:
    """What is known of signs of life, with those of the messages that the writer has stored; None if taken back."""
    if not update.messages:
        return known
    return join_life(known, _expect_outcomes((yield ReadOutcomes(update.key[0], update.messages))), policy)


def _expect_outcome(answer: object) -> Outcome | None:
    assert answer is None or isinstance(answer, Outcome)
    return answer


def _expect_suppression(answer: object) -> Suppression | None:
    assert answer is None or isinstance(answer, Suppression)
    return answer


def _expect_outcomes(answer: object) -> list[Outcome]:
    assert isinstance(answer, list)
    return answer


def _expect_bounces(answer: object) -> list[Bounce]:
    assert isinstance(answer, list)
    return answer
