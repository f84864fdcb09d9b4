"""Where a body goes that nobody can read: at once, whole, with the reason as an attribute; it can be redriven.

A queue takes less than RabbitMQ does. Of a body that is too large for it, a note is parked that says where in the
archive the body lies; every body is archived before it is read. Source: SQS developer guide, message quotas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SQSClient
from aftersend.core.errors import ServiceError, StoreUnavailable
from aftersend.core.times import format_time
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import SOURCE, Message, build_sqs_message, clean_attribute, measure_size, pack
from aftersend.storage.archive import folder
from aftersend.storage.queue import MOST_AT_ONCE


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
        if refused := self.put_all([(message, why)]):
            raise StoreUnavailable(refused[message.id])

    def put_all(self, letters: Sequence[tuple[Message, str]]) -> dict[str, str]:
        """Park messages, each with why it cannot be read, several in one call.

        Returns the ids of those that the queue does not take, with its reason; raises nothing.
        """
        self._client = self._client or self._connect()
        refused: dict[str, str] = {}
        for entries in _fill_calls(self._queue_url, letters):
            names = {entry["Id"]: letters[int(entry["Id"])][0].id for entry in entries}
            try:
                with translate_errors("SQS: SendMessageBatch"):
                    answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            except ServiceError as trouble:
                refused |= dict.fromkeys(names.values(), str(trouble))
                continue
            accepted = {each["Id"] for each in answer.get("Successful", ())}
            codes = {each["Id"]: str(each.get("Code")) for each in answer.get("Failed", ())}
            refused |= {id_: codes.get(at, "missing in the answer") for at, id_ in names.items() if at not in accepted}
        return refused


def _fill_calls(queue_url: str, letters: Sequence[tuple[Message, str]]) -> Iterator[list[dict[str, Any]]]:
    """The entries of each call: as many as one takes, by number and by size."""
    entries: list[dict[str, Any]] = []
    load = 0
    for place, (message, why) in enumerate(letters):
        sent = build_send(queue_url, message, why)
        del sent["QueueUrl"]
        attributes = {name: str(value["StringValue"]) for name, value in sent["MessageAttributes"].items()}
        size = measure_size(sent["MessageBody"], attributes)
        if entries and (len(entries) == MOST_AT_ONCE or load + size > MAX_BYTES):
            yield entries
            entries, load = [], 0
        entries.append({"Id": str(place), **sent})
        load += size
    if entries:
        yield entries
