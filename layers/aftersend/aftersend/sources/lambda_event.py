"""The bodies in a Lambda event: SQS batches, SNS and EventBridge invocations, logs, batches of RabbitMQ.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "… with EventBridge", "… with
CloudWatch Logs", "… with Amazon MQ".
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw, Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources import SOURCES, Source
from aftersend.sources.envelope import peel
from aftersend.sources.message import UNKNOWN, Message, find_source, select_headers, unpack


class LambdaContext(Protocol):
    """What is needed of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int: ...  # noqa: D102


def make_countdown(context: LambdaContext) -> Callable[[], float]:
    """Return what says how many seconds are left before Lambda stops the function."""
    return lambda: context.get_remaining_time_in_millis() / 1000


def read_messages(event: Mapping[str, Any], source: str = UNKNOWN) -> list[Message]:
    """Return every body, unchanged, with its id and the time (UTC) at which the queue or the topic took it.

    A message of SQS names its source in an attribute; what AWS itself puts there or hands over shows it in its body
    (`find_origin`); `source` is that of all others. Those come first that were handed back most often, so that none
    comes last for ever. Raises ValueError for an event of any other service.
    """
    if "awslogs" in event:
        return [_read_logs(msgspec.json.encode(event), source)]
    if "detail-type" in event:
        return [Message(str(event["id"]), msgspec.json.encode(event), parse_time(event["time"]), source)]
    if "Records" not in event:  # taken for an empty batch, whatever is in it would be acknowledged and lost
        raise ValueError(f"an event of {event.get('eventSource')!r}: expected SQS, SNS or EventBridge, or logs")
    return [_read_record(record, source) for record in sorted(event["Records"], key=_count_receives, reverse=True)]


def _count_receives(record: Mapping[str, Any]) -> int:
    """How often SQS has handed out this message; 0 for what is no message of SQS."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 0))


def takes_item_failures(event: Mapping[str, Any]) -> bool:
    """Return whether single messages can be handed back: only SQS takes a list of failures, others retry the whole."""
    return all(record.get("eventSource") == "aws:sqs" for record in event.get("Records", ({},)))


def _read_record(record: Mapping[str, Any], source: str) -> Message:
    if record.get("eventSource") == "aws:sqs":
        sent = int(record["attributes"]["SentTimestamp"]) / 1000
        attributes = {name: each.get("stringValue") or "" for name, each in record.get("messageAttributes", {}).items()}
        body, headers = unpack(record["body"], attributes)
        named = find_source(attributes, source)
        if named == UNKNOWN:
            named = find_origin(body)[0]
        return Message(record["messageId"], body, datetime.fromtimestamp(sent, UTC), named, headers)
    if record.get("EventSource") == "aws:sns":
        notice = record["Sns"]
        return Message(notice["MessageId"], notice["Message"].encode(), parse_time(notice["Timestamp"]), source)
    raise ValueError(f"a record of {record.get('eventSource') or record.get('EventSource')!r}: expected SQS or SNS")


def _read_logs(body: bytes, source: str) -> Message:
    """What a subscription of CloudWatch Logs hands over; it is taken when its last record was."""
    named, at = find_origin(body)
    return Message(blake2b(body, digest_size=16).hexdigest(), body, at, named if source in ("", UNKNOWN) else source)


class _Origin(Struct):
    """What shows whose a body is that AWS wrote."""

    source: str | None = None
    detail_type: str | None = field(name="detail-type", default=None)
    awslogs: Raw = Raw()


class _Log(Struct):
    group: str = field(name="logGroup", default="")
    events: list[dict[str, Raw]] = field(name="logEvents", default_factory=list)


_decode_origin: Final = msgspec.json.Decoder(_Origin).decode
_decode_log: Final = msgspec.json.Decoder(_Log).decode
_decode_milliseconds: Final = msgspec.json.Decoder(int).decode


def find_origin(body: bytes) -> tuple[str, datetime]:
    """Find the source of a body that EventBridge or CloudWatch Logs wrote, and of a log when (UTC) it ends.

    It is UNKNOWN where the body is none of these, or of nobody in the table of sources.
    """
    try:
        origin = _decode_origin(body)
        if origin.detail_type is not None:
            return _find_row(lambda row: bool(row.eventbridge) and row.eventbridge == origin.source), UNKNOWN_TIME
        if not origin.awslogs:
            return UNKNOWN, UNKNOWN_TIME
        log = _decode_log(peel(body))
        ends = [_decode_milliseconds(each["timestamp"]) for each in log.events if "timestamp" in each]
        at = datetime.fromtimestamp(max(ends, default=0) / 1000, UTC)
    except (*DECODE_ERRORS, MalformedFeedback, ValueError, OverflowError, OSError):
        return UNKNOWN, UNKNOWN_TIME
    return _find_row(lambda row: bool(row.log_groups) and re.match(row.log_groups, log.group) is not None), at


def _find_row(matches: Callable[[Source], bool]) -> str:
    return next((name for name, row in SOURCES.items() if matches(row)), UNKNOWN)


def read_rabbitmq(
    event: Mapping[str, Any], source: str, queue_kinds: Mapping[str, str], now: datetime
) -> list[Message]:
    """Return every body of a batch that Lambda took from RabbitMQ, or that was made like one; all are of `source`.

    `queue_kinds` says what kind of queue each name stands for; other queues go by their own names. RabbitMQ does not
    say when it took a message, so that is `now` (UTC). Raises ValueError for an event of any other service.
    """
    if event.get("eventSource") != "aws:rmq":
        raise ValueError(f"an event of {event.get('eventSource')!r}: expected RabbitMQ")
    found = []
    for place, deliveries in event["rmqMessagesByQueue"].items():
        queue = place.rpartition("::")[0] or place  # the virtual host comes after it
        found += [_read_delivery(each, source, queue, queue_kinds.get(queue, queue), now) for each in deliveries]
    return found


def _read_delivery(delivery: Mapping[str, Any], source: str, queue: str, kind: str, now: datetime) -> Message:
    body, properties = base64.b64decode(delivery["data"]), delivery.get("basicProperties") or {}
    headers = {
        "content-type": properties.get("contentType") or "",
        "content-encoding": properties.get("contentEncoding") or "",
        "x-queue": kind,
    }
    return Message(_make_id(queue, properties.get("messageId") or "", body), body, now, source, select_headers(headers))


def _make_id(queue: str, message_id: str, body: bytes) -> str:
    """The same for a message that comes again. RabbitMQ gives none, and what a publisher gives need not be unique."""
    identity = b"\n".join((queue.encode(), message_id.encode(), body))
    return blake2b(identity, digest_size=16).hexdigest()
