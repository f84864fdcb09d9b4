"""The table of endpoints that fail, on every engine, and what publishes events, against services that half fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aftersend.aws.errors import NoAnswer
from aftersend.core import spike_guard
from aftersend.core.changes import Change
from aftersend.core.errors import StoreUnavailable
from aftersend.core.events import Event, encode_event
from aftersend.core.model import Kind, Reason
from aftersend.core.policy import load
from aftersend.core.spike_guard import Traffic, find_window, merge_traffic
from aftersend.outgoing.bus import EventBus
from aftersend.outgoing.endpoints import Endpoint
from aftersend.outgoing.incidents import IncidentStream
from aftersend.outgoing.outbox import WebhookOutbox
from aftersend.outgoing.publish import Publisher, Selection
from aftersend.outgoing.schedule import FAILURES, EndpointState
from aftersend.outgoing.states import EndpointStates, decode_state
from tests.engines import Engine
from tests.support.events_out import SECRET, make_changes, make_events
from tests.support.facts import ANN, BOB, START, bounce, fact
from tests.support.fifo import MemoryFifo, SimulatedClock
from tests.support.windows import encode_window

URL = "https://crm.example.com/hooks"


def test_failures_are_counted_a_breaker_opens_and_one_process_tries(engine: Engine) -> None:
    clock, table = SimulatedClock(), engine.table("EndpointStates")
    states, others = (EndpointStates(engine.connect(), table, clock) for _ in range(2))
    assert states.get("crm", URL) == EndpointState()
    for number in range(1, FAILURES + 1):
        assert (states, others)[number % 2].fail("crm", URL, "HTTP 500").failures == number
    opened = states.get("crm", URL)
    assert (opened.failures, opened.last_error) == (FAILURES, "HTTP 500")
    assert opened.open_until > clock()
    clock.now = opened.open_until
    assert [each.begin_probe("crm", URL, opened) for each in (others, states)] == [True, False]
    assert states.get("crm", URL).open_until > clock()
    states.clear("crm")
    assert others.get("crm", URL) == EndpointState()


def test_what_wants_nothing_any_more_is_remembered_until_it_has_another_address(engine: Engine) -> None:
    table = engine.table("EndpointStates")
    states = EndpointStates(engine.connect(), table, SimulatedClock())
    states.disable("crm", URL, "HTTP 410")
    assert states.get("crm", URL).disabled
    (item,) = engine.client().scan(TableName=table)["Items"]
    assert decode_state(item) == ("crm", EndpointState(failures=1, disabled=True, last_error="HTTP 410"))
    assert URL not in json.dumps(item), "an address may hold a secret"
    assert states.get("crm", f"{URL}/new") == EndpointState()
    assert states.fail("crm", f"{URL}/new", "no answer") == EndpointState(failures=1, last_error="no answer")
    assert not states.get("crm", f"{URL}/new").disabled


class Bus:
    """A bus that takes an entry only when it was shown it often enough."""

    def __init__(self, refusals: dict[int, int]) -> None:
        self.refusals, self.taken = refusals, list[dict[str, Any]]()
        self.calls: list[int] = []
        self._known: dict[str, int] = {}

    def put_events(self, **request: Any) -> Any:
        entries = request["Entries"]
        assert len(entries) <= 10
        self.calls.append(len(entries))
        fates: list[dict[str, Any]] = []
        for entry in entries:
            place = self._known.setdefault(entry["Detail"], len(self._known))
            if self.refusals.get(place, 0) > 0:
                self.refusals[place] -= 1
                fates.append({"ErrorCode": "InternalFailure", "ErrorMessage": "again"})
            else:
                self.taken.append(entry)
                fates.append({"EventId": "e"})
        return {"FailedEntryCount": sum("ErrorCode" in each for each in fates), "Entries": fates}


def _events(count: int) -> list[Event]:
    return make_events([bounce(0, "hard", message=f"test:{number}") for number in range(count)])[:count]


def test_what_the_bus_did_not_take_is_put_again_alone() -> None:
    events, pauses = _events(12), list[float]()
    bus = Bus({3: 1, 7: 2})
    EventBus(bus, "bus", pauses.append).put(events)
    assert bus.calls == [10, 2, 1, 2]
    assert len(pauses) == 2
    assert {entry["Detail"].encode() for entry in bus.taken} == {*map(encode_event, events)}
    assert len(bus.taken) == len(events)
    assert {(entry["EventBusName"], entry["Source"]) for entry in bus.taken} == {("bus", "aftersend")}
    assert {entry["DetailType"] for entry in bus.taken} == {type(each).__name__ for each in events}


def test_what_the_bus_never_takes_fails_the_batch() -> None:
    with pytest.raises(StoreUnavailable, match="InternalFailure"):
        EventBus(Bus({0: 99}), "bus", lambda _: None).put(_events(2))


class Half:
    """A queue that takes the first of a batch and no more, or does not answer."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def send_message_batch(self, **request: Any) -> Any:
        if self.error:
            raise self.error
        return {
            "Successful": [{"Id": request["Entries"][0]["Id"]}],
            "Failed": [{"Id": "1", "Code": "ServiceUnavailable"}],
        }


