"""What a million feedback costs, and a stack that does nothing: from the template, measured usage and list prices.

`python -m tests.bench money`. The template says what is made and how queues are polled (`template.yaml`, with its
defaults; with Firehose beside, where it has a parameter for that); an engine says what one feedback takes, in batches
as large as they are at each rate; `prices.toml` says what all of it costs. A third table has for each sender what
docs/large-senders.md says for its size. Feedback comes evenly, but for capacity that is provisioned: that follows a day
with a peak; four of each message, none twice. Others are priced the same way: what they write is measured on the same
feedback.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from math import ceil, floor
from pathlib import Path
from typing import Any, Final

from aftersend.sources.message import Message
from tests import engines
from tests.bench import baseline, bill, table
from tests.bench.bill import MILLION, Line, Stack, Usage
from tests.bench.load import load
from tests.bench.running import WORKERS, Meter, MeterInWaits, Running, create_tables, make_raw, measure_item
from tests.engines import Engine
from tests.support.template import ROOT, TEMPLATE

SENDERS: Final = {"1 M": MILLION, "100 M": 100 * MILLION, "5 G": 5000 * MILLION}  # feedback a month
GOALS: Final = {"1 M": 7.0, "100 M": 1.5, "5 G": 1.2}  # dollars a million
FIXED: Final = 4.0  # dollars a month
EACH: Final = 4  # feedback of a message
FEEDBACK: Final = {1: 200, 10: 600}  # how much of it is measured, by the size of batches up to which that holds
MOST_FEEDBACK: Final = 8000
LARGE: Final = 4000  # feedback that one function gathers of an object at once, at least
MASS: Final = {"MassByFirehose": "true"}  # the parameter that turns Firehose on
INDEXED: Final = 100  # bytes that each item of a table and of an index takes beside: developer guide, "Item sizes"
QUICK: Final = ("Bounce", "Complaint", "DeliveryDelay", "Reject", "Rendering Failure")  # does not come by Firehose


def read_prices() -> dict[str, Any]:
    """The list of prices."""
    return tomllib.loads((Path(__file__).parent / "prices.toml").read_text())


class Usages:
    """What one feedback uses, measured for each size of batches once."""

    def __init__(self, engine: Engine, pool: ThreadPoolExecutor, *, lean: bool = False, graphs: bool = False) -> None:
        self._engine, self._pool = engine, pool
        self._running = partial(Running, lean=lean, graphs=graphs)
        self.at = cache(self._measure)
        self.of_transactions = cache(self._measure_transactions)
        self.of_puts = cache(self._measure_puts)

    def between(self, batch: float) -> Usage:
        """The usage in batches of which some are a little smaller and some a little larger, on average `batch`."""
        low, high = floor(batch), ceil(batch)
        if low == high:
            return self.at(low)
        share = (1 / batch - 1 / high) / (1 / low - 1 / high)
        return bill.mix(self.at(low), self.at(high), share)

    def _measure(self, batch: int) -> Usage:
        client, tables = MeterInWaits(self._engine.connect()), create_tables(self._engine)
        running = self._running(client, tables)
        batches, records = _bring(batch)
        begun = time.process_time()
        for each in batches:
            running.work(each)
        cpu = time.process_time() - begun
        if running.failed:
            raise RuntimeError(f"{running.failed} not stored")
        return Usage(
            writes=client.units(reads=False) / records,
            reads=client.units(reads=True) / records,
            calls=client.calls.total() / records,
            cpu=cpu / records,
            puts=len(running.s3.sizes) / records,
            archived=sum(running.s3.sizes) / records,
            logged=len(running.log.getvalue()) / records,
            body=sum(len(record.body) for each in batches for record in each) / records,
            stored=sum(_measure_table(self._engine, name) for name in (tables.outcomes, tables.suppressions)) / records,
            outcome_writes=client.units(reads=False, table=tables.outcomes) / records,
            outcome_reads=client.units(reads=True, table=tables.outcomes) / records,
            metrics=len(running.find_metrics()),
        )

    def _measure_transactions(self) -> Usage:
        """One transaction for each event, which keeps its facts and the status of its message."""
        client = Meter(self._engine.client())
        names = baseline.create_tables(self._engine.client(), f"transactions-{id(self)}")
        work = baseline.Transactions(client, *names, self._pool).batch
        batches, _ = _bring(10)
        return self._account(client, names, [partial(work, [each.body for each in batch]) for batch in batches])

    def _measure_puts(self) -> Usage:
        """One item for each event, which is its body; nothing is read, joined or derived."""
        client = Meter(self._engine.connect())
        names = baseline.create_tables(self._engine.client(), f"puts-{id(self)}")
        batches, _ = _bring(10)

        def put(batch: Sequence[Message]) -> None:
            for record in batch:
                client.put_item(TableName=names[0], Item={"id": {"S": record.id}, "body": {"S": record.body.decode()}})

        return self._account(client, names, [partial(put, batch) for batch in batches])

    def _account(self, client: Meter, names: Sequence[str], batches: Sequence[Callable[[], object]]) -> Usage:
        """What others use: they keep no archive, and log a line for each batch."""
        begun = time.process_time()
        for work in batches:
            work()
        records, measured = FEEDBACK[10], self.at(10)
        return Usage(
            writes=client.units(reads=False) / records,
            reads=client.units(reads=True) / records,
            calls=client.calls.total() / records,
            cpu=(time.process_time() - begun) / records,
            puts=0.0,
            archived=0.0,
            logged=measured.logged,
            body=measured.body,
            stored=sum(_measure_table(self._engine, name) for name in names) / records,
        )


def _bring(batch: int) -> tuple[list[list[Message]], int]:
    wanted = next((number for size, number in FEEDBACK.items() if batch <= size), MOST_FEEDBACK)
    brought = load(wanted // EACH, EACH, "as sent", batch=batch, repeats=0)
    return [make_raw(each) for each in brought.batches], brought.records


def _measure_table(engine: Engine, name: str) -> int:
    """How many bytes a table has with its indexes."""
    client = engine.client()
    described = client.describe_table(TableName=name)["Table"]
    keys = {each["AttributeName"] for each in described["KeySchema"]}
    indexes = [*described.get("GlobalSecondaryIndexes", ()), *described.get("LocalSecondaryIndexes", ())]
    found, request = 0, {"TableName": name}
    while True:
        page = client.scan(**request)
        for item in page["Items"]:
            found += measure_item(item) + INDEXED + sum(_measure_entry(item, keys, index) for index in indexes)
        if "LastEvaluatedKey" not in page:
            return found
        request = request | {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _measure_entry(item: Mapping[str, Any], keys: set[str], index: Mapping[str, Any]) -> int:
    """How many bytes an item takes in an index; nothing where it is not in there."""
    own = {each["AttributeName"] for each in index["KeySchema"]}
    if not own <= item.keys():
        return 0
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return measure_item(item) + INDEXED
    kept = keys | own | set(projection.get("NonKeyAttributes", ()))
    return measure_item({name: held for name, held in item.items() if name in kept}) + INDEXED


# ---- The bills -------------------------------------------------------------------------------------------------------


def price_moving(stack: Stack, prices: Mapping[str, Any], feedback: float, usages: Usages) -> list[Line]:
    """Price what moves, of so much feedback a month; by Firehose too, where the stack has one."""
    if not stack.of("AWS::KinesisFirehose::DeliveryStream"):
        batch = bill.find_batch(stack, prices, feedback)
        return bill.price_queued(stack, prices, feedback, batch, usages.between(batch))
    quick = measure_quick()
    batch = bill.find_batch(stack, prices, feedback * quick)
    lines = bill.price_queued(stack, prices, feedback * quick, batch, usages.between(batch))
    records = bill.find_object(stack, prices, feedback * (1 - quick), usages.at(LARGE).body)
    usage = usages.at(LARGE) if records >= LARGE else usages.between(records)
    lines += bill.price_gathered(stack, prices, feedback * (1 - quick), records, usage)
    return [Line(name, sum(each.dollars for each in lines if each.name == name)) for name in _names(lines)]


def measure_quick() -> float:
    """The share of feedback that has no time for Firehose."""
    batches, records = _bring(LARGE)
    heads = [record.body[:200].decode() for batch in batches for record in batch]
    return sum(any(f'"{kind}"' in head for kind in QUICK) for head in heads) / records


def _names(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line.name for line in lines))


def _show_bill(title: str, stacks: Mapping[str, Stack], prices: Mapping[str, Any], measure: Measure) -> None:
    """What a million feedback costs each sender, line by line, and beside goals."""
    bills = {}
    for sender, feedback in SENDERS.items():
        stack, usages = stacks[sender], measure(stacks[sender])
        fixed = bill.price_fixed(stack, prices, usages.at(LARGE).metrics)
        bills[sender] = [*price_moving(stack, prices, feedback, usages), *fixed]
    millions = {sender: feedback / MILLION for sender, feedback in SENDERS.items()}
    rows = []
    for name in _names([line for lines in bills.values() for line in lines]):
        costs = [
            sum(line.dollars for line in lines if line.name == name) / millions[sender]
            for sender, lines in bills.items()
        ]
        rows.append([name, *(f"{cost:.3f}" for cost in costs)])
    totals = {sender: sum(line.dollars for line in lines) / millions[sender] for sender, lines in bills.items()}
    rows.append(["in all", *(f"{total:.2f}" for total in totals.values())])
    notes = [table.goal(f"$ a million at {sender} a month", totals[sender], GOALS[sender]) for sender in SENDERS]
    for sender, lines in bills.items():
        if totals[sender] > GOALS[sender]:
            largest = sorted(lines, key=lambda line: -line.dollars)[:4]
            parts = ", ".join(f"{line.name} {line.dollars / millions[sender]:.2f}" for line in largest)
            notes.append(f"        largest lines at {sender}: {parts}")
    table.show(title, ("$ a million feedback", *(f"{sender} a month" for sender in SENDERS)), rows, notes)


def _show_fixed(stack: Stack, prices: Mapping[str, Any], metrics: int) -> None:
    lines = bill.price_fixed(stack, prices, metrics)
    left = bill.subtract_free(lines, prices["free"])
    rows = [[one.name, f"{one.dollars:.2f}", f"{other.dollars:.2f}"] for one, other in zip(lines, left, strict=True)]
    total, rest = (sum(line.dollars for line in each) for each in (lines, left))
    rows.append(["in all", f"{total:.2f}", f"{rest:.2f}"])
    header = ("$ a month, whatever comes", "list price", "in an account of its own")
    notes = [table.goal("$ a month, fixed", total, FIXED), table.goal("  after what is always free", rest, FIXED)]
    table.show("A small stack in use, with the template's defaults", header, rows, notes)


def _show_peers(stack: Stack, prices: Mapping[str, Any], usages: Usages) -> None:
    """Others that do less, each with the same topics, queues and prices."""

    def queued(usage: Usage) -> Callable[[float], float]:
        return lambda feedback: sum(
            line.dollars
            for line in bill.price_queued(stack, prices, feedback, bill.find_batch(stack, prices, feedback), usage)
        )

    months = float(stack.parameters["RetentionDays"]) / prices["time"]["days"]
    kept = usages.of_transactions().stored * months / bill.GB  # gigabytes for each feedback of a month
    peers: dict[str, Callable[[float], float]] = {
        "a function that puts an item for each event": queued(usages.of_puts()),
        "a transaction for each event": queued(usages.of_transactions()),
        "Postgres with workers": lambda feedback: bill.price_workers(prices, feedback, feedback * kept),
        "SES's Virtual Deliverability Manager": lambda feedback: bill.price_vdm(prices, feedback, EACH),
    }
    rows = [
        [name, *(f"{price(feedback) / feedback * MILLION:.2f}" for feedback in SENDERS.values())]
        for name, price in peers.items()
    ]
    table.show(
        "Others, by the same prices",
        ("$ a million feedback", *(f"{sender} a month" for sender in SENDERS)),
        rows,
        ["Without alarms, metrics and empty polls. None has an archive or suppressions; VDM is priced by messages."],
    )


def _show_usage(title: str, usages: Usages, sizes: Sequence[int]) -> None:
    header = ("one feedback, in batches of", *map(str, sizes))
    parts: dict[str, Callable[[Usage], str]] = {
        "write units": lambda usage: f"{usage.writes:.2f}",
        "read units": lambda usage: f"{usage.reads:.2f}",
        "calls of DynamoDB": lambda usage: f"{usage.calls:.2f}",
        "objects of the archive": lambda usage: f"{usage.puts:.3f}",
        "bytes in the archive": lambda usage: f"{usage.archived:.0f}",
        "bytes in the log": lambda usage: f"{usage.logged:.0f}",
        "bytes in tables and indexes": lambda usage: f"{usage.stored:.0f}",
        "CPU µs": lambda usage: f"{usage.cpu * 1e6:.0f}",
    }
    rows = [[name, *(show(usages.at(size)) for size in sizes)] for name, show in parts.items()]
    table.show(title, header, rows)


Measure = Callable[[Stack], Usages]


def read_advice() -> dict[str, dict[str, str]]:
    """Read from docs/large-senders.md which parameters it names for a sender of each size."""
    text = (ROOT / "docs" / "large-senders.md").read_text()
    blocks = re.findall(r"^### (\d+ [MG]) a month\n.*?^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {sender: tomllib.loads(block)["parameters"] for sender, block in blocks}


def _show_advice(
    advice: Mapping[str, Mapping[str, str]], stacks: Mapping[str, Stack], prices: Mapping[str, Any]
) -> None:
    names = list(dict.fromkeys(name for given in advice.values() for name in given))
    rows = [[name, *(str(advice[sender].get(name, "")) for sender in SENDERS)] for name in names]
    made = [each for each in stacks.values() if bill.find_outcomes(each).get("BillingMode") == "PROVISIONED"]
    peak = prices["load"]["peak"]
    notes = [
        f"A day's peak is {peak:.1f} times its mean: of a capacity with the target {bill.find_target(each):.0f} %, "
        f"{bill.find_use(bill.find_target(each) / 100, peak):.0%} is used."
        for each in made[:1]
    ]
    table.show("What docs/large-senders.md says for each size", ("parameter", *SENDERS), rows, notes)


def main() -> None:
    """Print what was measured, the bills, what stands still, and others."""
    if why := engines.lack("dynoxide"):
        print(f"money: not measured: {why}")
        return
    prices = read_prices()
    with engines.running("dynoxide") as engine, ThreadPoolExecutor(WORKERS) as pool:
        of_form = cache(partial(_make_usages, engine, pool))

        def measure(stack: Stack) -> Usages:
            return of_form(stack.parameters["LeanRows"] == "true", stack.parameters["Dashboard"] == "true")

        stack, gathered = bill.read_stack(TEMPLATE), bill.read_stack(TEMPLATE, MASS)
        usages, advice = measure(stack), read_advice()
        advised = {sender: bill.read_stack(TEMPLATE, given) for sender, given in advice.items()}
        _show_usage("What was measured", usages, (1, 10, 100, LARGE))
        _show_usage("The same with lean rows", of_form(True, False), (100, LARGE))
        title = f"{prices['region']}, list prices of {prices['date']}, no free tier"
        _show_bill(f"By topics and queues: {title}", dict.fromkeys(SENDERS, stack), prices, measure)
        _show_bill(
            f"The mass by Firehose, the rest by queues: {title}", dict.fromkeys(SENDERS, gathered), prices, measure
        )
        _show_advice(advice, advised, prices)
        _show_bill(f"With these parameters: {title}", advised, prices, measure)
        _show_fixed(stack, prices, usages.at(LARGE).metrics)
        _show_peers(stack, prices, usages)


def _make_usages(engine: Engine, pool: ThreadPoolExecutor, lean: bool, graphs: bool) -> Usages:
    return Usages(engine, pool, lean=lean, graphs=graphs)


if __name__ == "__main__":
    main()
