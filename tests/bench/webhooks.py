"""Events that go out: how long from feedback to webhook here, what a million cost, and what bad receivers do to others.

The lag is that of our own work: feedback is ingested on a real engine, what its rows became is published, and a
receiver on this machine takes the webhook over TLS, one feedback after the other. On AWS the waits come on top: of the
queue before (BatchWindowSeconds) and of the stream (StreamWindowSeconds).

Dollars are computed: calls are counted on a queue in memory, batches as full as they can be and with one event each,
and multiplied with list prices of us-east-1, November 2026. Receivers answer in a tenth of a second.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from ssl import create_default_context
from statistics import quantiles
from typing import Any, Final

from msgspec.structs import replace

from aftersend.core.changes import Change
from aftersend.core.model import Outcome, Suppression
from aftersend.ingest import ingest
from aftersend.outgoing.addresses import is_loopback
from aftersend.outgoing.deliver import Attempt, Deliverer
from aftersend.outgoing.outbox import WebhookOutbox
from aftersend.outgoing.publish import Publisher
from aftersend.outgoing.sender import send_batch
from aftersend.storage.store import Store
from tests import engines
from tests.bench import table
from tests.support.facts import START, bounce, fake_source, message
from tests.support.ports import ports
from tests.support.receiver import HOST, Receiver, receiving
from tests.support.stream import RecordingStore
from tests.support.webhook_world import DAY, TAKEN, World, make_events

FEEDBACK: Final = 300
EVENTS: Final = 2000
ANSWER: Final = 0.1  # seconds that a receiver takes
MEMORY: Final = 0.5  # GB, of the template's function
# Dollars: Amazon EventBridge, SQS FIFO, AWS Lambda (x86), DynamoDB on demand, us-east-1, November 2026.
PER_EVENT: Final = 1.00e-6
PER_QUEUE_CALL: Final = 0.50e-6
PER_RUN: Final = 0.20e-6
PER_GB_SECOND: Final = 16.6667e-6
PER_READ: Final = 0.125e-6


def main() -> None:
    """Print all three tables."""
    show_lag()
    show_costs()
    show_bad_receivers()


# ---- The lag ---------------------------------------------------------------------------------------------------------


def show_lag() -> None:
    """Measure one feedback after the other, from its body to the receiver's yes."""
    with tempfile.TemporaryDirectory() as folder, receiving(Path(folder)) as receiver, fake_source():
        legs = measure_lag(receiver)
    rows = []
    for name, seconds in legs.items():
        cuts = quantiles(seconds, n=100)
        rows.append([name, f"{1000 * cuts[49]:.1f}", f"{1000 * cuts[98]:.1f}"])
    table.show("From feedback to webhook on this machine", ("leg", "p50 ms", "p99 ms"), rows)


def measure_lag(receiver: Receiver) -> dict[str, list[float]]:
    """Measure each leg and the whole, in seconds."""
    legs: dict[str, list[float]] = {name: [] for name in ("stored", "published", "delivered", "all")}
    world = World({"crm": lambda _: TAKEN}, per_second=1000.0)
    world.endpoints["crm"] = replace(world.endpoints["crm"], url=f"https://{HOST}:{receiver.port}/")
    sender = replace(world.processes[0], deliver=_make_deliverer(receiver).deliver, clock=time.time)
    publisher = Publisher(incidents=list, outbox=WebhookOutbox(world.queue, "queue"), endpoints=lambda: world.endpoints)
    with _open_store() as (store, changes):
        for number in range(FEEDBACK):
            fact = bounce(0, "hard", message=f"test:{number}", recipient=f"email:u{number}@example.com")
            begun = time.perf_counter()
            ingest([message([fact], str(number))], ports(store))
            stored = time.perf_counter()
            publisher.publish(changes(number))
            published = time.perf_counter()
            event = world.queue.receive()
            assert event is not None
            assert not send_batch(event, sender, lambda: 100.0).failed
            world.queue.finish(event, set())
            ended = time.perf_counter()
            for name, seconds in zip(
                legs, (stored - begun, published - stored, ended - published, ended - begun), strict=True
            ):
                legs[name].append(seconds)
    assert len({*receiver.ids}) == 2 * FEEDBACK, "an outcome and a suppression each"
    return legs


