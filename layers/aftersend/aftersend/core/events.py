"""Events that go out: what a change of a stored row means for whoever wants to react to it. Pure.

An event is found in two images of one row, before and after a write, as the stream of a table has them. A repeat and
a re-evaluation that changes nothing write nothing, and so are no events; the same two images always give the same
events with the same ids. What leaves a table, because it is old or was erased, is none either.

An id is a digest of the table, the key, the version and the type, and of the time of the event: a row that has left
the table and comes again begins with version 1 anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from aftersend.core.erasure import is_alias
from aftersend.core.incident_id import make_incident_id
from aftersend.core.model import Feedback, Kind, Outcome, Suppression
from aftersend.core.policy import Guard
from aftersend.core.spike_guard import Incident, Traffic, find_group, find_incidents, find_reverted_windows
from aftersend.core.suppression import (
    find_active_causes,
    find_contradiction_to_review,
    select_counting_evidence,
)
from aftersend.core.times import format_time
from aftersend.core.vocabulary import Act, CauseKind, Class, Reason, Status

MAX_EVENT: Final = 20_000  # bytes of an event as JSON
_MAX_CORRELATION: Final = 8_000  # bytes of the sender's identifiers in it
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)  # what does not hold even then was released, withdrawn or reverted

OutcomeType = Literal[
    "outcome.sent",
    "outcome.deferred",
    "outcome.expired",
    "outcome.delivered",
    "outcome.rejected",
    "outcome.bounced",
    "outcome.complained",
    "outcome.opened",
    "outcome.clicked",
]


class IncidentEnd(StrEnum):
    """How an incident ended."""

    CONFIRMED = "confirmed"  # a person says that the refusals count
    REVERTED = "reverted"  # a person says that they never do
    SUBSIDED = "subsided"  # so much was delivered meanwhile that it is none any more


class OutcomeState(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of a message in short."""

    status: Status
    klass: Class | None = field(default=None, name="class")
    reason: Reason | None = None


