"""What feedback and outcomes say about suppression. Pure: facts, verdicts and a policy in; causes out.

Streaks, which look at several outcomes at once, are in `aftersend.core.streaks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.model import (
    BY_MAIL,
    Cause,
    CauseKind,
    Class,
    EvidenceRef,
    Feedback,
    Kind,
    Life,
    Outcome,
    Reason,
    Status,
    Verdict,
)
from aftersend.core.outcome import ENGAGEMENT, select_counting
from aftersend.core.policy import Policy


class Claim(Struct, frozen=True):
    """What one feedback says about the suppression of its recipient in one scope."""

    recipient: str
    scope: str
    kind: CauseKind
    cause: Cause


# What each kind of feedback does: which cause it supports, or takes back.
_SUPPORTS: Final = {Kind.COMPLAINED: CauseKind.COMPLAINT, Kind.UNSUBSCRIBED: CauseKind.UNSUBSCRIBED}
_WITHDRAWS: Final = {Kind.COMPLAINT_WITHDRAWN: CauseKind.COMPLAINT, Kind.SUBSCRIBED: CauseKind.UNSUBSCRIBED}
STREAM_KINDS: Final = frozenset({*_SUPPORTS, *_WITHDRAWS})  # the kinds that may mean one stream only
_WISHES: Final = frozenset(_SUPPORTS.values())
_REFUSALS: Final = frozenset({Kind.BOUNCED, Kind.REJECTED})


def make_claim(fact: Feedback, verdict: Verdict | None, policy: Policy) -> Claim | None:
    """Make the claim that `fact` alone supports, or None; streaks are found by `aftersend.core.streaks`."""
    rules = policy.select(fact.recipient, fact.scope)
    if kind := _WITHDRAWS.get(fact.kind):
        return Claim(fact.recipient, _find_scope(fact, kind, rules), kind, Cause(withdrawn=make_ref(fact, verdict)))
    kind = _SUPPORTS.get(fact.kind) or _find_refusal_cause(fact, verdict, rules)
    if kind is None or not getattr(rules, kind).suppress:
        return None
    ref = make_ref(fact, verdict)
    if kind is CauseKind.COMPLAINT and fact.evidence is not None and fact.evidence.derived:
        ref = replace(ref, derived=True)
    return Claim(
        fact.recipient,
        _find_scope(fact, kind, rules),
        kind,
        Cause(first=ref, latest=ref, until=compute_end(ref, kind, rules)),
    )


def _find_refusal_cause(fact: Feedback, verdict: Verdict | None, rules: Policy) -> CauseKind | None:
    """The cause that a refusal supports, if it supports one by itself."""
    if fact.kind not in _REFUSALS:
        return None
    code = fact.evidence.provider_code if fact.evidence is not None else None
    if code in rules.pause.provider_codes:
        return CauseKind.PAUSE
    left = code in rules.unsubscribed.provider_codes
    if left or verdict is None:
        return CauseKind.UNSUBSCRIBED if left and fact.scope else None  # which stream was left may not be known
    if verdict.reason is Reason.SUPPRESSED:
        return CauseKind.PROVIDER
    if verdict.klass is Class.COMPLAINT:  # the provider did not send: it knows of a complaint that we do not know of
        return CauseKind.COMPLAINT
    pauses = verdict.reason is Reason.MAILBOX_FULL and rules.pause.full_hours
    return {Class.HARD: CauseKind.HARD, Class.SOFT: CauseKind.PAUSE if pauses else None}.get(rules.find_class(verdict))


def _find_scope(fact: Feedback, kind: CauseKind, rules: Policy) -> str:
    """The scope that is meant: a bounce means the address, whatever was sent there; a wish may mean one stream."""
    if kind not in _WISHES or getattr(rules, kind).everywhere:
        return "*"
    return fact.scope or "*"


def compute_end(ref: EvidenceRef, kind: CauseKind, rules: Policy) -> datetime | None:
    """Compute when (UTC) a cause ends whose latest evidence is `ref`; None has no end."""
    if kind is CauseKind.PAUSE:
        return ref.at + timedelta(hours=_find_pause(ref, rules))
    days = getattr(rules, kind).lapse_days
    return ref.at + timedelta(days=days) if days else None


def _find_pause(ref: EvidenceRef, rules: Policy) -> int:
    """Return the hours of a pause: what was asked for by its code stands before a mailbox that is full."""
    full = ref.reason is Reason.MAILBOX_FULL and ref.provider_code not in rules.pause.provider_codes
    return rules.pause.full_hours if full and rules.pause.full_hours else rules.pause.hours


def make_ref(fact: Feedback, verdict: Verdict | None) -> EvidenceRef:
    """Make of a fact, and of what it was judged to mean, what a cause keeps of it."""
    return EvidenceRef(
        at=fact.occurred_at,
        feedback=fact.id,
        message=fact.message,
        source=fact.source,
        reason=verdict.reason if verdict else None,
        rule=verdict.rule if verdict else None,
        provider_code=fact.evidence.provider_code if fact.evidence else None,
        forgeable=fact.forgeable,
    )


def is_vouched(outcome: Outcome, policy: Policy) -> bool:
    """Return whether anything that is known of this message to this recipient decides something."""
    return bool(select_counting(outcome.feedback, policy.report))


_ARRIVED: Final = frozenset({Status.DELIVERED, Status.COMPLAINED})
# What a person or their mailbox does, whatever became of the message besides; and what only says that it arrived.
_ALIVE: Final = ENGAGEMENT | {Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN}
_RECEIVED: Final = _ALIVE | {Kind.DELIVERED, Kind.AUTO_REPLIED}


def find_sign_of_life(outcome: Outcome, policy: Policy, *, by_mail: bool = True) -> Feedback | None:
    """Find the last fact of this outcome that shows the mailbox to work; `by_mail` says whether a report may.

    More facts never move it back.
    """
    kinds = _RECEIVED if outcome.status in _ARRIVED else _ALIVE
    signs = (
        fact
        for fact in select_counting(outcome.feedback, policy.report)
        if fact.kind in kinds and (by_mail or fact.source != BY_MAIL)
    )
    return max(signs, key=lambda fact: fact.order, default=None)


def find_life(outcomes: Iterable[Outcome], policy: Policy) -> Life:
    """Find the last signs of life in all of these outcomes: of any kind, and of what came by no mail."""
    known = list(outcomes)
    return Life(_find_last_sign(known, policy, by_mail=True), _find_last_sign(known, policy, by_mail=False))


def _find_last_sign(outcomes: Iterable[Outcome], policy: Policy, *, by_mail: bool) -> EvidenceRef | None:
    signs = (find_sign_of_life(outcome, policy, by_mail=by_mail) for outcome in outcomes)
    last = max((sign for sign in signs if sign is not None), key=lambda sign: sign.order, default=None)
    return make_ref(last, None) if last is not None else None


def join_life(known: Life, own: Sequence[Outcome], policy: Policy) -> Life | None:
    """Join the last signs of life that are `known` with those of some outcomes, as they are now.

    Returns None where a known one is of one of these and no longer a sign: another one is the last now, and only all
    outcomes together say which.
    """
    messages = {outcome.message for outcome in own}
    joined = []
    for ref, by_mail in ((known.last, True), (known.firsthand, False)):
        new = _find_last_sign(own, policy, by_mail=by_mail)
        if ref is not None and ref.message in messages:
            same = _find_last_sign([each for each in own if each.message == ref.message], policy, by_mail=by_mail)
            if same is None or same.order < ref.order:
                return None
        joined.append(new if ref is None or (new is not None and new.order >= ref.order) else ref)
    last, firsthand = joined
    return Life(last, firsthand)


def find_contradiction(last: EvidenceRef | None, hard: Cause) -> EvidenceRef | None:
    """Return the last sign of life where it is later than all evidence of a hard bounce."""
    return None if last is None or hard.latest is None or last.at <= hard.latest.at else last
