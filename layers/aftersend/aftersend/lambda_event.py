"""The bodies in a Lambda event: SQS batches, SNS invocations, EventBridge invocations.

Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "… with EventBridge".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from aftersend.carrier import Message, unpack
from aftersend.times import instant


def messages(event: Mapping[str, Any]) -> list[Message]:
    """Every body, unchanged, with its id and the time (UTC) at which the queue or the topic took it.

    Raises ValueError for an event of any other service.
    """
    if "detail-type" in event:
        return [Message(str(event["id"]), msgspec.json.encode(event), instant(event["time"]))]
    return [_message(record) for record in event.get("Records", ())]


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
        return Message(notice["MessageId"], notice["Message"].encode(), instant(notice["Timestamp"]))
    raise ValueError(f"a record of {record.get('eventSource') or record.get('EventSource')!r}: expected SQS or SNS")
