"""Law 4 through a real RabbitMQ: "A crash between any two writes, followed by redelivery, gives the same tables. No
body disappears."

Results of MailerQ lie in a real broker; `aftersend rabbitmq` consumes them into tables on a real engine, and is
killed at random again and again. AFTERSEND_RABBITMQ_RESULTS says how many results there are.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from aftersend import classify
from aftersend.core import policy
from aftersend.ingest import ingest
from aftersend.sources.message import Message, unpack
from tests import engines
from tests.engines import Engine
from tests.support import cloud as clouds
from tests.support.cloud import BUCKET, Cloud
from tests.support.mailerq import ACCEPTED, FAILURES, GAVE_UP, attempt, message, raw
from tests.support.oracle import Tables, differences, scanned, stored
from tests.support.ports import NOW, MemoryDeadLetters, MemoryStore, ports
from tests.support.rabbitmq import PASSWORD, Broker
from tests.support.template import ROOT

pytestmark = [pytest.mark.rabbitmq, pytest.mark.engine]

RESULTS: Final = int(os.environ.get("AFTERSEND_RABBITMQ_RESULTS", "2000"))
KILLS: Final = 10
_PATIENCE: Final = 120.0  # seconds without progress
Queues = dict[str, list[bytes]]  # kind of queue -> bodies in it


def mixed(number: int, seed: int) -> Queues:
    """So many results: successes, failures of every kind, retries before them, repeats, and what nobody can read."""
    dice = random.Random(seed)
    queues: Queues = {"results": [], "retry": []}
    made = 0
    while sum(map(len, queues.values())) < number:
        made += 1
        others: dict[str, Any] = {"recipient": f"r{dice.randrange(number // 3)}@example.net", "number": made}
        attempts = [attempt(*dice.choice(FAILURES[:6]), hours=hour) for hour in range(dice.choice((0, 0, 0, 1, 2)))]
        queues["retry"] += [raw(message(*attempts[:tried], **others)) for tried in range(1, len(attempts) + 1)]
        end = dice.choices((ACCEPTED, GAVE_UP, *FAILURES), (20, 1, *[1] * len(FAILURES)))[0]
        body = raw(message(*attempts, attempt(*end, hours=len(attempts)), **others))
        queues["results"] += [body] * dice.choice((1,) * 19 + (2,))
        if made % 100 == 0:
            queues["results"].append(b"%d: " % made + dice.randbytes(20))
    for bodies in queues.values():
        dice.shuffle(bodies)
    return queues


def clean_run(queues: Queues) -> tuple[Tables, set[bytes]]:
    """What the tables are where nothing goes wrong, and what is parked."""
    store, letters = MemoryStore(), MemoryDeadLetters()
    rules = classify.load(None)
    used = ports(store, dead_letters=letters, classify=rules, policy=policy.load())
    every = [Message("", body, NOW, "mailerq", {"x-queue": kind}) for kind, bodies in queues.items() for body in bodies]
    for start in range(0, len(every), 100):
        assert not ingest(every[start : start + 100], used).failed
    return stored(store), {parked.body for _, parked, _ in letters.parked}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with clouds.serving() as server:
        server.create()
        versioning = {"Status": "Enabled"}  # a batch that comes again is archived again, under the same name
        server.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versioning)
        yield server


@pytest.fixture
def engine() -> Iterator[Engine]:
    try:
        with engines.running("dynoxide") as engine:
            yield engine
    except engines.Unavailable as lack:
        pytest.skip(str(lack))


class Rig:
    """A broker with two queues, an engine with empty tables, an archive, and consumers that come and go."""

    def __init__(self, broker: Broker, engine: Engine, cloud: Cloud, log: Path) -> None:
        self.broker, self.engine, self.cloud, self.log = broker, engine, cloud, log
        self.tables = engine.tables()
        self._environment = os.environ | cloud.environment("Consume") | {
            "AWS_ENDPOINT_URL_DYNAMODB": str(engine.endpoint),
            "OUTCOMES_TABLE": self.tables.outcomes,
            "SUPPRESSIONS_TABLE": self.tables.suppressions,
            "SPIKE_WINDOWS_TABLE": engine.table("SpikeWindows"),
            "UNMATCHED_TEXTS_TABLE": engine.table("UnmatchedTexts"),
            "UNREADABLE_BODIES_QUEUE": cloud.parking(),
            "RABBITMQ_URL": broker.url,
            "PYTHONWARNINGS": "error",
        }  # fmt: skip

    def consumer(self) -> subprocess.Popen[bytes]:
        queues = [argument for name in ("results", "retry") for argument in ("--queue", f"{name}=crash-{name}")]
        command = [sys.executable, "-m", "aftersend_cli", "rabbitmq", *queues, "--handler", "--yes", "--prefetch", "25"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)

    def ready(self) -> int:
        return sum(self.broker.ready(f"crash-{name}") for name in ("results", "retry"))

    def archived(self) -> list[bytes]:
        """Every body in the archive, as often as it was put there."""
        s3, found = self.cloud.client("s3"), []
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
            for each in page["Versions"]:
                packed = s3.get_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
                found += [_body(json.loads(line)) for line in gzip.decompress(packed).splitlines()]
        return found

    def parked(self) -> set[bytes]:
        """Every body in the dead-letter queue."""
        sqs, url, found = self.cloud.client("sqs"), self.cloud.parking(), set()
        while letters := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
        ).get("Messages"):
            for each in letters:
                attributes = {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
                found.add(unpack(each["Body"], attributes)[0])
        return found

    def wait(self, consumer: subprocess.Popen[bytes], most: int) -> None:
        """Until no more messages than so many wait."""
        deadline, before = time.monotonic() + _PATIENCE, -1
        while (now := self.ready()) > most:
            assert consumer.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            if now != before:
                deadline, before = time.monotonic() + _PATIENCE, now
            time.sleep(0.02)


def _body(line: dict[str, Any]) -> bytes:
    return base64.b64decode(line["body_base64"]) if line.get("body") is None else line["body"].encode()


@pytest.fixture
def rig(broker: Broker, engine: Engine, cloud: Cloud, tmp_path: Path) -> Iterator[Rig]:
    broker.declare("crash-results", "crash-retry")
    yield Rig(broker, engine, cloud, tmp_path / "log")
    broker.delete("crash-results", "crash-retry")


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - started:.1f} s")


def test_nothing_is_lost_however_often_the_consumer_is_killed(rig: Rig) -> None:
    queues = mixed(RESULTS, seed=11)
    every = [body for bodies in queues.values() for body in bodies]
    for kind, bodies in queues.items():
        rig.broker.publish(f"crash-{kind}", bodies)
    dice = random.Random(23)
    with timed(f"{len(every)} results, {KILLS} kills"):
        for kill in range(KILLS):
            consumer = rig.consumer()
            try:
                rig.wait(consumer, len(every) * (KILLS - kill) // (KILLS + 1))
                time.sleep(dice.uniform(0, 0.2))
            finally:
                consumer.kill()
                assert consumer.wait() == -signal.SIGKILL
        while rig.ready():  # what a consumer held but had not begun when it was stopped is there again
            consumer = rig.consumer()
            try:
                rig.wait(consumer, 0)
                time.sleep(1)
            finally:
                consumer.terminate()
                assert consumer.wait(_PATIENCE) == 0
    tables, unreadable = clean_run(queues)
    assert len(tables.outcomes) > len(every) / 3
    assert len(tables.suppressions) > 10
    assert not differences(scanned(rig.engine.client(), rig.tables), tables)
    archived = rig.archived()
    assert set(archived) == set(every)
    assert len(archived) > len(every), "no kill hit a batch at work"
    assert rig.parked() == unreadable != set()
    assert PASSWORD not in rig.log.read_text()
