"""The bodies in a Lambda event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.sources.lambda_event import answers_by_item, messages
from aftersend.sources.message import Message, pack

AT = datetime(2026, 3, 2, 10, 11, 12, 345_000, tzinfo=UTC)
SENT = str(int(AT.timestamp() * 1000))


def _sqs(body: str, name: str = "m1") -> dict[str, Any]:
    return {"eventSource": "aws:sqs", "messageId": name, "body": body, "attributes": {"SentTimestamp": SENT}}


SNS = {
    "EventSource": "aws:sns",
    "Sns": {"MessageId": "n1", "Message": '{"eventType":"Send"}', "Timestamp": "2026-03-02T10:11:12.345Z"},
}
EVENTBRIDGE = {"id": "e1", "detail-type": "Email Sent", "time": "2026-03-02T10:11:12Z", "detail": {"eventType": "Send"}}


def test_a_batch_of_sqs_is_its_bodies_with_the_time_of_their_sending() -> None:
    event = {"Records": [_sqs("é", "m1"), _sqs("two", "m2")]}
    assert messages(event) == [Message("m1", "é".encode(), AT), Message("m2", b"two", AT)]
    assert answers_by_item(event)


def test_what_was_packed_for_the_queue_is_unpacked() -> None:
    text, attributes = pack(b"\xff", {"x-queue": "retry"})
    record = _sqs(text) | {"messageAttributes": {name: {"stringValue": value} for name, value in attributes.items()}}
    assert messages({"Records": [record]}) == [Message("m1", b"\xff", AT, {"x-queue": "retry"})]


def test_a_notice_of_sns_is_what_it_holds() -> None:
    event = {"Records": [SNS]}
    assert messages(event) == [Message("n1", b'{"eventType":"Send"}', AT)]
    assert not answers_by_item(event)


def test_an_event_of_eventbridge_is_itself() -> None:
    [found] = messages(EVENTBRIDGE)
    assert (found.id, found.received_at) == ("e1", AT.replace(microsecond=0))
    assert json.loads(found.body) == EVENTBRIDGE
    assert not answers_by_item(EVENTBRIDGE)


def test_an_empty_batch_is_empty() -> None:
    assert messages({"Records": []}) == []


@pytest.mark.parametrize("record", [{"eventSource": "aws:kinesis"}, {}])
def test_any_other_service_is_refused(record: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected SQS or SNS"):
        messages({"Records": [record]})


@pytest.mark.parametrize(
    "event",
    [
        {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"results::/": [{"data": "e30="}]}},
        {"version": "2.0", "routeKey": "POST /feedback/{source}", "body": "{}"},
        {},
    ],
)
def test_an_event_without_records_is_no_empty_batch(event: dict[str, Any]) -> None:
    """Law 4: "No body disappears." A batch of RabbitMQ that is wired to the wrong function must come again."""
    with pytest.raises(ValueError, match="expected SQS, SNS or EventBridge"):
        messages(event)
