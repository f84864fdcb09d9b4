"""The order of steps that makes concurrent writers agree, as pure generators: they say what to read and write next.

`ingest` drives them against DynamoDB; a test drives two and three of them through every interleaving. Nothing here
touches a network, a clock or a thread, so what the test proves is what runs.

A generator yields one request and is sent its answer:

    Put(item)              -> None where it was stored, or `Refused(current)` where the version had moved on
    ReadOutcomes(recipient)-> list[Outcome], strongly consistent: all of them, or those of some messages
    ReadBounces(…)         -> list[Bounce], strongly consistent: a page of the index of bounces
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from typing import TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.causes import Claim, find_life, join_life
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
from aftersend.core.validity import Validity

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


class ReadOutcomes(Struct, frozen=True):
    """Read every outcome of one recipient, or those of some messages."""

    recipient: str
    messages: tuple[str, ...] | None = None


Request = Put | ReadOutcomes | ReadBounces
Answer = None | Refused | list[Outcome] | list[Bounce]


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
    validity: Validity = SHIPPED.validity,
    now: datetime | None = None,
) -> Generator[Request, Answer, Outcome]:
    """Bring `new` feedback of one key into its outcome, of which `stored` was read. Returns what is stored then.

    `look` is the decision of a person who has looked at what was put up for review. `afresh` derives everything anew,
    because the rules have changed; `reports` says what proves a report by mail, `validity` how long something must be
    heard in, and what was due by `now` (UTC) is expired. Raises VersionMoved where there is
    nothing new, and nothing left to look at: it has been erased. Raises ContentionExhausted after MAX_TRIES refusals.
    """
    for refusals in range(MAX_TRIES):
        if stored is None and not new:
            raise VersionMoved(0)
        outcome = merge(stored, new, classify, look=look, afresh=afresh, reports=reports, validity=validity, now=now)
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


def update_suppression(
    update: SuppressionUpdate, stored: Suppression | None, policy: Policy
) -> Generator[Request, Answer, Suppression | None]:
    """Bring claims, the streak and signs of life into one suppression, of which `stored` was read *after* the outcomes.

    Three rules make it exact. Whoever computes a streak or joins a sign of life has read the suppression first and the
    outcomes then, and writes only if the suppression is still the one it read: a later writer never has an older view
    than an earlier one. Whoever has written what it computed looks once more. So when a bounce and a delivery are
    stored at the same time, the second of them sees the other; and a worker that found nothing to write is not
    overruled by one that had looked earlier. And signs of life are announced to matter before all outcomes are read for
    them: whoever has stored one and did not see that had stored it before the reading, and all others join theirs. The
    same is done where the last one is taken back.

    Raises VersionMoved where another version is stored than the one that was expected, and ContentionExhausted after
    MAX_TRIES refusals.
    """
    recipient, scope = update.key
    expect, refusals = update.expect, 0
    for _ in range(MAX_TRIES):
        before = stored or Suppression(recipient=recipient, scope=scope)
        if expect is not None and before.version != expect:
            raise VersionMoved(before.version)
        joined = apply_reverts(apply_decisions(merge_claims(before, update.claims), update.decisions), update.windows)
        looks = _has_to_look(joined, update)
        after = (yield from _look(joined, update, policy)) if looks else replace_life(joined, joined.life)
        if after == before:
            return stored
        after = replace(after, version=before.version + 1)
        answer = yield Put(after, refusals)
        if lost_race(answer, after):
            stored, refusals = _expect_suppression(answer.current), refusals + 1
        elif looks:
            stored, expect = after, None
        else:
            return after
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being written")


def _has_to_look(suppression: Suppression, update: SuppressionUpdate) -> bool:
    """Whether what follows from outcomes may have changed, or is not known yet."""
    if update.rebuild is not None:
        return True
    stands = suppression.life or CauseKind.HARD in suppression.causes or CauseKind.STREAK in suppression.causes
    return update.look and suppression.scope == "*" and bool(update.recount or stands)


def _look(
    suppression: Suppression, update: SuppressionUpdate, policy: Policy
) -> Generator[Request, Answer, Suppression]:
    """`suppression` with what follows from the outcomes of its recipient, of which no more are read than it takes.

    Without `recount` the streak can only end: a sign of life drops what came before it, and makes none.
    """
    known, row = suppression.life, suppression.causes.get(CauseKind.STREAK)
    pending = known is not None and known.pending
    life: Life | None = None
    outcomes: list[Outcome] | None = None
    if update.rebuild is not None or pending:
        outcomes = _expect_outcomes((yield ReadOutcomes(suppression.recipient)))
        life = find_life(outcomes, policy)
        life = life if pending or life == known else None
    elif known is not None:
        life = yield from _join_life(known, update, policy)
    if update.rebuild is not None and outcomes is not None:
        facts = {fact.id for outcome in outcomes for fact in outcome.feedback if is_judgeable(fact)}
        suppression = rebuild(suppression, update.rebuild(outcomes), facts)
        if suppression.scope != "*":
            return suppression
    decided = bool((update.windows or update.decisions) and (row or known))
    recount = update.recount or decided or outcomes is not None or (known is not None and life is None)
    if recount:
        row = yield from _read_bounces(read_row(suppression, policy), outcomes)
    if recount and row is None and CauseKind.HARD not in suppression.causes:
        return replace_streak(replace_life(suppression, None), None)  # no sign of life matters
    if life is None:
        return replace_life(suppression, Life(pending=True))
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
