"""The fold: an outcome *is* the set of its feedback; everything else about it follows from the set and the rules.

The order of statuses, whatever the times say:

    sent < deferred < expired < delivered < rejected < bounced (soft) < bounced (hard) < complained

Within one rank the latest `(occurred_at, id)` speaks. So a bounce before its delivery and a delivery before its
bounce end in the same state, and so does everything that comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from aftersend.core.feedback_set import BOUNDS, CORRELATIONS, EMPTY_CONTEXT, merge_contexts, union
from aftersend.core.model import (
    BY_MAIL,
    Class,
    Context,
    Decision,
    Feedback,
    Kind,
    Outcome,
    Reason,
    Status,
    Verdict,
    is_proven,
)
from aftersend.core.policy import SHIPPED, ReportProof, Reports
from aftersend.core.validity import (
    Validity,
    compute_due,
    find_noticed,
    infer_expiry,
    insert,
    is_waiting,
    select_heard,
)

Classify = Callable[[Feedback], Verdict | None]
Facts = tuple[Feedback, ...]  # bounded, in their order: what `feedback_set.union` gives

_HARD_BOUNCE: Final = 6
_COMPLAINT: Final = 7
_DELIVERY: Final = 3

# What each kind says of the message: its rank and the status it stands for.
RANKS: Final[dict[Kind, tuple[int, Status]]] = {
    Kind.UNKNOWN: (-1, Status.SENT),  # says no more than that the message exists
    Kind.SENT: (0, Status.SENT),
    Kind.DEFERRED: (1, Status.DEFERRED),
    Kind.EXPIRED: (2, Status.EXPIRED),
    Kind.DELIVERED: (_DELIVERY, Status.DELIVERED),
    Kind.AUTO_REPLIED: (_DELIVERY, Status.DELIVERED),  # only what has arrived is answered
    Kind.OPENED: (_DELIVERY, Status.DELIVERED),
    Kind.CLICKED: (_DELIVERY, Status.DELIVERED),
    Kind.UNSUBSCRIBED: (_DELIVERY, Status.DELIVERED),
    Kind.SUBSCRIBED: (_DELIVERY, Status.DELIVERED),
    Kind.COMPLAINT_WITHDRAWN: (_DELIVERY, Status.DELIVERED),
    Kind.REJECTED: (4, Status.REJECTED),
    Kind.BOUNCED: (5, Status.BOUNCED),
    Kind.COMPLAINED: (_COMPLAINT, Status.COMPLAINED),
}
# What nobody can say of a message that has not arrived.
_PROOFS: Final = frozenset(kind for kind, (rank, _) in RANKS.items() if rank == _DELIVERY) | {Kind.COMPLAINED}
IDENTIFIERS: Final = "correlation"  # stands among the kinds of `saturated`: the archive may know more identifiers
ENGAGEMENT: Final = frozenset({Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED})
# The provider's own documents ask for a person's look at these (Amazon SES, handling of transient bounces).
_CONTENT: Final = frozenset({Reason.CONTENT_REJECTED, Reason.MESSAGE_TOO_LARGE})
# Every fact is asked for these, and Python 3.11 takes longer to find a member of an Enum than to compare it.
_AUTO_REPLIED: Final = Kind.AUTO_REPLIED
_BOUNCED: Final = Kind.BOUNCED
_CLICKED: Final = Kind.CLICKED
_COMPLAINED: Final = Kind.COMPLAINED
_DEFERRED: Final = Kind.DEFERRED
_DELIVERED: Final = Kind.DELIVERED
_OPENED: Final = Kind.OPENED
_STATUS_BOUNCED: Final = Status.BOUNCED


def merge(
    stored: Outcome | None,
    new: Sequence[Feedback],
    classify: Classify,
    *,
    look: Decision | None = None,
    afresh: bool = False,
    reports: Reports = SHIPPED.report,
    validity: Validity = SHIPPED.validity,
    now: datetime | None = None,
) -> Outcome:
    """Merge `new` feedback into the `stored` outcome of the same key; at least one of both is something.

    `look` is the decision of a person who has looked at it, `afresh` says that the rules have changed. What was due by
    `now` (UTC) is expired; without, only what somebody has noticed before. Returns `stored` itself where nothing is
    added: there is nothing to write then.
    """
    if stored is None:
        context = merge_contexts(EMPTY_CONTEXT, new)
        facts = infer(union((), new, classify), reports, validity, now)
        return fold(facts, context, classify, resolved=look, reports=reports, validity=validity)
    before, context = stored.feedback, merge_contexts(stored.context, new)
    facts = infer(union(before, new, classify), reports, validity, now)
    looks = [each for each in (stored.resolved, look) if each is not None]
    resolved = max(looks, key=lambda each: each.order, default=None)
    if not afresh and facts == before and context == stored.context and resolved == stored.resolved:
        return stored
    outcome = fold(
        facts, context, classify, resolved=resolved, version=stored.version, reports=reports, validity=validity
    )
    return stored if outcome == stored else outcome


def infer(facts: Facts, reports: Reports, validity: Validity, now: datetime | None = None) -> Facts:
    """Return these facts with what is inferred of all others of them by `now`: that the message has expired, or not.

    Where none of their sources has a validity, and nobody looks at the clock, what was inferred before stays.
    """
    if not validity and now is None:
        return facts
    heard = select_heard(facts)
    counting = select_counting(heard, reports)
    due = compute_due(counting, validity) if counting else None
    if due is None:
        return facts if now is None or not heard else heard
    noticed = find_noticed(facts, now)
    if noticed is None or noticed < due or not is_waiting(counting):
        return heard
    return insert(heard, infer_expiry(heard, due))


def _find_due(facts: Facts, reports: Reports, validity: Validity) -> datetime | None:
    """When an outcome is due, or was, of which nothing else is heard than that it was sent or deferred."""
    counting = select_counting(select_heard(facts), reports) if validity else ()
    return compute_due(counting, validity) if counting and is_waiting(counting) else None


def may_have_expired(facts: Facts, reports: Reports, validity: Validity, now: datetime) -> bool:
    """Return whether somebody may have taken a message for expired by `now` (UTC), of which these facts are known."""
    counting = select_counting(select_heard(facts), reports) if validity else ()
    due = compute_due(counting, validity) if counting else None
    return due is not None and due <= now


def fold(
    facts: Facts,
    context: Context,
    classify: Classify,
    *,
    resolved: Decision | None = None,
    version: int = 0,
    reports: Reports = SHIPPED.report,
    validity: Validity = SHIPPED.validity,
) -> Outcome:
    """Derive an outcome from a set of facts that is not empty, of one message and one recipient, in its order.

    A report by mail that nothing of `reports` proves speaks only where nothing else does: see `Outcome.proven`.
    """
    counting = select_counting(facts, reports)
    speaking = counting or facts
    by_kind = _group_by_kind(speaking)
    complaint = _find_standing_complaint(by_kind) if _COMPLAINED in by_kind else None
    speaker, verdict = _find_speaker(speaking, complaint, classify)
    engaged = [fact for fact in speaking if fact.kind in ENGAGEMENT]
    status = RANKS[speaker.kind][1]
    bounces = [speaker] if status is _STATUS_BOUNCED else by_kind.get(_BOUNCED, ())
    looked_at = resolved is not None and speaking[-1].occurred_at <= resolved.at
    review = _find_review(speaker, status, verdict, engaged)
    return Outcome(
        message=speaker.message,
        recipient=speaker.recipient,
        feedback=facts,
        context=context,
        status=status,
        verdict=verdict,
        decided_by=speaker.id,
        **_derive_times_and_counts(speaking, by_kind, bounces, complaint, engaged),
        auto_replied=any(fact.kind is _AUTO_REPLIED for fact in facts),  # a note for people, which decides nothing
        review=None if looked_at or not counting else review or _find_nameless(by_kind, classify),
        due_at=_find_due(facts, reports, validity) if validity else None,
        saturated=_find_saturated(by_kind, context) if len(speaking) > 1 or context.correlation else (),
        resolved=resolved,
        version=version,
    )


def _derive_times_and_counts(
    speaking: Facts,
    by_kind: dict[Kind, list[Feedback]],
    bounces: Sequence[Feedback],
    complaint: Feedback | None,
    engaged: Sequence[Feedback],
) -> dict[str, Any]:
    opened, clicked = by_kind.get(_OPENED), by_kind.get(_CLICKED)
    return {
        "first_at": speaking[0].occurred_at,
        "last_at": speaking[-1].occurred_at,
        "delivered_at": _find_arrival(speaking, by_kind.get(_DELIVERED)),
        "bounced_at": bounces[-1].occurred_at if bounces else None,
        "complained_at": complaint.occurred_at if complaint else None,
        "opened_at": opened[0].occurred_at if opened else None,
        "clicked_at": clicked[0].occurred_at if clicked else None,
        "engaged_at": engaged[-1].occurred_at if engaged else None,
        "attempts": _count_attempts(speaking, by_kind),
        "opens": len(opened or ()),
        "clicks": len(clicked or ()),
    }


def _group_by_kind(facts: Facts) -> dict[Kind, list[Feedback]]:
    by_kind: dict[Kind, list[Feedback]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append(fact)
    return by_kind


def trusts_reports(facts: Facts, rules: Reports) -> bool:
    """Return whether what anybody could have sent counts beside these facts, all of one message to one recipient.

    Where the message id is proof enough, another source has to know the message, and its bounces must not go to the
    provider itself: then nobody else has a reason to report one. It follows from the set, so any order gives the same.
    """
    if not rules.require_proof:
        return True
    if rules.proof is not ReportProof.MESSAGE_ID or not facts:
        return False
    return facts[0].message.partition(":")[0] not in rules.token_only and is_proven(facts)


def select_counting(facts: Facts, rules: Reports) -> Facts:
    """Select those of these facts that decide something: all that nobody could have forged, and what they prove."""
    for fact in facts:
        if fact.forgeable:
            return facts if trusts_reports(facts, rules) else tuple(fact for fact in facts if not fact.forgeable)
    return facts


def _find_arrival(facts: Facts, delivered: list[Feedback] | None) -> datetime | None:
    """When it was delivered, or first seen to have been."""
    for fact in delivered or facts:
        if fact.kind in _PROOFS:
            return fact.occurred_at
    return None


def _find_standing_complaint(by_kind: dict[Kind, list[Feedback]]) -> Feedback | None:
    """The latest complaint that no later not-spam report has taken back. Mail takes back only what came by mail."""
    withdrawals = by_kind.get(Kind.COMPLAINT_WITHDRAWN, ())
    last = max((each.order for each in withdrawals), default=None)
    firm = max((each.order for each in withdrawals if each.source != BY_MAIL), default=None)
    for complaint in reversed(by_kind[_COMPLAINED]):
        taken_back = last if complaint.source == BY_MAIL else firm
        if taken_back is None or taken_back < complaint.order:
            return complaint
    return None


def _find_speaker(facts: Facts, complaint: Feedback | None, classify: Classify) -> tuple[Feedback, Verdict | None]:
    """The fact that decides the status, and its verdict. Facts come in their order, so the last of a rank wins: what
    takes a complaint back is later than it, so a complaint speaks only where it stands."""
    best, best_rank, best_verdict = facts[0], -2, None
    for fact in facts:
        kind, verdict = fact.kind, None
        rank = RANKS[kind][0]
        if kind is _BOUNCED:
            verdict = classify(fact)
            if verdict is not None and verdict.klass is Class.HARD:
                rank = _HARD_BOUNCE
        elif kind is _COMPLAINED and complaint is None:
            rank = _DELIVERY
        if rank >= best_rank:
            best, best_rank, best_verdict = fact, rank, verdict
    return best, best_verdict or classify(best)


def _count_attempts(facts: Facts, by_kind: dict[Kind, list[Feedback]]) -> int:
    """As numbered by the source, else one for each deferral and one for the end.

    A number counts alone: an attempt reported as deferred and, by another path, as the end is still one attempt.
    """
    numbered = 0
    for fact in facts:
        if (evidence := fact.evidence) is not None and (attempt := evidence.attempt) and attempt > numbered:
            numbered = attempt
    ended = _DELIVERED in by_kind or _BOUNCED in by_kind
    return numbered or len(by_kind.get(_DEFERRED, ())) + ended


def _find_saturated(by_kind: dict[Kind, list[Feedback]], context: Context) -> tuple[str, ...]:
    kinds = sorted(kind for kind, group in by_kind.items() if len(group) >= BOUNDS[kind])
    return (*kinds, IDENTIFIERS) if len(context.correlation) >= CORRELATIONS else tuple(kinds)


def _find_nameless(by_kind: dict[Kind, list[Feedback]], classify: Classify) -> str | None:
    """Why a person should look at an outcome that something was said of which may be about somebody else."""
    nameless = (fact for fact in by_kind.get(Kind.UNKNOWN, ()) if fact.evidence is not None and fact.evidence.derived)
    verdicts = map(classify, nameless)
    return "undetermined" if any(each and each.klass is Class.UNDETERMINED for each in verdicts) else None


def _find_review(speaker: Feedback, status: Status, verdict: Verdict | None, engaged: list[Feedback]) -> str | None:
    """Why a person should look at this outcome, or None. What only strangers say is not worth a look."""
    if verdict is None or status not in (Status.BOUNCED, Status.REJECTED):
        return None
    if verdict.klass is Class.UNDETERMINED:
        return "undetermined"
    if verdict.reason in _CONTENT:
        return "content"
    people = (fact for fact in engaged if fact.engagement is None or not fact.engagement.machine)
    if verdict.klass is Class.HARD and any(fact.order > speaker.order for fact in people):
        return "contradicted"
    return None
