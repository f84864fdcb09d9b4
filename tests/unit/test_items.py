"""The shapes of the tables: what is written is read back, what is empty is not written, and nothing grows too large."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.model import (
    Act,
    Cause,
    CauseKind,
    Decision,
    Engagement,
    Evidence,
    EvidenceRef,
    Feedback,
    Kind,
    Life,
    Reason,
    Reverted,
    Suppression,
)
from aftersend.core.outcome import merge
from aftersend.core.streaks import find_bounce
from aftersend.core.times import UNKNOWN_TIME
from aftersend.storage import items
from aftersend.storage.days import list_parts
from tests.engines import table_definitions
from tests.support.facts import ANN, START, bounce, classify, fact
from tests.support.ports import NOW, RETENTION
from tests.support.strategies import feedback, full_evidence, hostile, ways


@given(feedback())
def test_outcomes_are_read_as_they_were_written(facts: list[Feedback]) -> None:
    outcome = merge(None, [each for each in facts if each.key == facts[0].key], classify)
    item = items.encode_outcome(outcome, RETENTION)
    assert items.decode_outcome(item) == outcome
    on_the_wire = json.loads(msgspec.json.encode(item))
    assert items.decode_outcome(on_the_wire) == outcome


@given(full_evidence(), ways, hostile)
def test_what_strangers_wrote_is_read_as_it_was_written(evidence: Evidence, way: Any, agent: str) -> None:
    seen = Engagement(ip="2001:db8::1", user_agent=agent or None, link='https://example.com/?q="\\')
    facts = [
        fact(Kind.BOUNCED, evidence=evidence, context=way.context, received_as=agent or None, scope="news"),
        fact(Kind.CLICKED, 1, engagement=seen),
    ]
    outcome = merge(None, facts, classify)
    assert items.decode_outcome(items.encode_outcome(outcome, RETENTION)) == outcome


def test_a_fact_of_which_little_is_kept_is_still_the_same_fact() -> None:
    """Law 2: a repeat of it is known again."""
    facts = [bounce(day, evidence=Evidence(provider_code="soft", text=f"text {day}")) for day in range(6)]
    outcome = merge(None, facts, classify)
    back = items.decode_outcome(items.encode_outcome(outcome, RETENTION))
    assert [each.id for each in back.feedback] == [each.id for each in facts]
    assert merge(back, facts, classify) is back


def test_counts_that_are_full_are_read_as_such() -> None:
    facts = [fact(Kind.SENT, number) for number in range(2)]
    facts += [fact(Kind.OPENED, number / 24, engagement=Engagement()) for number in range(40)]
    outcome = merge(None, facts, classify)
    assert items.decode_outcome(items.encode_outcome(outcome, RETENTION)) == outcome
    assert outcome.saturated == ("opened", "sent")


_decisions = st.builds(
    Decision,
    at=st.sampled_from([START, NOW]),
    by=hostile,
    act=st.sampled_from(Act),
    note=st.none() | hostile,
    force=st.booleans(),
    until=st.none() | st.just(NOW),
)


@given(_decisions)
def test_what_a_person_said_of_an_outcome_is_read_as_it_was_written(look: Decision) -> None:
    outcome = merge(None, [bounce(1, "unclear")], classify, look=look)
    assert items.decode_outcome(items.encode_outcome(outcome, RETENTION)).resolved == look


_refs = st.builds(
    EvidenceRef,
    at=st.sampled_from([START, NOW]),
    feedback=st.sampled_from(["a", "b"]),
    message=st.just("test:1"),
    source=st.just("test"),
    reason=st.none() | st.sampled_from(Reason),
    rule=st.none() | hostile,
    provider_code=st.none() | hostile,
)
_causes = st.builds(
    Cause,
    first=st.none() | _refs,
    latest=st.none() | _refs,
    withdrawn=st.none() | _refs,
    contradicted=st.none() | _refs,
    count=st.none() | st.integers(2, 100),
    until=st.none() | st.just(NOW),
)


@given(
    st.builds(
        Suppression,
        recipient=st.just(ANN),
        scope=st.sampled_from(["*", "news/offers"]),
        causes=st.dictionaries(st.sampled_from(CauseKind), _causes),
        released_at=st.none() | st.just(NOW),
        released_by=st.none() | hostile.filter(bool),
        note=st.none() | hostile.filter(bool),
        forced_at=st.none() | st.just(START),
        reverted=st.lists(st.builds(Reverted, st.just(START), st.just(NOW), st.sampled_from(Reason)), max_size=2).map(
            tuple
        ),
        life=st.none() | st.builds(Life, st.none() | _refs),
        history=st.lists(_decisions, max_size=2).map(tuple),
        version=st.integers(1, 10**6),
    )
)
def test_suppressions_are_read_as_they_were_written(suppression: Suppression) -> None:
    item = items.encode_suppression(suppression, RETENTION, NOW)
    assert items.decode_suppression(json.loads(json.dumps(item))) == suppression


def test_an_outcome_is_readable_in_the_console() -> None:
    """Design §5: "Derived fields are native attributes"; "Times are ISO-8601 strings with milliseconds"."""
    outcome = merge(None, [fact(Kind.DELIVERED, 0), bounce(1, "hard", "test:1"), fact(Kind.OPENED, 2)], classify)
    item = items.encode_outcome(outcome, RETENTION)
    plain = {name: next(iter(value.values())) for name, value in item.items() if name not in ("feedback", "decided_by")}
    assert plain == {
        "recipient": ANN,
        "message": "test:1",
        "bounce": f"hard/2026-03-02T00:00:00.000Z/{outcome.decided_by}",
        "bounce_ref": '{"source":"test","provider_code":"hard"}',
        "schema": "1",
        "status": "bounced",
        "listed": "2026-03-02/bounced/1",
        "listed_at": "2026-03-02T00:00:00.000Z/test/other/f1e531239b",
        "class": "hard",
        "reason": "user_unknown",
        "rule": "test.hard",
        "review": "contradicted/1",
        "review_at": "2026-03-03T00:00:00.000Z/f1e531239b",
        "version": "0",
        "opens": "1",
        "attempts": "1",
        "first_at": "2026-03-01T00:00:00.000Z",
        "last_at": "2026-03-03T00:00:00.000Z",
        "delivered_at": "2026-03-01T00:00:00.000Z",
        "bounced_at": "2026-03-02T00:00:00.000Z",
        "opened_at": "2026-03-03T00:00:00.000Z",
        "engaged_at": "2026-03-03T00:00:00.000Z",
        "expires_at": str(int((START + timedelta(days=2) + RETENTION).timestamp())),
    }


def test_an_outcome_without_any_time_does_not_expire_at_once() -> None:
    outcome = merge(None, [fact(Kind.SENT, occurred_at=UNKNOWN_TIME)], classify)
    assert "expires_at" not in items.encode_outcome(outcome, RETENTION)


def _make_ref(day: float) -> EvidenceRef:
    return EvidenceRef(at=START + timedelta(days=day), feedback="f", message="test:1", source="test")


@pytest.mark.parametrize(
    ("suppression", "expires"),
    [
        (Suppression(recipient=ANN), NOW + items.TOMBSTONE),
        (Suppression(recipient=ANN, causes={CauseKind.HARD: Cause(first=_make_ref(1), latest=_make_ref(2))}), None),
        (
            Suppression(
                recipient=ANN, causes={CauseKind.STREAK: Cause(first=_make_ref(1), latest=_make_ref(2), until=NOW)}
            ),
            NOW + RETENTION,
        ),
        (
            Suppression(
                recipient=ANN, causes={CauseKind.HARD: Cause(first=_make_ref(1), latest=_make_ref(2))}, released_at=NOW
            ),
            NOW + RETENTION,
        ),
        (
            Suppression(
                recipient=ANN,
                causes={CauseKind.COMPLAINT: Cause(first=_make_ref(1), latest=_make_ref(1), withdrawn=_make_ref(3))},
            ),
            START + timedelta(days=3) + RETENTION,
        ),
    ],
    ids=["nothing", "no end", "lapses", "released", "withdrawn"],
)
def test_suppressions_expire_only_once_nothing_in_them_can_hold(
    suppression: Suppression, expires: datetime | None
) -> None:
    """Design §5: "TTL on `expires_at` (… suppressions only once lapsed or released)"."""
    item = items.encode_suppression(suppression, RETENTION, NOW)
    assert item.get("expires_at") == (expires and {"N": str(int(expires.timestamp()))})


def test_the_index_by_day_holds_the_newest_cause_and_nothing_without_a_cause() -> None:
    causes = {
        CauseKind.HARD: Cause(first=_make_ref(1), latest=_make_ref(2)),
        CauseKind.COMPLAINT: Cause(first=_make_ref(1), latest=_make_ref(4)),
    }
    item = items.encode_suppression(Suppression(recipient=ANN, causes=causes), RETENTION, NOW)
    assert item["day"]["S"] in list_parts("2026-03-05")[:-1]
    assert item["at"]["S"].startswith("2026-03-05T00:00:00.000Z/")
    withdrawn = {CauseKind.COMPLAINT: Cause(withdrawn=_make_ref(1))}
    assert "day" not in items.encode_suppression(Suppression(recipient=ANN, causes=withdrawn), RETENTION, NOW)


@given(
    st.sampled_from(["soft", "full", "hard"]),
    st.sampled_from([None, Evidence(provider_code="soft", forgeable=True), Evidence(provider_code="hard", code=550)]),
)
def test_the_index_of_bounces_holds_what_a_streak_needs(word: str, evidence: Evidence | None) -> None:
    """Read back from the attributes that the template projects, it is what the outcome itself says."""
    outcome = merge(None, [bounce(1, word, evidence=evidence) if evidence else bounce(1, word)], classify)
    item = items.encode_outcome(outcome, RETENTION)
    index = table_definitions()["Outcomes"]["LocalSecondaryIndexes"][0]
    projected = {"recipient", "message", "bounce", *index["Projection"]["NonKeyAttributes"]}
    entry = {name: value for name, value in item.items() if name in projected}
    assert items.decode_bounce(entry) == find_bounce(outcome)
    for none in (bounce(1, "block"), fact(Kind.DELIVERED)):
        assert "bounce" not in items.encode_outcome(merge(None, [none], classify), RETENTION)
