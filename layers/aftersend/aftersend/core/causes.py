"""What feedback and outcomes say about suppression. Pure: facts, verdicts and a policy in; causes out.

Five soft bounces in a row are a streak when each is at least a day after the one before and at most ten days, and
nothing was delivered or engaged with after them. One that was once long enough stands until it lapses, also when a
lone bounce follows later.
"""

from __future__ import annotations

from collections import deque
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
    Outcome,
    Reason,
    Reverted,
    Status,
    Verdict,
)
from aftersend.core.outcome import ENGAGEMENT, select_counting
from aftersend.core.policy import Policy, Streak
from aftersend.core.times import UNKNOWN_TIME


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
    """Make the claim that `fact` alone supports, or None; streaks are found in all outcomes, by `find_streak`."""
    rules = policy.select(fact.recipient, fact.scope)
    if kind := _WITHDRAWS.get(fact.kind):
        return Claim(fact.recipient, _find_scope(fact, kind, rules), kind, Cause(withdrawn=_make_ref(fact, verdict)))
    kind = _SUPPORTS.get(fact.kind) or _find_refusal_cause(fact, verdict, rules)
    if kind is None or not getattr(rules, kind).suppress:
        return None
    ref = _make_ref(fact, verdict)
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


def _make_ref(fact: Feedback, verdict: Verdict | None) -> EvidenceRef:
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


def counts_for_streak(outcome: Outcome, policy: Policy) -> bool:
    """Return whether this outcome is a soft bounce that a streak counts."""
    verdict = outcome.verdict
    if outcome.status is not Status.BOUNCED or verdict is None:
        return False
    return policy.select(outcome.recipient).find_class(verdict) is Class.SOFT


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


def list_counted_bounces(outcomes: Iterable[Outcome], policy: Policy) -> list[EvidenceRef]:
    """List the soft bounces of these outcomes that a streak is made of, in no order."""
    return [_find_bounce(outcome) for outcome in outcomes if counts_for_streak(outcome, policy)]


def find_streak(
    outcomes: Iterable[Outcome],
    policy: Policy,
    released_at: datetime | None = None,
    reverted: Sequence[Reverted] = (),
) -> Cause | None:
    """Find the streak of soft bounces that stands in all outcomes of one recipient, or None.

    Bounces up to `released_at` (UTC), up to the last sign of life, and in `reverted` windows do not count. A sign of
    life that came by mail ends nothing but what came by mail.
    """
    stored = [outcome for outcome in outcomes if is_vouched(outcome, policy)]
    if not stored:
        return None
    rules = policy.select(stored[0].recipient).streak
    if not rules.suppress:
        return None
    since = max(_find_last_sign(stored, policy, by_mail=False), released_at or UNKNOWN_TIME)
    since_by_mail = max(_find_last_sign(stored, policy, by_mail=True), since)
    counted = (
        ref
        for ref in list_counted_bounces(stored, policy)
        if ref.at > (since_by_mail if ref.source == BY_MAIL else since) and not any(map(ref.is_inside, reverted))
    )
    bounces = sorted(counted, key=lambda ref: ref.order)
    rows = _find_rows(bounces, rules)
    long_enough = [place for place, (length, _) in enumerate(rows) if length >= rules.bounces]
    if not long_enough:
        return None
    latest = bounces[long_enough[-1]]
    length, first = rows[long_enough[-1]]
    days = rules.full_lapse_days if latest.reason is Reason.MAILBOX_FULL else rules.lapse_days
    return Cause(first=first, latest=latest, count=length, until=latest.at + timedelta(days=days))


def _find_last_sign(outcomes: Iterable[Outcome], policy: Policy, *, by_mail: bool) -> datetime:
    signs = (find_sign_of_life(outcome, policy, by_mail=by_mail) for outcome in outcomes)
    return max((sign.occurred_at for sign in signs if sign is not None), default=UNKNOWN_TIME)


def find_contradiction(outcomes: Iterable[Outcome], hard: Cause, policy: Policy) -> EvidenceRef | None:
    """Find the last sign of life in all outcomes of one recipient, where it is later than a hard bounce's evidence."""
    signs = (find_sign_of_life(outcome, policy) for outcome in outcomes)
    last = max((sign for sign in signs if sign is not None), key=lambda sign: sign.order, default=None)
    if last is None or hard.latest is None or last.occurred_at <= hard.latest.at:
        return None
    return _make_ref(last, None)


def _find_rows(bounces: list[EvidenceRef], rules: Streak) -> list[tuple[int, EvidenceRef]]:
    """For each bounce, in their order: the longest row of counted bounces that ends there, and its first one.

    Any bounce may be left out of a row, so bounces can only make a row longer and a sign of life only shorter: nobody
    who brings a delivery needs to look for a streak where none stands.

    One pass: `nearby` holds the places of bounces that the next one may follow, longest row first, without those that
    a later one is as good as.
    """
    apart, gap = timedelta(hours=rules.apart_hours), timedelta(days=rules.gap_days)
    rows: list[tuple[int, EvidenceRef]] = []
    nearby: deque[int] = deque()
    entering = 0
    for place, ref in enumerate(bounces):
        while entering < place and ref.at - bounces[entering].at >= apart:
            while nearby and rows[nearby[-1]][0] <= rows[entering][0]:
                nearby.pop()
            nearby.append(entering)
            entering += 1
        while nearby and ref.at - bounces[nearby[0]].at > gap:
            nearby.popleft()
        length, first = rows[nearby[0]] if nearby else (0, ref)
        rows.append((length + 1, first))
    return rows


def _find_bounce(outcome: Outcome) -> EvidenceRef:
    """The bounce that decided an outcome, as evidence of a streak."""
    decider = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    return _make_ref(decider, outcome.verdict)
