"""The fold: precedence row by row, the pairs that sources really send, and what else follows from the facts."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations, permutations

import pytest
from msgspec.structs import replace

from aftersend import classify as rules
from aftersend.core.model import Act, Class, Decision, Engagement, Evidence, Feedback, Kind, Outcome, Status
from aftersend.core.outcome import RANKS, merge
from aftersend.sources import read
from tests.support import ses
from tests.support.facts import START, bounce, classify, fact

SOFT, HARD = "bounced (soft)", "bounced (hard)"

# Design §4, from the weakest to the strongest, whatever the times say.
PRECEDENCE = [
    ("sent", Kind.SENT, None, Status.SENT),
    ("deferred", Kind.DEFERRED, "full", Status.DEFERRED),
    ("expired", Kind.EXPIRED, None, Status.EXPIRED),
    ("delivered", Kind.DELIVERED, None, Status.DELIVERED),
    ("rejected", Kind.REJECTED, "block", Status.REJECTED),
    (SOFT, Kind.BOUNCED, "soft", Status.BOUNCED),
    (HARD, Kind.BOUNCED, "hard", Status.BOUNCED),
    ("complained", Kind.COMPLAINED, None, Status.COMPLAINED),
]
PROVES_DELIVERY = [
    Kind.AUTO_REPLIED,
    Kind.OPENED,
    Kind.CLICKED,
    Kind.UNSUBSCRIBED,
    Kind.SUBSCRIBED,
    Kind.COMPLAINT_WITHDRAWN,
]


def _folded(*facts: Feedback) -> Outcome:
    """The outcome of `facts`, one after another in every order, which is always the same."""
    outcomes = []
    for order in permutations(facts):
        outcome = None
        for each in order:
            outcome = merge(outcome, [each], classify)
        outcomes.append(outcome)
    assert outcomes[0] is not None
    assert all(outcome == outcomes[0] for outcome in outcomes)
    return outcomes[0]


@pytest.mark.parametrize(("weak", "strong"), list(combinations(PRECEDENCE, 2)), ids=lambda row: row[0])
@pytest.mark.parametrize("first", ["weak first", "strong first"])
def test_precedence(weak: tuple, strong: tuple, first: str) -> None:  # type: ignore[type-arg]
    """Design §4: "Precedence, whatever the times say": sent < deferred < expired < delivered < rejected <
    bounced(soft) < bounced(hard) < complained.
    """
    days = (1, 2) if first == "weak first" else (2, 1)
    one, other = fact(weak[1], days[0], weak[2]), fact(strong[1], days[1], strong[2])
    outcome = _folded(one, other)
    assert (outcome.status, outcome.decided_by) == (strong[3], other.id)
    assert outcome.verdict == classify(other)


@pytest.mark.parametrize("kind", PROVES_DELIVERY)
def test_only_what_has_arrived_is_answered_opened_or_unsubscribed_from(kind: Kind) -> None:
    """Design §4: "Opens and clicks prove delivery and never undo a bounce." """
    assert _folded(fact(Kind.SENT, 1), fact(Kind.DEFERRED, 3, "full"), fact(kind, 2)).status is Status.DELIVERED
    bounced = _folded(bounce(1), fact(kind, 2))
    assert (bounced.status, bounced.delivered_at) == (Status.BOUNCED, fact(kind, 2).occurred_at)


def test_every_kind_has_a_rank() -> None:
    assert set(RANKS) == set(Kind)


def test_a_type_that_nobody_knows_says_only_that_the_message_exists() -> None:
    assert _folded(fact(Kind.UNKNOWN, 2)).status is Status.SENT
    assert _folded(fact(Kind.UNKNOWN, 2), fact(Kind.SENT, 1)).decided_by == fact(Kind.SENT, 1).id


@pytest.mark.parametrize("code", ["soft", "hard"])
def test_within_one_rank_the_latest_speaks(code: str) -> None:
    early, late = bounce(1, code, "test:1"), bounce(2, code, "test:1")
    outcome = _folded(early, late)
    assert (outcome.decided_by, outcome.bounced_at) == (late.id, late.occurred_at)


def test_at_the_same_time_the_greater_id_speaks() -> None:
    one, other = bounce(1, "soft", "test:1"), bounce(1, "full", "test:1")
    assert _folded(one, other).decided_by == max(one.id, other.id)


def test_soft_then_hard() -> None:
    outcome = _folded(bounce(1, "soft"), bounce(2, "hard"))
    assert outcome.verdict is not None
    assert (outcome.status, outcome.verdict.klass) == (Status.BOUNCED, Class.HARD)


def test_hard_then_soft_stays_hard() -> None:
    outcome = _folded(bounce(1, "hard"), bounce(2, "soft"))
    assert outcome.verdict is not None
    assert (outcome.verdict.klass, outcome.bounced_at) == (Class.HARD, bounce(1).occurred_at)


def test_delay_then_delivery() -> None:
    outcome = _folded(fact(Kind.DEFERRED, 1, "full"), fact(Kind.DEFERRED, 2, "full"), fact(Kind.DELIVERED, 3))
    assert (outcome.status, outcome.attempts, outcome.verdict) == (Status.DELIVERED, 3, None)


def test_a_bounce_is_the_last_attempt() -> None:
    assert _folded(fact(Kind.DEFERRED, 1, "full"), bounce(2)).attempts == 2
    assert _folded(fact(Kind.DEFERRED, 1, "full"), fact(Kind.EXPIRED, 2)).attempts == 1


def test_a_source_that_numbers_its_attempts_is_believed() -> None:
    numbered = replace(fact(Kind.DEFERRED, 1, "full"), evidence=Evidence(provider_code="full", attempt=7), id="")
    assert _folded(numbered, fact(Kind.DELIVERED, 2)).attempts == 7


def test_an_attempt_reported_as_deferred_and_as_the_end_is_one_attempt() -> None:
    """MailerQ's retry queue reported it before MailerQ gave up."""
    last = Evidence(provider_code="full", attempt=2)
    facts = [fact(Kind.DEFERRED, 1, evidence=Evidence(provider_code="full", attempt=1)), bounce(2, evidence=last)]
    assert _folded(*facts).attempts == _folded(*facts, fact(Kind.DEFERRED, 2, evidence=last)).attempts == 2


