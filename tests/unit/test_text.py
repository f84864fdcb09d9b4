"""Bounds for what strangers write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.text import truncate, truncate_or_none
from tests.support.strategies import hostile

_any = hostile | st.text(max_size=300) | st.text(st.sampled_from('"\\a é🎉\x00\ud800'), max_size=300)


@given(_any, st.integers(4, 200))
def test_a_text_is_no_longer_than_its_limit_as_a_json_string(text: str, limit: int) -> None:
    cut = truncate(text, limit)
    assert len(json.dumps(cut, ensure_ascii=False).encode()) - 2 <= limit
    assert not any(ord(mark) < 32 or 127 <= ord(mark) < 160 or 0xD800 <= ord(mark) < 0xE000 for mark in cut)


@given(_any, st.integers(4, 200))
def test_what_was_cut_is_not_cut_again(text: str, limit: int) -> None:
    assert truncate(truncate(text, limit), limit) == truncate(text, limit)


@given(st.text(st.characters(categories=["L", "Nd", "Zs", "P"], exclude_characters='"\\'), max_size=50))
def test_what_is_short_is_kept_as_it_came(text: str) -> None:
    assert truncate(text, 4 * 50) == text


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "hell"),
        ("one\r\n two", 20, "one  two"),
        ("a\x00\x01b", 9, "a b"),
        ("é" * 5, 7, "ééé"),
        ("🎉🎉", 7, "🎉"),
        ('""""', 4, '""'),
        ('aaaa""""', 4, "aaaa"),
        ("a\ud800b", 9, "a b"),
    ],
)
def test_examples(text: str, limit: int, expected: str) -> None:
    assert truncate(text, limit) == expected


def test_nothing_is_nothing() -> None:
    assert truncate_or_none(None, 9) is None
    assert truncate_or_none("", 9) is None
    assert truncate_or_none("x", 9) == "x"
