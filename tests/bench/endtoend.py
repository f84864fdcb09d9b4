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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from statistics import median
from typing import Any, Final

from aws_lambda_powertools import Metrics
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

ROUNDS: Final = 4
MESSAGES: Final = 300
EACH: Final = 4  # feedback about each message
SPREAD: Final = 10  # records a batch where feedback of one message must not meet
AT_ONCE: Final = 16  # the template's Workers
SIZES: Final = (1, 10, BATCH, 1000)  # records a batch
LARGE: Final = 500  # records a batch, as docs/large-senders.md has it
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
    """What one load cost: time where nobody metered it, and units where somebody did."""

    records: int
    distinct: int
    seconds: float = 0.0
    cpu: float = 0.0
    units: float = 0.0
    table_units: float = 0.0

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
        self.engine, self._pool = engine, pool
        self._boto3 = engine.client(**BOTO3)
        account = Account(key_id="test", secret="test", region="eu-west-1", endpoints={"AWS_ENDPOINT_URL": endpoint})
        self._lean = {"dynamodb": engine.connect(), "s3": services.make_client("s3", account)}
        self._judge, self._policy = classify.load(), policy.load()
        self._log, self._metrics = observability.make_logger("bench", io.StringIO()), Metrics("bench", "bench")
        self._serial = count()

    def ours(self, meter: Meter | None, at_once: int = AT_ONCE) -> Batch:
        """`ingest` on fresh tables, with so many calls under way in one thread."""
        lean = self._lean["dynamodb"]
        clients = self._lean | {"dynamodb": MeteredInWaits(lean, meter) if meter else lean}
        return self._work(partial(MultiplexedTasks, clients, at_once))

    def in_threads(self, meter: Meter | None) -> Batch:
        """The same with boto3's client, in threads."""
        client = boto.adapt_client(self._boto3, "dynamodb")
        clients = self._lean | {"dynamodb": Metered(client, meter) if meter else client}
        return self._work(partial(PooledTasks, clients, self._pool))

    def _work(self, open_tasks: Callable[[], Tasks]) -> Batch:
        ports = Ports(
            store=StoreSteps(self.engine.tables()),
            archive=Archive("archive"),
            dead_letters=DeadLetters(_refuse, ""),
            policy=self._policy,
            classify=self._judge,
            open_tasks=open_tasks,
            clock=partial(datetime.now, UTC),
            spike_windows=SpikeWindows(self._boto3, self.engine.table("SpikeWindows"), self._policy.guard),
            unmatched_texts=UnmatchedTexts(self.engine.table("UnmatchedTexts"), RETENTION),
        )

        def work(batch: list[Message]) -> None:
            report = ingest(batch, ports)
            with redirect_stdout(io.StringIO()):  # where the metrics go
                observability.report_batch(report, b"key", self._log, self._metrics, graphs=False)
            if report.failed or report.unreadable:
                raise RuntimeError(f"not stored: {report}")

        return work

    def transactions(self, meter: Meter | None) -> Batch:
        """The baseline on fresh tables."""
        events, statuses = baseline.create_tables(self._boto3, f"{id(self)}-{next(self._serial)}")
        client = Metered(self._boto3, meter) if meter else self._boto3
        work = baseline.Transactions(client, events, statuses, self._pool).batch
        return lambda batch: work([message.body for message in batch])


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


Contender = Callable[[Meter | None], Batch]


def run(work: Batch, load: Load) -> Run:
    """Work all batches of `load`, one after another, and take the time."""
    gc.collect()
    cpu, clock = time.process_time(), time.perf_counter()
    for batch in load.batches:
        work(batch)
    return Run(load.records, load.distinct, time.perf_counter() - clock, time.process_time() - cpu)


def charge(work: Batch, meter: Meter, load: Load) -> Run:
    """Work all batches of `load`, one after another, and count what is charged for them."""
    before, tables = meter.units, meter.table_units
    for batch in load.batches:
        work(batch)
    return Run(load.records, load.distinct, units=meter.units - before, table_units=meter.table_units - tables)


def compare(contenders: Mapping[str, Contender], loads: Callable[[str, int], Load]) -> dict[str, list[Run]]:
    """All contenders on their loads by name and round, in turns, each on empty tables.

    The first round warms up and is charged; time is taken in the others.
    """
    runs: dict[str, list[Run]] = {}
    for name, make in contenders.items():
        meter = Meter()
        runs[name] = [charge(make(meter), meter, loads(name, 0))]
    for number in range(1, ROUNDS + 1):
        for name in list(contenders)[:: 1 if number % 2 else -1]:
            runs[name].append(run(contenders[name](None), loads(name, number)))
    return runs


def repeats(bench: Bench) -> float:
    """Write units when everything comes again."""
    meter, brought = Meter(), bring(50)
    work = bench.ours(meter)
    charge(work, meter, brought)
    return charge(work, meter, brought).units


