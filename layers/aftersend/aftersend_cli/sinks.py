"""What the consumer of RabbitMQ does with a batch: work it here as the function `consume` does, or to a queue of SQS.

A batch is taken when the answer says so, and not before. What is `refused` will never be taken; what must come `again`
is our side's fault.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from aftersend import bootstrap, observability, settings
from aftersend.core.errors import ServiceError, StoreUnavailable
from aftersend.ingest import ingest
from aftersend.jobs.poll_mns import QueueSenderPort
from aftersend.sources.lambda_event import read_rabbitmq
from aftersend.storage.queue import OutgoingMessage

Event = dict[str, Any]


class Delivery(Struct, frozen=True):
    """One message as RabbitMQ delivered it. `tag` is its number on the channel."""

    tag: int
    queue: str
    body: bytes
    redelivered: bool = False
    content_type: str | None = None
    content_encoding: str | None = None
    message_id: str | None = None


class Taken(Struct):
    """What became of a batch: all that is in neither list is safe."""

    refused: list[tuple[Delivery, str]] = []  # and why
    again: list[Delivery] = []
    why: str = ""


Sink = Callable[[Sequence[Delivery]], Taken]


def handler() -> Callable[[Event, object], Any]:
    """Return what the function `consume` does, with the variables of this process for its settings."""
    logger, metrics, made, graphs = (
        observability.make_logger(),
        observability.make_metrics(),
        bootstrap.consume(),
        settings.load_graphs(),
    )

    def handle(event: Event, _context: object) -> None:
        report = ingest(read_rabbitmq(event, made.source, made.broker_queues, datetime.now(UTC)), made.ports)
        observability.report_batch(report, made.digest_key, logger, metrics, graphs=graphs)
        if report.failed:
            raise StoreUnavailable("not stored: the whole batch must come again")

    return handle


def to_handler(handle: Callable[[Event, object], Any], virtual_host: str) -> Sink:
    """Hand batches to a handler, as Lambda does."""

    def sink(batch: Sequence[Delivery]) -> Taken:
        try:
            handle(event(batch, virtual_host), None)
        except ServiceError as error:
            return Taken(again=list(batch), why=str(error))
        return Taken()

    return sink


def to_queue(forwarder: QueueSenderPort, queue_kinds: Mapping[str, str]) -> Sink:
    """Hand bodies to a queue of SQS, with the word of the queue that each lay in."""

    def sink(batch: Sequence[Delivery]) -> Taken:
        fates = forwarder.send([OutgoingMessage("mailerq", each.body, _headers(each, queue_kinds)) for each in batch])
        return Taken(
            refused=[(batch[place], why) for place, why in fates.refused.items()],
            again=[batch[place] for place in fates.failed],
            why=next(iter(fates.failed.values()), ""),
        )

    return sink


def _headers(delivery: Delivery, queue_kinds: Mapping[str, str]) -> dict[str, str]:
    return {
        "content-type": delivery.content_type or "",
        "content-encoding": delivery.content_encoding or "",
        "x-queue": queue_kinds[delivery.queue],
    }


def event(batch: Sequence[Delivery], virtual_host: str) -> Event:
    """A batch as Lambda takes it from RabbitMQ (Lambda developer guide, "Using Lambda with Amazon MQ")."""
    by_queue: dict[str, list[Event]] = {}
    for each in batch:
        by_queue.setdefault(f"{each.queue}::{virtual_host}", []).append(
            {
                "basicProperties": {
                    "contentType": each.content_type,
                    "contentEncoding": each.content_encoding,
                    "messageId": each.message_id,
                    "bodySize": len(each.body),
                },
                "redelivered": each.redelivered,
                "data": base64.b64encode(each.body).decode(),
            }
        )
    return {"eventSource": "aws:rmq", "rmqMessagesByQueue": by_queue}
