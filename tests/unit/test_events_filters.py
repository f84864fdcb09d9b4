"""What an endpoint may say in the document, and which events it then gets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from aftersend.core import spike_guard
from aftersend.core.errors import ConfigurationError
from aftersend.core.events import (
    EVENTS,
    AddressSuppressed,
    Event,
    IncidentClosed,
    IncidentEnd,
    IncidentOpened,
    find_incident_events,
    find_suppression_events,
    is_rare,
)
from aftersend.core.incident_id import make_incident_id
from aftersend.core.model import Act, Decision, Feedback, Kind, Reason, Suppression
from aftersend.core.policy import Policy, load
from aftersend.core.spike_guard import Traffic, find_window, merge_traffic
from aftersend.core.vocabulary import Class
from aftersend.outgoing.endpoints import TYPES, Endpoint, read_endpoints
from aftersend.outgoing.sentence import build_chat_body, describe_event
from tests.support.events_out import SECRET, make_changes, make_events
from tests.support.facts import ANN, START, bounce, fact

RULES = load().guard
WINDOW = find_window(ANN, START, RULES)


def _refusals(count: int) -> Traffic:
    known = Traffic(window=WINDOW)
    for number in range(count):
        report = spike_guard.report_refusal(WINDOW, f"email:u{number}@example.com", Reason.USER_UNKNOWN)
        known = merge_traffic(known, report)
    return known


def _decided(traffic: Traffic, act: Act) -> Traffic:
    decision = Decision(at=START, by="ops", act=act)
    return merge_traffic(traffic, spike_guard.report_decision(WINDOW, Reason.USER_UNKNOWN, decision))


def _deliveries(traffic: Traffic, count: int) -> Traffic:
    for number in range(count):
        report = spike_guard.report_delivery(WINDOW, f"email:v{number}@example.com")
        traffic = merge_traffic(traffic, report) if report else traffic
    return traffic


QUIET, OPEN = _refusals(2), _refusals(60)
REVERTED, CONFIRMED = _decided(OPEN, Act.REVERTED), _decided(OPEN, Act.CONFIRMED)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, QUIET, []),
        (None, OPEN, [None]),
        (QUIET, OPEN, [None]),
        (OPEN, _refusals(61), []),
        (OPEN, CONFIRMED, [IncidentEnd.CONFIRMED]),
        (OPEN, REVERTED, [IncidentEnd.REVERTED]),
        (REVERTED, CONFIRMED, [IncidentEnd.CONFIRMED]),
        (OPEN, _deliveries(OPEN, 4000), [IncidentEnd.SUBSIDED]),
        (QUIET, _decided(QUIET, Act.REVERTED), [IncidentEnd.REVERTED]),
        (OPEN, None, []),
    ],
)
def test_incidents_open_and_close(old: Traffic | None, new: Traffic | None, expected: list[IncidentEnd | None]) -> None:
    found = find_incident_events(old, new, RULES, START)
    assert [each.data.end for each in found if isinstance(each, IncidentOpened | IncidentClosed)] == expected
    assert [isinstance(each, IncidentOpened) for each in found] == [each is None for each in expected]


def _suppressed(facts: list[Feedback], policy: Policy | None = None) -> tuple[Any, Any]:
    return next(change for change in make_changes(facts, policy) if isinstance(change[1], Suppression))


def test_a_suppression_inside_an_incident_names_it() -> None:
    """What looks like a provider's accident holds nobody, and whoever is told must be able to see that."""
    old, new = _suppressed([bounce(0, "hard")])
    (incident,) = spike_guard.find_incidents(OPEN, RULES)
    (inside,) = find_suppression_events(old, new, START, lambda: [incident])
    (outside,) = find_suppression_events(old, new, START, list)
    assert isinstance(inside, AddressSuppressed) and isinstance(outside, AddressSuppressed)
    assert (inside.data.incident, outside.data.incident) == (make_incident_id(incident), None)
    assert inside.id == outside.id
    given = Endpoint(url="https://a.example.com", secret=SECRET)
    assert [given.wants(each) for each in (inside, outside)] == [False, True]
    assert Endpoint(url="https://a.example.com", incidents=True).wants(inside)


def test_what_ended_before_it_was_written_is_no_event() -> None:
    """A year's archive that is replayed tells nobody of last year's pauses."""
    policy = load("[pause]\nprovider_codes = ['soft']\nhours = 48")
    old, new = _suppressed([bounce(0)], policy)
    assert find_suppression_events(old, new, START + timedelta(days=3), list) == []
    (event,) = find_suppression_events(old, new, START + timedelta(days=1), list)
    assert isinstance(event, AddressSuppressed) and event.data.until == "2026-03-03T00:00:00.000Z"


