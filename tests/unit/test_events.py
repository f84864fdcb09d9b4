"""Loose JSON of providers: what is asked for by name is there in the right type, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Context, Evidence, Kind
from aftersend.core.times import UNKNOWN_TIME
from aftersend.sources import events
from aftersend.sources.events import EventFacts

AT = datetime(2026, 3, 2, 10, 0, 0, 153_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1772445600.153, AT),
        ("1772445600.153", AT),
        (1772445600153, AT),
        ("1772445600153", AT),
        (1772445600.1539, AT),
        (1772445600, AT.replace(microsecond=0)),
        ("2026-03-02T06:00:00.1539999-04:00", AT),
        ("2026-03-02 10:00:00.153", AT),
        (None, UNKNOWN_TIME),
        ("", UNKNOWN_TIME),
        (99_999_999_999, None),  # seconds beyond every mail
        (10**15, None),
        (-1, None),
        (True, None),
        ([], None),
        ({"a": 1}, None),
        ("soon", None),
        ("1.2.3", None),
        (float("inf"), None),
    ],
)
def test_a_time_is_told_by_its_size_and_its_type(value: Any, expected: datetime | None) -> None:
    if expected is None:
        with pytest.raises(MalformedFeedback):
            events.find_time("acme", {"time": value}, "time")
    else:
        assert events.find_time("acme", {"time": value}, "none", "time") == expected


def test_the_first_time_that_says_something_counts() -> None:
    assert events.find_time("acme", {"a": None, "b": "", "c": 1772445600.153, "d": 5}, "a", "b", "c", "d") == AT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (2**53 + 1, "9007199254740993"),
        (0, "0"),
        (" ", "next"),
        ("", "next"),
        (None, "next"),
        (True, "next"),
        (1.5, "next"),
        (["text"], "next"),
    ],
)
def test_a_text_is_a_text_or_a_whole_number(value: Any, expected: str) -> None:
    assert events.find_text({"a": value, "b": "next"}, "a", "b") == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("5", 5), (5, 5), ("05", 5), ("many", None), (-1, None), (2**70, None)]
)
def test_a_number_is_whole_and_bounded(value: Any, expected: int | None) -> None:
    assert events.find_number({"attempt": value}, "attempt") == expected


@pytest.mark.parametrize("raw", [b"", b"5", b'"a"', b"null", b"[5]", b"[{}, null]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_is_an_object_or_a_list_of_them(raw: bytes) -> None:
    with pytest.raises(MalformedFeedback):
        events.decode_events("acme", raw)
    assert events.decode_events("acme", b'{"a": 1}') == events.decode_events("acme", b' [{"a": 1}]')


@pytest.mark.parametrize(
    ("text", "code", "status", "expected"),
    [
        ("550 5.1.1 no such user", None, "", (550, "5.1.1")),
        ("RecipientError: 550 5.5.0 mailbox unavailable", None, "", (550, "5.5.0")),
        ("5.2.2 over quota", 452, "", (452, "5.2.2")),
        ("no such user", 605, "4.2.2", (None, "4.2.2")),
        ("no such user", None, "none", (None, None)),
        ("", None, "5.0.0", (None, "5.0.0")),
    ],
)
def test_a_reply_is_read_from_fields_and_text(text: str, code: int | None, status: str, expected: Any) -> None:
    assert events.read_reply(text, code, status)[:2] == expected


def test_a_provider_code_holds_its_flags_however_long_it_is() -> None:
    assert events.make_provider_code("a b", " c=d\n", flags=("fatal=0",)) == "a b/c d fatal=0"
    cut = events.make_provider_code("x" * 500, "y" * 500, flags=("fatal=0",))
    assert cut is not None and len(cut) <= events.MAX_PROVIDER_CODE
    assert cut.endswith(" fatal=0")
    assert events.make_provider_code("", " ") is None


def test_identifiers_are_bounded_and_of_texts() -> None:
    given: dict[str, object] = {f"name-{number:02}": number for number in range(40)}
    given |= {"a": "text", "b": ["one", 2, "two"], "c": {"no": "text"}, "d": None, "e": True, "f": 0.5, "": "nameless"}
    found = events.make_context(identifiers=given).correlation
    assert len(found) == events.MAX_IDENTIFIERS
    assert {name: found.get(name) for name in "abcdef"} == {
        "a": "text",
        "b": "one, two",
        "c": None,
        "d": None,
        "e": "true",
        "f": "0.5",
    }


def facts(message: str = "", recipient: str = "Ann@example.com") -> EventFacts:
    return EventFacts(source="acme", message=message, recipient=recipient, at=AT, context=Context())


def test_what_names_no_message_is_known_by_itself() -> None:
    bounce, other = Evidence(provider_code="bounce"), Evidence(provider_code="other")
    (one,) = facts().build(Kind.BOUNCED, bounce)
    assert one.message.startswith("acme:")
    assert [one] == facts().build(Kind.BOUNCED, bounce)
    keys = {
        each.message
        for given, kind, evidence in (
            (facts(), Kind.BOUNCED, bounce),
            (facts(), Kind.BOUNCED, other),
            (facts(), Kind.DEFERRED, bounce),
            (facts(recipient="bob@example.com"), Kind.BOUNCED, bounce),
        )
        for each in given.build(kind, evidence)
    }
    assert len(keys) == 4


def test_what_names_nobody_is_about_its_message_alone() -> None:
    (one,) = facts("acme:m", " ").build(Kind.DELIVERED)
    assert (one.recipient, one.received_as) == (UNNAMED, None)
    assert facts("", "").build(Kind.DELIVERED) == []


def test_a_spelling_is_kept_where_it_differs() -> None:
    (one,) = facts("acme:m").build(Kind.DELIVERED)
    assert (one.recipient, one.received_as) == ("email:ann@example.com", "Ann@example.com")
