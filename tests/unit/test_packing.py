"""Facts are packed where that saves a write unit, and nowhere else; what has been packed is read for ever."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.model import Engagement, Kind
from aftersend.core.outcome import merge
from aftersend.storage import items, packing
from tests.support.facts import START, classify, fact
from tests.support.ports import RETENTION

FACTS: Final = b'[{"source":"ses","kind":"delivered","at":"2026-03-02T10:00:01.640000Z","id":"521b57838865cbc6585a"}]'
# What was packed when this was written. If it cannot be read any more, neither can the tables of any user.
STORED: Final = "ePlgMZZiiybNDgNjXQOjEEMDKwMgMtQzMzEwQDLM1MgwydTcwtjCwsw0OSnZzNTCNFGpNhYAnfgapw=="


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "é"}, 2),
        ({"B": b"123"}, 3),
        ({"BOOL": True}, 1),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {"one": {"S": "v"}, "two": {"L": []}}}, 3 + 1 + len("one") + 1 + 1 + len("two") + 3),
    ],
)
def test_an_item_is_as_large_as_dynamodb_counts_it(attribute: packing.Attribute, size: int) -> None:
    """DynamoDB developer guide, "Item sizes and formats": a list or a map has 3 bytes, and 1 for each element."""
    assert packing.measure_item({"name": attribute}) == len("name") + size
    assert packing.measure_item({"name": attribute, "é": attribute}) == len("name") + 2 + 2 * size


@pytest.mark.parametrize("digits", range(1, 20))
def test_a_number_is_counted_as_never_less_and_hardly_more_than_it_takes(digits: int) -> None:
    """The same: a byte for two digits, and one more."""
    documented = (digits + 1) // 2 + 1
    assert documented <= packing.measure_item({"n": {"N": "9" * digits}}) - 1 <= documented + 1


def test_what_fits_one_unit_is_left_readable() -> None:
    assert packing.pack_facts(FACTS, packing.UNIT - len(FACTS)) == {"S": FACTS.decode()}


def test_what_passes_a_unit_is_packed() -> None:
    [(kind, small)] = packing.pack_facts(FACTS, packing.UNIT - len(FACTS) + 1).items()
    assert kind == "B"
    assert len(small) < len(FACTS)
    assert packing.unpack_facts({"B": small}) == FACTS


def test_what_would_save_nothing_is_left_readable() -> None:
    for beside in (2 * packing.UNIT - len(FACTS), packing.UNIT + 1):
        assert packing.pack_facts(FACTS, beside) == {"S": FACTS.decode()}


def test_what_facts_commonly_say_takes_no_room() -> None:
    assert len(packing.pack_facts(FACTS, packing.UNIT - len(FACTS) + 1)["B"]) < len(zlib.compress(FACTS, 9)) * 2 / 3


@given(st.text(st.characters(codec="utf-8"), max_size=3000), st.integers(0, 5000))
def test_what_is_packed_comes_back_in_every_form_that_clients_have(text: str, beside: int) -> None:
    attribute = packing.pack_facts(text.encode(), beside)
    plain = packing.unpack_facts(attribute)
    assert (plain if isinstance(plain, str) else plain.decode()) == text
    if "B" in attribute:
        wire = {"B": b64encode(attribute["B"]).decode()}
        assert packing.unpack_facts(wire) == plain


def test_what_was_packed_long_ago_is_read() -> None:
    assert packing.unpack_facts({"B": b64decode(STORED)}) == FACTS
    assert packing.unpack_facts({"B": STORED}) == FACTS


@pytest.mark.parametrize("count", range(1, 13))
def test_a_dozen_facts_cost_one_write_unit(count: int) -> None:
    """Design §10: "flat in the number of feedback per message"."""
    seen = [
        fact(
            Kind.CLICKED if number % 2 else Kind.OPENED,
            number / 24,
            engagement=Engagement(
                ip=f"203.0.113.{number}",
                user_agent="Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0",
                link=f"https://shop.example.com/spring?item={number * 7919}",
            ),
        )
        for number in range(count)
    ]
    outcome = merge(None, seen, classify)
    assert outcome.last_at == START + timedelta(hours=count - 1)
    assert packing.measure_item(items.encode_outcome(outcome, RETENTION)) <= packing.UNIT
