"""Feedback per second, CPU and write units from SQS records to DynamoDB, beside one transaction for each event.

All sides work the same batches of raw bodies on the same engine, in turns. Ours does what the function does: it keeps
every body in the archive, tells the spike guard, counts texts that no rule knows, and writes its line of log and its
metrics; the transactions store their two rows and no more. CPU is the client's process alone; the bucket is a process
of its own. Write units are all that is written, of ours the suppressions and the spike guard too, as the engine counts
them in a round of its own; it does not say what a refused write would cost, so repeats cost the transactions nothing
here, which is too little.

Aftersend works with its own client, as functions do: with several calls under way in one thread, and with one at a
time; and once more with boto3's in threads, which is what the transactions use. The second table shows what the size of
a batch does, the third what one feedback costs as the feedback of its message, and the table, double.
"""

from __future__ import annotations

import gc
import io
import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from statistics import median
from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics
from msgspec import Struct
from msgspec.structs import replace

from aftersend import classify, observability
from aftersend.aws import boto, services
from aftersend.aws.account import Account
from aftersend.aws.tasks import MultiplexedTasks, PooledTasks
from aftersend.core import policy
from aftersend.core.errors import ServiceError
from aftersend.ingest import Ports, ingest
from aftersend.ports import Tasks
from aftersend.sources.message import Message
from aftersend.storage.archive import Archive
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import StoreSteps
from aftersend.storage.unmatched import UnmatchedTexts
from tests import engines
from tests.bench import baseline, bucket, table
from tests.bench.load import BATCH, Load, load
from tests.bench.notifications import DELIVERED
from tests.engines import Engine

ROUNDS: Final = 5
MESSAGES: Final = 300
EACH: Final = 4  # feedback about each message
SPREAD: Final = 10  # records a batch where feedback of one message must not meet
AT_ONCE: Final = 8  # the template's Workers
SIZES: Final = (1, 10, BATCH, 1000)  # records a batch
RETENTION: Final = timedelta(days=180)
# boto3 at its best: nothing is checked twice, and the name it gives itself is not put together anew for every call.
BOTO3: Final[dict[str, Any]] = {
    "max_pool_connections": 64,
    "parameter_validation": False,
    "tcp_keepalive": True,
    "user_agent": "aftersend",
}

Batch = Callable[[list[Message]], None]


class Meter:
    """Keeps account of the write units that a table's client is charged."""

    def __init__(self) -> None:
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

    def charge(self, answer: Any) -> Any:
        """Note what an answer says; returns it."""
        consumed = answer["ConsumedCapacity"]
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self._in_all.append(each["CapacityUnits"])
            self._in_tables.append(each["Table"]["CapacityUnits"])
        return answer


_WRITES: Final = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})
_ASK: Final = {"ReturnConsumedCapacity": "INDEXES"}


class Metered:
    """A client of boto3's whose writes are charged to a meter."""

    def __init__(self, client: Any, meter: Meter) -> None:
        self._client, self._meter = client, meter

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in _WRITES:
            return method
        return lambda **request: self._meter.charge(method(**request, **_ASK))


