"""Bodies that a stranger made to do harm: they are read or parked, and the batch goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.ingest import ingest
from aftersend.sources import load_parser
from tests.support import ses
from tests.support.facts import ANN
from tests.support.ports import MemoryStore, ports

# Bodies that try to stop a parser: depth, size, times, numbers, broken text.
_NASTY = [
    b"",
    b"null",
    b"{}",
    b"\xff\xfe",
    b'{"mail":' * 5000,
    b'{"x":' + b"[" * 100_000,
    b'{"eventType":"Bounce","mail":{"messageId":"m","destination":["a@example.com"],"x":' + b"[" * 50_000,
    b'{"Type":"Notification","TopicArn":"t","Message":{"a":' + b"[" * 50_000,
    b'{"eventType":"Delivery","mail":{"messageId":"\\ud800"}}',
    ses.raw(ses.delivery("9999-12-31T23:59:59Z")),
    ses.raw(ses.delivery("1 Jan 99999999999999999999 00:00:00 +0000")),
    ses.raw(ses.delivery("1 Jan 2026 00:00:00 +99999999999999")),
    ses.raw(ses.delivery("2026-03-01T00:00:00Z", recipient="\ud800@example.com")),
    ses.raw(ses.delivery("2026-03-01T00:00:00Z", recipient="a@" + "xn--" * 20 + "é")),
    ses.raw(ses.delivery("2026-03-01T00:00:00Z", recipient="@")),
    ses.raw(ses.delivery("2026-03-01T00:00:00Z", recipient="<" * 9000 + "a@b")),
    ses.raw(ses.delivery("2026-03-01T00:00:00Z", recipient='"(((((' * 50 + "a@b")),
]


@pytest.mark.parametrize("body", _NASTY, ids=lambda body: body[:60].decode(errors="replace"))
def test_no_body_of_a_stranger_stops_the_batch(body: bytes) -> None:
    """Contract of a parser: it raises `MalformedFeedback` "and nothing else is ever raised"."""
    store = MemoryStore()
    good = ses.message(ses.raw(ses.delivery("2026-03-01T00:00:00Z")), "good")
    report = ingest([ses.message(body, "nasty"), good], ports(store))
    assert not report.failed
    assert any(key[0] == ANN for key in store.outcomes_table)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@example(data=None)
def test_a_body_with_anything_in_any_place_is_read_or_parked(data: st.DataObject | None) -> None:
    """The same, on bodies of SES in which one value has been put in the place of another."""
    made = [
        ses.bounce("2026-03-01T00:00:00Z", said=ses.FULL, tags={"a": ["b"]}, headers=[{"name": "X-A", "value": "1"}]),
        ses.complaint("2026-03-01T00:00:00Z"),
        ses.delay("2026-03-01T00:00:00Z"),
        ses.seen("Click", "2026-03-01T00:00:00Z"),
        ses.event("Subscription", {"contactList": "news", "newTopicPreferences": {"unsubscribeAll": True}}),
    ]
    if data is None:
        assert all(load_parser("ses")(ses.raw(body), {}) for body in made)
        return
    body = data.draw(st.sampled_from(made))
    place, name = _place(body, data)
    place[name] = data.draw(_JSON | st.text(max_size=300))
    raw = data.draw(st.sampled_from(ses.ENVELOPES))(body)
    report = ingest([ses.message(raw)], ports())
    assert not report.failed


def _place(body: Any, data: st.DataObject) -> tuple[Any, Any]:
    """A place anywhere inside of `body`."""
    while True:
        name = data.draw(st.sampled_from(sorted(body)) if isinstance(body, dict) else st.integers(0, len(body) - 1))
        if not (isinstance(body[name], dict | list) and body[name]) or data.draw(st.integers(0, 3)) == 0:
            return body, name
        body = body[name]


@pytest.mark.parametrize(
    "mail", [{"source": "<>"}, {"source": " "}, {"tags": {"campaign": [""]}}, {"commonHeaders": {"subject": " "}}]
)
def test_an_empty_text_of_the_sender_is_written_once(mail: dict[str, Any]) -> None:
    """Design §3: "A union that changes nothing writes nothing": what comes empty is stored as nothing."""
    store = MemoryStore()
    body = ses.message(ses.raw(ses.delivery("2026-03-01T00:00:00Z", **mail)))
    for _ in range(2):
        ingest([body], ports(store))
    assert store.puts == 1


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "9998-01-01T00:00:00+14:00"])
def test_a_time_at_the_edge_of_the_calendar_is_stored(at: str) -> None:
    """A stranger chooses the time of an event: it must not stop the batch that it comes in."""
    store = MemoryStore()
    bodies = [ses.bounce(at, "Transient/MailboxFull", ses.FULL, number=number) for number in range(2)]
    report = ingest([ses.message(ses.raw(body), str(at)) for at, body in enumerate(bodies)], ports(store))
    assert not report.failed
    assert len(store.outcomes_table) + len(report.unreadable) == 2
