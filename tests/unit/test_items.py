"""The shapes of the tables: what is written is read back, what is empty is not written, and nothing grows too large."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import items
from aftersend.facts import BOUNDS, FORGEABLE
from aftersend.ingest import ingest
from aftersend.model import (
    Cause,
    CauseKind,
    Context,
    Engagement,
    Evidence,
    Feedback,
    Kind,
    Mark,
    Phase,
    Reason,
    Suppression,
)
from aftersend.outcome import absorb
from aftersend.parsers import read
from aftersend.smtp import MAX_TEXT
from aftersend.text import cut
from aftersend.times import UNKNOWN
from tests.support import ses
from tests.support.ports import NOW, RETENTION, MemoryStore, ports
from tests.support.strategies import feedback, full_evidence, hostile, ways
from tests.support.words import ANN, START, bounce, classify, fact

LIMIT = 64 * 1024


def _size(item: items.Item) -> int:
    """The size of an item as DynamoDB counts it: names and values in UTF-8 (developer guide, item sizes)."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return 21
        case "BOOL":
            return 1
        case "L":
            return 3 + sum(1 + _value_size(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in content.items())
    raise AssertionError(kind)


@given(feedback())
def test_outcomes_are_read_as_they_were_written(told: list[Feedback]) -> None:
    outcome = absorb(None, [each for each in told if each.key == told[0].key], classify)
    item = items.outcome_item(outcome, RETENTION)
    assert items.outcome_of(json.loads(json.dumps(item))) == outcome


@given(full_evidence(), ways, hostile)
def test_what_strangers_wrote_is_read_as_it_was_written(evidence: Evidence, way: Any, agent: str) -> None:
    seen = Engagement(ip="2001:db8::1", user_agent=agent or None, link='https://example.com/?q="\\')
    told = [
        fact(Kind.BOUNCED, evidence=evidence, context=way.context, received_as=agent or None, scope="news"),
        fact(Kind.CLICKED, 1, engagement=seen),
    ]
    outcome = absorb(None, told, classify)
    assert items.outcome_of(items.outcome_item(outcome, RETENTION)) == outcome


_marks = st.builds(
    Mark,
    at=st.sampled_from([START, NOW]),
    feedback=st.sampled_from(["a", "b"]),
    message=st.just("told:1"),
    source=st.just("told"),
    reason=st.none() | st.sampled_from(Reason),
    rule=st.none() | hostile,
    word=st.none() | hostile,
)
_causes = st.builds(
    Cause,
    first=st.none() | _marks,
    latest=st.none() | _marks,
    withdrawn=st.none() | _marks,
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
        version=st.integers(1, 10**6),
    )
)
def test_suppressions_are_read_as_they_were_written(suppression: Suppression) -> None:
    item = items.suppression_item(suppression, RETENTION, NOW)
    assert items.suppression_of(json.loads(json.dumps(item))) == suppression


