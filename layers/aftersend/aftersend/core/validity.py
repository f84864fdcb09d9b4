"""Messages of which nothing more is heard: when they are due, and the fact that is inferred then. Pure.

A message that is sent or deferred, and of which nothing else is heard for as long as its source's validity, is expired.
That is a fact of the kind `expired`, at the moment when it was due: the first sight of the message and the validity.
It is the one fact that no source reports, and it follows from all the others: each time that an outcome is written it
is inferred anew, earlier where an earlier first sight has come in, and left out where anything else was heard. So
whoever infers it, and whenever, infers the same, and an outcome that was expired for a time ends as one that never was.

Whether it is noticed takes a clock, or somebody who has noticed it before: without either, nothing expires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from aftersend.core.model import Feedback, Kind, Outcome, Status, Verdict, is_proven
from aftersend.core.times import UNKNOWN_TIME
from aftersend.core.vocabulary import Class, Reason

Validity = Mapping[str, int]  # hours by source: `[validity]` of the policy

WAITING: Final = frozenset({Status.SENT, Status.DEFERRED})
# What it means is what a source means that reports the same: the message ran out on its way.
VERDICT: Final = Verdict(klass=Class.SOFT, reason=Reason.EXPIRED, rule="validity")
# What functions write is what was due so long ago: their clocks may differ by less, and whoever stored something before
# it was due by their own clock knows that nobody had written it.
LAG: Final = timedelta(minutes=5)

_EXPIRED: Final = Kind.EXPIRED
_SENT: Final = frozenset({Kind.SENT, Kind.DEFERRED})
_ON_ITS_WAY: Final = _SENT | {Kind.UNKNOWN}


def compute_due(counting: Sequence[Feedback], validity: Validity) -> datetime | None:
    """Compute when (UTC) a message expires of which nothing else is heard than that it was sent or deferred.

    `counting` are the facts that decide something, in their order. Of several sources the shortest validity counts, so
    that more facts never make it later. None where it never expires: no validity of these sources, no known time, or
    nobody but a stranger who says that it was sent at all.
    """
    hours = [validity[fact.source] for fact in counting if fact.source in validity]
    if not hours or counting[0].occurred_at <= UNKNOWN_TIME or not is_proven(counting):
        return None
    if not any(fact.kind in _SENT for fact in counting):
        return None
    return counting[0].occurred_at + timedelta(hours=min(hours))


def is_waiting(counting: Sequence[Feedback]) -> bool:
    """Return whether nothing is known of a message but that it was sent or deferred."""
    return all(fact.kind in _ON_ITS_WAY for fact in counting)


def infer_expiry(facts: Sequence[Feedback], due: datetime) -> Feedback:
    """Infer that the message that these facts are about, of which some are proven, has expired when it was `due`."""
    first = next(fact for fact in facts if not fact.forgeable)
    return Feedback(
        source=first.source, kind=_EXPIRED, message=first.message, recipient=first.recipient, occurred_at=due
    )


def select_heard(facts: tuple[Feedback, ...]) -> tuple[Feedback, ...]:
    """Select those of these facts that a source has reported: all but what was inferred."""
    heard = tuple(fact for fact in facts if fact.kind is not _EXPIRED)
    return facts if len(heard) == len(facts) else heard


def find_noticed(facts: Sequence[Feedback], now: datetime | None) -> datetime | None:
    """Find up to when (UTC) somebody has looked at the clock: at `now`, or when it was noticed before."""
    known = [fact.occurred_at for fact in facts if fact.kind is _EXPIRED]
    return max([*known, *([now] if now else [])], default=None)


def insert(facts: tuple[Feedback, ...], fact: Feedback) -> tuple[Feedback, ...]:
    """Return these facts with one more, in their order."""
    return tuple(sorted((*facts, fact), key=lambda each: each.order))


def show_at(outcome: Outcome, now: datetime) -> Outcome:
    """Return an outcome as it is to be seen at `now` (UTC): expired where it was due, though nobody has written that.

    It is the very outcome that the sweep writes then.
    """
    due = outcome.due_at
    if due is None or due > now or outcome.status not in WAITING:
        return outcome
    expiry = infer_expiry(outcome.feedback, due)
    return replace(
        outcome,
        feedback=insert(outcome.feedback, expiry),
        status=Status.EXPIRED,
        verdict=VERDICT,
        decided_by=expiry.id,
        last_at=max(outcome.last_at, due),
    )
