"""What a row counts, by hand: under which values, as what, and on which day; and that nobody is named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.core.active_causes import EndedBy
from aftersend.core.erasure import make_alias
from aftersend.core.model import (
    Cause,
    CauseKind,
    Context,
    Evidence,
    EvidenceRef,
    Feedback,
    Kind,
    Life,
    Outcome,
    Reason,
    Reverted,
    Suppression,
)
from aftersend.core.outcome import merge
from aftersend.core.statistics import (
    BOUNCED,
    CAMPAIGN_NAMES,
    MAX_VALUE,
    STATUSES,
    Dimension,
    Measure,
    clean_value,
    count_row,
    find_campaign,
    find_domain,
)
from aftersend.core.vocabulary import Class, Status
from tests.support.facts import START, classify, fact
from tests.support.strategies import hostile

STREAMS = policy.load('[streams]\n"@shop.example" = "orders"').find_stream
CONTEXT = Context(sender="Shop <ann@shop.example>", correlation={"campaign": "spring"})


def count(row: Outcome | Suppression, dimension: Dimension) -> dict[tuple[str, str, str], int]:
    cells = count_row(row, STREAMS)
    return {
        (cell.day, cell.value, cell.measure.value): number
        for cell, number in cells.items()
        if cell.dimension is dimension
    }


def outcome(*facts: Feedback) -> Outcome:
    return merge(None, list(facts), classify)


def test_an_outcome_is_counted_once_in_each_dimension_that_it_has() -> None:
    sent = fact(Kind.SENT, 0.75, context=CONTEXT, recipient="email:bob@gmail.com")
    cells = count_row(outcome(sent), STREAMS)
    assert {(cell.dimension.value, cell.value): (cell.day, cell.measure.value, n) for cell, n in cells.items()} == {
        ("all", "all"): ("2026-03-01", "sent", 1),
        ("source", "test"): ("2026-03-01", "sent", 1),
        ("hour", "18"): ("2026-03-01", "sent", 1),
        ("sender", "shop.example"): ("2026-03-01", "sent", 1),
        ("stream", "orders"): ("2026-03-01", "sent", 1),
        ("campaign", "spring"): ("2026-03-01", "sent", 1),
        ("system", "gmail"): ("2026-03-01", "sent", 1),
    }


def test_a_refusal_is_counted_by_its_class_and_reason() -> None:
    refused = outcome(fact(Kind.BOUNCED, 0, "hard"))
    assert count(refused, Dimension.ALL) == {("2026-03-01", "all", "bounced_hard"): 1}
    assert count(refused, Dimension.REASON) == {("2026-03-01", "hard/user_unknown", "bounced_hard"): 1}


def test_opens_and_clicks_are_counted_beside_the_status() -> None:
    opened = outcome(fact(Kind.DELIVERED), fact(Kind.OPENED, 1), fact(Kind.OPENED, 2), fact(Kind.CLICKED, 2))
    assert count(opened, Dimension.ALL) == {
        ("2026-03-01", "all", "delivered"): 1,
        ("2026-03-01", "all", "opened"): 1,
        ("2026-03-01", "all", "opens"): 2,
        ("2026-03-01", "all", "clicked"): 1,
        ("2026-03-01", "all", "clicks"): 1,
    }


def test_the_day_is_that_of_the_first_feedback() -> None:
    late, first = fact(Kind.DELIVERED, 3), fact(Kind.SENT, 1)
    assert {cell.day for cell in count_row(outcome(late, first), STREAMS)} == {"2026-03-02"}


def test_all_statuses_together_are_all_messages() -> None:
    assert {measure.value for measure in STATUSES} == (
        {status.value for status in Status} - {"bounced"} | {f"bounced_{klass}" for klass in Class}
    )
    assert BOUNCED.keys() == {*Class}


def test_what_anybody_could_have_sent_moves_no_rate() -> None:
    forged = fact(Kind.BOUNCED, 0, evidence=Evidence(provider_code="hard", forgeable=True), source="report")
    cells = count_row(outcome(forged), STREAMS)
    assert {cell.dimension for cell in cells} == {Dimension.UNPROVEN}
    vouched = count_row(outcome(forged, fact(Kind.SENT)), STREAMS)
    assert Dimension.UNPROVEN not in {cell.dimension for cell in vouched}


def test_the_answering_host_tells_the_system_where_the_domain_does_not() -> None:
    def systems(*facts: Feedback) -> set[str]:
        return {cell.value for cell in count_row(outcome(*facts), STREAMS) if cell.dimension is Dimension.SYSTEM}

    delivered = fact(Kind.DELIVERED, evidence=Evidence(remote_mta="shop-example.mail.protection.outlook.com"))
    opened = fact(Kind.OPENED, 1)  # speaks, but from no host
    assert systems(delivered, opened) == {"microsoft_365"}
    assert systems(fact(Kind.OPENED)) == {"other"}
    assert systems(fact(Kind.SENT, recipient="sms:+14255550156")) == set()


@pytest.mark.parametrize(
    ("correlation", "campaign"),
    [
        ({}, None),
        ({"tenant": "1"}, None),
        ({"campaign_id": "7"}, "7"),
        ({"Campaign": "a", "campaign_id": "7"}, "a"),
        ({"X-Campaign-ID": "9"}, "9"),
        ({"campaign": " ", "campaign_id": "7"}, "7"),
    ],
)
def test_the_campaign_is_what_the_sender_calls_it(correlation: dict[str, str], campaign: str | None) -> None:
    assert find_campaign(correlation) == campaign


@pytest.mark.parametrize("name", CAMPAIGN_NAMES)
def test_every_name_of_a_campaign_is_understood_in_any_case(name: str) -> None:
    assert find_campaign({name.upper(): "spring"}) == "spring"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("spring sale", "spring sale"),
        ("2026-03-20 newsletter", "2026-03-20 newsletter"),
        ("1234567890123", "1234567890123"),
        ("mail for ann@example.com", "other"),
        ("ann%40example.com", "other"),
        ("+44 20 7946 0958", "other"),
        ("0044 20 7946 0958", "other"),
        ("", "other"),
        ("  ", "other"),
        ("x" * 100, "x" * MAX_VALUE),
    ],
)
def test_what_may_lead_to_a_person_is_no_value(given: str, value: str) -> None:
    assert clean_value(given) == value


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("ann@shop.example", "shop.example"),
        ("Ann <ann@SHOP.example>", "shop.example"),
        ("=?utf-8?q?x?= <ann@bücher.example>", "xn--bcher-kva.example"),
    ],
)
def test_a_sender_is_its_domain(sender: str, domain: str) -> None:
    assert find_domain(sender) == domain


_TAIL = st.sampled_from(["", "zq9.person@secret.example", "+4915112345678"])


@settings(max_examples=40)
@given(hostile, hostile, _TAIL, st.sampled_from(["email:zq9.person@secret.example", "sms:+4915112345678"]))
def test_no_counter_names_a_person(campaign: str, sender: str, tail: str, recipient: str) -> None:
    """Issue: "nameless". A recipient, its domain, a message, a subject and a text stand in no cell."""
    context = Context(sender=f"{sender}@shop.example", subject="zq9", correlation={"campaign": f"{campaign}{tail}"})
    told = outcome(
        fact(
            Kind.BOUNCED,
            message="test:zq9",
            recipient=recipient,
            context=context,
            evidence=Evidence(provider_code="hard", text="zq9", remote_mta="zq9.mail.protection.outlook.com"),
        )
    )
    for cell in count_row(told, STREAMS):
        assert "zq9" not in cell.value and "secret.example" not in cell.value
        assert "@" not in cell.value and "+4915112345678" not in cell.value
        assert len(cell.value.encode()) <= MAX_VALUE


# ---- Suppressions ----------------------------------------------------------------------------------------------------

ANN = "email:ann@example.com"


def ref(day: float, **others: Any) -> EvidenceRef:
    given: dict[str, Any] = {"feedback": f"f{day}", "message": "ses:1", "source": "ses", "reason": Reason.USER_UNKNOWN}
    return EvidenceRef(at=START + timedelta(days=day), **(given | others))


def suppressed(recipient: str = ANN, **others: Any) -> Suppression:
    cause = Cause(first=ref(0), latest=ref(2))
    return Suppression(recipient=recipient, causes={CauseKind.HARD: cause}, **others)


def causes(row: Suppression) -> set[tuple[str, str, str]]:
    return {*count(row, Dimension.CAUSE)}


ADDED = ("2026-03-01", "hard", "added")


@pytest.mark.parametrize(
    ("row", "counted"),
    [
        (suppressed(), {ADDED}),
        (suppressed(released_at=START + timedelta(days=4)), {ADDED, ("2026-03-05", "hard", "released")}),
        (suppressed(released_at=START + timedelta(days=1)), {ADDED}),  # there is later evidence: it holds
        (
            suppressed(reverted=(Reverted(START, START + timedelta(days=9), Reason.USER_UNKNOWN),)),
            {ADDED, ("2026-03-01", "hard", "reverted")},
        ),
        (
            suppressed("sms:+14255550156", life=Life(last=ref(6))),
            {ADDED, ("2026-03-07", "hard", "revived")},
        ),
        (
            Suppression(
                recipient=ANN,
                causes={CauseKind.COMPLAINT: Cause(first=ref(0), latest=ref(0), withdrawn=ref(3))},
            ),
            {("2026-03-01", "complaint", "added"), ("2026-03-04", "complaint", "withdrawn")},
        ),
        (Suppression(recipient=ANN, causes={CauseKind.COMPLAINT: Cause(withdrawn=ref(3))}), set()),
        (Suppression(recipient=ANN), set()),
        (
            Suppression(
                recipient=ANN,
                causes={CauseKind.STREAK: Cause(first=ref(0), latest=ref(1), until=START + timedelta(days=2))},
            ),
            {("2026-03-01", "streak", "added")},  # over by time, which nobody writes down
        ),
    ],
)
def test_a_cause_is_counted_when_it_began_and_when_somebody_ended_it(
    row: Suppression, counted: set[tuple[str, str, str]]
) -> None:
    assert causes(row) == counted


def test_an_alias_has_been_counted_when_it_had_a_name() -> None:
    assert count_row(replace(suppressed(), recipient=make_alias(ANN, b"key")), STREAMS) == {}


def test_every_end_of_a_cause_but_that_by_time_has_a_measure() -> None:
    by_nobody = {EndedBy.LAPSED, EndedBy.PENDING}  # time, and an incident that nobody has judged yet
    assert {*EndedBy} - by_nobody == {ending for ending in EndedBy if ending.value in {*Measure}}
