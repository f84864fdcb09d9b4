"""Feedback per second, CPU and write units from SQS records to DynamoDB, beside one transaction for each event.

Both sides work the same batches with the same threads on the same engine, in turns. Neither keeps an archive. CPU is
the client's process alone. Write units are all that is written, of ours the suppressions and the spike guard too, as
the engine counts them; it does not say what a refused write would cost, so repeats cost the transactions nothing here,
which is too little. Aftersend works with its own client, as functions do, and once more with boto3's, which is what the
transactions use. The second table shows what one feedback costs as the feedback of its message, and the table, double.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import count
from statistics import median
from typing import Any, Final

from msgspec import Struct

from aftersend import classify
from aftersend.aws import boto
from aftersend.core import policy
from aftersend.ingest import Ports, ingest
from aftersend.sources.message import Message
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import Store
from tests import engines
from tests.bench import baseline, table
from tests.bench.load import Load, load
from tests.bench.notifications import DELIVERED
from tests.engines import Engine

ROUNDS: Final = 5
MESSAGES: Final = 300
EACH: Final = 4  # feedback about each message
SPREAD: Final = 10  # records a batch where feedback of one message must not meet
WORKERS: Final = 8  # the template's Workers
# boto3 at its best: nothing is checked twice, and the name it gives itself is not put together anew for every call.
BOTO3: Final[dict[str, Any]] = {
    "max_pool_connections": 64,
    "parameter_validation": False,
    "tcp_keepalive": True,
    "user_agent": "aftersend",
}

Batch = Callable[[list[Message]], None]


class Metered:
    """A client that keeps account of the write units it is charged."""

    def __init__(self, client: Any) -> None:
        self._client = client
        # Appending is safe between threads.
        self._in_all: list[float] = []
        self._in_tables: list[float] = []

    @property
    def units(self) -> float:
        """Write units so far."""
        return sum(self._in_all)

    @property
    def table_units(self) -> float:
        """Those of them that tables took; indexes took the others."""
        return sum(self._in_tables)

    def put_item(self, **request: Any) -> Any:
        answer = self._client.put_item(ReturnConsumedCapacity="INDEXES", **request)
        self._charge(answer["ConsumedCapacity"])
        return answer

    def transact_write_items(self, **request: Any) -> Any:
        answer = self._client.transact_write_items(ReturnConsumedCapacity="INDEXES", **request)
        for each in answer["ConsumedCapacity"]:
            self._charge(each)
        return answer

    def _charge(self, consumed: Any) -> None:
        self._in_all.append(consumed["CapacityUnits"])
        self._in_tables.append(consumed["Table"]["CapacityUnits"])

    def __getattr__(self, name: str) -> Any:  # what is not a write is not counted
        return getattr(self._client, name)


class Run(Struct):
    """What one load cost."""

    records: int
    distinct: int
    seconds: float
    cpu: float
    units: float
    table_units: float

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    @property
    def microseconds(self) -> float:
        """Of the client's CPU, for each record."""
        return self.cpu / self.records * 1e6

    @property
    def price(self) -> float:
        """Write units for each distinct feedback."""
        return self.units / self.distinct

    @property
    def table_price(self) -> float:
        """Of them, those that are no index's."""
        return self.table_units / self.distinct


class Bench:
    """One engine, one pool of threads, and both contenders on them."""

    def __init__(self, engine: Engine, pool: ThreadPoolExecutor) -> None:
        self._engine, self._pool = engine, pool
        self._boto3 = engine.client(**BOTO3)
        self._clients = {"ours": engine.connect(), "boto3": boto.adapt_client(self._boto3, "dynamodb")}
        self._judge, self._policy = classify.load(), policy.load()
        self._serial = count()

    def ours(self, which: str = "ours") -> tuple[Metered, Batch]:
        """`ingest` on fresh tables."""
        client = Metered(self._clients[which])
        ports = Ports(
            store=Store(client, self._engine.tables()),
            archive=_Nowhere(),
            dead_letters=_Nowhere(),
            policy=self._policy,
            classify=self._judge,
            pool=self._pool,
            clock=lambda: datetime.now(UTC),
            spike_windows=SpikeWindows(client, self._engine.table("SpikeWindows"), self._policy.guard),
        )

        def work(batch: list[Message]) -> None:
            report = ingest(batch, ports)
            if report.failed or report.unreadable:
                raise RuntimeError(f"not stored: {report}")

        return client, work

    def transactions(self) -> tuple[Metered, Batch]:
        """The baseline on fresh tables."""
        client = Metered(self._boto3)
        events, statuses = baseline.create_tables(client, f"{id(self)}-{next(self._serial)}")
        work = baseline.Transactions(client, events, statuses, self._pool).batch
        return client, lambda batch: work([message.body for message in batch])


