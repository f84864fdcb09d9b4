"""Consumes queues of RabbitMQ: a message is acknowledged when its batch was taken, and not before.

What is not acknowledged stays in RabbitMQ, so this process may be killed at any moment. While a sink has a fault, its
batch is kept and tried again; while the broker is away, the connection is.

Sources: RabbitMQ, "Consumer Acknowledgements and Publisher Confirms", "Consumer Cancel Notification"; pika 1.x.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import pika  # type: ignore[import-untyped]
from pika.exceptions import AMQPError, ConnectionWrongStateError, ConsumerCancelled  # type: ignore[import-untyped]

from aftersend_cli.sinks import Delivery, Sink, Taken

LINGER: Final = 0.2  # seconds to wait for more messages after the first of a batch
_TICK: Final = 1.0  # seconds after which it is looked whether to stop
_LONGEST_PAUSE: Final = 60.0
_BLOCKED_SECONDS: Final = 60  # a broker that is out of memory takes nothing from us; another may


def say(text: str) -> None:
    """One line for the operator."""
    sys.stderr.write(f"rabbitmq: {text}\n")
    sys.stderr.flush()


def parameters(url: str) -> pika.URLParameters:
    """How to connect; raises ValueError, which does not repeat the address: it holds a password."""
    try:
        address = urlsplit(url)
        if address.scheme not in ("amqp", "amqps") or not address.hostname:
            raise ValueError
        found = pika.URLParameters(url)
    except (ValueError, TypeError, OSError):
        raise ValueError("not an address of RabbitMQ: amqp://… or amqps://user:password@host/virtual-host") from None
    found.blocked_connection_timeout = _BLOCKED_SECONDS
    return found


class Backoff:
    """How long to wait before the next attempt: longer each time, by chance, until something went well."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """Something went well."""
        self._failures = 0

    def pause(self) -> float:
        """Seconds to wait now."""
        self._failures = min(self._failures + 1, 10)
        return min(_LONGEST_PAUSE, 0.5 * 2.0**self._failures) * random.uniform(0.5, 1)  # noqa: S311  # spreads, hides nothing


class Consumer:
    """Takes messages from some queues of one broker and hands them to a sink in batches."""

    def __init__(
        self, broker: pika.URLParameters, queues: Sequence[str], sink: Sink, *, prefetch: int = 100, parking: str = ""
    ) -> None:
        self._broker, self._queues, self._sink = broker, queues, sink
        self._prefetch, self._parking = prefetch, parking
        self._stop = Event()
        self._backoff = Backoff()
        self._waiting: list[Delivery] = []
        self._done = 0
        logging.getLogger("pika").setLevel(logging.CRITICAL)  # what went wrong is said here, in one line

    def stop(self, *_: object) -> None:
        """Finish the batch that is being worked, then return from `run`."""
        self._stop.set()

    def run(self) -> int:
        """Consume until it is stopped; how many messages were done."""
        with ThreadPoolExecutor(1) as worker:
            while not self._stop.is_set():
                try:
                    with _connected(self._broker) as connection:
                        self._consume(_Line(connection, worker, self._stop))
                except (AMQPError, OSError) as error:
                    if not self._stop.is_set():
                        self._wait(error)
        say(f"stopped after {self._done} messages")
        return self._done

    def _wait(self, error: Exception) -> None:
        pause = self._backoff.pause()
        say(f"{_reason(error)}; connecting again in {pause:.0f} s")
        self._stop.wait(pause)

    def _consume(self, line: _Line) -> None:
        self._waiting.clear()  # what another connection delivered will be delivered again
        channel = line.connection.channel()
        channel.confirm_delivery()
        if self._parking:
            channel.queue_declare(self._parking, durable=True)
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.add_on_cancel_callback(_cancelled)
        for queue in self._queues:
            channel.basic_consume(queue, self._taker(queue))
        say(f"connected to {self._broker.host}:{self._broker.port}, consuming {', '.join(self._queues)}")
        while not self._stop.is_set():
            line.pump(_TICK, until=lambda: bool(self._waiting))
            line.pump(LINGER, until=lambda: len(self._waiting) >= self._prefetch)
            if self._waiting and not self._stop.is_set():
                batch = self._waiting[: self._prefetch]
                del self._waiting[: self._prefetch]
                self._work(batch, channel, line)

    def _taker(self, queue: str) -> Callable[..., None]:
        def take(_channel: Any, method: Any, properties: Any, body: bytes) -> None:
            self._waiting.append(
                Delivery(
                    method.delivery_tag,
                    queue,
                    body,
                    method.redelivered,
                    _text(properties.content_type),
                    _text(properties.content_encoding),
                    _text(properties.message_id),
                )
            )

        return take

    def _work(self, batch: Sequence[Delivery], channel: Any, line: _Line) -> None:
        """Hand a batch over, in pieces if need be, and acknowledge it; given up only where we are stopped."""
        left = list(batch)
        while left:
            taken = line.work(self._sink, left)
            for delivery, why in taken.refused:
                self._park(delivery, why, channel)
            left = taken.again
            if left:
                pause = self._backoff.pause()
                say(f"{len(left)} messages not taken: {taken.why}; again in {pause:.0f} s")
                line.pump(pause)
                if self._stop.is_set():
                    return
        self._backoff.reset()
        self._done += len(batch)
        # Deliveries are numbered in their order, and all before this batch are done.
        channel.basic_ack(delivery_tag=batch[-1].tag, multiple=True)

    def _park(self, delivery: Delivery, why: str, channel: Any) -> None:
        """Into a queue of the broker's own, which takes what SQS does not; the broker confirms it."""
        properties = pika.BasicProperties(
            content_type=delivery.content_type,
            content_encoding=delivery.content_encoding,
            message_id=delivery.message_id,
            delivery_mode=pika.DeliveryMode.Persistent.value,
            headers={"x-reason": why, "x-queue": delivery.queue},
        )
        channel.basic_publish("", self._parking, delivery.body, properties, mandatory=True)
        say(f"a message of {delivery.queue} was parked in {self._parking}: {why}")


class _Line:
    """A connection that stays alive while something takes its time: heartbeats are answered meanwhile."""

    def __init__(self, connection: Any, worker: ThreadPoolExecutor, stop: Event) -> None:
        self.connection, self._worker, self._stop = connection, worker, stop

    def pump(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let messages come in for so long, until there are enough, or until we are stopped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not until() and not self._stop.is_set():
            self.connection.process_data_events(time_limit=min(left, _TICK))

    def work(self, sink: Sink, batch: Sequence[Delivery]) -> Taken:
        """What the sink says; it works in a thread of its own."""
        future = self._worker.submit(sink, batch)
        future.add_done_callback(self._wake)
        while not future.done():
            self.connection.process_data_events(time_limit=_TICK)
        return future.result()

    def _wake(self, _: Future[Taken]) -> None:
        with suppress(ConnectionWrongStateError):  # closed meanwhile, and nobody waits
            self.connection.add_callback_threadsafe(lambda: None)


@contextmanager
def _connected(broker: pika.URLParameters) -> Iterator[Any]:
    connection = pika.BlockingConnection(broker)
    try:
        yield connection
    finally:
        with suppress(AMQPError):  # it is broken, or the broker has closed it
            connection.close()


def _cancelled(_: object) -> NoReturn:
    raise ConsumerCancelled


def _text(value: object) -> str | None:
    """A property as text; what is no UTF-8 arrives as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None


def _reason(error: Exception) -> str:
    """What went wrong: the broker's own words where it had some."""
    text = str(getattr(error, "reply_text", "") or "")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
