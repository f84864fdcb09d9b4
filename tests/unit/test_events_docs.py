"""docs/events.md and the schemas beside it: what they say is what goes out, and the examples run."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from typing import Any, Final, get_args

import msgspec
import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from moto.events.models import EventPattern

from aftersend.core.events import EVENTS, Event, SuppressedAddress, encode_event, find_incident_events, is_rare
from aftersend.core.incident_id import make_incident_id
from aftersend.core.model import Kind
from aftersend.core.policy import load
from aftersend.core.spike_guard import find_incidents
from aftersend.outgoing.addresses import is_loopback
from aftersend.outgoing.bus import SOURCE
from aftersend.outgoing.deliver import Deliverer
from aftersend.outgoing.endpoints import TYPES, Endpoint, read_endpoints
from aftersend.outgoing.outbox import build_webhook
from aftersend.outgoing.schedule import GAPS, GIVEN_UP
from aftersend.outgoing.signing import sign
from tests.support.event_schemas import FOLDER, build_schema, encode_schema
from tests.support.events_out import SECRET, make_events, make_spike
from tests.support.facts import START, bounce, fact
from tests.support.template import ALARMS, ROOT, TEMPLATE

TEXT: Final = (ROOT / "docs" / "events.md").read_text()
JSON: Final = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)]
EVENT, DOCUMENT, CHAT, PATTERN = JSON
RULES: Final = load().guard


def _every_event() -> list[Event]:
    facts = [bounce(0, "hard"), fact(Kind.OPENED, 2), bounce(1, "unclear", "test:2"), fact(Kind.DELIVERED, 0)]
    opened = find_incident_events(None, make_spike(60), RULES, START)
    closed = find_incident_events(make_spike(60), make_spike(60, decided=True), RULES, START)
    return [*make_events(facts, release=True), *opened, *closed]


def _on_the_bus(event: Event) -> Any:
    """An event as EventBridge hands it to a target (user guide, "Event structure")."""
    names = {"version": "0", "account": "111122223333", "region": "eu-west-1", "id": "e", "time": event.timestamp}
    detail = json.loads(encode_event(event))
    return names | {"source": SOURCE, "detail-type": type(event).__name__, "resources": [], "detail": detail}


@pytest.mark.parametrize("event", EVENTS)
def test_a_schema_is_that_of_the_structure(event: type[msgspec.Struct]) -> None:
    assert (FOLDER / f"{event.__name__}.json").read_bytes() == encode_schema(event)
    Draft4Validator.check_schema(build_schema(event))


def test_there_are_no_other_schemas_and_every_event_has_one() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {event.__name__ for event in EVENTS}
    assert {type(event) for event in _every_event()} == {*EVENTS}


def test_what_goes_out_is_what_its_schema_says_and_nothing_else_is() -> None:
    for event in _every_event():
        validator = Draft4Validator(build_schema(type(event)))
        assert [error.message for error in validator.iter_errors(_on_the_bus(event))] == []
        broken = _on_the_bus(event)
        broken["detail"]["type"] = "something.else"
        del broken["detail"]["data"]["version"]
        assert len(list(validator.iter_errors(broken))) >= 2


def test_the_event_of_the_page_is_one() -> None:
    (suppressed,) = [each for each in EVENTS if each.__name__ == "AddressSuppressed"]
    found = [each for each in _every_event() if isinstance(each, suppressed)]
    shown = _on_the_bus(found[0]) | {"detail": EVENT}
    assert [error.message for error in Draft4Validator(build_schema(suppressed)).iter_errors(shown)] == []
    assert EVENT["data"].keys() <= {field.name for field in msgspec.structs.fields(SuppressedAddress)}


def test_the_table_names_every_event_and_what_is_rare() -> None:
    for each in EVENTS:
        (types,) = (field.type for field in msgspec.structs.fields(each) if field.name == "type")
        assert f"`{each.__name__}`" in TEXT
        assert all(f"`{name}`" in TEXT or f"`.{name.partition('.')[2]}`" in TEXT for name in get_args(types))
    assert {each.type for each in _every_event()} <= TYPES
    rows = re.findall(r"^\| .*?\| `([a-z.]+)` \|.*\| (yes|hard ones) \|$", TEXT, re.MULTILINE)
    assert {name for name, _ in rows} >= {each.type for each in _every_event() if is_rare(each)}


def test_what_is_said_of_attempts_is_so() -> None:
    said = "after 5 seconds, 5 and 30 minutes, 2, 5, 10 and 10 hours"
    assert said in TEXT
    assert list(GAPS) == [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600]
    assert int(GIVEN_UP // 3600) == 27 and "after 27 hours" in TEXT
    assert "WebhookDeliveryAlarm" in ALARMS
    assert {name for name in ("PublishEvents", "SendWebhooks", "StreamWindowSeconds") if f"`{name}`" in TEXT} <= {
        *TEMPLATE["Parameters"]
    }


def test_every_field_of_an_endpoint_is_explained() -> None:
    assert all(f"`{field.name}`" in TEXT for field in msgspec.structs.fields(Endpoint))


def test_the_channel_is_told_of_an_incident() -> None:
    endpoint = read_endpoints(json.dumps(DOCUMENT))["slack"]
    spike = make_spike(60)
    (opened,) = find_incident_events(None, spike, RULES, START)
    (incident,) = find_incidents(spike, RULES)
    assert endpoint.wants(opened)
    text = CHAT["text"].replace("INCIDENT", make_incident_id(incident))
    assert json.loads(build_webhook("slack", endpoint, opened).body) == {"text": text}


@contextmanager
def _receiving(handler: Any) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/aftersend"
    finally:
        server.shutdown()
        server.server_close()


def test_the_crm_knows_who_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver of the page, run: what it believes, what it does with a repeat, and with who may be written to."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    (program,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # of the page
    endpoint = read_endpoints(json.dumps(DOCUMENT))["crm"]
    wanted = [each for each in make_events([bounce(0, "hard")], release=True) if endpoint.wants(each)]
    assert [each.type for each in wanted] == ["suppression.added", "suppression.released"]
    names["Receiver"].log_message = lambda *_: None
    deliver = Deliverer(judge=is_loopback).deliver
    with _receiving(names["Receiver"]) as url:

        def send(event: Event, tamper: Callable[[bytes], bytes] = bytes) -> int:
            body = encode_event(event)
            headers = sign(endpoint.keys, event.id, int(time.time()), body) | {"content-type": "application/json"}
            return deliver(url, headers, tamper(body)).status

        assert send(wanted[0], lambda body: body.replace(b"ann", b"bob")) == 401
        assert names["dead"] == {}
        assert [send(wanted[0]), send(wanted[0])] == [204, 204]
        assert names["dead"] == {("ann@example.com", "*"): ("hard", None)}
        assert send(wanted[1]) == 204
        assert send(wanted[0]) == 204, "a repeat that comes late"
        assert names["dead"] == {}


def test_the_pattern_takes_dead_addresses_and_none_in_an_accident() -> None:
    pattern = EventPattern.load(json.dumps(PATTERN))
    taken = [each for each in _every_event() if pattern.matches_event(_on_the_bus(each))]
    assert [type(each).__name__ for each in taken] == ["AddressSuppressed"]
    held = _on_the_bus(taken[0])
    held["detail"]["data"]["incident"] = "63744764214fc1b8fa8a"
    assert not pattern.matches_event(held)
