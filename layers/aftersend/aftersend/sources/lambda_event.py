"""The bodies in a Lambda event: SQS batches, SNS invocations, EventBridge invocations, batches of RabbitMQ.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "… with EventBridge", "… with
Amazon MQ".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from aftersend.core.times import parse_time
from aftersend.sources.message import Message, select_headers, unpack


def messages(event: Mapping[str, Any]) -> list[Message]:
    """Every body, unchanged, with its id and the time (UTC) at which the queue or the topic took it.

    Raises ValueError for an event of any other service.
    """
    if "detail-type" in event:
        return [Message(str(event["id"]), msgspec.json.encode(event), parse_time(event["time"]))]
    if "Records" not in event:  # taken for an empty batch, whatever is in it would be acknowledged and lost
        raise ValueError(f"an event of {event.get('eventSource')!r}: expected SQS, SNS or EventBridge")
    return [_message(record) for record in event["Records"]]


def answers_by_item(event: Mapping[str, Any]) -> bool:
    """Whether single messages can be handed back: only SQS takes a list of failures, others retry the whole."""
    return all(record.get("eventSource") == "aws:sqs" for record in event.get("Records", ({},)))


def _message(record: Mapping[str, Any]) -> Message:
    if record.get("eventSource") == "aws:sqs":
        sent = int(record["attributes"]["SentTimestamp"]) / 1000
        said = {name: each.get("stringValue") or "" for name, each in record.get("messageAttributes", {}).items()}
        body, headers = unpack(record["body"], said)
        return Message(record["messageId"], body, datetime.fromtimestamp(sent, UTC), headers)
    if record.get("EventSource") == "aws:sns":
        notice = record["Sns"]
        return Message(notice["MessageId"], notice["Message"].encode(), parse_time(notice["Timestamp"]))
    raise ValueError(f"a record of {record.get('eventSource') or record.get('EventSource')!r}: expected SQS or SNS")


def from_rabbitmq(event: Mapping[str, Any], words: Mapping[str, str], now: datetime) -> list[Message]:
    """Every body of a batch that Lambda took from RabbitMQ, or that was made like one; raises ValueError for any other.

    `words` says by which word a queue is known here; other queues go by their own names. RabbitMQ does not say when it
    took a message, so that is `now`.
    """
    if event.get("eventSource") != "aws:rmq":
        raise ValueError(f"an event of {event.get('eventSource')!r}: expected RabbitMQ")
    found = []
    for place, deliveries in event["rmqMessagesByQueue"].items():
        queue = place.rpartition("::")[0] or place  # the virtual host comes after it
        found += [_from_queue(each, queue, words.get(queue, queue), now) for each in deliveries]
    return found


def _from_queue(delivery: Mapping[str, Any], queue: str, word: str, now: datetime) -> Message:
    body, said = base64.b64decode(delivery["data"]), delivery.get("basicProperties") or {}
    headers = {
        "content-type": said.get("contentType") or "",
        "content-encoding": said.get("contentEncoding") or "",
        "x-queue": word,
    }
    return Message(_id(queue, said.get("messageId") or "", body), body, now, select_headers(headers))


def _id(queue: str, message_id: str, body: bytes) -> str:
    """The same for a message that comes again. RabbitMQ gives none, and what a publisher gives need not be unique."""
    told = b"\n".join((queue.encode(), message_id.encode(), body))
    return blake2b(told, digest_size=16).hexdigest()
