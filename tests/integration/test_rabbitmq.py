"""The consumer against a real RabbitMQ: a message is acknowledged when it was taken, and never before."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread
from typing import Any, Final

import pytest

from aftersend_cli.amqp import Consumer, parameters
from aftersend_cli.sinks import Delivery, Sink, Taken
from tests.support.rabbitmq import PASSWORD, Broker

pytestmark = pytest.mark.rabbitmq

_PATIENCE: Final = 60.0  # seconds for what must happen
_names = (f"results-{number}" for number in count())


@pytest.fixture
def queue(broker: Broker) -> Iterator[str]:
    """A fresh, durable, empty queue."""
    name = next(_names)
    broker.declare(name)
    yield name
    broker.delete(name)


class Sinkhole:
    """Takes batches, but for what `answer` says of them."""

    def __init__(self, answer: Callable[[Sequence[Delivery]], Taken] = lambda _: Taken()) -> None:
        self.batches: list[list[Delivery]] = []
        self._answer = answer

    def __call__(self, batch: Sequence[Delivery]) -> Taken:
        taken = self._answer(batch)
        self.batches.append(list(batch))
        return taken

    @property
    def bodies(self) -> list[bytes]:
        return [each.body for batch in self.batches for each in batch]


@contextmanager
def consuming(broker: Broker, queues: Sequence[str], sink: Sink, **options: Any) -> Iterator[Consumer]:
    """A consumer at work; it is stopped in the end, and must then end in good time."""
    url = options.pop("url", broker.url)
    consumer = Consumer(parameters(url), queues, sink, **options)
    worker = Thread(target=consumer.run, daemon=True)
    worker.start()
    try:
        yield consumer
    finally:
        consumer.stop()
        worker.join(_PATIENCE)
        assert not worker.is_alive(), "it does not stop"


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def bodies(number: int) -> list[bytes]:
    return [b"%d" % each for each in range(number)]


def test_everything_is_taken_once_in_batches_no_larger_than_asked(broker: Broker, queue: str) -> None:
    broker.publish(queue, bodies(35), content_type="application/json", content_encoding="gzip", message_id="m")
    sink = Sinkhole()
    with consuming(broker, [queue], sink, prefetch=10):
        until(lambda: len(sink.bodies) == 35)
    assert sink.bodies == bodies(35)
    assert max(map(len, sink.batches)) == 10
    first = sink.batches[0][0]
    properties = (first.queue, first.content_type, first.content_encoding, first.message_id, first.redelivered)
    assert properties == (queue, "application/json", "gzip", "m", False)
    assert broker.ready(queue) == 0


def test_what_is_not_taken_stays(broker: Broker, queue: str) -> None:
    """And is handed over again until it is, or until we are stopped."""
    broker.publish(queue, bodies(5))
    sink = Sinkhole(lambda batch: Taken(again=list(batch), why="the store is away"))
    with consuming(broker, [queue], sink):
        until(lambda: len(sink.batches) > 1)
        assert broker.ready(queue) == 0, "it lets go of them"
    until(lambda: broker.ready(queue) == 5)


def test_only_what_is_left_of_a_batch_is_handed_over_again(broker: Broker, queue: str) -> None:
    broker.publish(queue, bodies(4))

    def answer(batch: Sequence[Delivery]) -> Taken:
        return Taken(again=list(batch[2:]), why="one of two writes failed")

    sink = Sinkhole(answer)
    with consuming(broker, [queue], sink):
        until(lambda: len(sink.bodies) >= 6)
    assert [each.body for batch in sink.batches for each in batch] == [b"0", b"1", b"2", b"3", b"2", b"3"]
    assert broker.ready(queue) == 0


def test_a_sink_with_a_mistake_ends_the_process_and_loses_nothing(broker: Broker, queue: str) -> None:
    broker.publish(queue, bodies(3))

    def answer(_: Sequence[Delivery]) -> Taken:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Consumer(parameters(broker.url), [queue], Sinkhole(answer)).run()
    until(lambda: broker.ready(queue) == 3)


def test_what_nobody_will_ever_take_is_parked_in_the_broker(broker: Broker, queue: str) -> None:
    parking = f"{queue}-parked"
    broker.publish(queue, [b"good", b"x" * 2_000_000, b"better"], content_encoding="none")

    def answer(batch: Sequence[Delivery]) -> Taken:
        return Taken(refused=[(each, "too large for SQS") for each in batch if len(each.body) > 1_000_000])

    sink = Sinkhole(answer)
    with consuming(broker, [queue], sink, parking=parking):
        until(lambda: len(sink.bodies) == 3)
    assert broker.ready(queue) == 0
    ((properties, body),) = broker.take(parking)
    assert body == b"x" * 2_000_000
    assert properties.headers == {"x-reason": "too large for SQS", "x-queue": queue}
    assert (properties.delivery_mode, properties.content_encoding) == (2, "none")
    broker.delete(parking)


def test_a_broker_that_dies_is_waited_for(broker: Broker, queue: str) -> None:
    """What was being worked when it died comes again; what was acknowledged does not."""
    broker.publish(queue, bodies(20))
    working, back = Event(), Event()

    def answer(batch: Sequence[Delivery]) -> Taken:
        if batch[0].body == b"10" and not back.is_set():
            working.set()
            assert back.wait(_PATIENCE)
        return Taken()

    sink = Sinkhole(answer)
    with consuming(broker, [queue], sink, prefetch=10):
        assert working.wait(_PATIENCE)
        # The first batch is acknowledged, else there were no second. What the broker confirms is on its disk, and all
        # before it in the same queue; the queue itself is once it has written it down.
        broker.publish(queue, [b"20"])
        broker.write_down()
        broker.kill()
        broker.start()
        back.set()
        until(lambda: len(sink.bodies) >= 31)
    assert sink.bodies == [*bodies(20), *bodies(21)[10:]]
    redelivered = [each.redelivered for batch in sink.batches for each in batch]
    assert redelivered[:30] == [False] * 20 + [True] * 10
    assert broker.ready(queue) == 0


def test_a_queue_that_comes_late_or_goes_is_waited_for(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    name = next(_names)
    sink = Sinkhole()
    output = ""

    def printed(text: str) -> bool:
        nonlocal output
        output += capsys.readouterr().err
        return text in output

    with consuming(broker, [name], sink):
        until(lambda: printed("NOT_FOUND"))
        for _ in range(2):
            broker.declare(name)
            broker.publish(name, [b"here"])
            until(lambda: len(sink.bodies))
            sink.batches.clear()
            broker.delete(name)
        until(lambda: printed("ConsumerCancelled"))


def test_heartbeats_are_answered_while_a_batch_takes_its_time(
    broker: Broker, queue: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broker hangs up after two silent intervals, and would hand the batch to somebody else."""
    broker.publish(queue, [b"slow"])

    def answer(_: Sequence[Delivery]) -> Taken:
        time.sleep(8)
        return Taken()

    sink = Sinkhole(answer)
    with consuming(broker, [queue], sink, url=f"{broker.url}?heartbeat=2"):
        until(lambda: sink.batches)
    assert len(sink.batches) == 1
    assert capsys.readouterr().err.count("connected to") == 1
    assert broker.ready(queue) == 0