def by_feedback(bench: Bench) -> Iterator[tuple[str, list[Run]]]:
    """1, 2, 4 … 64 feedback for each message, spread over small batches, so that they seldom meet."""
    for each in (1, 2, 4, 8, 16, 32, 64):
        meter, brought = Meter(), bring(48, each, batch=SPREAD, fate=DELIVERED)
        cost = [charge(bench.ours(meter), meter, brought), run(bench.ours(None), brought)]
        yield f"{each} feedback for each message", cost


def by_size(bench: Bench) -> Iterator[tuple[str, list[Run]]]:
    """Loads of one size, on a table that has doubled between."""
    meter, stored = Meter(), 0
    metered, timed = bench.ours(meter), bench.ours(None)
    for goal in (100, 200, 400, 800):
        if goal > stored:
            for work in (metered, timed):
                run(work, bring(goal - stored, seed=goal))
        brought = bring(100, seed=goal + 1)
        yield f"{goal} messages stored before", [charge(metered, meter, brought), run(timed, brought)]
        stored = goal + 100


def _summary(name: str, runs: Sequence[Run]) -> list[str]:
    """A line of the table: of several, the first was charged."""
    charged, *timed = runs
    figures = [median(each.rate for each in timed), median(each.microseconds for each in timed)]
    return [name, *(f"{figure:.0f}" for figure in figures), f"{charged.price:.2f}", f"{charged.table_price:.2f}"]


def _ratio(ours: Sequence[Run], theirs: Sequence[Run], what: str = "microseconds") -> float:
    """Our figure to theirs, round by round."""
    pairs = zip(ours[1:], theirs[1:], strict=True)
    ratios: list[float] = [getattr(one, what) / getattr(other, what) for one, other in pairs]
    return median(ratios)


def show_sides(bench: Bench) -> None:
    """Print what each side costs, in two orders of arrival.

    Large batches have as many messages more, so that the feedback of one meets no oftener for the size of the load.
    """
    large = f"aftersend, batches of {LARGE}"
    contenders: Mapping[str, Contender] = {
        "aftersend": bench.ours,
        large: bench.ours,
        "aftersend, one call at a time": partial(bench.ours, at_once=1),
        "aftersend with boto3": bench.in_threads,
        "transactions": bench.transactions,
    }
    rows, goals = [], []
    for order in ("shuffled", "as sent"):
        brought = partial(bring, order=order)
        loads = [
            (
                brought(MESSAGES, seed=number),
                brought(MESSAGES * LARGE // BATCH, seed=number, batch=LARGE),
            )
            for number in range(ROUNDS + 1)
        ]
        runs = compare(contenders, lambda name, number, loads=loads: loads[number][name == large])  # type: ignore[misc]
        rows += [_summary(f"{name}, {order}", each) for name, each in runs.items()]
        ours, theirs = runs["aftersend"], runs["transactions"]
        alone = _ratio(ours, runs["aftersend, one call at a time"])
        goals.append(table.goal(f"CPU a record to that of transactions, {order}", _ratio(ours, theirs), 0.15))
        goals.append(table.goal(f"  in batches of {LARGE}", _ratio(runs[large], theirs), 0.15))
        goals.append(table.goal(f"CPU a record, {AT_ONCE} calls at once to one at a time, {order}", alone, 1.05))
        faster = _ratio(ours, theirs, "rate")
        goals.append(table.goal(f"records/s against transactions, {order}", faster, 3, least=True))
        goals.append(table.goal(f"WCU per distinct feedback, {order}", ours[0].price, 1.0))
        goals.append(table.goal("  of it in tables", ours[0].table_price, 1.0))
    goals.append(table.goal("WCU when everything comes again", repeats(bench), 0))
    title = f"End to end: {EACH} feedback for each message, 30 % of it twice, batches of {BATCH} unless said otherwise"
    table.show(title, HEADER, rows, goals)


def show_sizes(bench: Bench) -> None:
    """Print what the size of a batch does."""

    def brought(name: str, number: int) -> Load:
        size = int(name.rpartition(" ")[2])
        return bring(max(size, MESSAGES // 4), seed=number, batch=size)

    runs = compare({f"batches of {size}": bench.ours for size in SIZES}, brought)
    ratio = _ratio(runs["batches of 1"], runs[f"batches of {BATCH}"])
    goals = [table.goal(f"CPU a record, batches of 1 to batches of {BATCH}", ratio, 2.5)]
    rows = [_summary(name, each) for name, each in runs.items()]
    table.show("The size of a batch", HEADER, rows, goals)


HEADER: Final = ("", "records/s", "CPU µs/record", "WCU/distinct", "in tables")


@contextmanager
def opening() -> Iterator[Bench]:
    """Open an engine, a bucket and a pool of threads, and work on them as long as the context lasts."""
    with (
        engines.running("dynoxide") as engine,
        bucket.serving() as endpoint,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        yield Bench(engine, endpoint, pool)


def main() -> None:
    """Print three tables."""
    with opening() as bench:
        show_sides(bench)
        show_sizes(bench)
        grown = [*by_feedback(bench), *by_size(bench)]
        table.show("Growth of the cost", HEADER, [_summary(name, cost) for name, cost in grown])


if __name__ == "__main__":
    main()
