"""CPU of a record with one function and with several at once, and what of the time is the engine's own.

`python -m tests.bench pollers`. Each function is a process, as a poller of Lambda's has it: it works one batch after
another, raw bodies, archive and line of log in it. All of them write into the same tables. Rates on one machine are
mostly the engine's, so compare CPU of a record; the engine's own CPU stands beside it.
"""

from __future__ import annotations

import os
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any, Final

from msgspec import Struct

from aftersend.aws import services
from aftersend.aws.account import Account
from tests import engines
from tests.bench import bucket, table
from tests.bench.load import load
from tests.bench.running import Running, Tables, create_tables, make_raw
from tests.engines import Engine

FUNCTIONS: Final = (1, 2, 8)
ROUNDS: Final = 3
RECORDS: Final = {1: 300, 100: 1600}  # of all functions together, by the size of a batch
EACH: Final = 4  # feedback of a message
GOAL: Final = 1.05  # CPU of a record, eight in flight ÷ one
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Work(Struct, frozen=True):
    """What one function is to do."""

    endpoint: str
    bucket: str
    tables: Tables
    seed: int
    messages: int
    batch: int


class Cost(Struct, frozen=True):
    """What records cost, in microseconds of CPU each, and how many came in a second."""

    function: float
    engine: float
    rate: float


def work(what: Work, begin: Barrier, report: Any) -> None:
    """Be one function: warm up, wait for all others, work, and report records, CPU and time."""
    account = Account(key_id="test", secret="test", region="eu-west-1", endpoints={"AWS_ENDPOINT_URL": what.bucket})
    s3 = services.make_client("s3", account)
    running = Running(Engine("of the parent", what.endpoint).connect(), what.tables, s3)
    running.work(make_raw(load(10, 2, "as sent", seed=1000 + what.seed, batch=20).batches[0]))
    brought = load(what.messages, EACH, "as sent", seed=what.seed, batch=what.batch)
    batches = [make_raw(batch) for batch in brought.batches]
    begin.wait()
    clock, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        running.work(batch)
    report.put((brought.records, time.process_time() - cpu, time.perf_counter() - clock, running.failed))


def measure_engine(engine: Engine) -> float:
    """How many seconds of CPU the engine's process has taken so far. Source: proc(5), /proc/pid/stat."""
    assert engine.process is not None
    fields = Path(f"/proc/{engine.process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measure(engine: Engine, archive: str, functions: int, batch: int, seed: int) -> Cost:
    """Let so many functions work at once, on fresh tables."""
    assert engine.endpoint is not None
    context, tables = get_context("spawn"), create_tables(engine)
    begin, reports = context.Barrier(functions + 1), context.Queue()
    messages = max(1, RECORDS[batch] // EACH // functions)
    processes = [
        context.Process(
            target=work,
            args=(Work(engine.endpoint, archive, tables, seed * 100 + number, messages, batch), begin, reports),
        )
        for number in range(functions)
    ]
    for process in processes:
        process.start()
    begin.wait()
    before = measure_engine(engine)
    found = [reports.get(timeout=300) for _ in processes]
    spent = measure_engine(engine) - before
    for process in processes:
        process.join()
    records, cpu, clocks, failed = zip(*found, strict=True)
    if any(failed):
        raise RuntimeError(f"{sum(failed)} not stored")
    return Cost(sum(cpu) / sum(records) * 1e6, spent / sum(records) * 1e6, sum(records) / max(clocks))


def main() -> None:
    """Print a table."""
    if why := engines.lack("dynoxide"):
        print(f"pollers: not measured: {why}")
        return
    rows, notes = [], []
    with engines.running("dynoxide") as engine, bucket.serving() as archive:
        for batch in RECORDS:
            rounds = [
                {number: measure(engine, archive, number, batch, seed) for number in FUNCTIONS}
                for seed in range(ROUNDS)
            ]
            for number in FUNCTIONS:
                costs = [each[number] for each in rounds]
                parts = [median(getattr(cost, part) for cost in costs) for part in Cost.__struct_fields__]
                rows.append((f"{number} in flight, batches of {batch}", *(f"{part:,.0f}" for part in parts)))
            ratio = median(each[FUNCTIONS[-1]].function / each[1].function for each in rounds)
            name = f"CPU of a record, {FUNCTIONS[-1]} in flight ÷ 1, batches of {batch}"
            notes.append(table.goal(name, ratio, GOAL))
    header = ("functions", "CPU µs/record", "the engine's", "records/s")
    title = f"Functions at once on {engine.name}: raw bodies, archive and log in it, medians of {ROUNDS}"
    table.show(title, header, rows, notes)


if __name__ == "__main__":
    main()
