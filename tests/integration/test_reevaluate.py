"""Re-evaluation on real engines: a table read in segments, and beside functions that process feedback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from aftersend.aws import boto
from aftersend.core import policy
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts, run_slice, split
from aftersend.storage import queries
from aftersend.storage.queries import Queries, build_recipient_scan
from aftersend.storage.store import Store, TableNames
from tests.engines import Engine
from tests.support.clients import FakeDynamoDB, service_error
from tests.support.facts import START, fact, fake_source, message
from tests.support.oracle import differences, expected, scanned
from tests.support.ports import NOW, Inline, ports
from tests.support.reevaluation import POLICIES, RULES

OLD, NEW = (POLICIES[1], RULES[0]), (POLICIES[0], RULES[1])


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _feedback(random: Random, count: int, recipients: int) -> list[Feedback]:
    kinds = [Kind.BOUNCED] * 5 + [Kind.DELIVERED, Kind.COMPLAINED, Kind.OPENED, Kind.UNSUBSCRIBED]
    return [
        fact(
            random.choice(kinds),
            recipient=f"email:{random.randrange(recipients)}@example.com",
            message=f"test:{random.randrange(40)}",  # so many that no outcome loses a fact to its bounds
            occurred_at=START + timedelta(hours=random.randrange(20 * 24)),
            evidence=Evidence(
                provider_code=random.choice(["soft", "hard", "full", "block", "listed"]), event_id=str(number)
            ),
            scope=random.choice([None, "news"]),
        )
        for number in range(count)
    ]


def _ingest(client: Any, names: TableNames, rules: Any, facts: list[Feedback]) -> None:
    store = Store(client, names, clock=lambda: NOW)
    report = ingest([message(facts)], ports(store, policy=rules[0], classify=rules[1]))
    assert not report.failed


def _ports(client: Any, names: TableNames) -> ReevaluationPorts:
    return ReevaluationPorts(
        store=Store(client, names, clock=lambda: NOW),
        queries=Queries(client, names),
        policy=NEW[0],
        classify=NEW[1],
        pool=Inline(),
        clock=lambda: NOW,
        digest_key=b"a test's key",
    )


def _run(client: Any, names: TableNames, segments: int, *, dry_run: bool = False) -> list[ReevaluationJob]:
    """Slice after slice of each segment, all segments side by side."""

    def whole(job: ReevaluationJob) -> ReevaluationJob:
        job = run_slice(job, used, lambda: 0.0)
        while job.after is not None:
            job = run_slice(job, used, lambda: 0.0)
        return job

    used = _ports(client, names)
    with ThreadPoolExecutor(segments) as functions:
        return list(functions.map(whole, split(ReevaluationJob(segments=segments, dry_run=dry_run), "run")))


@pytest.mark.parametrize("segments", [1, 3])
def test_a_scan_meets_every_recipient_once(engine: Engine, segments: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "SCAN_LIMIT", 7)
    client, names = engine.connect(), engine.tables()
    facts = _feedback(Random(1), 150, 30)
    _ingest(client, names, OLD, facts)
    reading = Queries(client, names)
    met: list[str] = []
    for segment in range(segments):
        after = None
        while True:
            page = reading.scan_recipients(segment, segments, after)
            met += [each for each in page.recipients if after is None or each != after[0]]
            after = page.after
            if after is None:
                break
    assert sorted(met) == sorted({each.recipient for each in facts})


def test_the_tables_equal_those_of_the_new_rules(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "SCAN_LIMIT", 11)
    client, names = engine.connect(), engine.tables()
    facts = _feedback(Random(2), 120, 12)
    _ingest(client, names, OLD, facts)
    before = scanned(engine.client(), names)
    dry = _run(client, names, 2 if engine.name != "moto" else 1, dry_run=True)
    assert scanned(engine.client(), names) == before
    wet = _run(client, names, 2 if engine.name != "moto" else 1)
    assert [each.changes for each in dry] == [each.changes for each in wet]
    assert not differences(scanned(engine.client(), names), expected(facts, NEW[1], NEW[0]))
    assert before != scanned(engine.client(), names)


def test_beside_functions_that_process_feedback(concurrent_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue: "safe beside running `process` functions": four of them, and a re-evaluation in three segments."""
    monkeypatch.setattr(queries, "SCAN_LIMIT", 5)
    client, names, random = concurrent_engine.connect(), concurrent_engine.tables(), Random(3)
    facts = _feedback(random, 400, 8)
    stored, coming = facts[:200], [facts[start : start + 4] for start in range(200, 400, 4)]
    _ingest(client, names, OLD, stored)
    with ThreadPoolExecutor(5) as functions:
        whole = functions.submit(_run, client, names, 3)
        done = [functions.submit(partial(_ingest, client, names, NEW, batch)) for batch in coming]
        whole.result()
        for each in done:
            each.result()
    # Whoever had no outcome yet when the scan came by was stored under the new rules; the others were brought to them.
    found = differences(scanned(concurrent_engine.client(), names), expected(facts, NEW[1], NEW[0]))
    assert not found, "\n".join(found)


def test_a_table_that_does_not_answer_is_ours() -> None:
    class Refusing(FakeDynamoDB):
        def scan(self, **_: Any) -> Any:
            raise service_error("ProvisionedThroughputExceededException")

    with pytest.raises(StoreUnavailable, match="Scan failed: Provisioned"):
        Queries(Refusing(), TableNames(outcomes="o", suppressions="s")).scan_recipients(0, 1, None)


def test_a_scan_reads_the_present_and_no_more_than_it_needs() -> None:
    request = build_recipient_scan("o", 2, 4, ("email:a@example.com", "ses:1"))
    assert request["ConsistentRead"] is True
    assert (request["Segment"], request["TotalSegments"]) == (2, 4)
    assert request["ProjectionExpression"] == "recipient"
    assert request["ExclusiveStartKey"] == {"recipient": {"S": "email:a@example.com"}, "message": {"S": "ses:1"}}
    assert "ExclusiveStartKey" not in build_recipient_scan("o", 2, 4, None)


def test_boto3_knows_how_to_scan(engine: Engine) -> None:
    """What is read here with our own client is read with boto3's behind the same seam."""
    names = engine.tables()
    adapted = boto.adapt_client(engine.client(), "dynamodb")
    _ingest(adapted, names, OLD, _feedback(Random(4), 9, 3))
    assert Queries(adapted, names).scan_recipients(0, 1, None).recipients
    assert policy.load() != NEW[0]