def test_over_tls_with_a_certificate_that_is_trusted(
    broker: Broker, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(broker.certificates.authority))
    broker.publish(queue, [b"secret"])
    sink = Sinkhole()
    with consuming(broker, [queue], sink, url=broker.tls_url):
        until(lambda: sink.bodies == [b"secret"])


@pytest.mark.parametrize("wrong", ["certificate", "host", "password", "port"])
def test_who_is_not_who_he_should_be_gets_nothing_and_no_password_is_shown(
    broker: Broker, queue: str, wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.publish(queue, [b"secret"])
    if wrong == "host":  # the certificate is for "localhost"
        monkeypatch.setenv("SSL_CERT_FILE", str(broker.certificates.authority))
    url = {
        "certificate": broker.tls_url,
        "host": broker.tls_url.replace("localhost", "127.0.0.1"),
        "password": broker.url.replace("password", "passw0rd"),
        "port": broker.url.replace(f":{broker.port}", ":1"),
    }[wrong]
    sink, output = Sinkhole(), ""

    def printed(text: str) -> bool:
        nonlocal output
        output += "".join(capsys.readouterr())
        return text in output

    with consuming(broker, [queue], sink, url=url):
        until(lambda: printed("connecting again"))
    assert sink.batches == []
    assert broker.ready(queue) == 1
    assert PASSWORD not in output
    assert "passw" not in output
