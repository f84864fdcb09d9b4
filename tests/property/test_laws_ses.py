"""The laws on what Amazon SES sends: real bodies in every envelope, the real parser, the real rules."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.ingest import ingest
from aftersend.sources import read
from tests.support import ses
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT, deliveries


@lru_cache(maxsize=1)
def _rules() -> classify.Classifier:
    return classify.load()


@given(st.lists(ses.bodies(), min_size=1, max_size=8), st.data())
def test_any_delivery_of_the_same_bodies_gives_the_same_tables(bodies: list[bytes], data: st.DataObject) -> None:
    """Laws 1 to 3: any order, repetition and batching of the same bodies, by whichever path, gives the same tables."""
    store = MemoryStore()
    for batch in data.draw(deliveries(bodies)):
        messages = [ses.message(body, str(number)) for number, body in enumerate(batch)]
        report = ingest(messages, ports(store, policy=SHORT, classify=_rules()))
        assert not report.failed and not report.unreadable
    facts = [fact for body in bodies for fact in read("ses", body)]
    assert not differences(stored(store), expected(facts, _rules(), SHORT))


@given(ses.bodies())
def test_bodies_that_came_before_write_nothing(body: bytes) -> None:
    """Design §3: "A union that changes nothing writes nothing." """
    store = MemoryStore()
    used = ports(store, classify=_rules())
    ingest([ses.message(body)], used)
    puts = store.puts
    ingest([ses.message(body)], used)
    assert store.puts == puts


@given(st.data())
def test_the_envelope_makes_no_difference(data: st.DataObject) -> None:
    """Model: "The same bounce through a topic, an event destination and EventBridge is one feedback." """
    body = ses.bounce(f"2026-03-0{data.draw(st.integers(1, 9))}T10:00:00.000Z", said=ses.UNKNOWN_USER)
    notification = {("notificationType" if name == "eventType" else name): value for name, value in body.items()}
    told = [fact for carry in ses.ENVELOPES for each in (body, notification) for fact in read("ses", carry(each))]
    assert len(told) == 6
    assert len({fact.id for fact in told}) == 1
