"""Law 5, whatever the policy says; and the streak against its definition, tried out on every row of bounces."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core.causes import make_claim
from aftersend.core.errors import ConfigurationError
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
    Status,
    Suppression,
    Verdict,
)
from aftersend.core.outcome import merge
from aftersend.core.policy import Policy, load
from aftersend.core.steps import run_steps
from aftersend.core.streaks import Bounce, ReadBounces, counts_for_streak, read_row
from aftersend.core.suppression import find_active_causes
from aftersend.ingest import ingest
from tests.support.facts import START, bounce, classify, fact, fake_source, message
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore, ports
from tests.support.strategies import SHORT, firsthand, reports
from tests.support.streaks import find_streak

_hours = st.integers(0, 40).map(lambda half: START + timedelta(hours=12 * half))


@st.composite
def documents(draw: st.DrawFn, reason: Reason) -> str:
    """Documents that an operator could write, right or wrong, which say something of `reason`."""
    lines = [
        f"[streak]\nbounces = {draw(st.integers(2, 5))}\napart_hours = {draw(st.sampled_from([0, 12, 24]))}",
        f"gap_days = {draw(st.integers(1, 4))}\nlapse_days = {draw(st.integers(1, 40))}",
        *(f"[{name}]\nsuppress = {draw(st.sampled_from(['true', 'false']))}" for name in ("hard", "complaint")),
        "[classes]",
        f"{reason} = '{draw(st.sampled_from(list(Class)))}'",
    ]
    return "\n".join(lines)


def _policy(data: st.DataObject, reason: Reason) -> Policy:
    """A policy that says something of `reason`, if the document may say that."""
    try:
        return load(data.draw(documents(reason)))
    except ConfigurationError:
        return load()


@given(st.data(), st.sampled_from(Reason), st.sampled_from([Class.BLOCK, Class.IGNORE, Class.UNDETERMINED]))
def test_the_senders_own_fault_never_suppresses(data: st.DataObject, reason: Reason, klass: Class) -> None:
    """Law 5: "Spam, policy, authentication, reputation and rate refusals, and the sender's own credentials, never
    suppress an address", and no document can make them.
    """
    policy, verdict = _policy(data, reason), Verdict(klass=klass, reason=reason, rule="test")
    for kind in (Kind.BOUNCED, Kind.REJECTED, Kind.DEFERRED):
        refused = fact(kind, 1, "any")
        claim = make_claim(refused, verdict, policy)
        # What the provider has on a list of its own is mirrored: nobody's fault is held against anybody here.
        assert claim is None or (claim.kind, reason) == (CauseKind.PROVIDER, Reason.SUPPRESSED)
        assert not counts_for_streak(merge(None, [refused], lambda _: verdict), policy)


@given(st.data(), st.sampled_from(Reason), st.sampled_from(Class))
def test_no_document_makes_a_verdict_harder(data: st.DataObject, reason: Reason, klass: Class) -> None:
    """Law 5: an operator may be milder than the rules, never harder."""
    named = _policy(data, reason).find_class(Verdict(klass=klass, reason=reason, rule="test"))
    severity = [Class.IGNORE, Class.SOFT, Class.HARD]
    assert named is klass or severity.index(named) < severity.index(klass)


def _ingest(facts: list[Feedback], policy: Policy) -> MemoryStore:
    store = MemoryStore()
    with fake_source():
        ingest([message(facts)], ports(store, policy=policy))
    return store


def _holding(store: MemoryStore) -> set[tuple[str, CauseKind]]:
    rows = store.get_suppressions(list(store.suppressions_table)).values()
    return {(row.scope, kind) for row in rows for kind in find_active_causes(row, NOW)}


_TRUSTING = load("[report]\nrequire_proof = false\n[streak]\nbounces = 2\ngap_days = 3")
_TOKENS = load("[report]\nproof = 'token'\n[streak]\nbounces = 2\ngap_days = 3")


@given(firsthand(), reports(), st.sampled_from([SHORT, _TOKENS]))
def test_what_strangers_write_about_what_a_provider_sent_changes_nothing(
    said: list[Feedback], mailed: list[Feedback], policy: Policy
) -> None:
    """Law 7: "What anybody could have sent decides nothing by itself", though its message id is known."""
    about_its = [replace(each, message=f"ses:{number % 4}", id="") for number, each in enumerate(mailed)]
    forged = [each for each in about_its if each.forgeable]
    alone, both = _ingest(said, policy), _ingest(said + forged, policy)
    assert stored(both).suppressions == stored(alone).suppressions
    known = stored(alone).outcomes
    shown = {key: replace(each, feedback=(), auto_replied=False) for key, each in stored(both).outcomes.items()}
    assert {key: shown[key] for key in known} == {
        key: replace(each, feedback=(), auto_replied=False) for key, each in known.items()
    }
    assert not any(each.proven or each.review for key, each in stored(both).outcomes.items() if key not in known)


@given(firsthand(), reports(), st.sampled_from([SHORT, _TOKENS]))
def test_where_tokens_prove_reports_no_other_report_suppresses(
    said: list[Feedback], mailed: list[Feedback], policy: Policy
) -> None:
    """Law 7, and the same of messages of anybody's, where knowing a message id is no proof."""
    forged = [each for each in mailed if each.forgeable and (policy is _TOKENS or each.message.startswith("ses:"))]
    known = [each for each in mailed if not each.forgeable]
    assert (
        stored(_ingest(said + known + forged, policy)).suppressions
        == stored(_ingest(said + known, policy)).suppressions
    )


