"""`POST /suppressions/check` on a real engine, beside one GetItem for each address.

The whole handler is measured, from the event of API Gateway to its answer, as a warm function has it: canonical
spelling, both scopes, the alias of who was erased, reasons. GetItem asks one key for each address and looks at nothing;
once one after the other, once with as many threads as the handler has. All use the same client, in turns. One in four
of the addresses is suppressed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median, quantiles
from typing import Any, Final

from aftersend.api import app
from aftersend.api.context import ApiContext
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Suppression
from aftersend.core.writes import Put
from aftersend.storage import items
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store
from aftersend.storage.versioned import build_get
from tests import engines
from tests.bench import table
from tests.engines import Engine
from tests.support.api import ARN, api_context, event
from tests.support.ports import NOW

SIZES: Final = {1: 400, 100: 60, 1000: 12}  # addresses of a question, and how often it is asked
WORKERS: Final = 16  # the template's Workers
PEOPLE: Final = 4000
GOAL: Final = 3.0  # times as fast as GetItem with the same threads, for a hundred and more

Contender = Callable[[Sequence[str]], object]


class Bench:
    """Everything on one engine."""

    def __init__(self, engine: Engine, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._client, self._tables = engine.connect(), engine.tables()
        store = Store(self._client, self._tables)
        self._context: ApiContext = api_context(
            store, tables=self._tables, queries=Queries(self._client, self._tables), pool=pool, incidents=list
        )
        ref = EvidenceRef(at=NOW, feedback="f" * 20, message="ses:0102", source="ses")
        hard = {CauseKind.HARD: Cause(first=ref, latest=ref)}
        list(
            pool.map(
                lambda each: store.answer(Put(Suppression(recipient=f"email:{each}", causes=hard, version=1))),
                [person(number) for number in range(0, PEOPLE, 4)],
            )
        )

    def check(self, addresses: Sequence[str]) -> int:
        """The handler."""
        asked = event("POST", "/suppressions/check", {"recipients": addresses}, by={"iam": {"userArn": ARN}})
        answer, _ = app.answer(asked, self._context)
        assert answer["statusCode"] == 200
        return str(answer["body"]).count('"suppressed":true')

    def gets(self, addresses: Sequence[str]) -> int:
        """GetItem after GetItem."""
        return sum(map(self._get, addresses))

    def gets_at_once(self, addresses: Sequence[str]) -> int:
        """GetItem with as many threads as the handler has."""
        return sum(self._pool.map(self._get, addresses))

    def _get(self, address: str) -> bool:
        request = build_get(self._tables.suppressions, items.build_suppression_key((f"email:{address}", "*")))
        return "Item" in self._client.get_item(**request)


def person(number: int) -> str:
    return f"person.{number}@example.com"


def measure(contenders: dict[str, Contender], size: int, times: int) -> dict[str, list[float]]:
    """Milliseconds of each question, in turns; the first ones warm up."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(times + 3):
        addresses = [person((turn * size + number) % PEOPLE) for number in range(size)]
        answers = set()
        for name, ask in contenders.items():
            before = time.perf_counter()
            answers.add(ask(addresses))
            taken[name].append((time.perf_counter() - before) * 1000)
        assert len(answers) == 1, "they do not agree on who is suppressed"
    return {name: found[3:] for name, found in taken.items()}


def main() -> None:
    """Print the table."""
    name = "dynoxide"
    if why := engines.lack(name):
        print(f"check: not measured: {why}")
        return
    rows, notes = [], []
    with engines.running(name) as engine, ThreadPoolExecutor(WORKERS) as pool:
        bench = Bench(engine, pool)
        contenders: dict[str, Contender] = {
            "check": bench.check,
            "GetItem each, one by one": bench.gets,
            "GetItem each, at once": bench.gets_at_once,
        }
        for size, times in SIZES.items():
            taken = measure(contenders, size, times)
            rows += [_row(size, each, found) for each, found in taken.items()]
            if size > 1:
                won = median(taken["GetItem each, at once"]) / median(taken["check"])
                notes.append(table.goal(f"{size} addresses: GetItem at once ÷ check", won, GOAL, least=True))
    header = ("asked", "addresses", "p50 ms", "p99 ms", "requests/s", "addresses/s")
    table.show(f"May I write to these addresses? On {name}, {WORKERS} threads, one caller", header, rows, notes)


def _row(size: int, name: str, taken: Sequence[float]) -> tuple[Any, ...]:
    mean = sum(taken) / len(taken)
    worst = quantiles(taken, n=100, method="inclusive")[98]
    return (
        name,
        str(size),
        f"{median(taken):.2f}",
        f"{worst:.2f}",
        f"{1000 / mean:.0f}",
        f"{1000 * size / mean:,.0f}",
    )


if __name__ == "__main__":
    main()
