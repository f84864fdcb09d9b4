"""What is throttled when much comes at once, with each partition charged its units: a simulation on a time of its own.

`python -m tests.bench throttle`. Functions as they run (`tests.bench.running`) work batches out of a queue, each call
takes some milliseconds, and DynamoDB is `tests.bench.partitions`. What cannot be stored comes back to the queue after
its visibility timeout, what failed alone for the first time sooner, and is dead after the template's MaximumReceives.
The campaign's figures are also shown for tables that are new, and bounded as a whole. A second table says how many
messages are in flight at once at greater rates, which is arithmetic of the same times.
"""

from __future__ import annotations

import heapq
import time as real_time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import msgspec
from msgspec import Struct

from aftersend import bootstrap
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.lists.job import ImportProgress
from aftersend.sources.message import Message
from aftersend.storage import spike_windows
from aftersend.storage import store as stores
from aftersend.storage.early_retry import FEW, SOON
from aftersend.storage.store import Store, TableNames
from tests.bench import table
from tests.bench.partitions import Throttled, Time
from tests.bench.running import TABLES, WORKERS, Running, Tables
from tests.simulation.scheduler import Lock, Process
from tests.support.facts import START, fake_source
from tests.support.list_jobs import job_context, run_import

RATE: Final = 10_000  # feedback a second
SECONDS: Final = 3
ROWS: Final = 100_000  # of a list that is imported
FUNCTIONS: Final = 40  # at once: what a queue needs at that rate
BATCH: Final = 100  # the template's BatchSize
VISIBILITY: Final = 420.0  # seconds, the template's
RECEIVES: Final = 9  # the template's MaximumReceives
IN_FLIGHT: Final = 120_000  # that a queue holds: SQS developer guide, "In-flight messages and quotas"
FAILING: Final = 0.003  # of all tries, those that others are in the way of
WORKING: Final = 1  # second, that a message is in flight where nothing fails
COMPUTING: Final = 0.0007  # seconds of a function for each record, as `python -m tests.bench endtoend` has it
TOGETHER: Final = 500  # records that mix in the queue
_GONE: Final = Evidence(code=550, status="5.1.1", text="550 5.1.1 user unknown")
_FULL: Final = Evidence(code=452, status="4.2.2", text="452 4.2.2 mailbox full")
_NAMES: Final = Tables(*TABLES)


class Pool(Executor):
    """An executor of so many workers, each of which is a task of the time."""

    def __init__(self, time: Time, width: int) -> None:
        self._time, self._width = time, width

    def map(  # type: ignore[override]  # without its timeout and chunks
        self, function: Callable[..., Any], *iterables: Iterable[Any]
    ) -> Iterator[Any]:
        """Call `function` for each, as many at once as there are workers; what one raises comes in its place."""
        calls = list(enumerate(zip(*iterables, strict=False)))
        results: dict[int, Any] = {}
        errors: dict[int, BaseException] = {}
        left = iter(calls)

        def work() -> None:
            for place, call in left:
                try:
                    results[place] = function(*call)
                except Exception as error:  # whoever asked gets it
                    errors[place] = error

        asking = self._time.current
        assert asking is not None, "only a task can ask"
        self._time.join([self._time.spawn("worker", asking.process, work) for _ in range(min(self._width, len(calls)))])
        return self._yield(results, errors, len(calls))

    @staticmethod
    def _yield(results: dict[int, Any], errors: dict[int, BaseException], number: int) -> Iterator[Any]:
        for place in range(number):
            if place in errors:
                raise errors[place]
            yield results[place]


