"""Whatever comes as an answer or an event of AWS, MalformedFeedback alone is raised, and what is read is bounded."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Evidence, Feedback
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, MAX_TOKEN_BYTES
from aftersend.sources import read
from local.samples import EVENTS

ANSWERS = ["apns", "baidu", "fcm", "webpush"]
SOURCES = [*ANSWERS, "aws_sms", "sns_push"]
OWN = sorted(path for name in SOURCES for path in (EVENTS / name).iterdir() if not path.name.endswith(".expected.json"))
SOON = 1.0  # seconds of CPU for a megabyte
MEGABYTE = 1_000_000


def read_or_refuse(source: str, raw: bytes) -> list[Feedback] | str:
    """What the parser says; everything it says is bounded."""
    try:
        facts = read(source, raw)
    except MalformedFeedback as error:
        assert len(error.why) < 400
        return error.why
    for fact in facts:
        assert len(fact.recipient.encode()) <= MAX_TOKEN_BYTES + len("push:webpush:")
        assert len((fact.received_as or "").encode()) <= MAX_RECIPIENT_BYTES
        assert fact.message.startswith(f"{source}:")
        assert len(fact.message.encode()) <= 250
        evidence = fact.evidence or Evidence()
        assert len((evidence.text or "").encode()) <= 1_024
        assert len(evidence.provider_code or "") <= 64
        assert evidence.code is None or 0 < evidence.code <= 999
        known = fact.context.correlation if fact.context else {}
        assert all(len(name.encode()) <= 128 and len(value.encode()) <= 200 for name, value in known.items())
    return facts


@pytest.mark.parametrize("path", OWN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_truncations_and_flipped_bytes_of_a_sample_return(path: Path) -> None:
    whole, dice = path.read_bytes(), random.Random(path.name)
    for end in range(0, len(whole), max(1, len(whole) // 100)):
        read_or_refuse(path.parent.name, whole[:end])
    for _ in range(30):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 20)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        read_or_refuse(path.parent.name, bytes(broken))


_NAMES = st.sampled_from(
    [
        *("recipient", "recipients", "message", "at", "status", "headers", "body", "error", "retry", "correlation"),
        *("event", "service", "reason", "timestamp", "details", "errorCode", "results", "responses", "code", "name"),
        *("error_code", "response_params", "msg_id", "message_id", "multicast_id", "registration_id", "errno", "@type"),
        *("fieldViolations", "field", "statusCode", "apns-id", "location", "smsc", "tlv", "errorInfo"),
        *("eventType", "isFinal", "destinationPhoneNumber", "messageId", "eventTimestamp", "context", "delivery"),
        *("notification", "destination", "providerResponse", "EventType", "EndpointArn", "MessageId", "FailureType"),
        *("messageType", "logEvents", "awslogs", "data", "detail", "detail-type", "token", "Time"),
    ]
)
_LEAVES = (
    *(
        None,
        True,
        0,
        200,
        410,
        30608,
        1772446275123,
        -1,
        10**30,
        1e308,
        "",
        " ",
        "a",
        "https://p.example/a",
        "registered",
    ),
    *("2026-03-02T10:11:12Z", "UNREGISTERED", "INVALID_ARGUMENT", "Unregistered", "NotRegistered"),
    *("ApnsError", "\0", "TEXT_INVALID", "DeliveryFailure", "SUCCESS", "DATA_MESSAGE", '{"reason":5}', "+14255550101"),
)
_JSON = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(SOURCES), st.dictionaries(_NAMES, _JSON, max_size=8))
def test_any_types_in_an_answer_return(source: str, entry: dict[str, object]) -> None:
    good = {"recipient": "https://p.example/a", "at": "2026-03-02T10:11:12Z", "message": "m"}
    for given_ in (entry, good | {"status": 400, "body": entry}, good | {"body": entry}, good | entry):
        read_or_refuse(source, json.dumps(given_).encode())
    event = {"destinationPhoneNumber": "+14255550101", "messageId": "m", "eventType": "TEXT_INVALID"}
    named = {"EndpointArn": "arn:aws:sns:x", "MessageId": "m", "EventType": "DeliveryFailure"}
    log = {"delivery": {"destination": "x"} | entry, "notification": {"messageId": "m"}, "status": "FAILURE"}
    for given_ in (event | entry, named | entry, log, log | entry):
        read_or_refuse(source, json.dumps(given_).encode())
        read_or_refuse(source, b"\n".join([json.dumps(good | {"status": 200}).encode(), json.dumps(given_).encode()]))


HOSTILE = {
    "lines": b'{"recipient":"a","message":"m","at":1,"status":200}\n' * 20_000,
    "empty lines": b'{"recipient":"a","message":"m","at":1,"status":200}' + b"\n" * MEGABYTE,
    "empty objects": b"{}\n" * 300_000,
    "entries": b"[" + b",".join([b"{}"] * 300_000) + b"]",
    "opened": b"[{" * (MEGABYTE // 2),
    "a long token": b'{"message":"m","at":1,"status":200,"recipient":"' + b"a" * MEGABYTE + b'"}',
    "many tokens": b'{"message":"m","at":1,"status":200,"recipient":[' + b'"a",' * 200_000 + b'"a"]}',
    "a long text": b'{"recipient":"a","message":"m","at":1,"status":400,"body":"' + b"a" * MEGABYTE + b'"}',
    "a long body": b'{"recipient":"a","message":"m","at":1,"status":400,"body":"{' + b"[" * MEGABYTE + b'"}',
    "many details": b'{"recipient":"a","at":1,"body":{"error":{"details":[' + b'{"a":1},' * 100_000 + b'{"b":1}]}}}',
    "many results": b'{"recipient":"a","at":1,"body":{"results":[' + b'{"error":"x"},' * 60_000 + b"{}]}}",
    "many names": b'{"recipient":"a","at":1,"status":1,"headers":{'
    + b",".join(b'"h%d":"x"' % each for each in range(80_000))
    + b"}}",
    "a long number": b'{"recipient":"a","message":"m","status":' + b"9" * MEGABYTE + b"}",
}


@pytest.mark.parametrize("source", ["apns", "fcm"])
@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_read_soon(source: str, raw: bytes) -> None:
    begun = time.process_time()
    read_or_refuse(source, raw)
    assert time.process_time() - begun < SOON