class MeteredInWaits:
    """The same of a client of ours."""

    def __init__(self, client: Any, meter: Meter) -> None:
        self._client, self._meter = client, meter

    def call(self, operation: str, request: Mapping[str, Any]) -> Generator[Any, Any, Any]:
        """Call one of the operations."""
        if operation not in _WRITES:
            return (yield from self._client.call(operation, request))
        return self._meter.charge((yield from self._client.call(operation, {**request, **_ASK})))


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
    """One engine, one bucket, one pool of threads for who needs it, and all contenders on them."""

    def __init__(self, engine: Engine, endpoint: str, pool: ThreadPoolExecutor) -> None:
        self._engine, self._pool = engine, pool
        self._boto3 = engine.client(**BOTO3)
        account = Account(key_id="test", secret="test", region="eu-west-1", endpoints={"AWS_ENDPOINT_URL": endpoint})
        self._lean = {"dynamodb": engine.connect(), "s3": services.make_client("s3", account)}
        self._judge, self._policy = classify.load(), policy.load()
        self._log, self._metrics = Logger("bench", stream=io.StringIO()), Metrics("bench", "bench")
        self._serial = count()

    def ours(self, at_once: int = AT_ONCE) -> tuple[Meter, Batch]:
        """`ingest` on fresh tables, with so many calls under way in one thread."""
        meter = Meter()
        clients = self._lean | {"dynamodb": MeteredInWaits(self._lean["dynamodb"], meter)}
        return meter, self._work(partial(MultiplexedTasks, clients, at_once))

    def in_threads(self) -> tuple[Meter, Batch]:
        """The same with boto3's client, in threads."""
        meter = Meter()
        dynamodb = Metered(boto.adapt_client(self._boto3, "dynamodb"), meter)
        return meter, self._work(partial(PooledTasks, self._lean | {"dynamodb": dynamodb}, self._pool))

    def _work(self, open_tasks: Callable[[], Tasks]) -> Batch:
        ports = Ports(
            store=StoreSteps(self._engine.tables()),
            archive=Archive("archive"),
            dead_letters=DeadLetters(_refuse, ""),
            policy=self._policy,
            classify=self._judge,
            open_tasks=open_tasks,
            clock=partial(datetime.now, UTC),
            spike_windows=SpikeWindows(self._boto3, self._engine.table("SpikeWindows"), self._policy.guard),
            unmatched_texts=UnmatchedTexts(self._engine.table("UnmatchedTexts"), RETENTION),
        )

        def work(batch: list[Message]) -> None:
            report = ingest(batch, ports)
            with redirect_stdout(io.StringIO()):  # where the metrics go
                observability.report_batch(report, b"key", self._log, self._metrics)
            if report.failed or report.unreadable:
                raise RuntimeError(f"not stored: {report}")

        return work

    def transactions(self) -> tuple[Meter, Batch]:
        """The baseline on fresh tables."""
        meter = Meter()
        events, statuses = baseline.create_tables(self._boto3, f"{id(self)}-{next(self._serial)}")
        work = baseline.Transactions(Metered(self._boto3, meter), events, statuses, self._pool).batch
        return meter, lambda batch: work([message.body for message in batch])


def _refuse() -> Any:
    raise ServiceError("every body can be read")


def bring(messages: int, each: int = EACH, order: str = "shuffled", **others: Any) -> Load:
    """Batches of bodies as SES's topics bring them with raw delivery: without the envelope of SNS."""
    brought = load(messages, each, order, **others)
    batches = [
        [replace(record, body=json.loads(record.body)["Message"].encode()) for record in batch]
        for batch in brought.batches
    ]
    return brought._replace(batches=batches)


def run(meter: Meter, work: Batch, load: Load) -> Run:
    """Work all batches of `load`, one after another."""
    gc.collect()
    before, tables, cpu, clock = meter.units, meter.table_units, time.process_time(), time.perf_counter()
    for batch in load.batches:
        work(batch)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    return Run(load.records, load.distinct, seconds, cpu, meter.units - before, meter.table_units - tables)


Contenders = Mapping[str, Callable[[], tuple[Meter, Batch]]]


