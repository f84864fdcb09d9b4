"""What people decide about suppressions, as steps that agree with everybody else who writes.

A decision is a fact with a time, like evidence: whatever order they come in, what holds is the same. So a release is
written down even where there is nothing to release yet: evidence from before it may still be on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.api.suppression_views import is_silent
from aftersend.core.causes import Claim
from aftersend.core.errors import VersionMoved
from aftersend.core.model import Act, Cause, CauseKind, Decision, EvidenceRef, Key, Outcome, Reverted, Suppression
from aftersend.core.steps import run_steps
from aftersend.core.streaks import list_counted_bounces
from aftersend.core.suppression import WISHES, find_active_causes, find_causes_needing_force, list_evidence
from aftersend.core.times import UNKNOWN_TIME
from aftersend.core.writes import (
    Answer,
    Put,
    ReadOutcomes,
    Request,
    SuppressionUpdate,
    lost_race,
    update_suppression,
)

Expected = Callable[[int], int | None]  # the version that is stored, to the one that must be
_T = TypeVar("_T")
_MOMENT: Final = timedelta(milliseconds=1)
_CLOCK_SKEW: Final = timedelta(days=1)
_WISHED: Final = {CauseKind.COMPLAINT: "complained", CauseKind.UNSUBSCRIBED: "unsubscribed"}


def read_suppression(context: ApiContext, key: Key) -> tuple[Suppression | None, Suppression | None]:
    """Return what is stored of a recipient in a scope, and what stands there under their alias."""
    alias = context.make_alias(key[0]), key[1]
    found = context.store.get_suppressions([key, alias])
    return hide_empty(found.get(key)), found.get(alias)


def hide_empty(stored: Suppression | None) -> Suppression | None:
    """Return `stored`, or None if it says nothing: a streak that ended leaves an item that only has its version."""
    return None if stored is None or is_silent(stored) else stored


def suppress(
    context: ApiContext, key: Key, by: str, note: str, *, until: datetime | None = None, expected: Expected
) -> bool:
    """Suppress by hand until `until` (UTC; None has no end); return whether nothing was stored before.

    A repeated request is written once. Raises VersionMoved where another version is stored than is expected.
    """
    stored = context.store.get_suppressions([key]).get(key)
    expect = _expect(stored, expected)
    now = context.clock()
    if stored is not None and _repeats(stored, by, note, until, now):
        if expect not in (None, stored.version):
            raise VersionMoved(stored.version)
        return False
    # It is meant to hold, also where the clock of whoever released it before is ahead of ours.
    at = max(now, ((stored and stored.released_at) or UNKNOWN_TIME) + _MOMENT)
    decision = Decision(at=at, by=by, act=Act.ADDED, note=note, until=until)
    evidence = EvidenceRef(at=at, feedback=decision.id, message=f"manual:{decision.id}", source="manual")
    claim = Claim(*key, CauseKind.MANUAL, Cause(first=evidence, latest=evidence, until=until))
    run(
        update_suppression(
            SuppressionUpdate(key, (claim,), decisions=(decision,), expect=expect), stored, context.policy
        ),
        context,
    )
    return hide_empty(stored) is None


def release(context: ApiContext, key: Key, by: str, note: str, *, force: bool = False, expected: Expected) -> None:
    """Let evidence up to now, and all that is stored, no longer count, under the alias of the same person too.

    Raises Problem where a wish of the person's own stands and `force` is not set, VersionMoved where another version is
    stored than is expected.
    """
    alias = context.make_alias(key[0]), key[1]
    found = context.store.get_suppressions([key, alias])
    stored, erased = found.get(key), found.get(alias)
    expect = _expect(stored, expected)
    now = context.clock()
    both = [each for each in (stored, erased) if each is not None]
    wishes = sorted({kind for each in both for kind in find_causes_needing_force(each, now)})
    if wishes and not force:
        wished = " and ".join(_WISHED[kind] for kind in wishes)
        raise Problem(
            "release-requires-force", f"this person has {wished}: release them with force=true", causes=wishes
        )
    at, windows = _reach(context, both, now, force=force)
    decision = Decision(at=at, by=by, act=Act.RELEASED, note=note, force=force)
    update = SuppressionUpdate(key, decisions=(decision,), windows=windows, recount=True, expect=expect)
    run(update_suppression(update, stored, context.policy), context)
    if erased is not None:
        update = SuppressionUpdate(erased.key, decisions=(decision,), windows=windows, recount=True)
        run(update_suppression(update, erased, context.policy), context)


def _reach(
    context: ApiContext, stored: Iterable[Suppression], now: datetime, *, force: bool
) -> tuple[datetime, tuple[Reverted, ...]]:
    """The moment that a release names, and the windows that it reverts, so that nothing which is stored still counts.

    Clocks differ: what is dated ahead by up to a day is meant. What is dated later still is taken out by itself:
    a release that reached so far would lift all that is still to come. Of a streak that are all its bounces: what
    is left of them would be a streak again.
    """
    refs: set[EvidenceRef] = set()
    for each in stored:
        for kind, cause in each.causes.items():
            if force or kind not in WISHES:
                refs |= set(list_evidence(cause))
            if kind is CauseKind.STREAK and cause.latest is not None and cause.latest.at > now + _CLOCK_SKEW:
                refs |= set(list_counted_bounces(_read_outcomes(context, each.recipient), context.policy))
    late = {ref for ref in refs if ref.at > now + _CLOCK_SKEW and ref.reason is not None}
    return max([now, *[ref.at for ref in refs - late]]), _cover(late)


def _read_outcomes(context: ApiContext, recipient: str) -> list[Outcome]:
    found = context.store.answer(ReadOutcomes(recipient))
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, Outcome)]


def _cover(refs: Iterable[EvidenceRef]) -> tuple[Reverted, ...]:
    """One window for each reason, from the first to the last of this evidence."""
    moments: dict[str, list[datetime]] = {}
    for ref in refs:
        moments.setdefault(str(ref.reason), []).append(ref.at)
    return tuple(sorted(Reverted(min(found), max(found), reason) for reason, found in moments.items()))


def resolve(context: ApiContext, key: Key, by: str, note: str, *, expected: Expected) -> None:
    """Write down that a person has looked, and that what is stored stays. Raises VersionMoved as `suppress` does."""
    stored = context.store.get_suppressions([key]).get(key)
    expect = _expect(stored, expected)
    hard = stored.causes.get(CauseKind.HARD) if stored else None
    # What was shown is meant, also where a source's clock is ahead of ours.
    at = max(context.clock(), hard.contradicted.at if hard and hard.contradicted else UNKNOWN_TIME)
    decision = Decision(at=at, by=by, act=Act.RESOLVED, note=note)
    run(
        update_suppression(SuppressionUpdate(key, decisions=(decision,), expect=expect), stored, context.policy),
        context,
    )


def run(steps: Generator[Request, Answer, _T], context: ApiContext, *, alone: bool = False) -> _T:
    """Carry out every step and return the result.

    With `alone`, raises VersionMoved where somebody else has written meanwhile.
    """

    def answered(request: Request) -> Answer:
        answer = context.store.answer(request)
        if alone and isinstance(request, Put) and lost_race(answer, request.item):
            raise VersionMoved(answer.current.version if answer.current else 0)
        return answer

    return run_steps(steps, answered)


def _expect(stored: Suppression | None, expected: Expected) -> int | None:
    """The version that must be stored; what says nothing is nothing to whoever asks."""
    shown = hide_empty(stored)
    wanted = expected(shown.version if shown else 0)
    return stored.version if stored is not None and shown is None and wanted == 0 else wanted


def _repeats(stored: Suppression, by: str, note: str, until: datetime | None, now: datetime) -> bool:
    """Whether this was the last decision, and holds."""
    if not stored.history or CauseKind.MANUAL not in find_active_causes(stored, now):
        return False
    last = stored.history[-1]
    return (last.act, last.by, last.note, last.until) == (Act.ADDED, by, note, until)