@given(firsthand(), reports(), st.sampled_from([SHORT, _TOKENS, _TRUSTING]))
def test_mail_never_takes_back_what_a_provider_said(
    said: list[Feedback], mailed: list[Feedback], policy: Policy
) -> None:
    """Law 7: nobody is freed by a report by mail, be it proven or believed without: what it takes back came by mail."""
    by_mail = [each for each in mailed if each.source == BY_MAIL]
    alive = [each for each in by_mail if each.kind in _ALIVE]
    assert _holding(_ingest(said, policy)) - {("*", CauseKind.STREAK)} <= _holding(_ingest(said + by_mail, policy))
    assert _holding(_ingest(said, policy)) <= _holding(_ingest(said + alive, policy))


_ALIVE = frozenset({Kind.DELIVERED, Kind.AUTO_REPLIED, Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN, Kind.UNSUBSCRIBED})


@st.composite
def histories(draw: st.DrawFn) -> list[Outcome]:
    """The outcomes of one recipient: soft bounces, and now and then a proof of life."""
    facts: list[Feedback] = []
    for number in range(draw(st.integers(1, 9))):
        alive = draw(st.integers(0, 5)) == 0
        at = draw(_hours)
        kind = draw(st.sampled_from([Kind.DELIVERED, Kind.OPENED])) if alive else Kind.BOUNCED
        facts.append(fact(kind, 0, None if alive else "soft", message=f"test:{number}", occurred_at=at))
    return [merge(None, [each], classify) for each in facts]


def _rows(outcomes: list[Outcome], policy: Policy, released: datetime | None) -> list[tuple[Outcome, ...]]:
    """Every row of soft bounces that is long enough by the words of the policy, tried out one by one."""
    rules = policy.streak
    alive = [each.delivered_at for each in outcomes if each.delivered_at is not None]
    since = max([*alive, *([released] if released else [])], default=START - timedelta(days=1))
    bounces = [each for each in outcomes if each.bounced_at is not None and each.bounced_at > since]
    bounces.sort(key=_when)
    rows = (row for size in range(rules.bounces, len(bounces) + 1) for row in combinations(bounces, size))
    return [row for row in rows if all(_follows(one, other, bounces, policy) for one, other in pairwise(row))]


def _when(outcome: Outcome) -> tuple[datetime, str]:
    assert outcome.bounced_at is not None
    return outcome.bounced_at, outcome.decided_by


def _follows(one: Outcome, other: Outcome, bounces: list[Outcome], policy: Policy) -> bool:
    """Whether they are far enough from each other, and no silence between any bounces from one to the other is long."""
    moments = [_when(each)[0] for each in bounces[bounces.index(one) : bounces.index(other) + 1]]
    silence = max(later - earlier for earlier, later in pairwise(moments))
    far_enough = moments[-1] - moments[0] >= timedelta(hours=policy.streak.apart_hours)
    return far_enough and silence <= timedelta(days=policy.streak.gap_days)


