"""When an address is suppressed. Pure: feedback, verdicts, outcomes and a policy in; causes out.

The defaults stand in `policy.toml`, each with its meaning. Five soft bounces in a row are a streak when each is at
least a day after the one before and at most ten days, and nothing was delivered or engaged with after them. One that
was once long enough stands until it lapses, also when a lone bounce follows later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from aftersend.errors import ConfigurationError
from aftersend.model import Cause, CauseKind, Class, Feedback, Kind, Mark, Outcome, Reason, Status, Verdict
from aftersend.outcome import ENGAGEMENT
from aftersend.times import UNKNOWN
from aftersend.vocabulary import MEANINGS

_Count = Annotated[int, Meta(ge=2, le=100)]
_Hours = Annotated[int, Meta(ge=0, le=24 * 365)]
_Days = Annotated[int, Meta(ge=1, le=3650)]


_ADDRESS: Final = frozenset({Class.HARD, Class.SOFT})  # the classes that are held against an address
_SEVERITY: Final = {Class.IGNORE: 0, Class.SOFT: 1, Class.HARD: 2}


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a rule suppresses at all."""

    suppress: bool


class Streak(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When soft bounces over several messages suppress."""

    suppress: bool
    bounces: _Count
    apart_hours: _Hours
    gap_days: _Days
    lapse_days: _Days


class Reports(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What reports by mail may do."""

    require_proof: bool


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document; see `policy.toml` for every field's meaning."""

    hard: Switch
    complaint: Switch
    unsubscribed: Switch
    streak: Streak
    report: Reports
    classes: dict[Reason, Class]

    def class_of(self, verdict: Verdict) -> Class:
        """The class that counts for suppression: the verdict's, or a milder one that the policy names for it."""
        named = self.classes.get(verdict.reason, verdict.klass)
        if verdict.klass not in _ADDRESS or _SEVERITY[named] > _SEVERITY[verdict.klass]:
            return verdict.klass
        return named


class Claim(Struct, frozen=True):
    """What one feedback says about the suppression of its recipient in one scope."""

    recipient: str
    scope: str
    kind: CauseKind
    cause: Cause


def load(document: str = "") -> Policy:
    """The shipped policy, overridden by `document` (TOML); raises ConfigurationError that names the wrong field."""
    try:
        given = msgspec.toml.decode(document) if document else {}
        policy = msgspec.convert(_overridden(_shipped(), given), Policy)
    except msgspec.DecodeError as error:  # ValidationError is one of these: it names the field
        raise ConfigurationError(f"policy: {error}") from error
    _check(policy)
    return policy


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    return dict(msgspec.toml.decode((files("aftersend") / "policy.toml").read_bytes()))


def _overridden(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the fields of `given`, table by table; what is unknown stays in, for the check to name it."""
    merged = dict(base)
    for name, value in given.items():
        both_tables = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = _overridden(base[name], value) if both_tables else value
    return merged


def _check(policy: Policy) -> None:
    """What types alone cannot say. Law 5: what is the sender's fault can never be turned against the recipient."""
    for reason, named in policy.classes.items():
        if named not in _SEVERITY:
            raise ConfigurationError(
                f"policy: {named.value!r} is not one of hard, soft, ignore - at `$.classes.{reason}`"
            )
        if named in _ADDRESS and MEANINGS[reason].permanent not in _ADDRESS:
            raise ConfigurationError(f"policy: {reason.value} is never the recipient's fault - at `$.classes.{reason}`")
    if policy.streak.apart_hours > policy.streak.gap_days * 24:
        raise ConfigurationError("policy: apart_hours must not exceed gap_days - at `$.streak.apart_hours`")


# What each kind of feedback does: which cause it supports, or takes back.
_SUPPORTS: Final = {Kind.COMPLAINED: CauseKind.COMPLAINT, Kind.UNSUBSCRIBED: CauseKind.UNSUBSCRIBED}
_WITHDRAWS: Final = {Kind.COMPLAINT_WITHDRAWN: CauseKind.COMPLAINT, Kind.SUBSCRIBED: CauseKind.UNSUBSCRIBED}
_REFUSALS: Final = frozenset({Kind.BOUNCED, Kind.REJECTED})


def claim(fact: Feedback, verdict: Verdict | None, policy: Policy) -> Claim | None:
    """What `fact` alone says about suppression: at most one thing. Streaks are another matter: see `streak`."""
    scope = fact.scope or "*"
    if kind := _WITHDRAWS.get(fact.kind):
        return Claim(fact.recipient, scope, kind, Cause(withdrawn=_mark(fact, verdict)))
    if fact.kind in _REFUSALS and verdict is not None and policy.class_of(verdict) is Class.HARD:
        kind = CauseKind.HARD
    else:
        kind = _SUPPORTS.get(fact.kind)
    if kind is None or not getattr(policy, kind).suppress:
        return None
    mark = _mark(fact, verdict)
    return Claim(fact.recipient, scope, kind, Cause(first=mark, latest=mark))


def _mark(fact: Feedback, verdict: Verdict | None) -> Mark:
    return Mark(
        at=fact.occurred_at,
        feedback=fact.id,
        message=fact.message,
        source=fact.source,
        reason=verdict.reason if verdict else None,
        rule=verdict.rule if verdict else None,
        word=fact.evidence.word if fact.evidence else None,
    )


def vouched(outcome: Outcome, policy: Policy) -> bool:
    """Whether somebody who cannot be forged knows this message to this recipient, or nobody has to."""
    if not policy.report.require_proof:
        return True
    return any(fact.evidence is None or not fact.evidence.forgeable for fact in outcome.feedback)


def counts(outcome: Outcome, policy: Policy) -> bool:
    """Whether this outcome is a soft bounce that a streak counts."""
    verdict = outcome.verdict
    return outcome.status is Status.BOUNCED and verdict is not None and policy.class_of(verdict) is Class.SOFT


_ARRIVED: Final = frozenset({Status.DELIVERED, Status.COMPLAINED})
# What a person or their mailbox does, whatever became of the message besides; and what only says that it arrived.
_ALIVE: Final = ENGAGEMENT | {Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN}
_RECEIVED: Final = _ALIVE | {Kind.DELIVERED, Kind.AUTO_REPLIED}


def proof_of_life(outcome: Outcome) -> datetime | None:
    """When the recipient's mailbox was last seen to work, as this outcome knows. More facts never move it back."""
    kinds = _RECEIVED if outcome.status in _ARRIVED else _ALIVE
    return max((fact.occurred_at for fact in outcome.feedback if fact.kind in kinds), default=None)


def streak(outcomes: Iterable[Outcome], policy: Policy, released_at: datetime | None = None) -> Cause | None:
    """The streak of soft bounces that stands in all outcomes of one recipient, or None.

    Bounces up to `released_at`, and up to the last proof of life, no longer count.
    """
    rules = policy.streak
    if not rules.suppress:
        return None
    stored = [outcome for outcome in outcomes if vouched(outcome, policy)]
    ends = [moment for moment in (released_at, *map(proof_of_life, stored)) if moment is not None]
    since = max(ends, default=UNKNOWN)
    marks = (_bounce(outcome) for outcome in stored if counts(outcome, policy))
    bounces = sorted((mark for mark in marks if mark.at > since), key=lambda mark: mark.order)
    rows = _rows(bounces, rules)
    long_enough = [place for place, (length, _) in enumerate(rows) if length >= rules.bounces]
    if not long_enough:
        return None
    latest = bounces[long_enough[-1]]
    length, first = rows[long_enough[-1]]
    return Cause(first=first, latest=latest, count=length, until=latest.at + timedelta(days=rules.lapse_days))


def _rows(bounces: list[Mark], rules: Streak) -> list[tuple[int, Mark]]:
    """For each bounce, in their order: the longest row of counted bounces that ends there, and its first one.

    Any bounce may be left out of a row, so bounces can only make a row longer and a sign of life only shorter: nobody
    who brings a delivery needs to look for a streak where none stands.
    """
    apart, gap = timedelta(hours=rules.apart_hours), timedelta(days=rules.gap_days)
    rows: list[tuple[int, Mark]] = []
    for place, mark in enumerate(bounces):
        length, first = 1, mark
        for before in range(place - 1, -1, -1):
            pause = mark.at - bounces[before].at
            if pause > gap:
                break
            if pause >= apart and rows[before][0] >= length:
                length, first = rows[before][0] + 1, rows[before][1]
        rows.append((length, first))
    return rows


def _bounce(outcome: Outcome) -> Mark:
    """The bounce that decided an outcome, as evidence of a streak."""
    decider = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    return _mark(decider, outcome.verdict)