def compare(contenders: Contenders, messages: int = MESSAGES, rounds: int = ROUNDS, **others: Any) -> dict[str, Any]:
    """All contenders on the same loads, in turns, each on empty tables."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        brought = bring(messages, seed=number, **others)
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            runs[name].append(run(*contenders[name](), brought))
    return {name: each[1:] for name, each in runs.items()}  # the first round warms up


def repeats(bench: Bench) -> float:
    """Write units when everything comes again."""
    meter, work = bench.ours()
    brought = bring(50)
    run(meter, work, brought)
    return run(meter, work, brought).units


def by_batch(bench: Bench) -> dict[int, list[Run]]:
    """The same feedback in batches of several sizes, in turns: as many records of each as make some batches."""
    runs: dict[int, list[Run]] = {size: [] for size in SIZES}
    for number in range(ROUNDS + 1):
        for size in SIZES:
            runs[size].append(run(*bench.ours(), bring(max(size, MESSAGES // 4), seed=number, batch=size)))
    return {size: each[1:] for size, each in runs.items()}


def by_feedback(bench: Bench) -> list[tuple[str, Run]]:
    """1, 2, 4 … 64 feedback for each message, spread over small batches, so that they seldom meet."""
    return [
        (f"{each} feedback for each message", run(*bench.ours(), bring(48, each, batch=SPREAD, fate=DELIVERED)))
        for each in (1, 2, 4, 8, 16, 32, 64)
    ]


def by_size(bench: Bench) -> list[tuple[str, Run]]:
    """Loads of one size, on a table that has doubled between."""
    meter, work = bench.ours()
    found, stored = [], 0
    for goal in (100, 200, 400, 800):
        if goal > stored:
            run(meter, work, bring(goal - stored, seed=goal))
        cost = run(meter, work, bring(100, seed=goal + 1))
        found.append((f"{goal} messages stored before", cost))
        stored = goal + 100
    return found


def _summary(name: str, runs: Sequence[Run]) -> list[str]:
    figures = [median(each.rate for each in runs), median(each.microseconds for each in runs)]
    prices = [median(each.price for each in runs), median(each.table_price for each in runs)]
    return [name, *(f"{figure:.0f}" for figure in figures), *(f"{price:.2f}" for price in prices)]


def _ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """Our CPU a record to theirs, round by round."""
    return median(one.microseconds / other.microseconds for one, other in zip(ours, theirs, strict=True))


def show_sides(bench: Bench) -> None:
    """Print what each side costs, in two orders of arrival."""
    contenders: Contenders = {
        "aftersend": bench.ours,
        "aftersend, one call at a time": partial(bench.ours, 1),
        "aftersend with boto3": bench.in_threads,
        "transactions": bench.transactions,
    }
    rows, goals = [], []
    for order in ("shuffled", "as sent"):
        runs = compare(contenders, order=order)
        rows += [_summary(f"{name}, {order}", each) for name, each in runs.items()]
        ours, theirs = runs["aftersend"], runs["transactions"]
        faster = median(one.rate / other.rate for one, other in zip(ours, theirs, strict=True))
        alone = _ratio(ours, runs["aftersend, one call at a time"])
        goals.append(table.goal(f"CPU a record to that of transactions, {order}", _ratio(ours, theirs), 0.15))
        goals.append(table.goal(f"CPU a record, {AT_ONCE} calls at once to one at a time, {order}", alone, 1.05))
        goals.append(table.goal(f"records/s against transactions, {order}", faster, 3, least=True))
        goals.append(table.goal(f"WCU per distinct feedback, {order}", median(one.price for one in ours), 1.0))
        goals.append(table.goal("  of it in tables", median(one.table_price for one in ours), 1.0))
    goals.append(table.goal("WCU when everything comes again", repeats(bench), 0))
    title = f"End to end: {MESSAGES} messages, {EACH} feedback each, 30 % of it twice, batches of {BATCH}"
    table.show(title, HEADER, rows, goals)


def show_sizes(bench: Bench) -> None:
    """Print what the size of a batch does."""
    sizes = by_batch(bench)
    rows = [_summary(f"batches of {size}", runs) for size, runs in sizes.items()]
    goals = [table.goal(f"CPU a record, batches of 1 to batches of {BATCH}", _ratio(sizes[1], sizes[BATCH]), 2.5)]
    table.show("The size of a batch", HEADER, rows, goals)


HEADER: Final = ("", "records/s", "CPU µs/record", "WCU/distinct", "in tables")


def main() -> None:
    """Print three tables."""
    with (
        engines.running("dynoxide") as engine,
        bucket.serving() as endpoint,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        bench = Bench(engine, endpoint, pool)
        show_sides(bench)
        show_sizes(bench)
        grown = [*by_feedback(bench), *by_size(bench)]
        table.show("Growth of the cost", HEADER, [_summary(name, [cost]) for name, cost in grown])


if __name__ == "__main__":
    main()
