"""What has to be settled after a batch was stored: claims by suppression, and news for the spike guard. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from aftersend.core import spike_guard
from aftersend.core.causes import Claim, counts_for_streak, is_vouched, make_claim
from aftersend.core.model import CauseKind, Feedback, Key, Kind, Outcome, Status
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.spike_guard import Traffic, Window
from aftersend.core.writes import SuppressionUpdate

# Kinds that can say nothing about suppression and end no streak: not worth a read.
_SILENT: Final = frozenset({Kind.SENT, Kind.DEFERRED, Kind.EXPIRED, Kind.UNKNOWN})
_REFUSED: Final = frozenset({Status.BOUNCED, Status.REJECTED})


class TrafficReport(Struct):
    """What the spike guard should know of a window, and which outcomes say so."""

    traffic: Traffic
    owners: set[Key] = field(default_factory=set)


class Plan(Struct):
    """What has to be settled, by suppression, and which outcomes ask for it."""

    errands: dict[Key, SuppressionUpdate]
    owners: dict[Key, set[Key]]
    sightings: dict[Window, TrafficReport]


def plan_updates(
    outcomes: Mapping[Key, Outcome], told: Mapping[Key, Sequence[Feedback]], classify: Classify, policy: Policy
) -> Plan:
    """What follows from `outcomes`, which are stored, and from what was told of each."""
    claims: defaultdict[Key, list[Claim]] = defaultdict(list)
    recounts: set[Key] = set()
    owners: defaultdict[Key, set[Key]] = defaultdict(set)
    sightings: dict[Window, TrafficReport] = {}
    for key, outcome in outcomes.items():
        everywhere = (outcome.recipient, "*")
        trusted = is_vouched(outcome, policy)
        for fact in deduplicate(outcome.feedback, told[key]):
            if fact.kind in _SILENT:
                continue
            owners[everywhere].add(key)
            said = make_claim(fact, classify(fact), policy) if trusted else None
            if said is not None:
                claims[said.recipient, said.scope].append(said)
                owners[said.recipient, said.scope].add(key)
            if trusted and (traffic := _traffic(fact, said, policy)) is not None:
                sighting = sightings.setdefault(traffic.window, TrafficReport(traffic))
                sighting.traffic = spike_guard.merge_traffic(sighting.traffic, traffic)
                sighting.owners.add(key)
        if _changes_streaks(outcome, policy):
            recounts.add(everywhere)  # and owned: what was refused or arrived is not silent
    errands = {key: SuppressionUpdate(key, tuple(claims[key]), key in recounts) for key in owners}
    return Plan(errands, dict(owners), sightings)


def deduplicate(*groups: Iterable[Feedback]) -> Iterable[Feedback]:
    """Each fact once, by its id; the fullest copy comes in the last group."""
    return {fact.id: fact for group in groups for fact in group}.values()


def _traffic(fact: Feedback, said: Claim | None, policy: Policy) -> Traffic | None:
    """What `fact` tells the spike guard."""
    if not policy.guard.watch:
        return None
    if fact.kind is Kind.DELIVERED:
        return spike_guard.report_delivery(
            spike_guard.find_window(fact.recipient, fact.occurred_at, policy.guard), fact.key
        )
    mark = said.cause.latest if said is not None and said.kind is CauseKind.HARD else None
    if mark is None or mark.reason is None:
        return None
    return spike_guard.report_refusal(
        spike_guard.find_window(fact.recipient, mark.at, policy.guard), fact.key, mark.reason
    )


def _changes_streaks(outcome: Outcome, policy: Policy) -> bool:
    """Whether this outcome may make a streak: it is a counted soft bounce, or it is no longer a proof of life."""
    return counts_for_streak(outcome, policy) or (outcome.status in _REFUSED and outcome.delivered_at is not None)
