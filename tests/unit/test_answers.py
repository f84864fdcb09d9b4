"""The envelope in which senders hand on the answers that they got themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.sources.answers import MAX_ANSWERS, SenderAnswer, make_id, read_answers

FULL: dict[str, Any] = {
    "recipient": " a-token ",
    "message": "ord-9",
    "at": "2026-03-02T11:11:12.3456+01:00",
    "status": 410,
    "headers": {"APNS-Id": "EABE", "Retry-After": 60, "via": ["a", "b"], "none": None},
    "body": {"reason": "Unregistered"},
    "error": "time\nout",
    "retry": False,
    "correlation": {"campaign": "c-77", "number": 3, "test": True, "none": None},
    "not known": [1],
}
AT = datetime(2026, 3, 2, 10, 11, 12, 345_000, UTC)


def read(raw: bytes) -> list[SenderAnswer]:
    return list(read_answers("apns", raw))


def encode(*entries: object) -> bytes:
    return b"\n".join(msgspec.json.encode(each) for each in entries)


def test_every_field_is_read_and_bounded() -> None:
    (found,) = read(encode(FULL))
    assert found == SenderAnswer(
        source="apns",
        place="",
        event="",
        recipients=("a-token",),
        message="ord-9",
        at=AT,
        status=410,
        headers={"apns-id": "EABE", "retry-after": "60", "via": "a, b"},
        body={"reason": "Unregistered"},
        error="time out",
        retry=False,
        correlation={"campaign": "c-77", "number": "3", "test": "true"},
    )
    assert found.recipient == "a-token"


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (b'{"message":1}', [""]),
        (b'\xef\xbb\xbf {\n "message": 1\n}\n', [""]),
        (b'{"message":1}\n', [""]),
        (b'{"message":1}\r\n\r\n {"message":2}\n', ["line 1", "line 3"]),
        (b'[{"message":1},\n{"message":2}]', ["entry 1", "entry 2"]),
        (b"[]", []),
    ],
    ids=["object", "over several lines", "one line", "lines", "array", "empty array"],
)
def test_one_body_holds_an_object_an_array_or_lines(raw: bytes, places: list[str]) -> None:
    assert [each.place for each in read(raw)] == places


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not a JSON object"),
        (b"ann@example.com", "not a JSON object"),
        (b"null", "Expected `object`, got `null`"),
        (b'[{}, "ann@example.com"]', "entry 2: Expected `object`"),
        (b'[{}, {"status": "410"}]', "entry 2: status: Expected `int | null`, got `str`"),
        (b'{"status": 1000}', "status: Expected `int` <= 999"),
        (b'{}\n{"at": "ann@example.com"}', "line 2: at: is no time of ISO-8601"),
        (b'{}\n\n{"at": 1e300}', "line 3: at: is no time of ISO-8601"),
        (b'{}\n{"recipient": 5}', "line 2: recipient: Expected"),
        (b'{}\n{"recipient": "ann@exa', "line 2: not a JSON object"),
        (b'{"recipient": ["a", 5]}', "recipient[1]: Expected `str`, got `int`"),
        (b'{"headers": {"ann@example.com": {}}}', "headers[...]: Expected"),
        (b'{"correlation": {"ann@example.com": []}}', "correlation[...]: Expected"),
        (b'{"retry": "ann@example.com"}', "retry: Expected `bool | null`, got `str`"),
        (b'{"service": "ann@example.com"}', "service: is not apns"),
        (b'{"body": ' + b"[" * 100_000, "not a JSON object"),
        (b"[" * 100_000, "not an array of answers"),
        (b"[" + b",".join([b"{}"] * (MAX_ANSWERS + 1)) + b"]", "more than"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_error_names_the_entry_and_the_field_and_quotes_nobody(raw: bytes, why: str) -> None:
    with pytest.raises(MalformedFeedback) as raised:
        read(raw)
    assert raised.value.why.startswith(why)
    assert "ann" not in raised.value.why


def test_a_field_that_a_source_needs_is_asked_for_by_name() -> None:
    _, found = read(b'{}\n{"message": "m"}')
    with pytest.raises(MalformedFeedback, match="apns: line 2: at: is missing"):
        found.require_time()
    assert str(found.refuse("pdu", "is not hexadecimal")) == "apns: line 2: pdu: is not hexadecimal"


@pytest.mark.parametrize(
    ("given", "at"),
    [
        (1772446272, AT.replace(microsecond=0)),
        (1772446272.3456, AT.replace(microsecond=346_000)),
        (1772446272345, AT),
        ("2026-03-02T10:11:12.345", AT),
        ("Mon, 02 Mar 2026 10:11:12 GMT", AT.replace(microsecond=0)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_iso_8601_or_since_1970(given: object, at: datetime | None) -> None:
    (found,) = read(encode({"at": given}))
    assert found.at == at


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('{"reason": "x"}', {"reason": "x"}),
        (' ["x"] ', ["x"]),
        ('{"reason": "x', '{"reason": "x'),
        (" Gone\n", "Gone"),
        (None, None),
        (["x"], ["x"]),
    ],
)
def test_a_body_is_an_object_or_the_text_of_one_or_any_text(body: object, found: object) -> None:
    assert read(encode({"body": body}))[0].body == found


def test_recipients_may_be_several() -> None:
    found = read(encode({"recipient": ["a", "b"], "recipients": ["c"]}, {"recipient": []}))
    assert [(each.recipients, each.recipient) for each in found] == [(("a", "b", "c"), None), ((), None)]


def test_an_id_is_bounded_and_one_for_all_spellings_of_a_uuid() -> None:
    assert make_id(" EABEAE54-0000-4000-8000-00000000000A ") == "eabeae54-0000-4000-8000-00000000000a"
    assert make_id("Ord-9A") == "Ord-9A"
    long = [make_id("x" * 300 + tail) for tail in ("a", "b")]
    assert len({*long}) == 2
    assert all(len(each.encode()) <= MAX_ID and make_id(each) == each for each in long)
    assert len(make_id("ü" * MAX_ID).encode()) <= MAX_ID


def test_the_fields_of_receipts_are_handed_through() -> None:
    given = {
        "service": "SMPP",
        "smsc": "Acme",
        "zone": "Europe/Berlin",
        "pdu": "00",
        "text": "id:1",
        "tlv": {"001E": 5},
    }
    (found,) = read_answers("smpp", encode(given))
    assert (found.smsc, found.zone, found.pdu, found.text, found.tlv) == (
        "Acme",
        "Europe/Berlin",
        "00",
        "id:1",
        {"001E": 5},
    )
