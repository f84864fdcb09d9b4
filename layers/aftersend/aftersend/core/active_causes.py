"""The causes for which a recipient must not be written to now, as senders and the API get them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from aftersend.core.model import CauseKind, Reason, Reverted, Suppression
from aftersend.core.suppression import (
    find_active_causes,
    is_released,
    is_revived,
    is_withdrawn,
    list_evidence,
    select_counting_evidence,
)
from aftersend.core.times import Moment
from aftersend.core.vocabulary import Advise, Channel, Judgement, advise_without_refusal


class ActiveCause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cause that holds now."""

    cause: CauseKind
    scope: str
    at: Moment  # of the latest evidence that counts
    reason: Reason | None = None
    rule: str | None = None  # that judged it
    provider_code: str | None = None  # the source's own type and sub-type
    source: str | None = None
    until: Moment | None = None  # when it ends; missing if it has no end


class EndedBy(StrEnum):
    """Why a cause does not hold."""

    WITHDRAWN = "withdrawn"  # by who had said it: they joined again, took a complaint back, or a list has it no more
    RELEASED = "released"  # by one of us
    REVIVED = "revived"  # the number or the token took a message later, or was registered again
    PENDING = "pending"  # it lies in an incident that nobody has decided yet
    REVERTED = "reverted"  # it lies in a window that one of us has reverted
    LAPSED = "lapsed"  # its time is over


def find_ending(
    suppression: Suppression, kind: CauseKind, now: datetime, pending: Iterable[Reverted] = ()
) -> EndedBy | None:
    """Return why a cause of `suppression` does not hold at `now` (UTC), or None where it does."""
    if kind in find_active_causes(suppression, now, pending):
        return None
    cause = suppression.causes[kind]
    remaining = [ref for ref in list_evidence(cause) if not is_withdrawn(cause, ref)]
    if not remaining:
        return EndedBy.WITHDRAWN
    if all(is_released(suppression, kind, ref) for ref in remaining):
        return EndedBy.RELEASED
    if all(is_released(suppression, kind, ref) or is_revived(suppression, kind, ref) for ref in remaining):
        return EndedBy.REVIVED
    if kind in find_active_causes(suppression, now):
        return EndedBy.PENDING
    return EndedBy.REVERTED if cause.until is None or now < cause.until else EndedBy.LAPSED


def describe_active_causes(
    suppression: Suppression, now: datetime, pending: Iterable[Reverted] = ()
) -> list[ActiveCause]:
    """Return every cause of `suppression` that holds at `now` (UTC).

    Evidence in the `pending` windows, those of incidents that nobody has decided yet, does not count.
    """
    windows = (*suppression.reverted, *pending)
    return [_describe(suppression, kind, windows) for kind in find_active_causes(suppression, now, windows)]


def advise_on_cause(cause: ActiveCause, channel: Channel | None, advise: Advise) -> str:
    """Return one sentence on what to do about a cause that holds, of a recipient of `channel`.

    It is what `advise` says of its latest evidence, unless the cause is a person's wish or rests on no refusal.
    """
    sentence = advise_without_refusal(cause.cause, refused=cause.reason is not None)
    if sentence is not None or cause.reason is None:
        return sentence or ""
    found = Judgement(reason=cause.reason, rule=cause.rule, source=cause.source, provider_code=cause.provider_code)
    return advise(found, channel)


def find_end(causes: Sequence[ActiveCause]) -> datetime | None:
    """Return when the last of these causes ends (UTC), or None if there is none or one has no end."""
    ends = [each.until for each in causes if each.until is not None]
    return max(ends) if ends and len(ends) == len(causes) else None


def _describe(stored: Suppression, kind: CauseKind, windows: Iterable[Reverted]) -> ActiveCause:
    """By the latest evidence that counts: later evidence may have been taken back, released or reverted."""
    ref = select_counting_evidence(stored, kind, windows)[-1]
    return ActiveCause(
        cause=kind,
        scope=stored.scope,
        at=ref.at,
        reason=ref.reason,
        rule=ref.rule,
        provider_code=ref.provider_code,
        source=ref.source or None,
        until=stored.causes[kind].until,
    )
