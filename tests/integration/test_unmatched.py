"""Texts that no rule knows, counted on real engines: each feedback once, up to a bound."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from os import getpid
from typing import Any

import pytest

from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.aws.tasks import run_calls
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Evidence, Feedback
from aftersend.storage.unmatched import MAX_SEEN, UnmatchedTexts
from tests.engines import Engine
from tests.support.clients import FakeDynamoDB
from tests.support.facts import bounce
from tests.support.ports import NOW

RETENTION = timedelta(days=30)
TEXT = "the frobnicator of {}@example.com has left the building"
_serial = count()


@pytest.fixture
def table(engine: Engine) -> str:
    name = f"Unqualified-{getpid()}-{next(_serial)}"
    engine.client().create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "digest", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "digest", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def _fact(number: int, text: str = TEXT) -> Feedback:
    return bounce(number / 24, evidence=Evidence(text=text.format(f"user{number}"), code=550))


def _count(texts: UnmatchedTexts, client: Any, fact: Feedback) -> None:
    run_calls(texts.count(fact, NOW), {"dynamodb": client})


def test_a_text_is_counted_once_for_each_feedback(engine: Engine, table: str) -> None:
    counted, client = UnmatchedTexts(table, RETENTION), engine.connect()
    facts = [_fact(1), _fact(2), _fact(3), _fact(4, "something else")]
    for fact in facts * 3:
        _count(counted, client, fact)
    items = engine.client().scan(TableName=table)["Items"]
    seen = sorted((sorted(item["seen"]["SS"]) for item in items), key=len)
    assert seen == [[facts[3].id], sorted(fact.id for fact in facts[:3])]
    assert {item["expires_at"]["N"] for item in items} == {str(int((NOW + RETENTION).timestamp()))}


class _Counted(FakeDynamoDB):
    """A client that counts its calls."""

    def __init__(self, client: Any) -> None:
        self._client, self.calls = client, 0

    def update_item(self, **request: Any) -> Any:
        self.calls += 1
        return self._client.update_item(**request)


def test_enough_is_enough_and_is_not_asked_about_again(engine: Engine, table: str) -> None:
    client = _Counted(engine.connect())
    counted = UnmatchedTexts(table, RETENTION)
    for number in range(MAX_SEEN + 5):
        _count(counted, client, _fact(number))
    [item] = engine.client().scan(TableName=table)["Items"]
    assert len(item["seen"]["SS"]) == MAX_SEEN
    if engine.name != "local":  # it does not hand back what is stored
        assert client.calls == MAX_SEEN + 1
    _count(counted, client, _fact(0, "something else"))
    assert len(engine.client().scan(TableName=table)["Items"]) == 2


def test_a_text_that_was_counted_already_is_not_taken_for_one_that_came_often(engine: Engine, table: str) -> None:
    counted, client = UnmatchedTexts(table, RETENTION), engine.connect()
    for number in (1, 1, 2):
        _count(counted, client, _fact(number))
    [item] = engine.client().scan(TableName=table)["Items"]
    assert len(item["seen"]["SS"]) == 2


@pytest.mark.parametrize("failure", [Refusal("ThrottlingException", {}), NoAnswer("TimeoutError")])
def test_a_table_that_does_not_take_it_is_ours(failure: CallFailed) -> None:
    class Broken(FakeDynamoDB):
        def update_item(self, **_request: Any) -> Any:
            raise failure

    with pytest.raises(StoreUnavailable, match=str(failure)):
        _count(UnmatchedTexts("T", RETENTION), Broken(), _fact(1))
