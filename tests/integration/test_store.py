"""The store on real engines: moto, dynoxide and Amazon's DynamoDB Local must all keep what DynamoDB promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core.model import Cause, CauseKind, Context, EvidenceRef, Kind, Outcome, Suppression
from aftersend.core.outcome import merge
from aftersend.core.writes import Put, ReadOutcomes, Refused
from aftersend.ingest import ingest
from aftersend.storage.store import Store, TableNames
from tests.engines import Engine
from tests.support.clients import Sparing, Watched, service_error
from tests.support.facts import ANN, BOB, START, bounce, classify, fact, fake_source, message
from tests.support.ports import NOW, ports

REF = EvidenceRef(at=START, feedback="f", message="test:1", source="test")
HARD = {CauseKind.HARD: Cause(first=REF, latest=REF)}


@pytest.fixture(autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


@pytest.fixture
def names(engine: Engine) -> TableNames:
    return engine.tables()


@pytest.fixture
def client(engine: Engine) -> Watched:
    return Watched(engine.connect())


@pytest.fixture
def store(client: Watched, names: TableNames) -> Store:
    return Store(client, names, clock=lambda: NOW)


def _outcome(*days: float, version: int = 1, **others: Any) -> Outcome:
    facts = [fact(Kind.DELIVERED, day, **others) for day in days]
    return replace(merge(None, facts, classify), version=version)


def test_what_was_put_is_read(store: Store) -> None:
    outcome, suppression = _outcome(1), Suppression(recipient=ANN, causes=HARD, version=1)
    assert store.put(outcome) is None
    assert store.put(suppression) is None
    assert store.get_outcomes([outcome.key, (BOB, "test:1")]) == {outcome.key: outcome}
    assert store.get_suppressions([suppression.key, (BOB, "*")]) == {suppression.key: suppression}
    assert store.answer(ReadOutcomes(ANN)) == [outcome]
    assert store.get_suppressions([(ANN, "*")]).get((ANN, "*")) == suppression
    assert store.answer(ReadOutcomes(BOB)) == []


@pytest.mark.parametrize(
    "first",
    [_outcome(1), Suppression(recipient=ANN, causes=HARD, version=1)],
    ids=["outcome", "suppression"],
)
def test_only_the_next_version_is_put(store: Store, first: Outcome | Suppression) -> None:
    """Design §5: conditional writes. A refusal gives what is stored, whether the engine hands it back or not."""
    second = replace(first, version=2)
    assert store.answer(Put(second)) == Refused(None), "there is no first yet"
    assert store.answer(Put(first)) is None
    assert store.answer(Put(first)) == Refused(first), "there is a first already"
    assert store.answer(Put(replace(first, version=3))) == Refused(first), "the second is left out"
    assert store.answer(Put(second)) is None
    assert store.answer(Put(second)) == Refused(second)


def test_an_item_of_every_kind_of_attribute_is_read_as_it_was_put(store: Store) -> None:
    facts = [fact(Kind.OPENED, number / 24) for number in range(40)]
    facts += [bounce(1, "hard", context=None), fact(Kind.AUTO_REPLIED, 2)]
    changes = {"correlation": {"x-order": "7", "empty?": "-"}, "sender": "news@example.com", "subject": 'Hé "llo" 🎉'}
    outcome = merge(None, facts, classify)
    outcome = replace(outcome, context=replace(outcome.context, **changes), version=1)
    assert store.put(outcome) is None
    assert store.get_outcomes([outcome.key]) == {outcome.key: outcome}


def test_a_hundred_keys_are_read_at_once(store: Store, client: Watched) -> None:
    outcomes = [_outcome(1, message=f"test:{number}") for number in range(60)]
    for outcome in outcomes:
        store.put(outcome)
    keys = [outcome.key for outcome in outcomes] + [(BOB, f"test:{number}") for number in range(40)]
    assert store.get_outcomes(keys) == {outcome.key: outcome for outcome in outcomes}
    assert client.calls["batch_get_item"] == 1


@pytest.mark.parametrize("rounds", [1, 3])
def test_keys_that_were_left_unprocessed_are_asked_for_again(engine: Engine, names: TableNames, rounds: int) -> None:
    store = Store(Sparing(engine.connect(), rounds), names)
    outcomes = [_outcome(1, message=f"test:{number}") for number in range(9)]
    for outcome in outcomes:
        store.put(outcome)
    assert store.get_outcomes([outcome.key for outcome in outcomes]) == {outcome.key: outcome for outcome in outcomes}


def test_all_pages_of_a_recipients_outcomes_are_read(store: Store, client: Watched) -> None:
    """A query answers with 1 MB at most: what lies beyond is on further pages."""
    large = Context(correlation={f"x-{number}": "x" * 400 for number in range(16)})
    for number in range(200):
        outcome = merge(None, [bounce(1, message=f"test:{number}", context=large)], classify)
        assert store.put(replace(outcome, version=1)) is None
    found = store.find_outcomes_of(ANN)
    assert len({outcome.key for outcome in found}) == len(found) == 200
    assert client.calls["query"] > 1


def test_what_adds_nothing_is_not_written(engine: Engine, names: TableNames, client: Watched) -> None:
    """Issue: "no write where nothing changed"."""
    used = ports(Store(client, names, clock=lambda: NOW))
    batch = [message([bounce(1, "hard"), fact(Kind.DELIVERED, 2), fact(Kind.UNSUBSCRIBED, 3, scope="news")])]
    ingest(batch, used)
    assert client.calls["put_item"] == 1 + 2 + 1  # the outcome, the hard bounce and who is alive, the stream
    ingest(batch, used)
    ingest(batch * 5, used)
    assert client.calls["put_item"] == 4


def test_one_failed_key_fails_only_the_messages_that_touch_it(engine: Engine, names: TableNames) -> None:
    """Design §5: "one failed key fails only the records that touch it"."""

    def fault(name: str, request: dict[str, Any]) -> Exception | None:
        touched = name == "put_item" and request["Item"]["recipient"]["S"] == BOB
        return service_error("ThrottlingException") if touched else None

    bad = Watched(engine.connect(), fault)
    bodies = [
        message([bounce(1, "hard")], "ann"),
        message([bounce(1, "hard", recipient=BOB)], "bob"),
        message([bounce(1, message="test:2"), bounce(1, message="test:2", recipient=BOB)], "both"),
    ]
    report = ingest(bodies, ports(Store(bad, names, clock=lambda: NOW)))
    assert sorted(report.failed) == ["bob", "both"]
    store = Store(engine.connect(), names, clock=lambda: NOW)
    assert [outcome.key for outcome in store.find_outcomes_of(ANN)] == [(ANN, "test:1"), (ANN, "test:2")]
    assert not store.find_outcomes_of(BOB)
    again = ingest(bodies, ports(store))
    assert not again.failed
    assert len(store.find_outcomes_of(BOB)) == 2


@pytest.mark.parametrize("operation", ["batch_get_item", "put_item", "query"])
@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalServerError"])
def test_a_table_that_is_too_busy_gives_the_messages_back(
    engine: Engine, names: TableNames, operation: str, code: str
) -> None:
    """Design §2: "A store that does not answer is *ours*: the record is reported as a batch item failure"."""
    busy = Watched(engine.connect(), lambda name, _: service_error(code) if name == operation else None)
    report = ingest([message([bounce(1)], "m1")], ports(Store(busy, names, clock=lambda: NOW)))
    assert list(report.failed) == ["m1"]
    assert code in report.failed["m1"]
    store = Store(engine.connect(), names, clock=lambda: NOW)
    assert not ingest([message([bounce(1)], "m1")], ports(store)).failed


def test_the_indexes_of_the_template_find_what_they_are_for(engine: Engine, names: TableNames, store: Store) -> None:
    """Design §5: `by_message`, keys only; `by_day`, sparse."""
    ingest([message([bounce(1, "hard"), fact(Kind.DELIVERED, 1, recipient=BOB)])], ports(store))
    store.put(Suppression(recipient=BOB, released_at=NOW, version=1))
    found = engine.client().query(
        TableName=names.outcomes,
        IndexName="by_message",
        KeyConditionExpression="message = :message",
        ExpressionAttributeValues={":message": {"S": "test:1"}},
    )["Items"]
    assert sorted(item["recipient"]["S"] for item in found) == [ANN, BOB]
    assert set(found[0]) == {"recipient", "message"}
    days = engine.client().scan(TableName=names.suppressions, IndexName="by_day")["Items"]
    assert [(item["recipient"]["S"], item["day"]["S"][:11]) for item in days] == [(ANN, "2026-03-02/")]


def test_a_pool_of_threads_works_a_batch_of_many_keys(concurrent_engine: Engine) -> None:
    """Design §5: "A batch reads its keys with BatchGetItem …, writes concurrently". More keys than one read takes."""
    facts = [bounce(1, "hard", f"test:{number}", recipient=f"email:{number}@example.com") for number in range(130)]
    client = Watched(concurrent_engine.connect())
    store = Store(client, concurrent_engine.tables(), clock=lambda: NOW)
    with ThreadPoolExecutor(8) as pool:
        report = ingest([message([each], each.message) for each in facts], ports(store, pool=pool))
    assert not report.failed
    # Besides 4 reads of many keys: whoever stores a hard bounce announces it, reads once whether a later delivery
    # contradicts it, writes that down, and looks at its own outcome again.
    assert client.calls == {"batch_get_item": 4 + 130, "put_item": 3 * 130, "query": 130}
    keys = [(each.recipient, "*") for each in facts[:100]]
    assert store.get_suppressions(keys).keys() == set(keys)
