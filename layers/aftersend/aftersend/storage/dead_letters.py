"""Where a body goes that nobody can read: at once, whole, with the reason as an attribute; it can be redriven.

A queue takes less than RabbitMQ does. Of a body that is too large for it, a note is parked that says where in the
archive the body lies; every body is archived before it is read. Source: SQS developer guide, message quotas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SQSClient
from aftersend.core.times import format_time
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import SOURCE, Message, build_sqs_message, clean_attribute, measure_size, pack
from aftersend.storage.archive import folder


class _Note(Struct):
    """What is parked in the place of a body that is too large for a queue."""

    archived_in: str  # the folder of the archive; its objects are lines, each with its message_id
    message_id: str
    received_at: str
    bytes: int


def build_send(queue_url: str, message: Message, why: str) -> dict[str, Any]:
    """Return the body, unchanged, with its source, its id in the queue it came from, and why it was not read."""
    names = {SOURCE: message.source, "reason": clean_attribute(why), "message_id": clean_attribute(message.id)}
    text, attributes = pack(message.body, message.source, message.headers)
    attributes |= names
    if measure_size(text, attributes) > MAX_BYTES:
        at = message.received_at
        note = _Note(folder(message.source, at), message.id, format_time(at), len(message.body))
        text, attributes = msgspec.json.encode(note).decode(), names
    return {"QueueUrl": queue_url, **build_sqs_message(text, attributes)}


class DeadLetters:
    """Parks unreadable bodies in a queue. The client is made when the first one comes: most batches need none."""

    def __init__(self, connect: Callable[[], SQSClient], queue_url: str) -> None:
        self._connect = connect
        self._client: SQSClient | None = None
        self._queue_url = queue_url

    def put(self, message: Message, why: str) -> None:
        """Park `message`; raises StoreUnavailable where the queue does not take it."""
        self._client = self._client or self._connect()
        with translate_errors("SQS: SendMessage"):
            self._client.send_message(**build_send(self._queue_url, message, why))