@pytest.mark.parametrize(("complained", "withdrawn", "status"), [(1, 2, "delivered"), (2, 1, "complained")])
def test_not_spam_takes_back_a_complaint_that_came_before_it(complained: int, withdrawn: int, status: str) -> None:
    """Design §4: "`complaint_withdrawn` (`not-spam`) takes a complaint back." """
    outcome = _folded(fact(Kind.COMPLAINED, complained), fact(Kind.COMPLAINT_WITHDRAWN, withdrawn))
    assert outcome.status == status
    assert (outcome.complained_at is None) == (status == "delivered")


def test_of_several_complaints_the_latest_is_the_one_that_stands() -> None:
    first, last = fact(Kind.COMPLAINED, 1), fact(Kind.COMPLAINED, 3)
    outcome = _folded(first, fact(Kind.COMPLAINT_WITHDRAWN, 2), last)
    assert (outcome.status, outcome.complained_at, outcome.decided_by) == ("complained", last.occurred_at, last.id)


def test_a_bounce_stands_where_its_complaint_was_taken_back() -> None:
    outcome = _folded(bounce(0), fact(Kind.COMPLAINED, 1), fact(Kind.COMPLAINT_WITHDRAWN, 2))
    assert outcome.status is Status.BOUNCED


def test_times_are_those_of_the_events() -> None:
    outcome = _folded(fact(Kind.SENT, 0), fact(Kind.DELIVERED, 1), fact(Kind.OPENED, 3), fact(Kind.OPENED, 2))
    times = outcome.first_at, outcome.delivered_at, outcome.opened_at, outcome.engaged_at, outcome.last_at
    assert [time and (time - START).days for time in times] == [0, 1, 2, 3, 3]
    assert (outcome.opens, outcome.clicks, outcome.clicked_at) == (2, 0, None)
    clicked = _folded(fact(Kind.CLICKED, 2), fact(Kind.CLICKED, 1))
    assert (clicked.opens, clicked.clicks, clicked.opened_at) == (0, 2, None)
    assert clicked.clicked_at == START + timedelta(days=1)


def test_counts_saturate_and_say_so() -> None:
    """Design §4: "counts saturate and say so"."""
    opens = [fact(Kind.OPENED, number / 24, engagement=Engagement()) for number in range(40)]
    outcome = merge(None, opens, classify)
    assert (outcome.opens, outcome.saturated) == (32, ("opened",))
    assert outcome.engaged_at == opens[-1].occurred_at
    assert merge(None, opens[:31], classify).saturated == ()
    sent = [fact(Kind.SENT, -2), fact(Kind.SENT, -1)]
    assert merge(None, sent, classify).saturated == ("sent",)
    assert merge(None, [*sent, *opens], classify).saturated == ("opened", "sent")


@pytest.mark.parametrize(
    ("facts", "review"),
    [
        ([bounce(1, "unclear")], "undetermined"),
        ([bounce(1, "large")], "content"),
        ([bounce(1, "hard")], None),
        ([bounce(1, "hard"), fact(Kind.CLICKED, 2)], "contradicted"),
        ([bounce(2, "hard"), fact(Kind.CLICKED, 1)], None),
        ([bounce(1, "hard"), fact(Kind.OPENED, 2, engagement=Engagement(machine=True))], None),
        ([bounce(1, "soft"), fact(Kind.CLICKED, 2)], None),
        ([fact(Kind.REJECTED, 1, "unclear")], "undetermined"),
        ([fact(Kind.DEFERRED, 1, "unclear")], None),
    ],
)
def test_a_person_should_look(facts: list[Feedback], review: str | None) -> None:
    assert _folded(*facts).review == review


