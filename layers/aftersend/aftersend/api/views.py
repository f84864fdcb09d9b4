"""What the API shows of suppressions: shapes that several answers share, and how they are made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from aftersend.api.shapes import Moment
from aftersend.core.model import Act, Cause, CauseKind, Decision, EvidenceRef, Reason, Reverted, Suppression
from aftersend.core.suppression import find_active_causes, find_contradiction_to_review


class Why(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cause that holds now."""

    cause: CauseKind
    scope: str
    at: Moment  # of the latest evidence
    reason: Reason | None = None
    source: str | None = None
    until: Moment | None = None  # it has no end where this is missing


class MarkView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of evidence: which feedback, when, and in whose words."""

    at: Moment
    source: str
    message: str
    feedback: str
    reason: Reason | None = None
    rule: str | None = None
    provider_code: str | None = None


class CauseView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cause, whether it holds or not."""

    cause: CauseKind
    holds: bool
    first: MarkView | None = None
    latest: MarkView | None = None
    withdrawn: MarkView | None = None  # what takes such a cause back
    contradicted: MarkView | None = None  # a sign of life after a hard bounce
    bounces: int | None = None  # of a streak
    until: Moment | None = None


class DecisionView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person decided."""

    at: Moment
    by: str
    act: Act
    note: str | None = None
    force: bool = False
    until: Moment | None = None
    id: str


class Window(Struct, frozen=True, kw_only=True):
    """MarkView that does not count: of one reason, from `since` up to `until`, both included."""

    since: Moment
    until: Moment
    reason: str


class SuppressionView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one recipient must not be written to in one scope, and what people decided of it."""

    recipient: str
    scope: str
    suppressed: bool
    until: Moment | None = None  # when it ends as far as is known; without end where it is missing
    review: str | None = None  # why a person should look
    causes: list[CauseView]
    released_at: Moment | None = None
    released_by: str | None = None
    note: str | None = None
    forced_at: Moment | None = None
    reverted: list[Window] = []
    pending: list[Window] = []  # a provider's accident that nobody has judged yet
    erased: list[Why] = []  # what still holds of a time before this person was erased
    history: list[DecisionView] = []
    version: int


def reasons(suppression: Suppression, now: datetime, pending: Iterable[Reverted] = ()) -> list[Why]:
    """Every cause that holds at `now`."""
    return [_why(suppression, kind) for kind in find_active_causes(suppression, now, pending)]


def end(why: Sequence[Why]) -> datetime | None:
    """When the last of these ends; None where one has no end."""
    ends = [each.until for each in why if each.until is not None]
    return max(ends) if ends and len(ends) == len(why) else None


def suppression(
    stored: Suppression, now: datetime, pending: Iterable[Reverted] = (), erased: Suppression | None = None
) -> SuppressionView:
    """All that is known of it, and of the one that stands under the alias of the same person."""
    held_back = list(pending)
    why = reasons(stored, now, held_back)
    before = reasons(erased, now) if erased else []
    return SuppressionView(
        recipient=stored.recipient,
        scope=stored.scope,
        suppressed=bool(why or before),
        until=end([*why, *before]),
        review="contradicted" if find_contradiction_to_review(stored) else None,
        causes=[_cause(kind, cause, kind in {each.cause for each in why}) for kind, cause in stored.causes.items()],
        released_at=stored.released_at,
        released_by=stored.released_by,
        note=stored.note,
        forced_at=stored.forced_at,
        reverted=[_window(each) for each in stored.reverted],
        pending=[_window(each) for each in held_back],
        erased=before,
        history=[decision(each) for each in stored.history],
        version=stored.version,
    )


def decision(made: Decision) -> DecisionView:
    """A decision as it is shown."""
    return DecisionView(
        at=made.at, by=made.by, act=made.act, note=made.note, force=made.force, until=made.until, id=made.id
    )


def _why(stored: Suppression, kind: CauseKind) -> Why:
    cause = stored.causes[kind]
    assert cause.latest is not None  # it holds
    return Why(
        cause=kind,
        scope=stored.scope,
        at=cause.latest.at,
        reason=cause.latest.reason,
        source=cause.latest.source or None,
        until=cause.until,
    )


def _cause(kind: CauseKind, cause: Cause, holds: bool) -> CauseView:
    return CauseView(
        cause=kind,
        holds=holds,
        first=_mark(cause.first),
        latest=_mark(cause.latest),
        withdrawn=_mark(cause.withdrawn),
        contradicted=_mark(cause.contradicted),
        bounces=cause.count,
        until=cause.until,
    )


def _mark(mark: EvidenceRef | None) -> MarkView | None:
    if mark is None:
        return None
    return MarkView(
        at=mark.at,
        source=mark.source,
        message=mark.message,
        feedback=mark.feedback,
        reason=mark.reason,
        rule=mark.rule,
        provider_code=mark.provider_code,
    )


def _window(window: Reverted) -> Window:
    return Window(since=window.since, until=window.until, reason=window.reason)
