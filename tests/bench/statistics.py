"""What it costs to count: write units for each change of the tables by the size of batches, how long a change takes to
be counted, and whether counters of a hundred thousand outcomes equal a recount although whoever counts is killed.

Units are what the engine counts for transactions, reads of checkpoints and rows included. The mix of events is a good
month's: of a hundred messages four are refused and five deferred, a fifth is opened, mostly in the hours after, some on
later days.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import median, quantiles
from typing import Any, Final, NamedTuple

from aftersend.core import policy
from aftersend.core.model import Context, Evidence, Feedback, Kind, Outcome
from aftersend.core.outcome import merge
from aftersend.core.statistics import compare_rows, recount, sum_rows
from aftersend.ingest import ingest
from aftersend.jobs.streams import StreamWorker
from aftersend.sources import SOURCES
from aftersend.storage import items
from aftersend.storage.statistics import StatisticsTable
from aftersend.storage.store import Store
from tests import engines
from tests.bench import table
from tests.engines import Engine
from tests.support.facts import START, classify, fact, fake_source, message
from tests.support.ports import RETENTION, ports
from tests.support.streams import NoParking, make_event, make_record

WRITE: Final = 0.625  # dollars for a million write units on demand
READ: Final = 0.125  # and for as many read units
CHANGES: Final = {1: 300, 10: 2_000, 100: 10_000, 1_000: 20_000}  # by the size of a batch: how many are measured
OUTCOMES: Final = 100_000
KILLS: Final = 25
LAGGING: Final = 200  # feedbacks whose way is timed
POLL: Final = 0.25  # seconds between two looks at a shard, as Lambda takes them
POLICY: Final = policy.load('[streams]\n"@shop.example" = "orders"\n"*" = "news"')
_SENT_BY: Final = sorted(SOURCES)[::9]
DOMAINS: Final = (
    "gmail.com",
    "hotmail.com",
    "yahoo.com",
    "gmx.de",
    "web.de",
    "icloud.com",
    "firm.example",
    "t-online.de",
)
_SENT: Final = (Kind.SENT, 0.0)
# What happens to so many of a hundred messages: kinds, and hours after it was sent.
STORIES: Final[tuple[tuple[int, tuple[tuple[Kind, float], ...]], ...]] = (
    (71, (_SENT, (Kind.DELIVERED, 0.01))),
    (15, (_SENT, (Kind.DELIVERED, 0.01), (Kind.OPENED, 2), (Kind.CLICKED, 2.1))),
    (5, (_SENT, (Kind.DELIVERED, 0.01), (Kind.OPENED, 3), (Kind.OPENED, 50))),
    (5, (_SENT, (Kind.DEFERRED, 0.1), (Kind.DELIVERED, 1))),
    (4, (_SENT, (Kind.BOUNCED, 0.02))),
)


class Told(NamedTuple):
    """One change, and when."""

    at: float  # hours after the start
    old: items.Item | None
    new: items.Item


def main() -> None:
    """Print three tables."""
    if why := engines.lack("dynoxide"):
        print(f"statistics: not measured: {why}")
        return
    with engines.running("dynoxide") as engine:
        show_units(engine)
        show_lag(engine)
        show_kills(engine)


def make_changes(outcomes: int, hours: float) -> Iterator[Told]:
    """Yield what a stream tells of so many messages, which are sent evenly over so many hours; of each in its order."""
    chance = random.Random(7)
    stories = [story for share, story in STORIES for _ in range(share)]
    for number in range(outcomes):
        begin, story = hours * number / outcomes, chance.choice(stories)
        context = Context(
            sender=f"team{number % 3}@{'shop' if number % 2 else 'news'}.example",
            correlation={"campaign": f"campaign {int(begin) // 6}"},
        )
        heard: list[Feedback] = []
        old: items.Item | None = None
        for kind, after in story:
            heard.append(_make_fact(kind, number, begin + after, context))
            outcome = merge(None, heard, classify)
            new = items.encode_outcome(outcome, RETENTION) | {"version": {"N": str(len(heard))}}
            yield Told(begin + after, old, new)
            old = new


def _make_fact(kind: Kind, number: int, hours: float, context: Context) -> Feedback:
    code = {Kind.BOUNCED: ("hard", "soft", "block")[number % 3], Kind.DEFERRED: "soft"}.get(kind)
    return fact(
        kind,
        message=f"ses:{number}",
        recipient=f"email:person.{number}@{DOMAINS[number % len(DOMAINS)]}",
        occurred_at=START + timedelta(hours=hours),
        context=context,
        evidence=Evidence(provider_code=code) if code else None,
        source=_SENT_BY[number % len(_SENT_BY)],
    )


def make_worker(client: Any, name: str) -> StreamWorker:
    """Return a worker as a function has it."""
    return StreamWorker("Outcomes", StatisticsTable(client, name), NoParking(), POLICY.find_stream)


# ---- Units -----------------------------------------------------------------------------------------------------------


class Metered:
    """A client that adds up the units of what it is asked for."""

    def __init__(self, client: Any) -> None:
        self._client, self.written, self.read = client, 0.0, 0.0

    def get_item(self, **request: Any) -> Any:
        answer = self._client.get_item(**request, ReturnConsumedCapacity="TOTAL")
        self.read += answer["ConsumedCapacity"]["CapacityUnits"]
        return answer

    def transact_write_items(self, **request: Any) -> Any:
        answer = self._client.transact_write_items(**request, ReturnConsumedCapacity="TOTAL")
        self.written += sum(each["CapacityUnits"] for each in answer["ConsumedCapacity"])
        return answer


def show_units(engine: Engine) -> None:
    """Print the units of a change by the size of batches: the last ones of a day, when rows have their full size."""
    sent = make_changes(max(CHANGES.values()), 48)
    changes = sorted((each for each in sent if each.at < 48), key=lambda each: each.at)
    rows = []
    for size, count in CHANGES.items():
        name = engine.table("StatisticsTable")
        make_worker(engine.connect(), name).run(
            make_event("Outcomes", "before", _number(changes[:-count][-20_000:], 0))
        )
        client = Metered(engine.connect())
        worker, moved, seconds = make_worker(client, name), 0, time.process_time()
        for start in range(0, count, size):
            batch = _number(changes[len(changes) - count :][start : start + size], start)
            moved += worker.run(make_event("Outcomes", "shard", batch)).counts["Moved"]
        seconds = time.process_time() - seconds
        dollars = (client.written * WRITE + client.read * READ) / count
        units = f"{client.written / count:.2f}", f"{client.read / count:.2f}"
        rows.append(
            (f"{size:,}", f"{count:,}", f"{moved:,}", *units, f"${dollars:.2f}", f"{1e6 * seconds / count:.0f}")
        )
    header = ("batch", "changes", "counted", "write units", "read units", "a million changes", "µs CPU")
    title = (
        f"Counting one change, {len(DOMAINS)} systems, 3 sources, 2 senders, 8 campaigns in two days, on {engine.name}"
    )
    table.show(title, header, rows)


def _number(changes: Sequence[Told], first: int) -> list[dict[str, Any]]:
    return [make_record(each.old, each.new, 10**21 + first + at) for at, each in enumerate(changes)]


# ---- Lag -------------------------------------------------------------------------------------------------------------


def show_lag(engine: Engine) -> None:
    """Print how long it takes from feedback to its counter, without the seconds that batches are gathered for."""
    tables = engine.streamed_tables()
    store, seen = Store(engine.connect(), tables), dict[str, str]()
    counters = StatisticsTable(engine.connect(), engine.table("StatisticsTable"))
    worker = StreamWorker(tables.outcomes, counters, NoParking(), POLICY.find_stream)
    written: dict[str, float] = {}
    lags: list[float] = []

    def feed() -> None:
        with fake_source():
            for number in range(LAGGING):
                one = fact(Kind.DELIVERED, message=f"test:{number}", recipient=f"email:u{number}@gmail.com")
                written[one.message] = time.monotonic()
                ingest([message([one])], ports(store))
                time.sleep(0.02)

    feeder = threading.Thread(target=feed)
    feeder.start()
    while len(lags) < LAGGING:
        time.sleep(POLL)
        for event in engine.read_stream(tables.outcomes, seen):
            worker.run(event)
            now = time.monotonic()
            lags += [now - written[each["dynamodb"]["NewImage"]["message"]["S"]] for each in event["Records"]]
    feeder.join()
    rows = [(f"{LAGGING}", f"{median(lags):.2f}", f"{quantiles(lags, n=100)[-1]:.2f}")]
    title = f"Seconds from feedback to its counter, a look at the stream every {POLL} s, on {engine.name}"
    table.show(title, ("feedbacks", "p50", "p99"), rows)


# ---- Kills -----------------------------------------------------------------------------------------------------------


def show_kills(engine: Engine) -> None:
    """Print whether counters equal a recount, although the process that counts is killed in the midst of it."""
    changes = list(make_changes(OUTCOMES, 72))
    records = _number(changes, 0)
    name, chance = engine.table("StatisticsTable"), random.Random(3)
    context = multiprocessing.get_context("fork")
    reached = context.Value("l", 0)
    kills, started = 0, time.monotonic()
    while reached.value < len(records):
        start = max(0, reached.value - chance.randrange(2_000))  # what was acknowledged may come again
        process = context.Process(target=_count_from, args=(engine, name, records, start, reached))
        process.start()
        process.join(0.2 + 2 * chance.random() if kills < KILLS else None)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    seconds = time.monotonic() - started
    stored = dict(StatisticsTable(engine.connect(), name).scan_rows())
    last: dict[str, Outcome] = {each.new["message"]["S"]: items.decode_outcome(each.new) for each in changes}
    live = sum_rows(last.values(), POLICY.find_stream)
    wrong = len(compare_rows(stored, recount(stored, live)))
    rows = [
        (
            f"{len(last):,}",
            f"{len(records):,}",
            f"{kills}",
            f"{sum(map(len, live.values())):,}",
            f"{wrong}",
            f"{seconds:.0f}",
        )
    ]
    header = ("outcomes", "changes", "kills", "counters", "differ from a recount", "seconds")
    table.show(f"Counting, with kills, on {engine.name}", header, rows, [table.goal("counters that differ", wrong, 0)])


def _count_from(engine: Engine, name: str, records: Sequence[dict[str, Any]], start: int, reached: Any) -> None:
    """Count from here to the end, and note how far it is acknowledged."""
    worker = make_worker(engine.connect(), name)
    while start < len(records):
        batch = records[start : start + 500]
        if worker.run(make_event("Outcomes", "shard", batch)).failed is None:
            start += len(batch)
            reached.value = max(reached.value, start)


if __name__ == "__main__":
    main()
