"""Lean rows and plain ones are the same outcome: the same tables, the same answers, and either is read always."""

from __future__ import annotations

import base64
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend import classify
from aftersend.core.errors import Unreadable
from aftersend.core.model import Outcome
from aftersend.core.outcome import merge
from aftersend.core.streaks import find_bounce
from aftersend.ingest import ingest
from aftersend.sources import read
from aftersend.storage import items, lean
from aftersend.storage.items import decode_bounce, decode_outcome, encode_outcome
from aftersend.storage.packing import measure_item
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store, TableNames
from tests import engines
from tests.engines import Engine
from tests.support import ses
from tests.support.oracle import differences, expected, stored
from tests.support.ports import NOW, RETENTION, MemoryStore, ports
from tests.support.strategies import SHORT, deliveries

_KEEP = {
    "recipient",
    "message",
    "status",
    "class",
    "reason",
    "version",
    "expires_at",
    "review",
    "review_at",
    "last_at",
    "schema",
}
_INDEXED = {"bounce", "bounce_ref", "identifier", "waiting", "due_at", "rule", "listed", "listed_at", "sender"}


@lru_cache(maxsize=1)
def _rules() -> classify.Classifier:
    return classify.load()


def _fold(bodies: list[bytes]) -> list[Outcome]:
    by_key: dict[Any, list[Any]] = {}
    for fact in (fact for body in bodies for fact in read("ses", body)):
        by_key.setdefault(fact.key, []).append(fact)
    return [merge(None, facts, _rules(), validity={"ses": 72}) for facts in by_key.values()]


@settings(max_examples=60)
@given(st.lists(ses.bodies(), min_size=1, max_size=8))
def test_either_form_is_read_as_what_was_written(bodies: list[bytes]) -> None:
    for outcome in _fold(bodies):
        plain, row = (encode_outcome(outcome, RETENTION, ("campaign",), as_lean=each) for each in (False, True))
        assert decode_outcome(row) == decode_outcome(plain) == outcome
        assert measure_item(row) <= measure_item(plain)
        if lean.REST in row:
            assert row.keys() - {lean.REST} <= _KEEP | _INDEXED
            whole = encode_outcome(outcome, timedelta(days=36_500), ("campaign",))  # every plain attribute is there
            assert {**lean.unpack_row(row), "schema": 1}.keys() == {**whole, "feedback": 1}.keys()
        if find_bounce(outcome) is not None:
            assert decode_bounce(row) == decode_bounce(plain)


class LeanStore(MemoryStore):
    """Writes lean rows, or in turns."""

    def __init__(self, *, mixed: bool) -> None:
        super().__init__()
        self._mixed = mixed

    def _put(self, item: Any) -> Any:
        refused = super()._put(item)
        if refused is None and isinstance(item, Outcome) and (self.puts % 2 or not self._mixed):
            self.outcomes_table[item.key] = encode_outcome(item, RETENTION, as_lean=True)
        return refused


@settings(max_examples=40)
@given(st.lists(ses.bodies(), min_size=1, max_size=8), st.booleans(), st.data())
def test_both_forms_give_the_same_tables(bodies: list[bytes], mixed: bool, data: st.DataObject) -> None:
    """Laws 1 to 3, whichever form an item had when it was read: functions of two settings may work at once."""
    store = LeanStore(mixed=mixed)
    for batch in data.draw(deliveries(bodies)):
        messages = [ses.message(body, str(number)) for number, body in enumerate(batch)]
        assert not ingest(messages, ports(store, policy=SHORT, classify=_rules())).unfinished
    facts = [fact for body in bodies for fact in read("ses", body)]
    assert not differences(stored(store), expected(facts, _rules(), SHORT))


LIFE = [ses.event("Send", {}), ses.delivery("2026-03-02T10:00:00.000Z"), ses.seen("Open", "2026-03-02T11:00:00.000Z")]
REFUSED = [ses.event("Send", {}, number=2), ses.bounce("2026-03-02T10:00:00.000Z", said=ses.UNKNOWN_USER, number=2)]


@pytest.fixture(scope="module")
def moto() -> Any:
    with engines.running("moto") as engine:
        yield engine


def test_questions_have_the_same_answers(moto: Engine) -> None:
    answers = []
    for as_lean in (False, True):
        names: TableNames = replace(moto.tables(), lean=as_lean, find_by=("campaign",))
        client = moto.connect()
        store, queries = Store(client, names, clock=lambda: NOW), Queries(client, names)
        outcomes = _fold([ses.raw(body) for body in [*LIFE, *REFUSED]])
        for outcome in outcomes:
            assert store.put(replace(outcome, version=1)) is None
        recipient = outcomes[0].recipient
        found = [item for item in moto.client().scan(TableName=names.outcomes)["Items"] if lean.REST in item]
        assert len(found) == (2 if as_lean else 0)
        assert all(isinstance(item[lean.REST]["B"], bytes) for item in found)
        indexed = moto.client().query(TableName=names.outcomes, IndexName="by_bounce", **_bounces(recipient))["Items"]
        answers.append(
            (
                queries.find_lines_of(recipient),
                store.find_outcomes_of(recipient),
                [decode_bounce(item) for item in indexed],
                queries.find_recipients_of(outcomes[0].message, 100).found,
            )
        )
    assert answers[0] == answers[1]
    assert len(answers[0][0]) == 2


def _bounces(recipient: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "recipient = :recipient",
        "ExpressionAttributeValues": {":recipient": {"S": recipient}},
    }


def test_what_is_no_row_of_ours_is_refused() -> None:
    (outcome,) = _fold([ses.raw(body) for body in LIFE])
    row = encode_outcome(outcome, RETENTION, as_lean=True)
    assert lean.REST in row
    for rest in (b"", b"nothing", base64.b64encode(b"no zlib").decode(), "no base64"):
        with pytest.raises(Unreadable):
            decode_outcome(row | {lean.REST: {"B": rest}})
    with pytest.raises(Unreadable):
        decode_outcome({name: value for name, value in row.items() if name != lean.REST})
    with pytest.raises(Unreadable):
        decode_outcome(row | {"schema": {"N": str(items.OUTCOME_SCHEMA + 1)}})
