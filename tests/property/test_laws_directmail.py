"""The laws on what DirectMail sends: both routes, every envelope, the real parser, the real rules."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.ingest import ingest
from aftersend.sources import read
from tests.support import directmail
from tests.support.directmail import ENVELOPES, Event
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT, deliveries


@lru_cache(maxsize=1)
def _rules() -> classify.Classifier:
    return classify.load()


@given(st.lists(directmail.bodies(), min_size=1, max_size=8), st.data())
def test_any_delivery_of_the_same_bodies_gives_the_same_tables(bodies: list[bytes], data: st.DataObject) -> None:
    """Laws 1 to 3: any order, repetition and batching of the same bodies, by whichever path, gives the same tables."""
    store = MemoryStore()
    for batch in data.draw(deliveries(bodies)):
        messages = [directmail.message(body, str(number)) for number, body in enumerate(batch)]
        report = ingest(messages, ports(store, policy=SHORT, classify=_rules()))
        assert not report.failed and not report.unreadable
    facts = [fact for body in bodies for fact in read("directmail", body)]
    assert not differences(stored(store), expected(facts, _rules(), SHORT))


@given(directmail.bodies())
def test_bodies_that_came_before_write_nothing(body: bytes) -> None:
    """Design §3: "A union that changes nothing writes nothing." """
    store = MemoryStore()
    used = ports(store, classify=_rules())
    ingest([directmail.message(body)], used)
    puts = store.puts
    assert puts
    ingest([directmail.message(body)], used)
    assert store.puts == puts


@given(directmail.events())
def test_by_whichever_route_and_in_whichever_envelope_it_is_one_fact(event: Event) -> None:
    """Model: "The same fact by whichever path": a notification of MNS and a CloudEvent tell one fact."""
    told = [
        fact for route in directmail.ROUTES for carry in ENVELOPES for fact in read("directmail", carry(route(event)))
    ]
    assert len(told) == len(directmail.ROUTES) * len(ENVELOPES)
    assert len({fact.id for fact in told}) == 1
    assert {fact.occurred_at for fact in told} == {event.at}


@given(directmail.events(), directmail.events())
def test_what_differs_is_another_fact(one: Event, other: Event) -> None:
    """Two events are one fact only where all that decides something is the same."""
    (told,), (told_too,) = (read("directmail", directmail.as_text(each)) for each in (one, other))
    same = told.kind is told_too.kind and told.key == told_too.key and told.occurred_at == told_too.occurred_at
    assert (told.id == told_too.id) == (
        same and told.evidence == told_too.evidence and told.engagement == told_too.engagement
    )
