"""Envelopes: the body comes out as the source wrote it, out of whatever carried it, and out of nothing else."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aftersend.core.errors import MalformedFeedback
from aftersend.sources.envelope import MOST_BYTES, peel
from tests.support import ses

BODY = ses.delivery("2026-03-01T00:00:00Z", recipient="é@example.com")


def _sns(message: object, kind: str = "Notification") -> bytes:
    return json.dumps({"Type": kind, "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": message}).encode()


@pytest.mark.parametrize(
    "carried",
    [
        ses.raw(BODY),
        ses.by_sns(BODY),
        ses.by_eventbridge(BODY),
        _sns(BODY),
        _sns(ses.by_eventbridge(BODY).decode()),
        _sns(_sns(json.dumps(BODY)).decode()),
    ],
    ids=["raw", "SNS", "EventBridge", "SNS with an object", "EventBridge in SNS", "SNS in SNS"],
)
def test_the_body_comes_out(carried: bytes) -> None:
    """Contract: "Envelopes (SNS in SQS, raw delivery, EventBridge, …) are peeled in one place, before the parser"."""
    assert json.loads(peel(carried)) == BODY


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_the_message_of_a_set_up_notice_comes_out(kind: str) -> None:
    assert peel(_sns("You have chosen to subscribe to the topic", kind)) == b"You have chosen to subscribe to the topic"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Successfully validated SNS topic for Amazon SES event publishing.",
        b"[]",
        b"{}",
        b"\xff",
        b'{"Type":"Other","Message":"x"}',
        b'{"Type":"Notification"}',
        b'{"detail-type":"x"}',
        b'{"detail":{"a":1}}',
        b'{"Type":1,"Message":"x"}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_envelope_is_left_alone(body: bytes) -> None:
    assert peel(body) == body


def test_nesting_has_an_end() -> None:
    body = "the body"
    for _ in range(5):
        body = _sns(body).decode()
    assert json.loads(peel(body.encode()))["Type"] == "Notification"


def test_what_no_queue_carries_is_refused() -> None:
    assert peel(b"x" * MOST_BYTES)
    with pytest.raises(MalformedFeedback, match="6291457 bytes"):
        peel(b"x" * (MOST_BYTES + 1))


def test_what_was_packed_comes_out() -> None:
    """MailerQ packs its results where it is configured to, and a proxy may pack a webhook."""
    assert json.loads(peel(gzip.compress(ses.by_sns(BODY)))) == BODY


def test_what_repeats_itself_only_after_a_while_comes_out() -> None:
    """RFC 1951, 2: deflate points back as far as 32 KB."""
    body = b"".join(sha256(b"%d" % number).digest() for number in range(1000))
    assert peel(gzip.compress(body + body)) == body + body


def test_what_was_packed_in_pieces_comes_out_whole() -> None:
    """RFC 1952, 2.2: a file of gzip is a series of members."""
    body = b'[{"a": 1}, {"b": 2}]'
    assert peel(gzip.compress(body[:9]) + gzip.compress(body[9:]) + b"\0" * 8) == body


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (gzip.compress(b"x" * 100)[:-9], "ends too early"),
        (gzip.compress(b"x" * 100) + gzip.compress(b"y" * 100)[:-9], "ends too early"),
        (gzip.compress(b"x" * 100) + b"and more", "cannot be unpacked"),
        (gzip.compress(b"0" * MOST_BYTES) + gzip.compress(b"0"), "6291457 bytes"),
        (gzip.compress(b"") * 50_000, "more than 64 members"),
        (gzip.compress(b"x" * 100)[:10] + b"\xff" * 40, "cannot be unpacked"),
        (gzip.compress(b"0" * (MOST_BYTES + 1)), "6291457 bytes"),
        (gzip.compress(b"0" * 100_000_000), "6291457 bytes"),
    ],
    ids=[
        *("cut off", "the second cut off", "something behind it", "one byte too many in two", "many"),
        *("broken", "one byte too many", "a bomb"),
    ],
)
def test_packed_bodies_that_are_refused(packed: bytes, why: str) -> None:
    with pytest.raises(MalformedFeedback, match=why):
        peel(packed)


@given(st.binary(max_size=60) | st.recursive(st.text(max_size=5), st.lists, max_leaves=4).map(_sns))
def test_any_bytes_give_bytes(body: bytes) -> None:
    assume(not body.startswith(b"\x1f\x8b"))
    assert isinstance(peel(body), bytes)
