"""What one more feedback costs of whom much is stored, and what many functions cost that write into one item at once.

Calls and read units are what a real engine counts; CPU is the client's. Three histories, each of 10, 1,000 and 20,000
outcomes: bounces among deliveries, nothing but soft bounces within ten days, and deliveries alone. One more feedback is
brought in several times, and the median is shown; what the first one costs stands beside it: it has to find out which
sign of life is the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from multiprocessing import get_context
from statistics import median
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.core.errors import ContentionExhausted
from aftersend.core.model import Feedback, Kind, Outcome, Reason
from aftersend.core.outcome import merge
from aftersend.core.spike_guard import find_window, report_refusal
from aftersend.core.steps import run_steps
from aftersend.core.writes import update_outcome
from aftersend.ingest import ingest
from aftersend.storage.items import encode_outcome
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import Store, TableNames
from tests import engines
from tests.bench import table
from tests.engines import Engine
from tests.support.facts import START, bounce, classify, fact, fake_source, message
from tests.support.ports import ports

SIZES: Final = (10, 1_000, 20_000)
TIMES: Final = 5  # that one more feedback is brought in
SPAN: Final = timedelta(days=10)  # of a history
CROWDS: Final = (20, 100, 200)  # functions at once
PROCESSES: Final = 4

MakeFact = Callable[[int], Feedback]


class Metered:
    """A client that counts calls and read units."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls, self.units = 0, 0.0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def metered(**request: Any) -> Any:
            answer = call(ReturnConsumedCapacity="TOTAL", **request)
            consumed = answer.get("ConsumedCapacity", ())
            self.calls += 1
            if name in ("query", "get_item", "batch_get_item"):
                several = consumed if isinstance(consumed, list) else [consumed]
                self.units += sum(each["CapacityUnits"] for each in several)
            return answer

        return metered


class Cost(Struct, frozen=True):
    """What one feedback cost."""

    calls: float
    units: float
    milliseconds: float  # of CPU


class Bench:
    """One recipient on fresh tables."""

    def __init__(self, engine: Engine, pool: ThreadPoolExecutor) -> None:
        self._client, self._writer, self._tables = Metered(engine.connect()), engine.client(), engine.tables()
        self._pool = pool
        store, now = Store(self._client, self._tables), partial(datetime.now, UTC)
        self._ports = ports(store, pool=pool, classify=classify, clock=now)

    def fill(self, facts: Sequence[Feedback]) -> None:
        """Store one outcome of each fact, without anything that follows from it."""
        rows = [encode_outcome(_first(each), timedelta(days=180)) for each in facts]
        puts = [{"PutRequest": {"Item": row}} for row in rows]
        batches = [{self._tables.outcomes: puts[start : start + 25]} for start in range(0, len(puts), 25)]
        for answer in self._pool.map(lambda batch: self._writer.batch_write_item(RequestItems=batch), batches):
            assert not answer.get("UnprocessedItems")

    def bring(self, one: Feedback) -> Cost:
        """Bring in one feedback, as a function does."""
        calls, units, cpu = self._client.calls, self._client.units, time.process_time()
        report = ingest([message([one])], self._ports)
        assert not report.failed and not report.unreadable
        spent = time.process_time() - cpu
        return Cost(self._client.calls - calls, self._client.units - units, spent * 1000)


def _first(one: Feedback) -> Outcome:
    return replace(merge(None, [one], classify), version=1)


def _mixed(number: int, size: int) -> Feedback:
    """Every tenth message bounces, as of a mailbox that is full now and then."""
    days = SPAN / timedelta(days=1) * number / size
    name = f"test:{number}"
    return bounce(days, "full", name) if number % 10 == 0 else fact(Kind.DELIVERED, days, message=name)


def _full(number: int, size: int) -> Feedback:
    return bounce(SPAN / timedelta(days=1) * number / size, "full", f"test:{number}")


def _well(number: int, size: int) -> Feedback:
    return fact(Kind.DELIVERED, SPAN / timedelta(days=1) * number / size, message=f"test:{number}")


def _soft(number: int) -> Feedback:
    return bounce(11 + number, "full", f"test:more-{number}")


def _delivery(number: int) -> Feedback:
    return fact(Kind.DELIVERED, 12 + number, message=f"test:more-{number}")


# What is measured: the history, what came just before, and one more of what.
CASES: Final[dict[str, tuple[Callable[[int, int], Feedback], Sequence[Feedback], MakeFact]]] = {
    "soft bounce, among deliveries": (_mixed, (), _soft),
    "soft bounce, all bounced": (_full, (), _soft),
    "delivery after a hard bounce": (_well, (bounce(11, "hard", "test:hard"),), _delivery),
}


