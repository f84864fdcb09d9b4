"""Bounds for what strangers write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.text import MAX_HOST, truncate, truncate_host, truncate_or_none
from aftersend.sources import read
from tests.support import ses
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


_LONG = "a-tenant-with-a-long-name-example-com." + "x" * 40
OUTLOOK = "mail.protection.outlook.com"


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        (f"{_LONG}.{OUTLOOK}", OUTLOOK),
        (f"{_LONG}.eu.{OUTLOOK} (192.0.2.1, the server for the domain example.com.)", f"eu.{OUTLOOK}"),
        (f"{_LONG}.{OUTLOOK}[192.0.2.1]", OUTLOOK),
        ("mx.example.com (192.0.2.1)", "mx.example.com (192.0.2.1)"),
        ("x" * 300, "x" * MAX_HOST),
        ("2001:db8::1", "2001:db8::1"),
        (None, None),
        ("", None),
    ],
)
def test_of_a_host_the_end_stays_that_says_whose_it_is(host: str | None, kept: str | None) -> None:
    assert truncate_host(host) == kept


@given(st.text(max_size=400))
def test_a_host_is_bounded_and_cut_once(host: str) -> None:
    once = truncate_host(host)
    assert once is None or truncate(once, MAX_HOST) == once
    assert truncate_host(once) == once


@pytest.mark.parametrize("tenant", ["one-example-com", "two-example-com"])
def test_rules_by_the_domain_that_answered_work_for_long_names(tenant: str) -> None:
    """A rule that looks at the end of the name finds it, whichever source reports it."""
    host = f"{tenant}.{'x' * 40}.{OUTLOOK}"
    body = ses.event(
        "Bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": "ann@example.com", "status": "5.1.1"}],
            "timestamp": "2026-03-01T00:00:00Z",
            "reportingMTA": f"dns; {host}",
        },
    )
    (fact,) = read("ses", ses.raw(body))
    assert fact.evidence is not None and (fact.evidence.reporting_mta or "").endswith(OUTLOOK)
