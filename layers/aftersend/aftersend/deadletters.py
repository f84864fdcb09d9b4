"""Where a body goes that nobody can read: at once, whole, with the reason as an attribute; it can be redriven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from aftersend.carrier import Message, pack
from aftersend.errors import StoreUnavailable
from aftersend.text import cut


class SQS(Protocol):
    """What is needed of a client."""

    def send_message(self, **request: Any) -> Any: ...  # noqa: D102


def build_send(queue_url: str, source: str, message: Message, why: str) -> dict[str, Any]:
    """The body, unchanged, with its source, its id in the queue it came from, and why it was not read."""
    text, attributes = pack(message.body, message.headers)
    attributes |= {"source": source, "reason": cut(why, 256), "message_id": message.id}
    return {
        "QueueUrl": queue_url,
        "MessageBody": text,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value or "-"} for name, value in attributes.items()
        },
    }


class DeadLetters:
    """Parks unreadable bodies in a queue. The client is made when the first one comes: most batches need none."""

    def __init__(self, connect: Callable[[], SQS], queue_url: str) -> None:
        self._connect = connect
        self._client: SQS | None = None
        self._queue_url = queue_url

    def put(self, source: str, message: Message, why: str) -> None:
        """Park `message`; raises StoreUnavailable where the queue does not take it."""
        self._client = self._client or self._connect()
        try:
            self._client.send_message(**build_send(self._queue_url, source, message, why))
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailable(f"SQS: SendMessage failed: {type(error).__name__}") from error