def measure(bench: Bench, size: int, name: str) -> tuple[Cost, Cost]:
    """What the first and what one more feedback cost."""
    history, before, more = CASES[name]
    bench.fill([history(number, size) for number in range(size)])
    brought = [bench.bring(each) for each in (*before, more(0))]
    costs = [bench.bring(more(number)) for number in range(1, TIMES + 1)]
    return brought[0], Cost(*(median(getattr(each, part) for each in costs) for part in Cost.__struct_fields__))


class _Counted:
    """A client that counts writes, and is quick to say which."""

    def __init__(self, client: Any) -> None:
        self._client, self.writes = client, count()

    def update_item(self, **request: Any) -> Any:
        next(self.writes)
        return self._client.update_item(**request)

    def put_item(self, **request: Any) -> Any:
        next(self.writes)
        return self._client.put_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _report(person: int, client: Any, name: str) -> None:
    """Report a refusal to the spike guard, as a function that knows nothing yet."""
    guard = policy.load().guard
    recipient = f"email:person.{person}@example.com"
    windows = SpikeWindows(client, name, guard)
    windows.record(report_refusal(find_window(recipient, START, guard), recipient, Reason.USER_UNKNOWN))


def _union(person: int, client: Any, name: str) -> None:
    """Bring one more feedback into the outcome of one hot recipient and message."""
    feedback = [fact(Kind.OPENED, person / 1e5, message="test:hot")]
    store = Store(client, TableNames(outcomes=name, suppressions="-"))
    stored = store.get_outcomes([feedback[0].key]).get(feedback[0].key)
    run_steps(update_outcome(stored, feedback, classify), store.answer)


CROWDED: Final[dict[str, tuple[str, Callable[[int, Any, str], None]]]] = {
    "refusals to the spike guard": ("SpikeWindows", _report),
    "opens of one message": ("Outcomes", _union),
}


def press(endpoint: str, what: str, name: str, people: Sequence[int]) -> tuple[int, int, float]:
    """Do the same for each of these people at once, one thread and one client each, as so many functions.

    Returns the writes tried, how many gave up, and how long the last one took.
    """
    clients = [_Counted(Engine("dynoxide", endpoint).connect()) for _ in people]
    act = CROWDED[what][1]

    def one(person: int, client: _Counted) -> bool:
        try:
            act(person, client, name)
        except ContentionExhausted:
            return True
        return False

    begun = time.monotonic()
    with ThreadPoolExecutor(len(people)) as pool:
        exhausted = sum(pool.map(one, people, clients))
    return sum(next(client.writes) for client in clients), exhausted, time.monotonic() - begun


def crowd(engine: Engine, what: str, size: int) -> tuple[float, int, float]:
    """Have so many functions in several processes write at once; writes tried by each, how many gave up, seconds."""
    assert engine.endpoint is not None
    name = engine.table(CROWDED[what][0])
    shares = [range(start, size, PROCESSES) for start in range(PROCESSES)]
    with get_context("spawn").Pool(PROCESSES) as pool:
        counted = pool.map(partial(press, engine.endpoint, what, name), shares)
    writes, exhausted, seconds = zip(*counted, strict=True)
    return sum(writes) / size, sum(exhausted), max(seconds)


def main() -> None:
    """Print two tables."""
    if why := engines.lack("dynoxide"):
        print(f"history: not measured: {why}")
        return
    with engines.running("dynoxide") as engine, ThreadPoolExecutor(8) as pool, fake_source():
        rows, notes = [], []
        for name in CASES:
            found = {size: measure(Bench(engine, pool), size, name) for size in SIZES}
            rows += [_row(name, size, *costs) for size, costs in found.items()]
            for part in ("calls", "units", "milliseconds"):
                figures = [getattr(costs[1], part) for costs in found.values()]
                notes.append(table.goal(f"{name}: {part}, the most ÷ the least", max(figures) / min(figures), 2))
        header = ("one more", "outcomes", "calls", "read units", "CPU ms", "the first: calls", "read units")
        table.show(f"One more feedback about a recipient, on {engine.name}", header, rows, notes)
        lines, goals = [], []
        for what in CROWDED:
            for size in CROWDS:
                tried, exhausted, seconds = zip(*(crowd(engine, what, size) for _ in range(3)), strict=True)
                lines.append((what, str(size), f"{median(tried):.2f}", str(sum(exhausted)), f"{median(seconds):.2f}"))
                goals.append(table.goal(f"{what}, {size} at once: writes tried by each", median(tried), 2))
        title = f"Functions that write into one item at once, in {PROCESSES} processes"
        table.show(title, ("at once", "functions", "writes tried each", "exhausted", "seconds"), lines, goals)


def _row(name: str, size: int, first: Cost, cost: Cost) -> tuple[str, ...]:
    return (
        name,
        f"{size:,}",
        f"{cost.calls:.0f}",
        f"{cost.units:.1f}",
        f"{cost.milliseconds:.1f}",
        f"{first.calls:.0f}",
        f"{first.units:.1f}",
    )


if __name__ == "__main__":
    main()
