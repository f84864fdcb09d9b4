"""A queue of webhooks, the function behind it in several processes, and receivers that answer as they are told to.

All of it is on a clock that only waiting moves: days of attempts take a moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from aftersend.core.errors import StoreUnavailable
from aftersend.core.events import AddressReleased, Event, ReleasedAddress
from aftersend.outgoing.deliver import Attempt
from aftersend.outgoing.endpoints import Endpoint
from aftersend.outgoing.outbox import Webhook, WebhookOutbox
from aftersend.outgoing.pace import Pace
from aftersend.outgoing.schedule import EndpointState, compute_pause
from aftersend.outgoing.sender import SenderPorts, SendReport, send_batch
from tests.support.clients import FakeSQS
from tests.support.events_out import SECRET
from tests.support.fifo import MemoryFifo, SimulatedClock
from tests.support.ports import Inline

DAY: Final = 86_400.0
Answer = Callable[[str], Attempt]  # to an event of this id
TAKEN: Final = Attempt(status=204)


class MemoryStates:
    """How endpoints are doing, in memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.known = clock, dict[str, EndpointState]()
        self.down = False

    def get(self, name: str, _url: str) -> EndpointState:
        if self.down:
            raise StoreUnavailable("DynamoDB: GetItem failed")
        return self.known.get(name, EndpointState())

    def fail(self, name: str, _url: str, error: str) -> EndpointState:
        failures = self.get(name, "").failures + 1
        pause = compute_pause(failures)
        self.known[name] = EndpointState(
            failures=failures, open_until=self.clock() + pause if pause else 0.0, last_error=error
        )
        return self.known[name]

    def disable(self, name: str, _url: str, error: str) -> None:
        self.known[name] = EndpointState(failures=1, disabled=True, last_error=error)

    def begin_probe(self, name: str, _url: str, before: EndpointState) -> bool:
        if self.known[name].open_until != before.open_until:
            return False
        until = self.clock() + compute_pause(before.failures)
        self.known[name] = msgspec.structs.replace(before, open_until=until)
        return True

    def clear(self, name: str) -> None:
        self.known.pop(name, None)


class World:
    """A queue, its function in several processes, and receivers by the names of their endpoints."""

    def __init__(self, answers: Mapping[str, Answer], *, per_second: float = 10.0, processes: int = 2) -> None:
        self.clock = SimulatedClock()
        self.queue, self.parked = MemoryFifo(self.clock), MemoryFifo(self.clock)
        self.states = MemoryStates(self.clock)
        self.answers = dict(answers)
        self.endpoints = {
            name: Endpoint(url=f"https://{name}.example.com/", secret=SECRET, per_second=per_second) for name in answers
        }
        self.calls: list[tuple[str, str, float]] = []
        self.taken: list[tuple[str, str]] = []
        self.seconds = 0.05  # that a call takes
        self.counts: Counter[str] = Counter()
        self.processes = [self._make_process(processes) for _ in range(processes)]

    def _make_process(self, processes: int) -> SenderPorts:
        return SenderPorts(
            sqs=_Both(self.queue, self.parked),
            queue="queue",
            parked="parked",
            endpoints=lambda: self.endpoints,
            states=self.states,
            deliver=self._deliver,
            pace=Pace(self.clock, self.clock.sleep),
            processes=processes,
            pool=Inline(),
            clock=self.clock,
            jitter=lambda most: most / 2,
        )

    def _deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        name, id_ = url.split("//")[1].partition(".")[0], headers["webhook-id"]
        assert headers["webhook-signature"].startswith("v1,") and id_.encode() in body
        self.calls.append((name, id_, self.clock()))
        attempt = self.answers[name](id_)
        self.clock.sleep(self.seconds)
        if attempt.is_taken:
            self.taken.append((name, id_))
        return attempt

    def publish(self, events: list[Event]) -> None:
        WebhookOutbox(self.queue, "queue").put(events, self.endpoints.items())

    def step(self, process: int = 0, budget: float = 120.0) -> SendReport | None:
        """Let one process work one batch, as Lambda feeds it; None where nothing shows."""
        event = self.queue.receive()
        if event is None:
            return None
        ends = self.clock() + budget
        report = send_batch(event, self.processes[process], lambda: ends - self.clock())
        self.queue.finish(event, {*report.failed})
        self.counts += report.counts
        return report

    def run(self, seconds: float = 3 * DAY) -> None:
        """Work until the queue is empty, or so long; processes take turns."""
        ends, turn = self.clock() + seconds, 0
        while self.queue.entries and self.clock() < ends:
            if self.step(turn % len(self.processes)) is None:
                self.clock.now = max(self.queue.find_next(), self.clock.now)
            turn += 1

    def list_parked(self) -> list[tuple[str, str]]:
        webhooks = [msgspec.json.decode(each.body, type=Webhook) for each in self.parked.entries]
        return [(each.endpoint, each.id) for each in webhooks]


class _Both(MemoryFifo):
    """The client that the function has: two queues by their addresses."""

    def __init__(self, queue: MemoryFifo, parked: MemoryFifo) -> None:
        super().__init__(queue.clock)
        self._queues = {"queue": queue, "parked": parked}

    def send_message(self, **request: Any) -> Any:
        return self._queues[request["QueueUrl"]].send_message(**request)

    def change_message_visibility(self, **request: Any) -> Any:
        return self._queues[request["QueueUrl"]].change_message_visibility(**request)

    receive_message = delete_message = change_message_visibility_batch = FakeSQS.send_message  # nobody calls them

    def get_queue_attributes(self, **request: Any) -> Any:
        return self._queues[request["QueueUrl"]].get_queue_attributes(**request)


def make_release(recipient: int, version: int) -> Event:
    """An event of one recipient, whose id says which it is."""
    return AddressReleased(
        id=f"evt_{recipient}_{version}",
        type="suppression.released",
        timestamp="2026-03-01T00:00:00.000Z",
        data=ReleasedAddress(recipient=f"email:u{recipient}@example.com", scope="*", causes=[], version=version),
    )


def make_events(recipients: int, each: int) -> list[Event]:
    return [make_release(recipient, version) for version in range(each) for recipient in range(recipients)]
