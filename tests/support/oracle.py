"""What the tables must hold after any feedback, computed from all of it at once; and when two tables are equal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core import suppression
from aftersend.core.causes import find_life, make_claim
from aftersend.core.model import (
    BY_MAIL,
    Cause,
    CauseKind,
    EvidenceRef,
    Feedback,
    Key,
    Life,
    Outcome,
    Reason,
    Reverted,
    Suppression,
)
from aftersend.core.outcome import Classify, merge, trusts_reports
from aftersend.core.policy import Policy
from aftersend.core.streaks import list_counted_bounces
from aftersend.sources.masking import mask_others
from aftersend.storage import items
from aftersend.storage import store as stores


class Tables(Struct, frozen=True):
    """The contents of both tables, but for versions and for what says nothing."""

    outcomes: dict[Key, Outcome]
    suppressions: dict[Key, Suppression]


def tables(outcomes: Iterable[Outcome], suppressions: Iterable[Suppression]) -> Tables:
    """Tables that compare equal when they are equal but for `version`.

    A suppression without cause and without release says no more than a missing one: it only keeps its version.
    """
    standing = (each for each in suppressions if each.causes or each.released_at)
    return Tables(
        {outcome.key: replace(outcome, version=0) for outcome in outcomes},
        {each.key: replace(each, version=0) for each in standing},
    )


def stored(store: Any) -> Tables:
    """What a `MemoryStore` holds."""
    return tables(
        store.get_outcomes(list(store.outcomes_table)).values(),
        store.get_suppressions(list(store.suppressions_table)).values(),
    )


def scanned(client: Any, names: stores.TableNames) -> Tables:
    """What the tables of an engine hold."""
    return tables(
        map(items.decode_outcome, _scan(client, names.outcomes)),
        map(items.decode_suppression, _scan(client, names.suppressions)),
    )


def _scan(client: Any, table: str) -> Iterator[items.Item]:
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def expected(
    facts: Iterable[Feedback],
    classify: Classify,
    policy: Policy,
    released: dict[Key, datetime] | None = None,
    reverted: dict[Key, Sequence[Reverted]] | None = None,
    now: datetime | None = None,
) -> Tables:
    """Both tables by the definition: outcomes fold all facts of their key; suppressions follow from all of it.

    What was due by `now` is expired.
    """
    by_key: dict[Key, list[Feedback]] = {}
    for fact in map(mask_others, facts):
        by_key.setdefault(fact.key, []).append(fact)
    outcomes = [
        merge(None, each, classify, reports=policy.report, validity=policy.validity, now=now)
        for each in by_key.values()
    ]
    rows = {key: Suppression(recipient=key[0], scope=key[1], released_at=at) for key, at in (released or {}).items()}
    for key, windows in (reverted or {}).items():
        row = rows.get(key) or Suppression(recipient=key[0], scope=key[1])
        rows[key] = suppression.apply_reverts(row, windows)
    trusted = {outcome.key for outcome in outcomes if trusts_reports(outcome.feedback, policy.report)}
    for fact in (fact for key, each in by_key.items() for fact in each if key in trusted or not fact.forgeable):
        claim = make_claim(fact, classify(fact), policy)
        if claim is not None:
            row = rows.get((claim.recipient, claim.scope)) or Suppression(recipient=claim.recipient, scope=claim.scope)
            rows[row.key] = suppression.merge_claims(row, [claim])
    for recipient in {outcome.recipient for outcome in outcomes}:
        row = rows.get((recipient, "*")) or Suppression(recipient=recipient)
        theirs = [outcome for outcome in outcomes if outcome.recipient == recipient]
        matters = find_streak_by_definition(theirs, policy, row, Life()) is not None or CauseKind.HARD in row.causes
        life = find_life(theirs, policy) if matters else None
        streak = find_streak_by_definition(theirs, policy, row, life or Life())
        row = suppression.replace_life(suppression.replace_streak(row, streak), life)
        rows[row.key] = row
    return tables(outcomes, rows.values())


def find_streak_by_definition(
    outcomes: Sequence[Outcome], policy: Policy, row: Suppression, life: Life
) -> Cause | None:
    """The streak of all bounces of one recipient after these signs of life: rows first, then those taken."""
    rules = policy.select(outcomes[0].recipient).streak
    counted = sorted(
        (
            ref
            for ref in list_counted_bounces(outcomes, policy)
            if (row.released_at is None or ref.at > row.released_at) and not any(map(ref.is_inside, row.reverted))
            if life.firsthand is None or ref.at > life.firsthand.at
            if life.last is None or ref.source != BY_MAIL or ref.at > life.last.at
        ),
        key=lambda ref: ref.order,
    )
    silences = [
        place
        for place in range(1, len(counted))
        if counted[place].at - counted[place - 1].at > timedelta(days=rules.gap_days)
    ]
    for start, end in reversed(list(zip([0, *silences], [*silences, len(counted)], strict=True))):
        taken = list(_take_apart(counted[start:end], timedelta(hours=rules.apart_hours)))
        if len(taken) >= rules.bounces and rules.suppress:
            latest, first = taken[0], taken[rules.bounces - 1]
            days = rules.full_lapse_days if latest.reason is Reason.MAILBOX_FULL else rules.lapse_days
            until = latest.at + timedelta(days=days)
            standing = Cause(first=first, latest=latest, count=rules.bounces, until=until)
            return standing if until > counted[-1].at else None
    return None


def _take_apart(bounces: Sequence[EvidenceRef], apart: timedelta) -> Iterator[EvidenceRef]:
    """The latest, then the latest that is far enough before it, and so on."""
    taken: EvidenceRef | None = None
    for ref in reversed(bounces):
        if taken is None or taken.at - ref.at >= apart:
            taken = ref
            yield ref


def differences(one: Tables, other: Tables) -> list[str]:
    """What differs, for a person to read."""
    found: list[str] = []
    for name in ("outcomes", "suppressions"):
        mine, theirs = getattr(one, name), getattr(other, name)
        differ = (key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key))
        found += [f"{name} {key}:\n    {mine.get(key)}\n    {theirs.get(key)}" for key in differ]
    return found