@contextmanager
def simulated(time: Time) -> Iterator[None]:
    """Put the time in the place of threads, locks and pauses."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(bootstrap, "_make_pool", partial(Pool, time)))
        slept = SimpleNamespace(sleep=time.sleep, monotonic=lambda: time.now)
        stack.enter_context(patch.object(bootstrap, "time", slept))
        stack.enter_context(patch.object(stores.Store.__init__, "__defaults__", (None, time.sleep)))
        stack.enter_context(patch.object(spike_windows, "Lock", partial(Lock, time)))
        stack.enter_context(fake_source())
        yield


class Queue:
    """Records by the time at which each can be received."""

    def __init__(self, arrivals: Iterable[tuple[float, Message]]) -> None:
        self._serial = count()
        self._waiting = [(at, next(self._serial), record) for at, record in arrivals]
        heapq.heapify(self._waiting)
        self.receives: Counter[str] = Counter()
        self.under_way = 0
        self.came_back, self.dead = 0, 0

    def take(self, now: float) -> list[Message]:
        """Receive a batch of what is there."""
        found: list[Message] = []
        while self._waiting and self._waiting[0][0] <= now and len(found) < BATCH:
            found.append(heapq.heappop(self._waiting)[2])
        self.receives.update(record.id for record in found)
        self.under_way += len(found)
        return found

    def give_back(self, records: Sequence[Message], now: float) -> None:
        """What was not done is seen again later, or no more."""
        for record in records:
            soon = len(records) <= FEW and self.receives[record.id] == 1
            if self.receives[record.id] >= RECEIVES:
                self.dead += 1
            else:
                self.came_back += 1
                heapq.heappush(self._waiting, (now + (SOON if soon else VISIBILITY), next(self._serial), record))

    def find_next(self) -> float | None:
        """When the next record can be received."""
        return self._waiting[0][0] if self._waiting else None


class Result(Struct, frozen=True):
    """What became of a scenario."""

    brought: int
    seconds: float  # until nothing was left
    client: Throttled
    came_back: int = 0
    dead: int = 0


def run(arrivals: Sequence[tuple[float, Message]], new_tables: bool = False) -> Result:
    """Bring in all records at their times."""
    time = Time(Random(1), 0.0)
    client, queue = Throttled(time, new_tables), Queue(arrivals)
    ended = [0.0]

    def poll(number: int) -> None:
        running = Running(client, _NAMES)
        while (at := queue.find_next()) is not None or queue.under_way:
            if at is None or at > time.now:
                time.pause(0.2 if at is None else min(at - time.now, VISIBILITY))
                continue
            batch = queue.take(time.now)
            time.pause(COMPUTING * len(batch))
            unfinished = set(running.work(batch))
            queue.give_back([record for record in batch if record.id in unfinished], time.now)
            queue.under_way -= len(batch)
            ended[0] = time.now

    with simulated(time):
        for number in range(FUNCTIONS):
            time.spawn(f"function {number}", Process(f"function {number}"), partial(poll, number))
        time.run()
    return Result(len(arrivals), ended[0], client, queue.came_back, queue.dead)


# ---- What comes ------------------------------------------------------------------------------------------------------


def _arrive(bodies: Sequence[Feedback], rate: float = RATE) -> list[tuple[float, Message]]:
    """Every fact as a record, at a rate, mixed as queues do."""
    rng = Random(2)
    mixed: list[Feedback] = []
    for start in range(0, len(bodies), TOGETHER):
        mixed += rng.sample(part := bodies[start : start + TOGETHER], len(part))
    return [
        (number / rate, Message(str(number), msgspec.json.encode([fact]), START, "test"))
        for number, fact in enumerate(mixed)
    ]


def _tell(kind: Kind, person: str, message: str, seconds: float, evidence: Evidence | None = None) -> Feedback:
    at = START.fromtimestamp(START.timestamp() + seconds, START.tzinfo)
    return Feedback(
        source="test", kind=kind, message=f"test:{message}", recipient=person, occurred_at=at, evidence=evidence
    )


def campaign(number: int) -> list[Feedback]:
    """Every person's message is sent, arrives, is opened and clicked; of a hundred two bounce, and one is full."""
    found = []
    for place in range(number):
        person, step = divmod(place, 4)
        name = f"email:p{person}@{('big.example', 'large.example', f'd{person % 997}.example')[person % 3]}"
        failed = {0: _GONE, 1: _GONE, 2: _FULL}.get(person % 100)
        kinds = (Kind.SENT, Kind.BOUNCED if failed else Kind.DELIVERED, Kind.OPENED, Kind.CLICKED)
        if failed and step > 1:
            continue
        found.append(_tell(kinds[step], name, f"m{person}", place / RATE, failed if step == 1 else None))
    return found


def incident(number: int) -> list[Feedback]:
    """One provider refuses everybody as unknown."""
    return [
        _tell(Kind.BOUNCED, f"email:p{person}@big.example", f"m{person}", person / RATE, _GONE)
        for person in range(number)
    ]


