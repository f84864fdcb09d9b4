"""The queue of webhooks: one message for each event and endpoint, in order for each endpoint and recipient.

A FIFO queue gives out nothing of a group while something of it is under way, so what is tried again later keeps its
place. The group is one endpoint and one recipient: whatever an event meets, it holds up no other recipient's and no
other endpoint's. A repeat within five minutes is dropped by the queue. Source: SQS developer guide, "FIFO queues".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SQSClient
from aftersend.core.errors import StoreUnavailable
from aftersend.core.events import Event, find_subject
from aftersend.outgoing.endpoints import BodyFormat, Endpoint
from aftersend.outgoing.sentence import build_chat_body

MOST_AT_ONCE: Final = 10
_encode: Final = msgspec.json.Encoder().encode


class Webhook(Struct, frozen=True, kw_only=True):
    """An event on its way to an endpoint: the body is what its bytes are, on every attempt."""

    endpoint: str  # its name
    id: str
    type: str
    body: str


def build_webhook(name: str, endpoint: Endpoint, event: Event) -> Webhook:
    """Build what is sent to an endpoint."""
    body = build_chat_body(event) if endpoint.format is BodyFormat.SLACK else _encode(event)
    return Webhook(endpoint=name, id=event.id, type=event.type, body=body.decode())


def build_group(name: str, subject: str) -> str:
    """Build the name of a group: a digest, which names nobody in a log of AWS."""
    return blake2b(_encode((name, subject)), digest_size=16).hexdigest()


class WebhookOutbox:
    """Sends to the queue of webhooks."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def put(self, events: Sequence[Event], endpoints: Iterable[tuple[str, Endpoint]]) -> int:
        """Queue every event for every endpoint that wants it, and return how many webhooks that are.

        Raises StoreUnavailable where the queue does not take one of them.
        """
        known = list(endpoints)
        entries = [
            _build_entry(build_webhook(name, endpoint, event), find_subject(event))
            for event in events
            for name, endpoint in known
            if endpoint.wants(event)
        ]
        for start in range(0, len(entries), MOST_AT_ONCE):
            self._send([{"Id": str(at), **each} for at, each in enumerate(entries[start : start + MOST_AT_ONCE])])
        return len(entries)

    def _send(self, entries: list[dict[str, Any]]) -> None:
        with translate_errors("SQS: SendMessageBatch"):
            answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        accepted = {each["Id"] for each in answer.get("Successful", ())}
        if len(accepted) < len(entries):
            codes = (str(each.get("Code")) for each in answer.get("Failed", ()))
            raise StoreUnavailable(f"SQS: SendMessageBatch failed: {next(codes, 'missing in the answer')}")


def _build_entry(webhook: Webhook, subject: str) -> dict[str, Any]:
    return {
        "MessageBody": _encode(webhook).decode(),
        "MessageGroupId": build_group(webhook.endpoint, subject),
        "MessageDeduplicationId": blake2b(_encode((webhook.endpoint, webhook.id)), digest_size=16).hexdigest(),
    }
