"""Why an address must not be written to, as a set of causes that only widens, and whether it holds now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from aftersend.model import Cause, CauseKind, Mark, Suppression
from aftersend.policy import Claim


def absorb(stored: Suppression, claims: Iterable[Claim]) -> Suppression:
    """`stored` with what `claims` add to it; they are of its recipient and scope. Any order gives the same."""
    causes = dict(stored.causes)
    for claim in claims:
        known = causes.get(claim.kind)
        causes[claim.kind] = _widened(known, claim.cause) if known else claim.cause
    return stored if causes == stored.causes else replace(stored, causes=_sorted(causes))


def with_streak(stored: Suppression, streak: Cause | None) -> Suppression:
    """`stored` with this streak in place of the one it had: a streak is computed afresh, never added to."""
    if stored.causes.get(CauseKind.STREAK) == streak:
        return stored
    causes = dict(stored.causes)
    causes.pop(CauseKind.STREAK, None)
    if streak is not None:
        causes[CauseKind.STREAK] = streak
    return replace(stored, causes=_sorted(causes))


def active(suppression: Suppression, now: datetime) -> tuple[CauseKind, ...]:
    """The causes that hold at `now` (UTC): not lapsed, not withdrawn, with evidence later than any release."""
    released = suppression.released_at
    return tuple(kind for kind, cause in suppression.causes.items() if _holds(cause, released, now))


def lapses_at(suppression: Suppression) -> datetime | None:
    """When nothing in it can hold any more; None where a cause has no end and was not released or withdrawn."""
    standing = [cause for cause in suppression.causes.values() if _stands(cause, suppression.released_at)]
    if any(cause.until is None for cause in standing):
        return None
    moments = [mark.at for cause in suppression.causes.values() for mark in _marks(cause)]
    moments += [cause.until for cause in standing if cause.until is not None]
    moments += [suppression.released_at] if suppression.released_at else []
    return max(moments, default=None)


def _holds(cause: Cause, released_at: datetime | None, now: datetime) -> bool:
    return _stands(cause, released_at) and (cause.until is None or now < cause.until)


def _stands(cause: Cause, released_at: datetime | None) -> bool:
    latest = cause.latest
    if latest is None or (released_at is not None and latest.at <= released_at):
        return False
    return cause.withdrawn is None or cause.withdrawn.order < latest.order


def _widened(one: Cause, other: Cause) -> Cause:
    firsts, latests, takebacks = (
        [mark for mark in (getattr(one, name), getattr(other, name)) if mark is not None]
        for name in ("first", "latest", "withdrawn")
    )
    return Cause(
        first=min(firsts, key=_order, default=None),
        latest=max(latests, key=_order, default=None),
        withdrawn=max(takebacks, key=_order, default=None),
    )


def _marks(cause: Cause) -> list[Mark]:
    return [mark for mark in (cause.first, cause.latest, cause.withdrawn) if mark is not None]


def _order(mark: Mark) -> tuple[datetime, str]:
    return mark.order


def _sorted(causes: dict[CauseKind, Cause]) -> dict[CauseKind, Cause]:
    return dict(sorted(causes.items()))