class _Nowhere:
    """Takes bodies and keeps none."""

    def put(self, *_: object) -> None:
        """Take it."""

    def put_all(self, _letters: object) -> dict[str, str]:
        """Take them."""
        return {}


def run(client: Metered, work: Batch, load: Load) -> Run:
    """Work all batches of `load`, one after another."""
    gc.collect()
    before, tables, cpu, clock = client.units, client.table_units, time.process_time(), time.perf_counter()
    for batch in load.batches:
        work(batch)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    return Run(load.records, load.distinct, seconds, cpu, client.units - before, client.table_units - tables)


def compare(bench: Bench, order: str) -> dict[str, list[Run]]:
    """All contenders on the same loads, in turns, each on empty tables."""
    contenders: dict[str, Callable[[], tuple[Metered, Batch]]] = {
        "aftersend": bench.ours,
        "aftersend with boto3": partial(bench.ours, "boto3"),
        "transactions": bench.transactions,
    }
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(ROUNDS + 1):
        brought = load(MESSAGES, EACH, order, seed=number)
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            runs[name].append(run(*contenders[name](), brought))
    return {name: each[1:] for name, each in runs.items()}  # the first round warms up


def repeats(bench: Bench) -> float:
    """Write units when everything comes again."""
    client, work = bench.ours()
    brought = load(50, EACH, "shuffled")
    run(client, work, brought)
    return run(client, work, brought).units


def by_feedback(bench: Bench) -> list[tuple[str, Run]]:
    """1, 2, 4 … 64 feedback for each message, spread over small batches, so that they seldom meet."""
    return [
        (
            f"{each} feedback for each message",
            run(*bench.ours(), load(48, each, "shuffled", batch=SPREAD, fate=DELIVERED)),
        )
        for each in (1, 2, 4, 8, 16, 32, 64)
    ]


def by_size(bench: Bench) -> list[tuple[str, Run]]:
    """Loads of one size, on a table that has doubled between."""
    client, work = bench.ours()
    found, stored = [], 0
    for goal in (100, 200, 400, 800):
        if goal > stored:
            run(client, work, load(goal - stored, EACH, "shuffled", seed=goal))
        cost = run(client, work, load(100, EACH, "shuffled", seed=goal + 1))
        found.append((f"{goal} messages stored before", cost))
        stored = goal + 100
    return found


def _summary(name: str, runs: Sequence[Run]) -> list[str]:
    figures = [median(each.rate for each in runs), median(each.microseconds for each in runs)]
    prices = [median(each.price for each in runs), median(each.table_price for each in runs)]
    return [name, *(f"{figure:.0f}" for figure in figures), *(f"{price:.2f}" for price in prices)]


def main() -> None:
    """Prints two tables."""
    with engines.running("dynoxide") as engine, ThreadPoolExecutor(WORKERS) as pool:
        bench = Bench(engine, pool)
        header = ["", "records/s", "CPU µs/record", "WCU/distinct", "in tables"]
        rows, goals = [], []
        for order in ("shuffled", "as sent"):
            runs = compare(bench, order)
            rows += [_summary(f"{name}, {order}", each) for name, each in runs.items()]
            ours, theirs = runs["aftersend"], runs["transactions"]
            faster = median(one.rate / other.rate for one, other in zip(ours, theirs, strict=True))
            goals.append(table.goal(f"records/s against transactions, {order}", faster, 3, least=True))
            goals.append(table.goal(f"WCU per distinct feedback, {order}", median(one.price for one in ours), 1.0))
            goals.append(table.goal("  of it in tables", median(one.table_price for one in ours), 1.0))
        goals.append(table.goal("WCU when everything comes again", repeats(bench), 0))
        title = f"End to end on {engine.name}: {MESSAGES} messages, {EACH} feedback each, 30 % of it twice"
        table.show(title, header, rows, goals)
        grown = [*by_feedback(bench), *by_size(bench)]
        table.show("Growth of the cost", header, [_summary(name, [cost]) for name, cost in grown])


if __name__ == "__main__":
    main()