EVENTS_OF_ALL = make_events([bounce(0, "hard"), fact(Kind.DELIVERED, 1, message="test:2"), fact(Kind.OPENED, 2)])


@pytest.mark.parametrize(
    ("given", "types"),
    [
        ({}, {"outcome.bounced", "suppression.added", "review.needed"}),
        ({"events": ["outcome.*"]}, {"outcome.bounced", "outcome.delivered", "outcome.opened"}),
        ({"events": ["outcome.delivered"]}, {"outcome.delivered"}),
        ({"events": ["outcome.*"], "classes": ["hard"]}, {"outcome.bounced", "outcome.opened"}),
        ({"events": ["outcome.*"], "classes": ["soft"]}, set()),
        ({"reasons": ["user_unknown"]}, {"outcome.bounced", "suppression.added", "review.needed"}),
        ({"sources": ["ses"]}, set()),
        ({"sources": ["test"], "channels": ["email"], "events": ["suppression.*"]}, {"suppression.added"}),
        ({"channels": ["sms"]}, set()),
        ({"scopes": ["news"]}, set()),
    ],
)
def test_an_endpoint_gets_what_it_asks_for(given: dict[str, Any], types: set[str]) -> None:
    document = {"endpoints": {"crm": {"url": "https://crm.example.com/a", "secret": SECRET, **given}}}
    endpoint = read_endpoints(json.dumps(document))["crm"]
    assert {each.type for each in EVENTS_OF_ALL if endpoint.wants(each)} == types


def test_soft_bounces_and_deliveries_are_not_rare() -> None:
    events = make_events([bounce(0), fact(Kind.DELIVERED, 1, message="test:2")])
    assert {each.type for each in events} == {"outcome.bounced", "outcome.delivered"}
    assert not any(map(is_rare, events))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "http://crm.example.com"}, "url"),
        ({"url": "https://crm.example.com:22"}, "url"),
        ({"url": "https://user:word@crm.example.com"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://127.1/"}, "url"),
        ({"url": "https://0x7f000001/"}, "url"),
        ({"url": "https://a.0x7f/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": "https://crm.example.com/a b"}, "url"),
        ({"url": "https://crm.example.com/#a"}, "url"),
        ({"url": "https://crm.example.com:99999/"}, "url"),
        ({"url": "https:///a"}, "url"),
        ({"secret": []}, "secret"),
        ({"secret": "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "secret"),
        ({"secret": "whsec_AAAA"}, "secret"),
        ({"secret": "whsec_\N{SNOWMAN}"}, "secret"),
        ({"secret": f"whsec_{'A' * 100}"}, "secret"),
        ({"events": ["outcome.exploded"]}, "events"),
        ({"headers": {"Host": "metadata"}}, "headers"),
        ({"headers": {"webhook-id": "1"}}, "headers"),
        ({"headers": {"x": "a\r\nb: c"}}, "headers"),
        ({"per_second": 0}, "per_second"),
        ({"classes": ["harsh"]}, "classes"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_is_wrong_in_the_document_is_named_and_no_secret_quoted(given: dict[str, Any], field: str) -> None:
    endpoint = {"url": "https://crm.example.com", "secret": SECRET} | given
    with pytest.raises(ConfigurationError) as raised:
        read_endpoints(json.dumps({"endpoints": {"crm": endpoint}}))
    assert field in str(raised.value)
    assert "whsec_A" not in str(raised.value) and SECRET not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{}", '{"endpoints": {}}'])
def test_no_endpoints_are_no_fault(text: str) -> None:
    assert read_endpoints(text) == {}


@pytest.mark.parametrize("text", ["[]", "{", '{"endpoints": {"Bad Name": {"url": "https://a.example.com"}}}'])
def test_another_document_is_one(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_endpoints(text)


def test_chats_get_a_line() -> None:
    (opened,) = find_incident_events(None, OPEN, RULES, START)
    line = describe_event(opened)
    assert "example.com seems to refuse living addresses" in line and "60 of about 60" in line
    assert json.loads(build_chat_body(opened)) == {"text": line}
    lines = {type(each): describe_event(each) for each in _every_event()}
    assert len(lines) == len({*lines.values()}) == len(EVENTS)
    assert all(text.isprintable() for text in lines.values())


def _every_event() -> list[Event]:
    (opened,) = find_incident_events(None, OPEN, RULES, START)
    (closed,) = find_incident_events(OPEN, CONFIRMED, RULES, START)
    return [opened, closed, *make_events([bounce(0, "hard"), bounce(1, "unclear", "test:2")], release=True)]


def test_every_type_of_event_can_be_asked_for() -> None:
    assert {each.type for each in _every_event()} <= TYPES
    assert Class.HARD in {getattr(each.data, "klass", None) for each in _every_event()}
