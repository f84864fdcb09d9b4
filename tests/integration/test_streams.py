"""The streams of real engines: what our own writes tell, counted as badly as it is delivered, equals a recount."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core import policy, statistics
from aftersend.core.model import Act, Context, Decision, Evidence, Feedback, Kind, Outcome, Suppression
from aftersend.core.statistics import Gone, compare_rows, recount, sum_rows
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.streams import StreamWorker
from aftersend.storage import items
from aftersend.storage.deletions import Deletions
from aftersend.storage.statistics import StatisticsTable
from aftersend.storage.store import Store
from tests import engines
from tests.engines import Engine
from tests.support.facts import START, fact, fake_source, message
from tests.support.ports import NOW, ports
from tests.support.streams import NoParking

POLICY = policy.load('[streams]\n"*" = "all-mail"')
KINDS = [Kind.SENT, Kind.DELIVERED, Kind.DELIVERED, Kind.BOUNCED, Kind.OPENED, Kind.CLICKED, Kind.COMPLAINED]


def _facts(random: Random) -> list[Feedback]:
    found = []
    for number in random.choices(range(40), k=160):
        kind = random.choice(KINDS)
        code = random.choice(["hard", "soft", "block"])
        evidence = Evidence(provider_code=code, text="x" * random.choice([0, 900])) if kind is Kind.BOUNCED else None
        context = Context(sender=f"news@shop{number % 3}.example", correlation={"campaign": f"c{number % 4}"})
        found.append(
            fact(
                kind,
                message=f"test:{number}",
                recipient=f"email:user{number % 9}@{random.choice(['gmail.com', 'gmx.de', 'company.example'])}",
                occurred_at=START + timedelta(hours=random.randrange(72)),
                evidence=evidence,
                context=context,
            )
        )
    return found


@pytest.mark.engine
def test_counters_equal_a_recount_on_an_engine_s_own_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the one engine that takes as many actions in a transaction as AWS does: DynamoDB Local takes ten."""
    monkeypatch.setattr(statistics, "MAX_VALUES", 2)
    try:
        with engines.running("dynoxide") as engine:
            _count_on(engine)
    except engines.Unavailable as lack:
        pytest.skip(str(lack))


def _count_on(engine: Engine) -> None:
    random, client, tables = Random(7), engine.connect(), engine.streamed_tables()
    store = Store(client, tables, clock=lambda: NOW)
    table = StatisticsTable(client, engine.table("StatisticsTable"), lambda: NOW)
    worker = StreamWorker(tables.outcomes, table, NoParking(), POLICY.find_stream)
    seen: dict[str, dict[str, str]] = {tables.outcomes: {}, tables.suppressions: {}}
    facts = _facts(random)
    with fake_source():
        for start in range(0, len(facts), 40):
            bodies = [message([each], str(number)) for number, each in enumerate(facts[start : start + 40])]
            assert not ingest(bodies, ports(store, policy=POLICY)).failed
            if start == 40:
                _decide_and_erase(store, Deletions(client, tables), client, tables)
            for name, read in seen.items():
                for event in engine.read_stream(name, read):
                    _deliver(worker, event, random)
    outcomes, suppressions = _scan(client, tables.outcomes), _scan(client, tables.suppressions)
    rows: list[Outcome | Suppression] = [
        *map(items.decode_outcome, outcomes),
        *map(items.decode_suppression, suppressions),
    ]
    stored = dict(table.scan_rows())
    assert any("B" in item["feedback"] for item in outcomes), "some are packed"
    assert any(row.gone is Gone.ERASED for row in stored)
    assert compare_rows(stored, recount(stored, sum_rows(rows, POLICY.find_stream))) == []


def _decide_and_erase(store: Store, deletions: Deletions, client: Any, tables: Any) -> None:
    """A person releases one recipient; another is erased."""
    rows = [items.decode_suppression(item) for item in _scan(client, tables.suppressions)]
    release = Decision(at=NOW, by="a person", act=Act.RELEASED, force=True)
    steps = update_suppression(SuppressionUpdate(rows[0].key, decisions=(release,)), rows[0], POLICY)
    answer: Any = None
    try:
        while True:
            answer = store.answer(steps.send(answer))
    except StopIteration:
        pass
    for outcome in store.find_outcomes_of(rows[-1].recipient):
        deletions.delete_outcome(outcome.key)
    deletions.delete_suppression(replace(rows[-1]))


def _deliver(worker: StreamWorker, event: dict[str, Any], random: Random) -> None:
    """In parts, each of them twice, and at the end all of it once more."""
    records = event["Records"]
    while records:
        size = random.randint(1, 30)
        for _ in range(2):
            assert worker.run(event | {"Records": records[:size]}).failed is None
        records = records[size:]
    assert worker.run(event).failed is None


def _scan(client: Any, table: str) -> list[Any]:
    return list(client.scan(TableName=table, ConsistentRead=True)["Items"])