def _make_deliverer(receiver: Receiver) -> Deliverer:
    def resolve(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        return [(2, 1, 6, "", ("127.0.0.1", receiver.port))]

    context = create_default_context(cafile=str(receiver.certificates.authority))
    return Deliverer(context=context, resolve=resolve, judge=is_loopback)


@contextmanager
def _open_store() -> Iterator[tuple[Any, Callable[[int], list[Change]]]]:
    """A store on a real engine, and what its streams would say of what was written since it was last asked."""
    with engines.running("dynoxide") as engine:
        store = _Streaming(Store(engine.connect(), engine.tables()))
        yield store, store.take_changes


class _Streaming:
    """A store of which every write is noted, as the stream of its table would."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory = RecordingStore()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def answer(self, request: Any) -> Any:
        answer = self._store.answer(request)
        if isinstance(getattr(request, "item", None), Outcome | Suppression) and answer is None:
            self._memory.answer(request)
        return answer

    def take_changes(self, number: int) -> list[Change]:
        """Return the changes, and forget them."""
        taken, self._memory.changes = self._memory.changes, []
        return [Change(id=str(number), sequence=number, at=START, old=old, new=new) for old, new in taken]


# ---- What it costs ---------------------------------------------------------------------------------------------------


class Counted:
    """Counts the calls that are made to a queue."""

    def __init__(self, queue: Any, calls: Counter[str]) -> None:
        self._queue, self._calls = queue, calls

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self._calls[name] += 1
            return getattr(self._queue, name)(**request)

        return call


def count_calls(each: int) -> Mapping[str, float]:
    """Count what EVENTS events need that are published `each` at once, for each of them."""
    world, calls = World({"crm": lambda _: TAKEN}, per_second=1e3), Counter[str]()
    world.seconds = 0.0
    outbox = WebhookOutbox(Counted(world.queue, calls), "queue")
    events = make_events(EVENTS, 1)
    for start in range(0, EVENTS, each):
        outbox.put(events[start : start + each], world.endpoints.items())
        while world.step() is not None:
            calls["run"] += 1
    assert len(world.taken) == EVENTS
    calls["receive and delete"] = 2 * calls["run"]
    calls["read"] = EVENTS  # of how the endpoint is doing
    return {name: number / EVENTS for name, number in calls.items()}


def show_costs() -> None:
    """Print dollars for a million events."""
    rows = []
    for title, each in (("ten at a time", 10), ("one at a time", 1)):
        calls = count_calls(each)
        queue = (calls["send_message_batch"] + calls["receive and delete"]) * PER_QUEUE_CALL
        runs = calls["run"] * (PER_RUN + ANSWER * MEMORY * PER_GB_SECOND)
        reads = calls["read"] * PER_READ
        parts = (queue, runs, reads, queue + runs + reads)
        rows.append([f"webhooks, {title}", *(f"{1e6 * part:.2f}" for part in parts)])
    rows.append(["the bus", "", "", "", f"{1e6 * PER_EVENT:.2f}"])
    table.show("Dollars for a million events that go out", ("", "queue", "runs", "reads", "all"), rows)


# ---- Bad receivers ---------------------------------------------------------------------------------------------------


def show_bad_receivers() -> None:
    """Print what became of events, and of everybody else's, where one receiver is bad."""
    random = Random(7)
    kinds: dict[str, Callable[[str], Attempt]] = {
        "is dead": lambda _: Attempt(error="ConnectionRefusedError"),
        "hangs": lambda _: Attempt(error="TimeoutError"),
        "fails every other time": lambda _: random.choice((TAKEN, Attempt(status=500))),
        "asks for patience": lambda _: random.choice((TAKEN, Attempt(status=429, retry_after=20.0))),
        "redirects": lambda _: Attempt(status=302),
        "is gone": lambda _: Attempt(status=410),
    }
    rows = []
    for title, answers in kinds.items():
        world = World({"bad": answers, "good": lambda _: TAKEN})
        world.seconds = 10.0 if title == "hangs" else ANSWER
        events = make_events(50, 4)
        world.publish(events)
        world.run(3 * DAY)
        parked = [name for name, _ in world.list_parked()]
        taken = {name: len({id_ for to, id_ in world.taken if to == name}) for name in ("bad", "good")}
        calls = [at for name, _, at in world.calls if name == "bad"]
        busiest = max(sum(at <= other < at + 1.0 for other in calls) for at in calls)
        lost = 2 * len(events) - len(parked) - sum(taken.values())
        rows.append([title, *map(str, (taken["bad"], parked.count("bad"), len(calls), busiest, taken["good"], lost))])
    header = ("a receiver that", "taken", "parked", "calls", "in a second", "the other's", "lost")
    table.show(f"Two endpoints, {len(make_events(50, 4))} events for each, ten calls a second allowed", header, rows)