class OutcomeChange(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of one message to one recipient."""

    recipient: str  # with its channel: "email:user@example.com"
    message: str  # as the system that sent it named it: "ses:<messageId>"
    status: Status
    klass: Class | None = field(default=None, name="class")
    reason: Reason | None = None
    rule: str | None = None  # of the classification that decided
    source: str | None = None  # who said it
    scope: str | None = None  # the stream that it was about
    sender: str | None = None
    correlation: dict[str, str] = {}  # the sender's own identifiers
    version: int  # of the row: of two events about it, the one with the higher version is the later one
    previous: OutcomeState | None = None  # what was known before


class SuppressedAddress(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whom not to write to from now on, and why."""

    recipient: str
    scope: str  # "*" is every stream
    cause: CauseKind  # what this event is about
    causes: list[CauseKind]  # all that hold now
    reason: Reason | None = None
    rule: str | None = None
    source: str | None = None
    message: str | None = None
    until: str | None = None  # it ends by itself then, and no event says so
    incident: str | None = None  # looks like an accident of the provider's: does not hold unless that is confirmed
    version: int


class ReleasedAddress(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who may be written to again in this scope."""

    recipient: str
    scope: str
    causes: list[CauseKind]  # what had held
    version: int


class IncidentReport(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A domain that refuses its living addresses, as it seems."""

    incident: str  # its id in the API
    domain: str  # or a country of telephone numbers, or a push service
    since: str
    until: str  # the first moment after its window of time
    reason: Reason
    refused: int  # recipients, approximately
    sent: int  # of so many, approximately
    end: IncidentEnd | None = None
    version: int


class ReviewRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a person should look at."""

    recipient: str
    message: str | None = None  # of an outcome
    scope: str | None = None  # of a suppression
    review: str  # why: undetermined, content, contradicted
    status: Status | None = None
    klass: Class | None = field(default=None, name="class")
    reason: Reason | None = None
    source: str | None = None
    version: int


class OutcomeChanged(Struct, frozen=True, kw_only=True, gc=False):
    """The status, class or reason of an outcome is another one, or it was opened or clicked for the first time."""

    id: str
    type: OutcomeType
    timestamp: str  # of what happened, not of this event: ISO 8601 in UTC
    data: OutcomeChange


class AddressSuppressed(Struct, frozen=True, kw_only=True, gc=False):
    """Something speaks against an address that did not before, or has another end now."""

    id: str
    type: Literal["suppression.added"]
    timestamp: str
    data: SuppressedAddress


class AddressReleased(Struct, frozen=True, kw_only=True, gc=False):
    """Nothing speaks against an address any more: it was released, withdrawn, reverted, or is judged otherwise."""

    id: str
    type: Literal["suppression.released"]
    timestamp: str
    data: ReleasedAddress


class IncidentOpened(Struct, frozen=True, kw_only=True, gc=False):
    """A provider seems to refuse a whole domain by accident, and a person should decide."""

    id: str
    type: Literal["incident.opened"]
    timestamp: str
    data: IncidentReport


class IncidentClosed(Struct, frozen=True, kw_only=True, gc=False):
    """A person has decided about an incident, or it is none any more."""

    id: str
    type: Literal["incident.closed"]
    timestamp: str
    data: IncidentReport


class ReviewNeeded(Struct, frozen=True, kw_only=True, gc=False):
    """An outcome or a suppression is put up for a person's look."""

    id: str
    type: Literal["review.needed"]
    timestamp: str
    data: ReviewRequest


Event = OutcomeChanged | AddressSuppressed | AddressReleased | IncidentOpened | IncidentClosed | ReviewNeeded
EVENTS: Final[tuple[type[Struct], ...]] = (
    OutcomeChanged,
    AddressSuppressed,
    AddressReleased,
    IncidentOpened,
    IncidentClosed,
    ReviewNeeded,
)

_encode: Final = msgspec.json.Encoder().encode


def encode_event(event: Event) -> bytes:
    """Encode an event as what goes out: JSON of at most MAX_EVENT bytes."""
    return _encode(event)


def find_subject(event: Event) -> str:
    """Return whom an event is about: the recipient, or the domain of an incident. Their events keep their order."""
    data = event.data
    return data.domain if isinstance(data, IncidentReport) else data.recipient


RARE: Final = frozenset(
    {
        "outcome.bounced",
        "outcome.complained",
        "suppression.added",
        "suppression.released",
        "incident.opened",
        "incident.closed",
        "review.needed",
    }
)


def is_rare(event: Event) -> bool:
    """Return whether an event goes out unless others are asked for: of bounces, only the hard ones do."""
    if event.type == "outcome.bounced":
        return event.data.klass is Class.HARD
    return event.type in RARE


# ---- Outcomes --------------------------------------------------------------------------------------------------------


def find_outcome_events(old: Outcome | None, new: Outcome | None) -> list[Event]:
    """Find what the change of an outcome from `old` to `new` means; what has left the table means nothing."""
    if new is None:
        return []
    events: list[Event] = []
    before, after = _get_state(old) if old else None, _get_state(new)
    if before != after:
        speaker = next((fact for fact in new.feedback if fact.id == new.decided_by), None)
        events.append(_make_outcome_event(new, f"outcome.{new.status}", speaker, before))
    for kind, count in ((Kind.OPENED, "opens"), (Kind.CLICKED, "clicks")):
        if getattr(new, count) and not (old and getattr(old, count)):
            first = next((fact for fact in new.feedback if fact.kind is kind), None)
            events.append(_make_outcome_event(new, f"outcome.{kind}", first, before))
    if new.review and new.review != (old.review if old else None):
        events.append(_make_outcome_review(new))
    return events


def _get_state(outcome: Outcome) -> OutcomeState:
    verdict = outcome.verdict
    return OutcomeState(
        status=outcome.status, klass=verdict.klass if verdict else None, reason=verdict.reason if verdict else None
    )


def _make_outcome_event(outcome: Outcome, type_: str, fact: Feedback | None, before: OutcomeState | None) -> Event:
    at, state = fact.occurred_at if fact else outcome.last_at, _get_state(outcome)
    return OutcomeChanged(
        id=_make_id("outcomes", outcome.key, outcome.version, type_, at),
        type=type_,  # type: ignore[arg-type]  # made of a Status or a Kind, which the literals are
        timestamp=format_time(at),
        data=OutcomeChange(
            recipient=outcome.recipient,
            message=outcome.message,
            status=state.status,
            klass=state.klass,
            reason=state.reason,
            rule=outcome.verdict.rule if outcome.verdict else None,
            source=fact.source if fact else None,
            scope=fact.scope if fact else None,
            sender=outcome.context.sender,
            correlation=_bound_correlation(outcome.context.correlation),
            version=outcome.version,
            previous=before,
        ),
    )


def _bound_correlation(correlation: Mapping[str, str]) -> dict[str, str]:
    """The first identifiers by their names that fit: an event has a bound, and an outcome has room for more."""
    kept: dict[str, str] = {}
    room = _MAX_CORRELATION
    for name, value in sorted(correlation.items()):
        room -= len(_encode(name)) + len(_encode(value)) + 2
        if room < 0:
            break
        kept[name] = value
    return kept


def _make_outcome_review(outcome: Outcome) -> Event:
    state = _get_state(outcome)
    speaker = next((fact for fact in outcome.feedback if fact.id == outcome.decided_by), None)
    return ReviewNeeded(
        id=_make_id("outcomes", outcome.key, outcome.version, "review.needed", outcome.last_at),
        type="review.needed",
        timestamp=format_time(outcome.last_at),
        data=ReviewRequest(
            recipient=outcome.recipient,
            message=outcome.message,
            review=outcome.review or "",
            status=state.status,
            klass=state.klass,
            reason=state.reason,
            source=speaker.source if speaker else None,
            version=outcome.version,
        ),
    )


# ---- Suppressions ----------------------------------------------------------------------------------------------------

Incidents = Callable[[], Iterable[Incident]]


def find_suppression_events(
    old: Suppression | None, new: Suppression | None, at: datetime, incidents: Incidents
) -> list[Event]:
    """Find what the change of a suppression from `old` to `new` means, which was written at `at` (UTC).

    `incidents` gives those that stand, and is asked only where something was suppressed. What stands for somebody who
    was erased is no event: nobody knows whom it names. What had ended before it was written is none either.
    """
    if new is None or is_alias(new.recipient):
        return []
    before, after = _find_standing(old), _find_standing(new)
    added = [
        kind
        for kind, until in after.items()
        if (kind not in before or before[kind] != until) and (until is None or until > at)
    ]
    events: list[Event] = []
    if added:
        standing = [each for each in incidents() if each.window.domain == find_group(new.recipient)]
        events += [_make_suppressed(new, kind, sorted(after), standing) for kind in added]
    if before and not after:
        events.append(_make_released(new, sorted(before), at))
    sign = find_contradiction_to_review(new)
    if sign is not None and (old is None or find_contradiction_to_review(old) is None):
        events.append(_make_suppression_review(new, sign.at, sign.source))
    return events


def _find_standing(suppression: Suppression | None) -> dict[CauseKind, datetime | None]:
    """The causes that hold until their end, whenever that is, with that end."""
    kinds = find_active_causes(suppression, _ALWAYS) if suppression else ()
    return {kind: suppression.causes[kind].until for kind in kinds} if suppression else {}


def _make_suppressed(
    suppression: Suppression, kind: CauseKind, causes: list[CauseKind], incidents: Sequence[Incident]
) -> Event:
    ref = select_counting_evidence(suppression, kind, suppression.reverted)[-1]
    until = suppression.causes[kind].until
    return AddressSuppressed(
        id=_make_id("suppressions", suppression.key, suppression.version, f"suppression.added/{kind}", ref.at),
        type="suppression.added",
        timestamp=format_time(ref.at),
        data=SuppressedAddress(
            recipient=suppression.recipient,
            scope=suppression.scope,
            cause=kind,
            causes=causes,
            reason=ref.reason,
            rule=ref.rule,
            source=ref.source or None,
            message=ref.message or None,
            until=format_time(until) if until else None,
            incident=_find_incident(suppression, kind, incidents),
            version=suppression.version,
        ),
    )


def _find_incident(suppression: Suppression, kind: CauseKind, incidents: Sequence[Incident]) -> str | None:
    """The incident that all evidence of a cause lies in, or the first of several that it lies in together."""
    windows = find_reverted_windows(incidents, suppression.recipient)
    if select_counting_evidence(suppression, kind, (*suppression.reverted, *windows)):
        return None
    last = select_counting_evidence(suppression, kind, suppression.reverted)[-1]
    inside = (each for each, window in zip(incidents, windows, strict=True) if last.is_inside(window))
    found = next(inside, None)
    return make_incident_id(found) if found else None


def _make_released(suppression: Suppression, causes: list[CauseKind], at: datetime) -> Event:
    return AddressReleased(
        id=_make_id("suppressions", suppression.key, suppression.version, "suppression.released", at),
        type="suppression.released",
        timestamp=format_time(at),
        data=ReleasedAddress(
            recipient=suppression.recipient, scope=suppression.scope, causes=causes, version=suppression.version
        ),
    )


def _make_suppression_review(suppression: Suppression, at: datetime, source: str) -> Event:
    return ReviewNeeded(
        id=_make_id("suppressions", suppression.key, suppression.version, "review.needed", at),
        type="review.needed",
        timestamp=format_time(at),
        data=ReviewRequest(
            recipient=suppression.recipient,
            scope=suppression.scope,
            review="contradicted",
            source=source or None,
            version=suppression.version,
        ),
    )


# ---- Incidents -------------------------------------------------------------------------------------------------------


def find_incident_events(old: Traffic | None, new: Traffic | None, rules: Guard, at: datetime) -> list[Event]:
    """Find which incidents the change of a window from `old` to `new` opens or closes; it was written at `at` (UTC).

    A window that has left the table says nothing: only one without an incident does.
    """
    if new is None:
        return []
    before = {each.reason: each for each in find_incidents(old, rules)} if old else {}
    after = {each.reason: each for each in find_incidents(new, rules)}
    confirmed = {each.reason for each in new.judged if each.decision.act is Act.CONFIRMED}
    events: list[Event] = []
    for reason in sorted({*before, *after}):
        was, is_ = before.get(reason), after.get(reason)
        if is_ is None:
            end = IncidentEnd.CONFIRMED if reason in confirmed else IncidentEnd.SUBSIDED
            events.append(_make_incident_event(before[reason], new.version, at, end))
        elif is_.decision is not None and (was is None or was.decision is None):
            events.append(_make_incident_event(is_, new.version, at, IncidentEnd.REVERTED))
        elif was is None:
            events.append(_make_incident_event(is_, new.version, at, None))
    return events


def _make_incident_event(incident: Incident, version: int, at: datetime, end: IncidentEnd | None) -> Event:
    window, type_ = incident.window, "incident.closed" if end else "incident.opened"
    id_ = make_incident_id(incident)
    report = IncidentReport(
        incident=id_,
        domain=window.domain,
        since=format_time(window.since),
        until=format_time(window.until),
        reason=incident.reason,
        refused=incident.refused,
        sent=incident.sent,
        end=end,
        version=version,
    )
    common: dict[str, Any] = {
        "id": _make_id("incidents", (id_, ""), version, type_, at),
        "timestamp": format_time(at),
        "data": report,
    }
    return IncidentClosed(type="incident.closed", **common) if end else IncidentOpened(type="incident.opened", **common)


def _make_id(table: str, key: tuple[str, str], version: int, type_: str, at: datetime) -> str:
    """The id of an event: without a full stop, which Standard Webhooks puts between an id and what follows it."""
    named = (table, key, version, type_, format_time(at))
    return f"evt_{blake2b(_encode(named), digest_size=15).hexdigest()}"
