"""Schemas that several routes share: parameters with their bounds, and how suppressions are shown. Pure.

The comments beside fields are their descriptions in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from aftersend.api.cursors import MAX_CHARACTERS
from aftersend.core.active_causes import (
    ActiveCause,
    EndedBy,
    advise_on_cause,
    describe_active_causes,
    find_end,
    find_ending,
)
from aftersend.core.model import Act, Cause, CauseKind, Decision, EvidenceRef, Reason, Reverted, Suppression
from aftersend.core.recipient import split_channel
from aftersend.core.sentence import SuppressionAnswer
from aftersend.core.suppression import find_causes_needing_force, find_contradiction_to_review
from aftersend.core.times import Moment
from aftersend.core.vocabulary import Advise

EVERYWHERE: Final = "*"

# ---- Parameters and fields of requests ------------------------------------------------------------------------------

PLAIN: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"  # no control characters
VISIBLE: Final = r"[^\s\x00-\x1f\x7f-\x9f]"  # at least one visible character
Spelling = Annotated[str, Meta(description="One recipient, in any spelling.")]
InQuery = Annotated[str, Meta(min_length=1, max_length=1000, description="One recipient, in any spelling.")]
Scope = Annotated[
    str, Meta(min_length=1, max_length=256, pattern=PLAIN, description="A message stream; * means all of them.")
]
Domain = Annotated[
    str,
    Meta(min_length=1, max_length=255, pattern=r"^[^\s@:/]+$", description="The domain of an address, as example.com."),
]
Note = Annotated[
    str,
    Meta(
        min_length=1, max_length=500, pattern=VISIBLE, description="The reason; it is stored with the caller and time."
    ),
]
Limit = Annotated[int, Meta(ge=1, le=100, description="The maximum number of items to return.")]
Cursor = Annotated[
    str, Meta(min_length=1, max_length=MAX_CHARACTERS, description="The `next` of the previous page, unchanged.")
]
MessageId = Annotated[str, Meta(min_length=1, max_length=1000, description="The id of a message, percent-encoded.")]
JOB_ID: Final = "^[0-9a-f]{32}$"
INCIDENT_ID: Final = "^[0-9a-f]{20}$"

# What stands for the names in the paths of routes.
PATH_PARAMETERS: Final[dict[str, Any]] = {
    "recipient": Annotated[
        str,
        Meta(
            min_length=1, max_length=1000, pattern=PLAIN, description="One recipient in any spelling, percent-encoded."
        ),
    ],
    "message": MessageId,
    "job": Annotated[str, Meta(pattern=JOB_ID, description="The id of a job.")],
    "queue": Annotated[
        str, Meta(pattern="^[A-Za-z]{1,64}$", description="The name of a queue, as the template has it.")
    ],
    "incident": Annotated[str, Meta(pattern=INCIDENT_ID, description="The id of an incident.")],
}


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class ScopeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of what belongs to one scope."""

    scope: Scope = EVERYWHERE


class PageQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a list that has no filters."""

    limit: Limit = 50
    cursor: Cursor | None = None


# ---- Answers --------------------------------------------------------------------------------------------------------


class CauseEvidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The feedback that a cause rests on: which one, when, and how it was judged."""

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
    advice: str | None = None  # what to do, where it holds
    ended_by: EndedBy | None = None  # why it does not hold
    first: CauseEvidence | None = None
    latest: CauseEvidence | None = None
    withdrawn: CauseEvidence | None = None  # what withdraws the cause, such as a later subscription
    contradicted: CauseEvidence | None = None  # a sign of life after a hard bounce
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


class EvidenceWindow(Struct, frozen=True, kw_only=True):
    """A window of time in which evidence with one reason does not count. Both ends are included."""

    since: Moment
    until: Moment
    reason: str


class SuppressionView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one recipient must not be written to in one scope, and what people decided about it."""

    recipient: str
    scope: str
    suppressed: bool  # do not write to them in this scope, whatever it is that holds
    answer: SuppressionAnswer  # why, since when, and whether it may be lifted, in one sentence
    needs_force: bool = False  # a release in this scope lifts a wish of their own, which takes `force`
    until: Moment | None = None  # when it ends as far as is known; missing if it has no end
    review: str | None = None  # why a person should look
    causes: list[CauseView]
    released_at: Moment | None = None
    released_by: str | None = None
    note: str | None = None
    forced_at: Moment | None = None
    reverted: list[EvidenceWindow] = []
    pending: list[EvidenceWindow] = []  # windows of incidents that nobody has decided yet
    erased: list[ActiveCause] = []  # what still holds from the time before this person was erased
    everywhere: list[ActiveCause] = []  # of one stream: what holds besides, for all streams
    history: list[DecisionView] = []
    version: int


def show_suppression(
    stored: Suppression,
    now: datetime,
    advise: Advise,
    pending: Iterable[Reverted] = (),
    *,
    answer: SuppressionAnswer,
    erased: Suppression | None = None,
    everywhere: Sequence[ActiveCause] = (),
) -> SuppressionView:
    """Return all that is known of it at `now` (UTC), and of `erased`, which stands under the same person's alias.

    `everywhere` is what holds for all streams, where `stored` is of one; `advise` says what to do about a refusal, and
    `answer` all of it in a sentence.
    """
    held_back = list(pending)
    active = describe_active_causes(stored, now, held_back)
    before = describe_active_causes(erased, now) if erased else []
    channel = split_channel(stored.recipient)[0]
    advice = {each.cause: advise_on_cause(each, channel, advise) for each in active}
    return SuppressionView(
        suppressed=bool(active or before or everywhere),
        answer=answer,
        needs_force=any(find_causes_needing_force(each, now) for each in (stored, erased) if each is not None),
        until=find_end([*active, *before, *everywhere]),
        review="contradicted" if find_contradiction_to_review(stored) else None,
        causes=[
            _show_cause(kind, cause, find_ending(stored, kind, now, held_back), advice.get(kind))
            for kind, cause in stored.causes.items()
        ],
        **{name: getattr(stored, name) for name in _SAME},
        reverted=[_show_window(each) for each in stored.reverted],
        pending=[_show_window(each) for each in held_back],
        erased=before,
        everywhere=list(everywhere),
        history=[show_decision(each) for each in stored.history],
    )


# What is shown of a suppression as it is stored.
_SAME: Final = ("recipient", "scope", "released_at", "released_by", "note", "forced_at", "version")


def show_decision(made: Decision) -> DecisionView:
    """Return a decision as it is shown."""
    return DecisionView(
        at=made.at, by=made.by, act=made.act, note=made.note, force=made.force, until=made.until, id=made.id
    )


def _show_cause(kind: CauseKind, cause: Cause, ended_by: EndedBy | None, advice: str | None) -> CauseView:
    return CauseView(
        cause=kind,
        holds=ended_by is None,
        advice=advice,
        ended_by=ended_by,
        first=_show_evidence(cause.first),
        latest=_show_evidence(cause.latest),
        withdrawn=_show_evidence(cause.withdrawn),
        contradicted=_show_evidence(cause.contradicted),
        bounces=cause.count,
        until=cause.until,
    )


def _show_evidence(evidence: EvidenceRef | None) -> CauseEvidence | None:
    if evidence is None:
        return None
    return CauseEvidence(
        at=evidence.at,
        source=evidence.source,
        message=evidence.message,
        feedback=evidence.feedback,
        reason=evidence.reason,
        rule=evidence.rule,
        provider_code=evidence.provider_code,
    )


def _show_window(window: Reverted) -> EvidenceWindow:
    return EvidenceWindow(since=window.since, until=window.until, reason=window.reason)