def test_nothing_new_is_the_stored_outcome_itself() -> None:
    """Design §3: "A union that changes nothing writes nothing." """
    stored = merge(None, [bounce(1)], classify)
    assert merge(stored, [bounce(1)], classify) is stored
    assert merge(stored, [bounce(2)], classify) is not stored


# What Amazon SES really sends, through the real parser and the real rules.
OOTO = "ooto@simulator.amazonses.com"
_RULES = rules.load()


def _ses(*bodies: ses.Body) -> Outcome:
    """The outcome of these bodies, in every order and every envelope."""
    outcomes = []
    for carry in ses.ENVELOPES:
        for order in permutations(bodies):
            outcome = None
            for body in order:
                outcome = merge(outcome, read("ses", carry(body)), _RULES)
            outcomes.append(outcome)
    assert outcomes[0] is not None
    assert all(outcome == outcomes[0] for outcome in outcomes)
    return outcomes[0]


def test_source_document_002_an_out_of_office_reply_is_no_bounce() -> None:
    """A delivery, and a "bounce" without action, status or text, earlier by the clock: delivered, auto-replied."""
    outcome = _ses(
        ses.delivery("2026-03-01T19:30:41.101Z", OOTO, style="notificationType"),
        ses.bounce("2026-03-01T19:30:41.000Z", "Transient/General", recipient=OOTO, style="notificationType"),
    )
    assert (outcome.status, outcome.auto_replied, outcome.bounced_at) == (Status.DELIVERED, True, None)


def test_a_transient_bounce_with_smtp_text_is_what_the_text_says() -> None:
    """Design §4: "SES Transient/General is an auto-reply only where the evidence says so." """
    outcome = _ses(ses.bounce("2026-03-01T10:00:00Z", "Transient/General", ses.FULL))
    assert outcome.verdict is not None
    assert (outcome.status, outcome.verdict.reason, outcome.auto_replied) == (Status.BOUNCED, "mailbox_full", False)


def test_a_permanent_bounce_after_the_delivery() -> None:
    outcome = _ses(
        ses.delivery("2026-03-01T10:00:00Z"), ses.bounce("2026-03-01T10:05:00Z", "Permanent/NoEmail", ses.UNKNOWN_USER)
    )
    assert outcome.verdict is not None
    assert (outcome.status, outcome.verdict.klass) == (Status.BOUNCED, Class.HARD)
    assert outcome.delivered_at is not None


def test_a_late_delivery_after_the_complaint() -> None:
    outcome = _ses(ses.complaint("2026-03-01T10:00:00Z"), ses.delivery("2026-03-01T11:00:00Z"))
    assert (outcome.status, outcome.verdict and outcome.verdict.klass) == (Status.COMPLAINED, Class.COMPLAINT)


def test_a_soft_bounce_then_a_hard_one() -> None:
    outcome = _ses(
        ses.bounce("2026-03-01T10:00:00Z", "Transient/MailboxFull", ses.FULL),
        ses.bounce("2026-03-01T12:00:00Z", "Permanent/NoEmail", ses.UNKNOWN_USER),
    )
    assert outcome.verdict is not None
    assert (outcome.verdict.klass, outcome.verdict.reason) == (Class.HARD, "user_unknown")


def test_delays_and_then_a_delivery() -> None:
    delays = [ses.delay(f"2026-03-01T1{hour}:00:00Z") for hour in range(2)]
    outcome = _ses(*delays, ses.delivery("2026-03-01T12:00:00Z"))
    assert (outcome.status, outcome.attempts) == (Status.DELIVERED, 3)


def test_the_latest_look_of_a_person_wins_in_whichever_order_they_are_written() -> None:
    early, late = (
        Decision(at=START + timedelta(days=day), by="ann", act=Act.RESOLVED, note=str(day)) for day in (1, 2)
    )
    stored = merge(None, [bounce(0, "unclear")], classify)
    for first, second in ((early, late), (late, early)):
        outcome = merge(merge(stored, [], classify, look=first), [], classify, look=second)
        assert outcome.resolved == late


@pytest.mark.parametrize("word", ["unclear", "large"])
def test_what_only_strangers_say_is_not_put_up_for_review(word: str) -> None:
    """It decides nothing, so nobody has to look; once somebody knows the message, a person should."""
    forged = bounce(1, evidence=Evidence(provider_code=word, forgeable=True))
    assert _folded(forged).review is None
    assert _folded(fact(Kind.SENT, 0), forged).review == _folded(bounce(1, word)).review is not None
