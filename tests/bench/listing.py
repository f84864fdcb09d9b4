"""What it costs to list what went wrong: write units that the index adds to a million events, and calls, read units and
time of a page over a day with ten thousand troubles, on a real engine.

Units are what the engine counts. The mix of events is a sender's good month: of a hundred messages four are refused,
five deferred and then delivered, one in a thousand is complained of; a fifth of it is opened, most of it twice.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median, quantiles
from typing import Any, Final

from msgspec.structs import replace

from aftersend.core.model import Context, Feedback, Kind
from aftersend.core.outcome import merge
from aftersend.storage.items import encode_outcome
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store
from tests import engines
from tests.bench import table
from tests.bench.history import Metered
from tests.engines import Engine
from tests.support.api import Api, Clock, api_context
from tests.support.facts import START, bounce, classify, fact

TROUBLES: Final = 10_000
MESSAGES: Final = 2_000
WRITE: Final = 0.625  # dollars for a million write units on demand, and for as many read units below
READ: Final = 0.125
RETENTION: Final = timedelta(days=180)
_NEWS: Final = Context(sender="news@example.com", subject="What is new in March")
_DOMAINS: Final = ("gmail.com", "example.com", "gmx.de", "hotmail.com", "example.org")
# What happened to so many of a thousand messages: kinds, in their order.
_SENT: Final = (Kind.SENT,)
MIX: Final[dict[tuple[Kind, ...], int]] = {
    (*_SENT, Kind.DELIVERED): 709,
    (*_SENT, Kind.DELIVERED, Kind.OPENED, Kind.OPENED, Kind.CLICKED): 200,
    (*_SENT, Kind.DEFERRED, Kind.DELIVERED): 50,
    (*_SENT, Kind.BOUNCED): 40,
    (*_SENT, Kind.DELIVERED, Kind.COMPLAINED): 1,
}
PAGES: Final = {
    "newest, 50 a page": "limit=50",
    "newest, 200 a page": "limit=200",
    "one status": "status=bounced&limit=50",
    "one domain of five": "domain=gmx.de&limit=50",
    "one class, rare": "class=block&limit=50",
    "by an identifier": "identifier=campaign:7&limit=50",
}


def main() -> None:
    """Print two tables."""
    if why := engines.lack("dynoxide"):
        print(f"listing: not measured: {why}")
        return
    with engines.running("dynoxide") as engine, ThreadPoolExecutor(8) as pool:
        show_writes(engine, pool)
        show_pages(engine, pool)


# ---- Writes ---------------------------------------------------------------------------------------------------------


def show_writes(engine: Engine, pool: ThreadPoolExecutor) -> None:
    """Print the write units of each part of the table, with every event of the mix written by itself."""
    name, client = engine.tables().outcomes, engine.client()
    stories = [story for story, share in MIX.items() for _ in range(share * MESSAGES // 1_000)]
    units: Counter[str] = Counter()
    for found in pool.map(lambda each: _write(client, name, *each), enumerate(stories)):
        units.update(found)
    events = sum(map(len, stories))
    rows = [
        (part, f"{count:,.0f}", f"{count / events:.3f}", f"${WRITE * count / events:.3f}")
        for part, count in units.most_common()
    ]
    header = ("written to", "write units", "an event", "a million events")
    title = f"{events:,} events of {len(stories):,} messages, each written by itself, on {engine.name}"
    table.show(
        title, header, rows, [table.goal("units that the index adds to an event", units["by_trouble"] / events, 0.1)]
    )


def _write(client: Any, name: str, number: int, story: Sequence[Kind]) -> Counter[str]:
    units: Counter[str] = Counter()
    heard: list[Feedback] = []
    for at, kind in enumerate(story):
        heard.append(_make_fact(kind, number, at / 24 + number / MESSAGES))
        item = encode_outcome(merge(None, heard, classify), RETENTION)
        answer = client.put_item(TableName=name, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
        units["the table"] += answer["Table"]["CapacityUnits"]
        indexes = answer.get("GlobalSecondaryIndexes", {}) | answer.get("LocalSecondaryIndexes", {})
        units.update({index: each["CapacityUnits"] for index, each in indexes.items()})
    return units


def _make_fact(kind: Kind, number: int, day: float) -> Feedback:
    recipient = f"email:person.{number}@{_DOMAINS[number % len(_DOMAINS)]}"
    code = {Kind.BOUNCED: "hard", Kind.DEFERRED: "soft"}.get(kind)
    return fact(kind, day, code, message=f"test:{number}", recipient=recipient, context=_NEWS)


# ---- Reads ----------------------------------------------------------------------------------------------------------


def show_pages(engine: Engine, pool: ThreadPoolExecutor) -> None:
    """Print what a page costs of a day with so many troubles, read from its newest to its oldest."""
    client, tables = Metered(engine.connect()), engine.tables()
    _fill(engine, tables.outcomes, pool)
    clock = Clock(START + timedelta(days=3))
    api = Api(api_context(Store(client, tables), queries=Queries(client, tables), pool=pool, clock=clock))
    rows = [_measure(api, client, name, query) for name, query in PAGES.items()]
    empty = Api(replace(api.context, clock=Clock(START + timedelta(days=90))))
    rows.append(_measure(empty, client, "a month of nothing", "from=2026-05-01T00:00:00Z&to=2026-05-31T00:00:00Z"))
    rows.append(_measure(api, client, "all in groups", "", "/problems", "groups"))
    header = ("page", "pages", "rows", "calls", "read units", "a million pages", "p50 ms", "p99 ms")
    table.show(f"Pages over a day with {TROUBLES:,} troubles, on {engine.name}", header, rows)


def _fill(engine: Engine, name: str, pool: ThreadPoolExecutor) -> None:
    chance = random.Random(7)  # a mix to measure, not a secret
    items = [encode_outcome(merge(None, [each], classify), RETENTION) for each in _make_troubles(chance)]
    client = engine.client()
    puts = [{"PutRequest": {"Item": item}} for item in items]
    for answer in pool.map(
        lambda start: client.batch_write_item(RequestItems={name: puts[start : start + 25]}), range(0, len(puts), 25)
    ):
        assert not answer.get("UnprocessedItems")


def _make_troubles(chance: random.Random) -> Iterator[Feedback]:
    for number in range(TROUBLES):
        day = 1 + chance.random()
        recipient = f"email:person.{number}@{_DOMAINS[number % len(_DOMAINS)]}"
        given: dict[str, Any] = {"message": f"test:{number}", "recipient": recipient}
        given["context"] = replace(_NEWS, correlation={"campaign": str(number % 20)})
        match number % 100:
            case 0:
                yield bounce(day, "block", **given)
            case 1 | 2:
                yield fact(Kind.COMPLAINED, day, **given)
            case rest if rest < 30:
                yield fact(Kind.DEFERRED, day, "soft", **given)
            case _:
                yield bounce(day, "hard", **given)


def _measure(
    api: Api, client: Metered, name: str, query: str, path: str = "/outcomes", part: str = "outcomes"
) -> tuple[str, ...]:
    times, calls, units, rows = [], [], [], 0
    target = f"{path}?{query}"
    cursor = ""
    while True:
        before, begin = (client.calls, client.units), time.perf_counter()
        page = api("GET", target + cursor).json
        times.append((time.perf_counter() - begin) * 1_000)
        calls.append(client.calls - before[0])
        units.append(client.units - before[1])
        rows += len(page[part])
        if "next" not in page or len(times) == 100:
            break
        cursor = f"&cursor={page['next']}"
    slow = quantiles(times, n=100)[-1] if len(times) > 1 else times[0]
    return (
        name,
        f"{len(times):,}",
        f"{rows:,}",
        f"{median(calls):.0f}",
        f"{median(units):.1f}",
        f"${READ * median(units):.2f}",
        f"{median(times):.0f}",
        f"{slow:.0f}",
    )


if __name__ == "__main__":
    main()
