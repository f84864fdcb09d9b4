"""What an outcome costs to write, as real engines count it; and that packed facts come back from all of them."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from aftersend.core.model import Context, Evidence, Kind, Outcome
from aftersend.core.outcome import merge
from aftersend.storage import items, packing
from aftersend.storage.store import Store
from tests.engines import Engine
from tests.support.facts import classify, fact
from tests.support.ports import NOW, RETENTION

AS_LONG_AS_IT_MAY_BE: Final = 1_000  # characters of a reply


def _outcome(replies: list[str]) -> Outcome:
    context = Context(sender="news@example.com", subject="Größe", correlation={"campaign": "spring"})
    facts = [
        fact(Kind.BOUNCED, number, evidence=Evidence(code=550, text=text, provider_code="hard"), context=context)
        for number, text in enumerate(replies)
    ]
    return replace(merge(None, facts, classify), version=1)


def _unlike(number: int) -> str:
    """A reply that deflate can make little of."""
    return "".join(chr(0x100 + (number * 31 + at * at * 97) % 4_999) for at in range(AS_LONG_AS_IT_MAY_BE // 4))


OUTCOMES: Final = {
    "small": _outcome(["550 5.1.1 unknown"]),
    "packed into one unit": _outcome([f"550 5.1.1 <anna{n}@example.com>: User unknown {n}" for n in range(9)]),
    "as long as can be": _outcome([_unlike(number) for number in range(5)]),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcomes_of_every_size_come_back(engine: Engine, name: str) -> None:
    outcome = OUTCOMES[name]
    store = Store(engine.connect(), engine.tables(), clock=lambda: NOW)
    assert store.put(outcome) is None
    assert store.get_outcomes([outcome.key]) == {outcome.key: outcome}
    assert store.find_outcomes_of(outcome.recipient) == [outcome]


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_size_is_what_the_engine_charges_for(concurrent_engine: Engine, name: str) -> None:
    tables, item = concurrent_engine.tables(), items.encode_outcome(OUTCOMES[name], RETENTION)
    put: Any = concurrent_engine.client().put_item
    answer = put(TableName=tables.outcomes, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert answer["Table"]["CapacityUnits"] == -(-packing.measure_item(item) // packing.UNIT)


def test_which_of_them_are_packed() -> None:
    attributes = {name: items.encode_outcome(each, RETENTION)["feedback"] for name, each in OUTCOMES.items()}
    assert {name: list(each) for name, each in attributes.items()} == {
        "small": ["S"],
        "packed into one unit": ["B"],
        "as long as can be": ["B"],
    }
