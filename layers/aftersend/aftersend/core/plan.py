"""What has to be updated after a batch was stored: suppressions, and the spike guard's windows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from aftersend.core import spike_guard
from aftersend.core.causes import Claim, is_vouched, make_claim
from aftersend.core.feedback_set import join
from aftersend.core.model import BY_MAIL, CauseKind, Feedback, Key, Kind, Outcome, Status
from aftersend.core.outcome import Classify, may_have_expired, trusts_reports
from aftersend.core.policy import Policy
from aftersend.core.spike_guard import Traffic, Window
from aftersend.core.streaks import is_soft
from aftersend.core.times import LATEST_TIME
from aftersend.core.validity import WAITING
from aftersend.core.writes import SuppressionUpdate

# Kinds that can say nothing about suppression and end no streak: not worth a read.
_SILENT: Final = frozenset({Kind.SENT, Kind.DEFERRED, Kind.UNKNOWN})
_REFUSED: Final = frozenset({Status.BOUNCED, Status.REJECTED})


class TrafficReport(Struct):
    """What the spike guard should know of one window of time, and which outcomes it comes from."""

    traffic: Traffic
    owners: set[Key] = field(default_factory=set)


class Plan(Struct):
    """The updates of suppressions, the outcomes that each of them comes from, and the reports to the spike guard."""

    updates: dict[Key, SuppressionUpdate]
    owners: dict[Key, set[Key]]
    traffic_reports: dict[Window, TrafficReport]


def plan_updates(
    outcomes: Mapping[Key, Outcome],
    new: Mapping[Key, Sequence[Feedback]],
    classify: Classify,
    policy: Policy,
    now: datetime = LATEST_TIME,
) -> Plan:
    """Plan what follows from `outcomes`, which are stored, and from the `new` feedback of each, by the same keys.

    `now` (UTC) is when they had been stored: some may have been taken for expired by then, and are so no more.
    """
    claims: defaultdict[Key, list[Claim]] = defaultdict(list)
    recounts: set[Key] = set()
    owners: defaultdict[Key, set[Key]] = defaultdict(set)
    reports: dict[Window, TrafficReport] = {}
    for key, outcome in outcomes.items():
        if not is_vouched(outcome, policy):
            continue  # it decides nothing, and whoever vouches for it later brings all of it
        everywhere, trusted = (outcome.recipient, "*"), trusts_reports(outcome.feedback, policy.report)
        for fact in deduplicate(outcome.feedback, new[key]):
            if fact.kind in _SILENT or (fact.forgeable and not trusted):
                continue
            owners[everywhere].add(key)
            claim = make_claim(fact, classify(fact), policy)
            if claim is not None:
                claims[claim.recipient, claim.scope].append(claim)
                owners[claim.recipient, claim.scope].add(key)
            if (traffic := _find_traffic(fact, claim, policy)) is not None:
                report = reports.setdefault(traffic.window, TrafficReport(traffic))
                report.traffic = spike_guard.merge_traffic(report.traffic, traffic)
                report.owners.add(key)
        if _changes_streaks(outcome, classify, policy, now):
            recounts.add(everywhere)  # and owned: what was refused or arrived is not silent
    updates = {
        key: SuppressionUpdate(
            key, tuple(claims[key]), key in recounts, messages=tuple(sorted(message for _, message in owners[key]))
        )
        for key in owners
    }
    return Plan(updates, dict(owners), reports)


def deduplicate(*groups: Iterable[Feedback]) -> Iterable[Feedback]:
    """Return each fact once, by its id; of several copies the one in the last group, which is the fullest.

    Of a complaint they are joined: whose it is may be inferred in one copy and named in another.
    """
    found: dict[str, Feedback] = {}
    for group in groups:
        for fact in group:
            joins = fact.kind is Kind.COMPLAINED and fact.id in found
            found[fact.id] = join(found[fact.id], fact) if joins else fact
    return found.values()


def _find_traffic(fact: Feedback, claim: Claim | None, policy: Policy) -> Traffic | None:
    """What `fact` reports to the spike guard.

    A report by mail says nothing there, whoever vouches for it: it names its own time and so its window, and an
    incident lifts what others have reported. One bounce address that was sent to a stranger must not do that.
    """
    if not policy.guard.watch or fact.source == BY_MAIL or fact.forgeable:
        return None
    if fact.kind is Kind.DELIVERED:
        return spike_guard.report_delivery(
            spike_guard.find_window(fact.recipient, fact.occurred_at, policy.guard), fact.recipient
        )
    ref = claim.cause.latest if claim is not None and claim.kind is CauseKind.HARD else None
    if ref is None or ref.reason is None:
        return None
    return spike_guard.report_refusal(
        spike_guard.find_window(fact.recipient, ref.at, policy.guard), fact.recipient, ref.reason
    )


def _changes_streaks(outcome: Outcome, classify: Classify, policy: Policy, now: datetime) -> bool:
    """Whether this outcome may make a streak, may have ended to be part of one, or is no longer a proof of life.

    Of several bounces, the one that counted may have lost what it was judged by. One that had expired is no bounce any
    more once anything is heard: it may be that nobody had noticed, which is found out where the time for it has come.
    """
    if any(fact.kind is Kind.EXPIRED for fact in outcome.feedback):
        return True
    if outcome.status not in WAITING and may_have_expired(outcome.feedback, policy.report, policy.validity, now):
        return True
    bounces = [fact for fact in outcome.feedback if fact.kind is Kind.BOUNCED]
    taken_back = outcome.status in _REFUSED and outcome.delivered_at is not None
    return taken_back or len(bounces) > 1 or any(is_soft(classify(fact), outcome.recipient, policy) for fact in bounces)
