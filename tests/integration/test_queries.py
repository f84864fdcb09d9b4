"""The queries of indexes and partitions, on every DynamoDB engine; the memory of other tests answers like them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Class, Context, Feedback, Kind, Outcome, Reason, Status, Suppression
from aftersend.core.outcome import merge
from aftersend.core.writes import Put
from aftersend.ingest import ingest
from aftersend.storage.items import encode_outcome, find_shard
from aftersend.storage.listing import ListedOutcome, list_partitions
from aftersend.storage.queries import Page, Queries
from aftersend.storage.store import Store, TableNames
from tests.engines import Engine
from tests.support.api import TABLES, MemoryQueries
from tests.support.clients import FakeDynamoDB, Watched, service_error
from tests.support.facts import ANN, BOB, START, bounce, classify, fact, fake_source, message
from tests.support.ports import NOW, MemoryStore, ports

BUYERS = ("email:carl@example.com", "email:dora@example.com")
ORDER = {"order": "42", "tag": "shop"}
FIND_BY = ("X-Notify-Message-ID", "Order")
FACTS = (
    bounce(1, "hard"),
    fact(Kind.CLICKED, 3, message="test:2"),
    bounce(2, "unclear", "test:3", recipient=BOB),
    bounce(2.5, "unclear", "test:3"),
    bounce(4, "large", "test:4", recipient=BOB),
    fact(Kind.COMPLAINED, 1.5, message="test:5", recipient=BOB),
    fact(Kind.UNSUBSCRIBED, 1.2, message="test:6", recipient=BOB, scope="news"),
    *(fact(Kind.SENT, 5, message="test:7", recipient=each, context=Context(correlation=ORDER)) for each in BUYERS),
)


@pytest.fixture
def queries(engine: Engine) -> Queries:
    """Queries over tables that FACTS came into."""
    return over(engine.connect(), engine.tables())


def over(client: Any, tables: TableNames) -> Queries:
    fill(Store(client, replace(tables, find_by=FIND_BY), clock=lambda: NOW))
    return Queries(client, tables)


def in_memory() -> Queries:
    store = MemoryStore(FIND_BY)
    fill(store)
    return Queries(MemoryQueries(store), TABLES)


def fill(store: Any) -> None:
    with fake_source():
        report = ingest([message([each], str(number)) for number, each in enumerate(FACTS)], ports(store))
    assert not report.failed


def read(queries: Queries) -> list[Any]:
    """Everything that can be asked, a page at a time."""

    def all_of(ask: Any, first: str, limit: int) -> list[Any]:
        found: list[Any] = []
        page: Page[Any] = ask(first, limit)
        while True:
            assert len(page.found) <= limit
            found += page.found
            if page.last is None:
                return found
            page = ask(first, limit, page.last)

    days = [f"2026-03-0{day}" for day in range(1, 9)]
    return [
        *[all_of(queries.find_suppressed_on, day, limit) for day in days for limit in (1, 2, 50)],
        *[all_of(queries.find_recipients_of, f"test:{number}", limit) for number in range(8) for limit in (1, 50)],
        *[all_of(queries.find_outcomes_by_identifier, each, 1) for each in ("order:42", "order:43", "tag:shop")],
        *[all_of(queries.find_outcomes_to_review, why, 1) for why in ("undetermined", "content", "contradicted")],
        all_of(queries.find_suppressions_to_review, "contradicted", 1),
        *[
            sorted(queries.find_suppressions_of(name), key=lambda each: each.scope)
            for name in (ANN, BOB, "email:x@y.z")
        ],
        *[sorted(queries.find_lines_of(name), key=lambda each: each.message) for name in (ANN, BOB, "email:x@y.z")],
    ]


def test_the_memory_answers_as_an_engine_does(queries: Queries) -> None:
    assert read(queries) == read(in_memory())


def test_a_day_has_its_suppressions_the_newest_first(queries: Queries) -> None:
    found = queries.find_suppressed_on("2026-03-02", 50).found
    assert [(each.recipient, each.scope) for each in found] == [(BOB, "*"), (BOB, "news"), (ANN, "*")]
    assert queries.find_suppressed_on("2026-03-09", 50).found == []


def test_a_message_has_its_recipients(queries: Queries) -> None:
    assert sorted(queries.find_recipients_of("test:3", 50).found) == [(ANN, "test:3"), (BOB, "test:3")]
    first = queries.find_recipients_of("test:3", 1)
    assert len(first.found) == 1 and first.last is not None
    assert (
        first.found + queries.find_recipients_of("test:3", 1, first.last).found
        == queries.find_recipients_of("test:3", 9).found
    )


def test_a_message_is_found_by_an_identifier_of_its_sender(queries: Queries) -> None:
    assert sorted(queries.find_outcomes_by_identifier("order:42", 50).found) == [(each, "test:7") for each in BUYERS]
    assert queries.find_outcomes_by_identifier("tag:shop", 50).found == []  # the policy does not name it


def test_what_that_costs(concurrent_engine: Engine) -> None:
    """One write unit for each outcome that can be found so, once, however much is heard of it; nothing for others."""
    tables, client = concurrent_engine.tables(), concurrent_engine.client()
    sent = fact(Kind.SENT, 1, message="test:9", context=Context(correlation=ORDER))
    heard = [sent, fact(Kind.DELIVERED, 2, message="test:9"), fact(Kind.OPENED, 3, message="test:9")]

    def write(count: int, find_by: tuple[str, ...]) -> float:
        item = encode_outcome(merge(None, heard[:count], classify), timedelta(days=180), find_by)
        answer: Any = client.put_item(TableName=tables.outcomes, Item=item, ReturnConsumedCapacity="INDEXES")
        indexes = answer["ConsumedCapacity"].get("GlobalSecondaryIndexes", {})
        return float(indexes.get("by_identifier", {"CapacityUnits": 0})["CapacityUnits"])

    assert [write(count, ()) for count in (1, 2, 3)] == [0, 0, 0]
    assert [write(count, FIND_BY) for count in (1, 2, 3)] == [1, 0, 0]


def test_what_went_wrong_is_found_by_day_and_status(engine: Engine) -> None:
    client, tables = engine.connect(), engine.tables()
    store, queries = Store(client, tables, clock=lambda: NOW), Queries(client, tables)
    refused = [bounce(1 + number / 10, "hard", f"test:{number}", recipient=BOB) for number in range(5)]
    for each in [*refused, fact(Kind.DELIVERED, 1, message="test:6"), fact(Kind.DEFERRED, 1, "soft", message="test:7")]:
        assert store.answer(Put(replace(merge(None, [each], classify), version=1))) is None

    def ask(status: Status, low: str = "0", high: str = "~", limit: int = 9) -> list[ListedOutcome]:
        names = list_partitions(START.date() + timedelta(days=1), (status,), unproven=False)
        pages = [queries.find_listed(name, low, high, limit) for name in names]
        return sorted((row for page in pages for row in page.found), key=lambda row: row.place, reverse=True)

    found = ask(Status.BOUNCED)
    assert [row.key for row in found] == [(BOB, f"test:{number}") for number in (4, 3, 2, 1, 0)]
    assert {(row.status, row.source, row.system, row.klass, row.reason) for row in found} == {
        (Status.BOUNCED, "test", "other", Class.HARD, Reason.USER_UNKNOWN)
    }
    assert [row.at for row in found] == [START + timedelta(days=1 + number / 10) for number in (4, 3, 2, 1, 0)]
    assert ask(Status.BOUNCED, low=found[2].place, high=found[1].place) == found[1:3]
    assert [row.key for row in ask(Status.DEFERRED)] == [(ANN, "test:7")]
    assert ask(Status.COMPLAINED) == []


def test_what_listing_costs(concurrent_engine: Engine) -> None:
    """One unit to enter the index and one to leave it, and nothing for all that is heard besides."""
    tables, client = concurrent_engine.tables(), concurrent_engine.client()

    def write(*heard: Feedback) -> float:
        item = encode_outcome(merge(None, heard, classify), timedelta(days=180))
        answer: Any = client.put_item(TableName=tables.outcomes, Item=item, ReturnConsumedCapacity="INDEXES")
        indexes = answer["ConsumedCapacity"].get("GlobalSecondaryIndexes", {})
        return float(indexes.get("by_trouble", {"CapacityUnits": 0})["CapacityUnits"])

    sent, waits, late = fact(Kind.SENT, 0), fact(Kind.DEFERRED, 1, "soft"), fact(Kind.DELIVERED, 2)
    assert [write(sent), write(sent, waits), write(sent, waits, fact(Kind.DEFERRED, 1.5, "soft"))] == [0, 1, 0]
    assert [write(sent, waits, late), write(sent, waits, late, fact(Kind.OPENED, 3))] == [1, 0]
    refused = bounce(4, "hard")
    assert [write(sent, refused), write(sent, refused, fact(Kind.CLICKED, 5)), write(sent, late)] == [1, 0, 1]


VALIDITY = {"test": 48}


def test_what_is_due_stands_in_an_index_until_something_is_heard(engine: Engine) -> None:
    client, tables = engine.connect(), engine.tables()
    store, queries = Store(client, tables, clock=lambda: NOW), Queries(client, tables)
    waiting = [fact(Kind.SENT, day, message=f"test:{day}") for day in (3, 1, 2)]
    for each in [*waiting, fact(Kind.SENT, 1, message="test:8"), fact(Kind.SENT, 1, message="test:9")]:
        heard = [each, fact(Kind.DELIVERED, 2, message="test:9")][: 1 + (each.message == "test:9")]
        validity = {} if each.message == "test:8" else VALIDITY
        outcome = replace(merge(None, heard, classify, validity=validity), version=1)
        assert store.answer(Put(outcome)) is None
    by, shard = START + timedelta(days=4), find_shard(ANN)
    first = queries.find_due_outcomes(shard, by, 1)
    assert first.found == [(ANN, "test:1")] and first.last is not None
    assert queries.find_due_outcomes(shard, by, 9, first.last).found == [(ANN, "test:2")]
    assert queries.find_due_outcomes(shard, by + timedelta(days=9), 9).found == [
        (ANN, f"test:{day}") for day in (1, 2, 3)
    ]
    assert queries.find_due_outcomes("0" if shard != "0" else "1", NOW, 9).found == []


def test_what_waiting_costs(concurrent_engine: Engine) -> None:
    """A write unit when a message is first heard of, and one when it waits no longer; nothing without a validity."""
    tables, client = concurrent_engine.tables(), concurrent_engine.client()
    heard = [fact(Kind.SENT, 1, message="test:9"), fact(Kind.DEFERRED, 1.1, message="test:9")]
    heard += [fact(Kind.DELIVERED, 2, message="test:9"), fact(Kind.OPENED, 3, message="test:9")]

    def write(count: int, validity: Mapping[str, int]) -> float:
        item = encode_outcome(merge(None, heard[:count], classify, validity=validity), timedelta(days=180))
        answer: Any = client.put_item(TableName=tables.outcomes, Item=item, ReturnConsumedCapacity="INDEXES")
        indexes = answer["ConsumedCapacity"].get("GlobalSecondaryIndexes", {})
        return float(indexes.get("by_due", {"CapacityUnits": 0})["CapacityUnits"])

    assert [write(count, {}) for count in (1, 2, 3, 4)] == [0, 0, 0, 0]
    assert [write(count, VALIDITY) for count in (1, 2, 3, 4)] == [1, 0, 1, 0]


def test_what_a_person_should_look_at_the_newest_first(queries: Queries) -> None:
    assert queries.find_outcomes_to_review("undetermined", 50).found == [(ANN, "test:3"), (BOB, "test:3")]
    assert queries.find_outcomes_to_review("content", 50).found == [(BOB, "test:4")]
    assert queries.find_suppressions_to_review("contradicted", 50).found == [(ANN, "*")]


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_reviews_stand_in_parts_and_are_listed_as_one(engine: Engine, limit: int) -> None:
    """Several of one time, and all of them written at once: each is on one page, the newest first."""
    client, tables = engine.connect(), engine.tables()
    refused = [bounce(number // 3, "unclear", recipient=f"email:p{number}@example.com") for number in range(30)]
    for each in refused:
        item = encode_outcome(merge(None, [each], classify), timedelta(days=180))
        client.put_item(TableName=tables.outcomes, Item=item)
    queries, found, after = Queries(client, tables), list[Any](), None
    while True:
        page = queries.find_outcomes_to_review("undetermined", limit, after)
        assert len(page.found) <= limit
        found += page.found
        after = page.last
        if after is None:
            break
    assert sorted(found) == sorted((each.recipient, each.message) for each in refused)
    times = {each.recipient: each.occurred_at for each in refused}
    assert [times[who] for who, _ in found] == sorted(times.values(), reverse=True)
    parts = {row["review"]["S"] for row in client.scan(TableName=tables.outcomes)["Items"]}
    assert parts == {f"undetermined/{part}" for part in range(4)}


def test_what_is_resolved_leaves_the_index(engine: Engine) -> None:
    client, tables = engine.connect(), engine.tables()
    queries = over(client, tables)
    store = Store(client, tables, clock=lambda: NOW)
    (before,) = store.get_suppressions([(ANN, "*")]).values()
    assert store.answer(Put(Suppression(recipient=ANN, causes={}, version=before.version + 1))) is None
    assert queries.find_suppressions_to_review("contradicted", 50).found == []
    assert ANN not in {each.recipient for each in queries.find_suppressed_on("2026-03-02", 50).found}


def test_lines_are_outcomes_without_their_feedback(queries: Queries) -> None:
    lines = {each.message: each for each in queries.find_lines_of(ANN)}
    assert lines.keys() == {"test:1", "test:2", "test:3"}
    assert (lines["test:1"].status, lines["test:1"].rule) == (Status.BOUNCED, "test.hard")
    assert lines["test:2"].engaged_at == lines["test:2"].last_at
    assert (lines["test:2"].clicks, lines["test:2"].reason) == (1, None)
    assert lines["test:3"].review == "undetermined"


def test_a_partition_that_takes_several_pages_is_read_to_its_end() -> None:
    """DynamoDB ends a page at 1 MB; this one ends it after each item."""
    store = MemoryStore()
    fill(store)
    inner = MemoryQueries(store)

    class Short(FakeDynamoDB):
        def query(self, **request: Any) -> Any:
            return inner.query(**(request | {"Limit": 1}))

    queries = Queries(Short(), TABLES)
    assert queries.find_lines_of(BOB) == in_memory().find_lines_of(BOB)
    assert queries.find_suppressions_of(BOB) == in_memory().find_suppressions_of(BOB)
    assert len(queries.find_lines_of(BOB)) == 4


def test_an_engine_that_refuses_is_unavailable_and_quotes_no_address() -> None:
    client = Watched(None, lambda *_: service_error("ProvisionedThroughputExceededException"))
    for ask in (Queries(client, TABLES).find_lines_of, Queries(client, TABLES).find_suppressions_of):
        with pytest.raises(StoreUnavailable) as refused:
            ask(ANN)
        assert "ann@" not in str(refused.value)


def test_every_attribute_that_a_line_reads_is_asked_for() -> None:
    """An outcome with everything that a line shows, through the projection."""
    store = MemoryStore()
    full = Outcome(
        message="test:1",
        recipient=ANN,
        feedback=(bounce(1, "hard"),),
        status=Status.COMPLAINED,
        decided_by=bounce(1, "hard").id,
        first_at=NOW,
        last_at=NOW,
        delivered_at=NOW,
        bounced_at=NOW,
        complained_at=NOW,
        engaged_at=NOW + timedelta(days=1),
        opens=2,
        clicks=3,
        auto_replied=True,
        review="content",
        version=1,
    )
    store.answer(Put(full))
    asked: dict[str, Any] = {}

    class Projecting(FakeDynamoDB):
        def query(self, **request: Any) -> Any:
            asked.update(request)
            names = [request["ExpressionAttributeNames"][each] for each in request["ProjectionExpression"].split(",")]
            (item,) = MemoryQueries(store).query(**request)["Items"]
            return {"Items": [{name: item[name] for name in names if name in item}]}

    (line,) = Queries(Projecting(), TABLES).find_lines_of(ANN)
    assert asked["ConsistentRead"] is True
    for name in ("status", "delivered_at", "complained_at", "engaged_at", "opens", "clicks", "auto_replied", "review"):
        assert getattr(line, name) == getattr(full, name)
