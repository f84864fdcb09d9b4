"""Receipts of SMPP a second: ours beside two ways that peers read them, on the same texts in one run.

The baselines are written here in the manner of two peers. One expression with every field in the order of appendix B,
as vumi has by default; and an expression for each field, searched one after the other, as Jasmin does. Neither makes
more of a receipt than its fields; ours is measured for the fields and for the whole way to a fact. The receipts are of
one form, which all can read, and no two are alike. Beside the speed stands how many other forms each of them reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from statistics import median
from typing import Final

from aftersend import classify
from aftersend.core.smsc import Smsc
from aftersend.sources import read
from aftersend.sources.smpp.receipt import read_receipt
from tests.bench import table
from tests.bench.parse import ROUNDS, Rounds, microseconds, ratio

BODIES: Final = 2_000  # a round

_WHOLE: Final = re.compile(
    r"id:(?P<id>\S{1,65}) +sub:(?P<sub>\S{1,3}) +dlvrd:(?P<dlvrd>\S{1,3}) +submit date:(?P<submitted>\d{1,12})"
    r" +done date:(?P<done>\d{1,12}) +stat:(?P<stat>[A-Z]{7}) +err:(?P<err>\S{1,3}) +[Tt]ext:(?P<text>.{0,20}).*"
)
_FIELDS: Final = tuple(
    re.compile(expression, re.IGNORECASE)
    for expression in (
        r"id:(?P<id>[\dA-Za-z_-]+)",
        r"sub:(?P<sub>\d{1,3})",
        r"dlvrd:(?P<dlvrd>\d{1,3})",
        r"submit date:(?P<submitted>\d+)",
        r"done date:(?P<done>\d+)",
        r"stat:(?P<stat>\w{7})",
        r"err:(?P<err>\w{1,3})",
        r"text:(?P<text>.*)",
    )
)
# Other forms: id, status and error that must come out of each.
FORMS: Final = (
    ("id:1 stat:DELIVRD", "1", "DELIVRD", ""),
    ("id:1 sub:001 dlvrd:001 submit date:2603021011 done date:2603021015 stat:DELIVRD err:000", "1", "DELIVRD", "000"),
    ("id:1sub:001dlvrd:001submit date:2603021011done date:2603021015stat:UNDELIVerr:000text:", "1", "UNDELIV", "000"),
    ("id:1 sub:001 dlvrd:001 submit_date:2603021011 done_date:2603021015 stat:UNDELIV err:1", "1", "UNDELIV", "1"),
    ("id:1 sub:1 dlvrd:1 submit date:0 done date:0 stat:DND_REJECTED err:12 text:", "1", "DND_REJECTED", "12"),
    ("id:1 sub:1 dlvrd:1 submit date:0 done date:0 stat:FAILED err:4101 text:", "1", "FAILED", "4101"),
    ("id:1 sub:null dlvrd:... submit date:0 done date:0 stat:EXPIRED err:0 text:", "1", "EXPIRED", "0"),
    ("stat:REJECTD err:009 id:7b1b6f6c-1d1f-4c0f", "7b1b6f6c-1d1f-4c0f", "REJECTD", "009"),
    ("id:1 submit date:0 done date:0 err: text: stat:DELIVRD", "1", "DELIVRD", ""),
    ("id:1 sub:001 dlvrd:000 submit date:0 done date:0 err:034 text:Hi id:2 stat:DELIVRD", "1", "", "034"),
)  # fmt: skip


def receipts(seed: int) -> list[bytes]:
    """Receipts of the form of appendix B, no two alike."""
    words = ("DELIVRD", "DELIVRD", "DELIVRD", "UNDELIV", "EXPIRED", "REJECTD")
    return [
        (
            f"id:{seed * BODIES + number:010} sub:001 dlvrd:001 submit date:26030210{number % 60:02}"
            f" done date:26030211{number % 60:02} stat:{words[number % 6]} err:{number % 256:03} text:Hello {number}"
        ).encode()
        for number in range(BODIES)
    ]


def read_by_one_expression(raw: bytes) -> dict[str, str]:
    """Read the fields by one expression."""
    found = _WHOLE.match(raw.decode())
    return found.groupdict() if found else {}


def read_by_expressions(raw: bytes) -> dict[str, str]:
    """Read each field by an expression of its own."""
    text, fields = raw.decode(), {}
    for expression in _FIELDS:
        if (found := expression.search(text)) is not None:
            fields.update(found.groupdict())
    return fields


def read_ours(raw: bytes) -> dict[str, str]:
    """Read the fields as the parser does."""
    found = read_receipt(raw.decode(), _ANYONE)
    return {"id": found.id, "stat": found.status, "err": found.error}


_ANYONE: Final = Smsc()
FIELDS: Final[dict[str, Callable[[bytes], dict[str, str]]]] = {
    "one expression, as vumi": read_by_one_expression,
    "one a field, as Jasmin": read_by_expressions,
    "ours, the fields": read_ours,
}


def count_forms(call: Callable[[bytes], dict[str, str]]) -> int:
    """Return how many of the other forms are read as they must be."""
    found = [(call(text.encode()), (name, status, error)) for text, name, status, error in FORMS]
    return sum((got.get("id", ""), got.get("stat", ""), got.get("err", "")) == wanted for got, wanted in found)


def measure() -> Rounds:
    """All of them on the same fresh receipts, in an order that turns with each round."""
    judge = classify.load()
    calls: dict[str, Callable[[bytes], object]] = {
        **FIELDS,
        "ours, to a fact": lambda raw: read("smpp", raw),
        "ours, to a verdict": lambda raw: [judge(fact) for fact in read("smpp", raw)],
    }
    rounds, names = [], list(calls)
    for number in range(ROUNDS):
        used, turn = receipts(number), number % len(names)
        rounds.append({name: microseconds(calls[name], used) for name in names[turn:] + names[:turn]})
    return rounds[1:]  # the first one warms up


def main() -> None:
    """Prints one table."""
    rounds = measure()
    rows = []
    for name in rounds[0]:
        took = median(each[name] for each in rounds)
        forms = f"{count_forms(FIELDS[name])} of {len(FORMS)}" if name in FIELDS else ""
        beside = f"{ratio(rounds, name, 'one a field, as Jasmin'):.2f}"
        rows.append([name, f"{took:.1f}", f"{1e6 / took:,.0f}", beside, forms])
    table.show(
        f"Receipts of SMPP (median of {ROUNDS - 1} rounds of {BODIES:,})",
        ["reader", "CPU µs", "a second", "beside Jasmin's", "other forms read"],
        rows,
        [
            "one expression, one a field: fields as a dictionary, in the manner of two peers, written here.",
            "to a fact: with time, message, evidence and the fact's identity; to a verdict: judged as well.",
        ],
    )


if __name__ == "__main__":
    main()
