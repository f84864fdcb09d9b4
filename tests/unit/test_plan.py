"""What is planned after a batch: updates of suppressions, by whom asked for, and reports to the spike guard."""

from __future__ import annotations

import pytest

from aftersend.core import spike_guard
from aftersend.core.causes import Claim
from aftersend.core.model import BY_MAIL, CauseKind, Evidence, Feedback, Kind, Reason
from aftersend.core.outcome import merge
from aftersend.core.plan import Plan, plan_updates
from aftersend.core.policy import Policy, load
from aftersend.sources import SOURCES
from aftersend.sources.report import feedback as report_source
from tests.support.facts import ANN, BOB, bounce, classify, fact

POLICY = load()
EVERYWHERE = ANN, "*"
KEY = bounce(1).key


def _plan(*new: Feedback, stored: tuple[Feedback, ...] = (), policy: Policy = POLICY) -> Plan:
    """What follows where `stored` was known and `new` came."""
    news: dict[tuple[str, str], list[Feedback]] = {}
    for each in new:
        news.setdefault(each.key, []).append(each)
    outcomes = {
        key: merge(None, [*(each for each in stored if each.key == key), *facts], classify)
        for key, facts in news.items()
    }
    return plan_updates(outcomes, news, classify, policy)


def _kinds(claims: tuple[Claim, ...]) -> list[CauseKind]:
    return [each.kind for each in claims]


@pytest.mark.parametrize("kind", [Kind.SENT, Kind.DEFERRED, Kind.UNKNOWN])
def test_what_says_nothing_of_suppression_is_not_worth_a_read(kind: Kind) -> None:
    assert _plan(fact(kind, 1, "hard")) == Plan({}, {}, {})


@pytest.mark.parametrize(
    ("facts", "recount"),
    [
        ([fact(Kind.DELIVERED, 1)], False),
        ([bounce(1, "soft")], True),
        ([bounce(1, "hard")], False),
        ([bounce(1, "block")], False),
        ([fact(Kind.REJECTED, 1, "block")], False),
        ([fact(Kind.DELIVERED, 1), bounce(2, "block")], True),
        ([fact(Kind.DELIVERED, 1), fact(Kind.REJECTED, 2, "block")], True),
        ([fact(Kind.OPENED, 1), fact(Kind.COMPLAINED, 2)], False),
    ],
)
def test_a_streak_is_looked_for_where_one_may_have_come_to_be(facts: list[Feedback], recount: bool) -> None:
    """By a counted bounce, or by a refusal of what had shown a mailbox to work; in one step or in two."""
    for planned in (_plan(*facts), _plan(facts[-1], stored=tuple(facts[:-1]))):
        assert planned.updates[EVERYWHERE].recount == recount
        assert planned.owners[EVERYWHERE] == {KEY}


def test_each_suppression_has_its_claims_and_knows_who_asks() -> None:
    left, hard = fact(Kind.UNSUBSCRIBED, 1, scope="news"), bounce(2, "hard", "test:2")
    other = fact(Kind.COMPLAINED, 3, recipient=BOB)
    planned = _plan(left, hard, other)
    assert {key: _kinds(update.claims) for key, update in planned.updates.items()} == {
        (ANN, "news"): [CauseKind.UNSUBSCRIBED],
        EVERYWHERE: [CauseKind.HARD],
        (BOB, "*"): [CauseKind.COMPLAINT],
    }
    assert planned.owners == {(ANN, "news"): {left.key}, EVERYWHERE: {left.key, hard.key}, (BOB, "*"): {other.key}}


def test_what_anybody_could_have_sent_claims_nothing_until_somebody_vouches_for_the_message() -> None:
    forged = bounce(1, evidence=Evidence(provider_code="hard", forgeable=True))
    assert _plan(forged) == Plan({}, {}, {}), "nor does it cost a read of what the victim ever got"
    vouched = _plan(fact(Kind.SENT, 0), stored=(forged,))
    assert _kinds(vouched.updates[EVERYWHERE].claims) == [CauseKind.HARD]
    assert vouched.traffic_reports == {}, "the guard looks at nothing that anybody could have sent"


def test_reports_count_who_is_refused_for_good_and_a_sample_of_who_is_reached() -> None:
    others = [f"email:u{number}@example.com" for number in range(100)]
    refused = [bounce(1, "hard", recipient=each) for each in others[:3]]
    reached = [fact(Kind.DELIVERED, 1, message="test:2", recipient=each) for each in others]
    soft = [bounce(1, code, f"test:{code}") for code in ("soft", "listed", "unclear")]
    window = spike_guard.find_window(ANN, bounce(1).occurred_at, POLICY.guard)
    sampled = [each for each in reached if spike_guard.report_delivery(window, each.recipient) is not None]
    assert 0 < len(sampled) < len(reached)
    planned = _plan(*refused, *reached, *soft, fact(Kind.COMPLAINED, 1, message="test:3"))
    assert set(planned.traffic_reports) == {window}
    report = planned.traffic_reports[window]
    assert report.owners == {each.key for each in (*refused, *sampled)}
    assert {reason: len(sketch) for reason, sketch in report.traffic.refused.items()} == {Reason.USER_UNKNOWN: 3}
    assert len(report.traffic.reached) == len(sampled)
    assert _plan(*refused, *reached, policy=load("[guard]\nwatch = false")).traffic_reports == {}


@pytest.mark.parametrize("reverse", [False, True])
def test_copies_of_a_complaint_that_infer_and_name_its_author_give_one_claim(reverse: bool) -> None:
    """Law 1: the same fact by two ways in one batch, whichever comes first."""
    copies = [fact(Kind.COMPLAINED, 1, evidence=Evidence(derived=derived)) for derived in (False, True)]
    [update] = _plan(*(copies[::-1] if reverse else copies)).updates.values()
    [claim] = update.claims
    assert claim.cause.latest is not None
    assert not claim.cause.latest.derived


def test_the_source_that_the_guard_does_not_count_is_that_of_mails() -> None:
    assert report_source.SOURCE == BY_MAIL and BY_MAIL in SOURCES
