"""`aftersend rabbitmq --to`: what lies in RabbitMQ lies in SQS, or is parked where it came from."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import unpack
from local.environment import false_account
from tests.support import cloud as clouds
from tests.support.cloud import Cloud
from tests.support.rabbitmq import PASSWORD, Broker
from tests.support.template import ROOT

pytestmark = pytest.mark.rabbitmq

_PATIENCE: Final = 60.0
QUEUE, PARKING = "forward", "forward-parked"
Letters = list[tuple[bytes, dict[str, str]]]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with clouds.serving() as server:
        yield server


@pytest.fixture
def queue(broker: Broker) -> Iterator[str]:
    broker.declare(QUEUE)
    yield QUEUE
    broker.delete(QUEUE, PARKING)


def letters(sqs: Any, url: str) -> Letters:
    found = []
    while got := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
    ).get("Messages"):
        for each in got:
            attributes = {name: value["StringValue"] for name, value in each.get("MessageAttributes", {}).items()}
            found.append(unpack(each["Body"], attributes))
    return found


def test_every_body_is_handed_on_and_what_is_too_large_is_parked(
    broker: Broker, cloud: Cloud, queue: str, tmp_path: Path
) -> None:
    """The queue of SQS is not there at first: nothing is let go of meanwhile. A signal ends it in good time."""
    small = [b'{"recipient": "ann@example.net"}', b"\x1f\x8b\xff", b"", *(b"%d" % each for each in range(30))]
    large = b"x" * (MAX_BYTES + 1)
    broker.publish(queue, [*small, large], content_encoding="gzip")
    sqs, log = cloud.client("sqs"), tmp_path / "log"
    url = f"{cloud.endpoint}/123456789012/forwarded"
    command = [sys.executable, "-m", "aftersend_cli", "rabbitmq", "--queue", f"retry={queue}", "--to", url, "--yes"]
    environment = os.environ | false_account(cloud.endpoint) | {"RABBITMQ_URL": broker.url, "PYTHONWARNINGS": "error"}
    with log.open("ab") as out:
        consumer = subprocess.Popen([*command, "--parking", PARKING], cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        _until(lambda: "not taken" in log.read_text(), consumer)
        sqs.create_queue(QueueName="forwarded", Attributes={"MaximumMessageSize": str(MAX_BYTES)})
        found: Letters = []

        def all_found() -> bool:
            found.extend(letters(sqs, url))
            return len(found) >= len(small)

        _until(all_found, consumer)
        _until(lambda: broker.ready(PARKING) > 0, consumer)
    finally:
        consumer.terminate()
    assert consumer.wait(_PATIENCE) == 0
    assert sorted(body for body, _ in found) == sorted(small)
    assert {tuple(sorted(attributes.items())) for _, attributes in found} == {
        (("content-encoding", "gzip"), ("x-queue", "retry"))
    }
    assert broker.ready(queue) == 0
    ((properties, body),) = broker.take(PARKING)
    assert body == large
    assert properties.headers["x-queue"] == queue
    output = log.read_text()
    assert "QueueDoesNotExist" in output
    assert "stopped after 34 messages" in output
    assert PASSWORD not in output
    assert "ann@" not in output


def _until(condition: Callable[[], bool], consumer: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert consumer.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)
