"""Whatever is handed on as SMPP or Jasmin: facts, or MalformedFeedback, and nothing else is ever raised."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources import configure, read
from local.samples import Sample, samples
from tests.support.smpp import deliver, tlv

CONFIGURED = configure(
    classify.read_settings(
        "[smsc.Acme]\nids = 'decimal'\nsent_ids = 'hex'\nzone = 'Europe/Berlin'\ninternational = true\n"
        "id = 'id:(\\w+)'\nfailed = 'UN'\n[smsc.Generic]\nids = 'bytes'\n"
    )
)
SAMPLES = [each for each in samples() if each.source in ("smpp", "jasmin")]
CLASSIFIER = classify.load()


def _check(source: str, body: bytes) -> None:
    for parsers in ({}, CONFIGURED):
        try:
            facts = read(source, body, {}, parsers)
        except MalformedFeedback as error:
            assert len(error.why) < 400
            continue
        for fact in facts:
            _check_fact(fact)


def _check_fact(fact: Feedback) -> None:
    CLASSIFIER(fact)
    assert fact.message.partition(":")[2]
    assert len(fact.message.encode()) < 1024
    assert len(fact.recipient.encode()) < 1024
    assert fact.evidence is not None
    assert len(msgspec.json.encode(fact)) < 40_000


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_cut_off_anywhere(sample: Sample) -> None:
    body = sample.body()
    for end in range(0, len(body), max(1, len(body) // 150)):
        _check(sample.source, body[:end])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_with_a_byte_flipped_anywhere(sample: Sample) -> None:
    body = sample.body()
    for at in range(0, len(body), max(1, len(body) // 60)):
        for flipped in (body[at] ^ 0x01, body[at] ^ 0x80, 0):
            _check(sample.source, body[:at] + bytes([flipped]) + body[at + 1 :])


PDU = bytes.fromhex(
    deliver("4915550100", b"id:1 stat:UNDELIV err:034", tlv(0x1E, b"6aad5\0") + tlv(0x427, b"\5") + tlv(0x424, b"id:2"))
)


def _pdus() -> Iterator[bytes]:
    """Every PDU that is cut off, whatever length it says, and every one with one byte changed."""
    for end in range(len(PDU)):
        yield PDU[:end]
        yield end.to_bytes(4) + PDU[4:end] if end > 4 else PDU[:end]
    for at in range(len(PDU)):
        for value in (0, 0x7F, 0xFF, PDU[at] ^ 1):
            yield PDU[:at] + bytes([value]) + PDU[at + 1 :]


def test_a_pdu_cut_off_or_changed_anywhere() -> None:
    for data in _pdus():
        _check("smpp", msgspec.json.encode({"smsc": "Acme", "pdu": data.hex()}))


@given(st.binary(max_size=120), st.sampled_from([0x05, 0x103, 0x80000004, 0x80000000]))
@example(b"", 5)
def test_any_bytes_behind_a_good_header(body: bytes, command: int) -> None:
    data = (16 + len(body)).to_bytes(4) + command.to_bytes(4) + bytes(8) + body
    _check("smpp", data.hex().encode())


_VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12)
_NAMES = st.sampled_from(
    ["smsc", "zone", "pdu", "text", "recipient", "message", "at", "error", "tlv", "status", "body"]
)


@given(st.dictionaries(_NAMES, _VALUES | st.dictionaries(st.sampled_from(["001E", "0427", "0423", "x"]), _VALUES)))
@example({"smsc": "\ud83d\ude00" * 20, "text": "id:1 stat:X", "tlv": {"0427": 2**63}})
@example({"text": "id:" + "9" * 5000 + " stat:DELIVRD", "zone": "x" * 64})
@example({"message": "1", "recipient": "+49", "error": "9" * 30})
def test_anything_in_any_field_of_the_envelope(answer: dict[str, object]) -> None:
    try:
        body = msgspec.json.encode(answer)
    except UnicodeEncodeError:
        return
    _check("smpp", body)
    _check("jasmin", body)


_FRAGMENTS = st.sampled_from(
    [
        "id:",
        "stat:",
        "err:",
        "text:",
        "done date:",
        "sub:",
        "submit date:",
        "DELIVRD",
        "001",
        " ",
        ";",
        "\0",
        "2603021015",
        "é",
        "id",
        ":",
    ]
)


@given(st.lists(_FRAGMENTS, max_size=20).map("".join))
def test_any_text_of_a_receipt(text: str) -> None:
    _check("smpp", text.encode())
    _check("smpp", b"SR A UNDELIV 1|MESSAGE=" + text.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"smsc":' * 5_000,
        b"\xff\xfe\x00",
        b"=" * 10_000,
        b"a=" * 10_000,
        b"a=&" * 10_000,
        b"%00%ff=%",
        b"id=" + b"1" * 20_000 + b"&message_status=DELIVRD",
        b"0" * 300_000,
        b"id:" * 100_000,
        b"id:1 stat:" + b" " * 3_000 + b"X",
        b"text:" * 3_000,
        base64.b64encode(PDU),
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_bodies_that_would_do_harm(body: bytes) -> None:
    _check("smpp", body)
    _check("jasmin", body)