def hot_recipient(number: int) -> list[Feedback]:
    """A campaign, of which every fifth feedback is about a mailbox that gets a copy of everything."""
    return [
        _tell(Kind.DELIVERED, "email:archive@sender.example", f"copy{place}", place / RATE) if place % 5 == 0 else fact
        for place, fact in enumerate(campaign(number))
    ]


def import_rows(number: int, at_once: int = WORKERS) -> Result:
    """One job imports a list of addresses that bounced."""
    time = Time(Random(1), 0.0)
    client = Throttled(time)
    names = TableNames(outcomes=_NAMES.outcomes, suppressions=_NAMES.suppressions)
    ended = [0.0]
    lines = "\n".join(f"p{person}@example.com,hard,2026-02-01T00:00:00Z" for person in range(number))

    def work() -> None:
        context = job_context(
            Store(client, names, pause=time.sleep), pool=Pool(time, at_once), queries=_Unasked(), deletions=_Unasked()
        )
        job = run_import(context, f"recipient,kind,at\n{lines}\n".encode())
        assert isinstance(job.progress, ImportProgress) and job.progress.summary.new == number, job
        ended[0] = time.now

    time.spawn("import", Process("import"), work)
    time.run()
    return Result(number, ended[0], client)


def count_in_flight(rate: float, failing: float, first_wait: float) -> float:
    """Count messages in flight, once as many come back as fail: those at work, and those that are hidden."""
    at_work = hidden = 0.0
    tries, wait = rate, first_wait
    for _ in range(RECEIVES):
        at_work += tries * WORKING
        tries *= failing
        hidden += tries * wait
        wait = VISIBILITY
    return at_work + hidden


class _Unasked:
    """What an import does not use."""


def describe(name: str, result: Result) -> tuple[str, ...]:
    """One row."""
    counts = result.client.counts
    worst = [f"{partition} ({number:,})" for partition, number in counts.partitions.most_common(1)]
    return (
        name,
        f"{result.brought:,}",
        f"{result.seconds:,.0f}",
        f"{counts.calls:,}",
        f"{counts.throttled:,}",
        f"{counts.given_up:,}",
        f"{result.came_back:,}",
        f"{result.dead:,}",
        *(worst or ["-"]),
    )


def main() -> None:
    """Print a table of what was throttled."""
    number = RATE * SECONDS
    scenarios: dict[str, Callable[[], Result]] = {
        "a campaign begins": lambda: run(_arrive(campaign(number))),
        "… on new tables": lambda: run(_arrive(campaign(number)), new_tables=True),
        "a provider refuses everybody": lambda: run(_arrive(incident(number))),
        "a hot recipient": lambda: run(_arrive(hot_recipient(number))),
        f"a list of {ROWS:,} is imported": lambda: import_rows(ROWS),
    }
    rows, goals = [], []
    for name, play in scenarios.items():
        begun = real_time.monotonic()
        result = play()
        rows.append(describe(name, result))
        goals.append(table.goal(f"{name}: dead letters ({real_time.monotonic() - begun:.0f} s)", result.dead, 0))
    header = (
        *("", "records", "seconds", "calls", "throttled", "given up", "came back", "dead"),
        "the partition that throttles most",
    )
    title = f"{RATE:,} feedback a second for {SECONDS} s, {FUNCTIONS} functions, every partition charged"
    table.show(title, header, rows, goals)
    _show_in_flight()


def _show_in_flight() -> None:
    rates = (10_000, 50_000, 100_000, 350_000)
    ways = {f"hidden for {VISIBILITY:.0f} s": VISIBILITY, f"the first time for {SOON} s": float(SOON)}
    rows = [
        [
            name,
            *(f"{count_in_flight(rate, FAILING, wait) - rate * WORKING:,.0f}" for rate in rates),
            f"{IN_FLIGHT / (count_in_flight(1, FAILING, wait) - WORKING):,.0f}",
        ]
        for name, wait in ways.items()
    ]
    title = (
        f"Messages that failed and are in flight, of one queue that holds {IN_FLIGHT:,}; of each try {FAILING:.1%} fail"
    )
    table.show(title, ("messages a second", *(f"{rate:,}" for rate in rates), "full at"), rows)


if __name__ == "__main__":
    main()
