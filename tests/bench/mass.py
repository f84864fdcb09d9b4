"""The mass of events in files, beside the same events one by one: write units and CPU a record, on one engine.

A campaign goes out at an even rate. Its events lie in files as Firehose writes them, one for every five minutes: sends
and deliveries alone; with the opens and clicks of those who read it, which trickle in over half a day; and with four
events of every message, as in `endtoend`. The files are worked one after another, as they come, and all in one go,
which is the least that is possible. One by one, the events come raw and in batches of a hundred, as they were
published, and nothing of them is archived, where files are unpacked and cut as well. Write units are what the engine
says that it consumed, with indexes and the spike guard; CPU is that of the client.

Two units a message cannot be saved: the item, and its entry in the index by message. So sends and deliveries alone, two
records of a message, cost one unit a record at least.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, Final

from msgspec import Struct

from aftersend import classify
from aftersend.aws.tasks import MultiplexedTasks
from aftersend.core import policy
from aftersend.ingest import Ports, ingest
from aftersend.sources.message import Message as Body
from aftersend.storage.archive import AlreadyArchived
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import StoreSteps
from tests import engines
from tests.bench import table
from tests.bench.endtoend import AT_ONCE, Meter, MeteredInWaits
from tests.bench.load import BATCH
from tests.bench.notifications import DELIVERED, Message
from tests.engines import Engine
from tests.support.gathering import GatherWorld, make_notice, pack_lines
from tests.support.ports import MemoryDeadLetters

MESSAGES: Final = 2_000
RATE: Final = 300  # messages a second: what is said of one seldom meets in a batch of a hundred
WINDOW: Final = 300  # seconds: the template's MassBufferSeconds
# How many of all messages are opened, and how many clicked.
LOADS: Final = {"sends, deliveries": (0.0, 0.0), "and 40 % opens, 10 % clicks": (0.4, 0.1), "four of each": (1.0, 1.0)}
GOAL: Final = 0.8

Event = tuple[float, bytes]  # seconds from the beginning, body


class Cost(Struct):
    """What some records cost."""

    records: int
    units: float
    table_units: float
    cpu: float

    def row(self, name: str) -> list[str]:
        """As a line of the table."""
        units, tables = self.units / self.records, self.table_units / self.records
        return [name, str(self.records), f"{units:.2f}", f"{tables:.2f}", f"{self.cpu / self.records * 1e6:.0f}"]


def publish(seed: int, opened: float, clicked: float) -> list[Event]:
    """What SES publishes of a campaign that everybody gets, by time."""
    rng = random.Random(seed)  # a load, not a secret
    found = []
    for number in range(MESSAGES):
        message, dice = Message(number, rng, DELIVERED), rng.random()
        length = 2 + (dice < opened) + (dice < clicked)
        found += [(number / RATE + passed, _unwrap(body)) for passed, body in message.events(length)]
    return sorted(found)


def _unwrap(notice: bytes) -> bytes:
    return str(json.loads(notice)["Message"]).encode()


class Bench:
    """Fresh tables for each run, on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._classify, self._policy = classify.load(), policy.load()

    def ports(self) -> tuple[Meter, Ports]:
        """Return what works on fresh tables, and what keeps account of it."""
        meter, client = Meter(), self._engine.connect()
        clients = {"dynamodb": MeteredInWaits(client, meter)}
        return meter, Ports(
            store=StoreSteps(self._engine.tables()),
            archive=AlreadyArchived(),
            dead_letters=MemoryDeadLetters(),
            policy=self._policy,
            classify=self._classify,
            open_tasks=partial(MultiplexedTasks, clients, AT_ONCE),
            clock=partial(datetime.now, UTC),
            spike_windows=SpikeWindows(client, self._engine.table("SpikeWindows"), self._policy.guard),
        )

    def singles(self, events: Sequence[Event]) -> Cost:
        """One by one, in batches as they come."""
        meter, ports = self.ports()
        bodies = [Body(str(at), body, datetime.now(UTC), "ses") for at, (_, body) in enumerate(events)]

        def work() -> None:
            for start in range(0, len(bodies), BATCH):
                report = ingest(bodies[start : start + BATCH], ports)
                if report.failed or report.unreadable:
                    raise RuntimeError(f"not stored: {report}")

        return _measure(meter, len(events), work)

    def files(self, files: Sequence[bytes], count: int, *, together: bool = False, twice: bool = False) -> Cost:
        """In files, each by itself or all of one event; of `twice`, what it costs when all come again."""
        meter, ports = self.ports()
        world = GatherWorld(ports)
        keys = [world.put(str(at), content) for at, content in enumerate(files)]

        def work() -> None:
            for group in [keys] if together else [[key] for key in keys]:
                world.drain(*map(make_notice, group))
            if world.single.bodies or world.unreadable.bodies:
                raise RuntimeError("not stored")

        first = _measure(meter, count, work)
        return _measure(meter, count, work) if twice else first


def _measure(meter: Meter, records: int, work: Any) -> Cost:
    gc.collect()
    units, tables, cpu = meter.units, meter.table_units, time.process_time()
    work()
    cpu = time.process_time() - cpu
    return Cost(records, meter.units - units, meter.table_units - tables, cpu)


def cut(events: Sequence[Event]) -> list[bytes]:
    """Return the files that Firehose makes of events."""
    windows = groupby(events, lambda event: int(event[0] // WINDOW))
    return [pack_lines([body for _, body in window]) for _, window in windows]


def compare(bench: Bench, name: str, opened: float, clicked: float) -> Iterator[tuple[str, Cost]]:
    """One load by all ways."""
    events = publish(1, opened, clicked)
    files = cut(events)
    yield f"{name}: one by one", bench.singles(events)
    yield f"{name}: {len(files)} files", bench.files(files, len(events))
    yield f"{name}: all files in one go", bench.files(files, len(events), together=True)


def main() -> None:
    """Prints a table."""
    with engines.running("dynoxide") as engine:
        bench = Bench(engine)
        bench.files(cut(publish(0, 0, 0)[:500]), 500)  # warms up
        costs = dict(row for name, load in LOADS.items() for row in compare(bench, name, *load))
        events = publish(1, 0, 0)
        again = bench.files(cut(events), len(events), twice=True)
    header = ["", "records", "WCU/record", "in tables", "CPU µs/record"]
    (goal,) = [cost for name, cost in costs.items() if name.startswith("four") and name.endswith(" files")]
    goals = [
        table.goal("WCU a record in files, four of each", goal.units / goal.records, GOAL),
        table.goal("WCU when all files come again", again.units, 0),
        f"        most memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB",
    ]
    title = f"The mass in files on {engine.name}: {MESSAGES} messages at {RATE}/s, a file every {WINDOW} s"
    table.show(title, header, [cost.row(name) for name, cost in costs.items()], goals)


if __name__ == "__main__":
    main()