def test_an_outcome_is_readable_in_the_console() -> None:
    """Design §5: "Derived fields are native attributes"; "Times are ISO-8601 strings with milliseconds"."""
    outcome = absorb(None, [fact(Kind.DELIVERED, 0), bounce(1, "hard", "told:1"), fact(Kind.OPENED, 2)], classify)
    item = items.outcome_item(outcome, RETENTION)
    plain = {name: next(iter(value.values())) for name, value in item.items() if name not in ("feedback", "decided_by")}
    assert plain == {
        "recipient": ANN,
        "message": "told:1",
        "status": "bounced",
        "class": "hard",
        "reason": "user_unknown",
        "rule": "test.hard",
        "review": "contradicted",
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
    outcome = absorb(None, [fact(Kind.SENT, occurred_at=UNKNOWN)], classify)
    assert "expires_at" not in items.outcome_item(outcome, RETENTION)


def _mark(day: float) -> Mark:
    return Mark(at=START + timedelta(days=day), feedback="f", message="told:1", source="told")


@pytest.mark.parametrize(
    ("suppression", "expires"),
    [
        (Suppression(recipient=ANN), NOW + items.TOMBSTONE),
        (Suppression(recipient=ANN, causes={CauseKind.HARD: Cause(first=_mark(1), latest=_mark(2))}), None),
        (
            Suppression(recipient=ANN, causes={CauseKind.STREAK: Cause(first=_mark(1), latest=_mark(2), until=NOW)}),
            NOW + RETENTION,
        ),
        (
            Suppression(
                recipient=ANN, causes={CauseKind.HARD: Cause(first=_mark(1), latest=_mark(2))}, released_at=NOW
            ),
            NOW + RETENTION,
        ),
        (
            Suppression(
                recipient=ANN,
                causes={CauseKind.COMPLAINT: Cause(first=_mark(1), latest=_mark(1), withdrawn=_mark(3))},
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
    item = items.suppression_item(suppression, RETENTION, NOW)
    assert item.get("expires_at") == (expires and {"N": str(int(expires.timestamp()))})


def test_the_index_by_day_holds_the_newest_cause_and_nothing_without_a_cause() -> None:
    causes = {
        CauseKind.HARD: Cause(first=_mark(1), latest=_mark(2)),
        CauseKind.COMPLAINT: Cause(first=_mark(1), latest=_mark(4)),
    }
    item = items.suppression_item(Suppression(recipient=ANN, causes=causes), RETENTION, NOW)
    assert (item["day"], item["at"]) == ({"S": "2026-03-05"}, {"S": "2026-03-05T00:00:00.000Z"})
    withdrawn = {CauseKind.COMPLAINT: Cause(withdrawn=_mark(1))}
    assert "day" not in items.suppression_item(Suppression(recipient=ANN, causes=withdrawn), RETENTION, NOW)


# Characters that take the most room: quotation marks and backslashes are escaped, the others have several bytes.
_FILLERS = ['"', "\\", "é", "漢", "🎉", "a"]


def _widest(limit: int, filler: str) -> str:
    return cut(filler * limit, limit)


def _largest(kind: Kind, number: int, filler: str, *, forgeable: bool = False) -> Feedback:
    """A fact with every field that its kind can have, as long as parsers let it be."""
    seen = kind in (Kind.OPENED, Kind.CLICKED)
    chosen = kind in (Kind.UNSUBSCRIBED, Kind.SUBSCRIBED)
    return Feedback(
        source="x" * 12,
        kind=kind,
        message="ses:" + _widest(200, filler),
        recipient="email:" + _widest(320, filler),
        occurred_at=START + timedelta(minutes=number),
        received_as=_widest(320, filler),
        scope=_widest(64, filler) + "/" + _widest(64, filler) if chosen else None,
        evidence=None
        if seen
        else Evidence(
            code=550,
            status="x" * 11,
            text=_widest(MAX_TEXT, filler),
            word=_widest(64, filler),
            action=_widest(16, filler),
            phase=Phase.MAIL_FROM,
            remote_mta=_widest(64, filler),
            reporting_mta=_widest(64, filler),
            attempt=999_999,
            event_id=_widest(80, filler),
            derived=True,
            forgeable=forgeable,
        ),
        engagement=Engagement(
            ip=_widest(45, filler), user_agent=_widest(256, filler), link=_widest(512, filler), machine=True
        )
        if seen
        else None,
        context=Context(
            sender=_widest(320, filler),
            subject=_widest(256, filler),
            correlation={f"{each:02d}" + _widest(62, filler): _widest(128, filler) for each in range(16)},
        ),
    )


@pytest.mark.parametrize("filler", _FILLERS)
def test_an_item_never_passes_64_kb(filler: str) -> None:
    """Design §4: "An item never passes 64 KB", with every field of every fact at its longest and every kind full."""
    facts = [_largest(kind, number, filler) for kind in Kind for number in range(BOUNDS[kind] + 3)]
    facts += [_largest(Kind.BOUNCED, 99 + number, filler, forgeable=True) for number in range(FORGEABLE + 3)]
    outcome = absorb(None, facts, classify)
    assert len(outcome.feedback) == sum(BOUNDS.values()) + FORGEABLE
    size = _size(items.outcome_item(outcome, RETENTION))
    assert LIMIT // 3 < size <= LIMIT


@pytest.mark.parametrize("filler", _FILLERS)
def test_the_largest_body_of_ses_stays_within_the_bounds(filler: str) -> None:
    """What the largest facts above promise of a parser, kept by the parser, told as much as a body holds."""
    much = filler * 2000
    body = ses.event(
        "Bounce",
        {
            "bounceType": much,
            "bounceSubType": much,
            "bouncedRecipients": [
                {"emailAddress": f"{much}@{much}", "action": much, "status": much, "diagnosticCode": much}
            ],
            "timestamp": "2026-03-01T00:00:00Z",
            "feedbackId": much,
            "reportingMTA": much,
        },
        source=much,
        messageId=much,
        tags={f"{number}{much[:200]}": [much[:500]] for number in range(40)},
        headers=[{"name": f"X-{number}{much[:200]}", "value": much[:500]} for number in range(40)],
        commonHeaders={"subject": much},
    )
    [told] = read("ses", ses.raw(body))
    largest = _largest(Kind.BOUNCED, 0, '"')
    for part, bound in ((told, largest), (told.evidence, largest.evidence), (told.context, largest.context)):
        assert part is not None
        for name in part.__struct_fields__:
            value = getattr(part, name)
            if isinstance(value, str) and name != "kind":
                assert len(json.dumps(value, ensure_ascii=False).encode()) <= len(json.dumps(getattr(bound, name)))
    assert told.context is not None
    assert len(told.context.correlation) <= 16
    assert max(len(json.dumps(name, ensure_ascii=False).encode()) for name in told.context.correlation) <= 66
    assert max(len(json.dumps(each, ensure_ascii=False).encode()) for each in told.context.correlation.values()) <= 130


@pytest.mark.parametrize(
    "mail", [{"source": "<>"}, {"source": " "}, {"tags": {"campaign": [""]}}, {"commonHeaders": {"subject": " "}}]
)
def test_an_empty_word_of_the_sender_is_written_once(mail: dict[str, Any]) -> None:
    """Design §3: "A union that changes nothing writes nothing": what is told as empty is stored as nothing."""
    store = MemoryStore()
    body = ses.message(ses.raw(ses.delivery("2026-03-01T00:00:00Z", **mail)))
    for _ in range(2):
        ingest([body], ports(store, source="ses"))
    assert store.puts == 1


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9998-01-01T00:00:00+14:00"])
def test_a_time_at_the_edge_of_the_calendar_is_stored(at: str) -> None:
    """A stranger chooses the time of an event: it must not stop the batch that it comes in."""
    store = MemoryStore()
    bodies = [ses.bounce(at, "Transient/MailboxFull", ses.FULL, number=number) for number in range(2)]
    report = ingest([ses.message(ses.raw(body), str(at)) for at, body in enumerate(bodies)], ports(store, source="ses"))
    assert not report.failed
    assert len(store.outcomes_table) + len(report.malformed) == 2
