"""How large outcomes are in both forms, and what it takes to read all of them: by how much was told of each message.

`python -m tests.bench rows`. Outcomes are made as `ingest` makes them of the feedback that other benches bring, and
measured as DynamoDB documents the size of an item; an export reads them as they were a moment ago, half a unit for
each 4 KB of a page.
"""

from __future__ import annotations

from statistics import fmean, median
from typing import Final

from aftersend import classify
from aftersend.core.model import Feedback
from aftersend.core.outcome import merge
from aftersend.sources import read
from aftersend.storage.items import encode_outcome
from tests.bench import table
from tests.bench.load import load
from tests.bench.money import read_prices
from tests.bench.running import RETENTION, make_raw, measure_item

EVENTS: Final = (1, 2, 3, 4, 6, 8, 12, 24)  # of each message
MESSAGES: Final = 400
MILLION: Final = 10**6
UNIT: Final = 4096  # bytes that half a unit reads, where it need not be how it is now


def measure(events: int) -> tuple[list[int], list[int]]:
    """The bytes of outcomes of so many events each: of plain items, and of lean ones."""
    rules = classify.load()
    brought = load(MESSAGES, events, "as sent", repeats=0)
    told: dict[tuple[str, str], list[Feedback]] = {}
    for record in (record for batch in brought.batches for record in make_raw(batch)):
        for fact in read("ses", record.body):
            told.setdefault((fact.recipient, fact.message), []).append(fact)
    outcomes = [merge(None, facts, rules) for facts in told.values()]
    plain, lean = (
        [measure_item(encode_outcome(each, RETENTION, as_lean=as_lean)) for each in outcomes]
        for as_lean in (False, True)
    )
    return plain, lean


def main() -> None:
    """Print both tables."""
    prices = read_prices()["dynamodb"]
    forms, reads = [], []
    for events in EVENTS:
        plain, lean = measure(events)
        forms.append(
            [
                str(events),
                f"{median(plain):.0f}",
                f"{median(lean):.0f}",
                f"{1 - fmean(lean) / fmean(plain):.0%}",
            ]
        )
        for name, sizes in (("plain", plain), ("lean", lean)):
            units = fmean(sizes) * MILLION / UNIT / 2
            reads.append([f"{events}, {name}", f"{units:,.0f}", f"{units * prices['reads'] / MILLION:.4f}"])
    table.show("Bytes of an outcome's item, medians", ("events of a message", "plain", "lean", "fewer"), forms)
    table.show(
        "Reading a million outcomes, for an export",
        ("events of a message, form", "read units", "$"),
        reads,
    )


if __name__ == "__main__":
    main()