ENDPOINTS = {
    "all": Endpoint(url=URL, secret=SECRET, events=["outcome.*", "suppression.*"]),
    "rare": Endpoint(url=URL, secret=SECRET),
}


@pytest.mark.parametrize(
    ("queue", "why"), [(Half(), "ServiceUnavailable"), (Half(NoAnswer("ConnectTimeout")), "ConnectTimeout")]
)
def test_what_the_queue_does_not_take_fails_the_batch(queue: Any, why: str) -> None:
    with pytest.raises(StoreUnavailable, match=why):
        WebhookOutbox(queue, "queue").put(_events(2), ENDPOINTS.items())


def test_a_repeat_is_queued_once_and_each_recipient_has_an_order() -> None:
    queue = MemoryFifo(SimulatedClock())
    outbox, events = WebhookOutbox(queue, "queue"), _events(3)
    assert outbox.put(events, ENDPOINTS.items()) == outbox.put(events, ENDPOINTS.items()) == 6
    assert len(queue.entries) == 6
    assert len({each.group for each in queue.entries}) == len(ENDPOINTS), "all are of one recipient"
    assert all("ann" not in each.group for each in queue.entries)


@pytest.mark.parametrize(("selection", "sent"), [(Selection.NONE, 0), (Selection.RARE, 2), (Selection.ALL, 3)])
def test_the_bus_gets_what_is_selected(selection: Selection, sent: int) -> None:
    facts = [bounce(0, "hard"), fact(Kind.DELIVERED, 1, message="test:2", recipient=BOB)]
    changes = [
        Change(id=str(place), sequence=place, at=START, old=old, new=new)
        for place, (old, new) in enumerate(make_changes(facts))
    ]
    there, queue = Bus({}), MemoryFifo(SimulatedClock())
    publisher = Publisher(
        incidents=list, bus=EventBus(there, "bus"), selection=selection, outbox=WebhookOutbox(queue, "queue")
    )
    assert publisher.publish(changes) == sent
    assert len(there.taken) == sent
    assert publisher.publish([]) == 0


def test_incidents_come_from_the_stream_of_their_table() -> None:
    rules = load().guard
    window = find_window(ANN, START, rules)
    traffic = Traffic(window=window)
    for number in range(60):
        report = spike_guard.report_refusal(window, f"email:u{number}@example.com", Reason.USER_UNKNOWN)
        traffic = merge_traffic(traffic, report)
    record = {
        "dynamodb": {
            "ApproximateCreationDateTime": 1772323200.0,
            "SequenceNumber": "100000000000000000001",
            "NewImage": encode_window(traffic, rules),
        }
    }
    bus = Bus({})
    stream = IncidentStream(Publisher(incidents=list, bus=EventBus(bus, "bus", lambda _: None)), rules)
    done = stream.run({"Records": [record, record]})
    assert (done.published, done.failed) == (2, None)
    assert len({entry["Detail"] for entry in bus.taken}) == 1, "a repeat is the same event"
    detail = json.loads(bus.taken[0]["Detail"])
    assert (detail["type"], detail["timestamp"]) == ("incident.opened", "2026-03-01T00:00:00.000Z")
    # What makes it an incident is written first, and then its state.
    image = encode_window(traffic, rules)
    before = {name: held for name, held in image.items() if name != "state"}
    corrected = {"dynamodb": record["dynamodb"] | {"OldImage": before}}
    assert stream.run({"Records": [corrected]}).published == 1
    assert stream.run({"Records": [{"dynamodb": record["dynamodb"] | {"OldImage": image}}]}).published == 0
    failing = IncidentStream(Publisher(incidents=list, bus=EventBus(Bus({0: 99}), "bus", lambda _: None)), rules)
    assert failing.run({"Records": [record]}).failed == "100000000000000000001"
    broken = {"dynamodb": record["dynamodb"] | {"NewImage": {"schema": {"N": "99"}}}}
    assert failing.run({"Records": [broken]}).why.startswith("an item that is stored has schema 99")