_POLICIES = [
    load(f"[streak]\nbounces = {bounces}\napart_hours = {apart}\ngap_days = {gap}")
    for bounces, apart, gap in [(2, 24, 3), (3, 24, 3), (3, 12, 2), (2, 0, 1), (5, 24, 10)]
]


@given(histories(), st.sampled_from(_POLICIES), st.none() | _hours)
def test_a_streak_stands_where_a_row_of_bounces_is_long_enough(
    outcomes: list[Outcome], policy: Policy, released: datetime | None
) -> None:
    """Design §6: so many "in a row without a delivery or engagement after, at least 1 day apart, none older than 10
    days before the next". The latest bounce is the last that any such row ends in, and the first as late as can be.
    """
    cause, rows = find_streak(outcomes, policy, released), _rows(outcomes, policy, released)
    if not rows:
        assert cause is None
        return
    assert cause is not None
    ends = max(_when(row[-1]) for row in rows)
    enough = [row for row in rows if _when(row[-1]) == ends and len(row) == policy.streak.bounces]
    assert (cause.latest and cause.latest.order, cause.count) == (ends, policy.streak.bounces)
    assert cause.first and cause.first.at == max(_when(row[0])[0] for row in enough)
    assert cause.until == ends[0] + timedelta(days=policy.streak.lapse_days)


@given(histories(), st.sampled_from(_POLICIES), _hours, st.randoms(use_true_random=False))
def test_more_bounces_never_end_a_streak_and_more_life_never_makes_one(
    outcomes: list[Outcome], policy: Policy, at: datetime, random: Random
) -> None:
    """Law 1 rests on it: whoever brings a proof of life need not look for a streak where none stands."""
    shuffled = random.sample(outcomes, len(outcomes))
    before: Cause | None = find_streak(outcomes, policy)
    assert find_streak(shuffled, policy) == before
    more = merge(None, [bounce(0, message="test:more", occurred_at=at)], classify)
    alive = merge(None, [fact(Kind.DELIVERED, message="test:alive", occurred_at=at)], classify)
    if before is not None:
        assert find_streak([*outcomes, more], policy) is not None
    else:
        assert find_streak([*outcomes, alive], policy) is None
        for gone in (each for each in outcomes if each.status is Status.BOUNCED):
            assert find_streak([each for each in outcomes if each is not gone], policy) is None


def _count_pages(moments: list[datetime], policy: Policy) -> tuple[bool, int, int]:
    """Whether a streak is found in bounces at these moments (in order), in how many reads, and of how many bounces."""
    verdict = classify(bounce(0))
    assert verdict is not None
    refs = [
        EvidenceRef(at=at, feedback=f"{number:05}", message="m", source="test", reason=verdict.reason)
        for number, at in enumerate(moments)
    ]
    index = [Bounce(ref, verdict, proven=True) for ref in refs]
    pages: list[int] = []

    def read(wanted: ReadBounces) -> list[Bounce]:
        inside = [each for each in index if wanted.oldest <= each.ref.order <= wanted.newest]
        page = inside[: wanted.limit] if wanted.oldest_first else inside[: -wanted.limit - 1 : -1]
        pages.append(len(page))
        return page

    found = run_steps(read_row(Suppression(recipient="email:ann@example.com"), policy), read)
    return found is not None, len(pages), sum(pages)


@pytest.mark.parametrize("seconds", [40, 4_000, 40_000, 86_400])
def test_a_streak_costs_a_handful_of_reads_however_many_bounces_there_are(seconds: int) -> None:
    """Alerts to a full mailbox bounce by the ten thousand, within days or over years."""
    found, reads, bounces = _count_pages([START + timedelta(seconds=seconds) * each for each in range(20_000)], load())
    assert found
    assert reads <= 5
    assert bounces <= 40


def test_what_is_too_short_is_known_as_soon() -> None:
    """Ten thousand bounces within a day are one."""
    found, reads, bounces = _count_pages([START + timedelta(seconds=8) * each for each in range(10_000)], load())
    assert not found
    assert (reads, bounces) == (2, 16)
