"""`consume` as it is deployed: what SAM builds, with the template's settings, behind Lambda's Runtime API."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import unpack
from local.samples import EVENTS
from tests.support.cloud import Cloud
from tests.support.emulator import Build, Emulator
from tests.support.mailerq import ACCEPTED, FAILURES, attempt, message, raw

pytestmark = pytest.mark.emulator

DELIVERED = raw(message(attempt(*ACCEPTED), number=1))
REFUSED = raw(message(attempt(*FAILURES[0]), number=2))
DEFERRED = raw(message(attempt(*FAILURES[1]), number=3))


@pytest.fixture(scope="session")
def running(build: Build, server: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The function, with its queues named as the template names them."""
    server.create()
    environment = server.environment("Consume") | {
        "MAILERQ_QUEUES": "completed=results,delayed=retry,=success",
    }
    server.clear()
    path = [build.function.parent / "Consume", *build.path[1:]]
    with Emulator(path, environment, tmp_path_factory.mktemp("log") / "log", "app.handler") as started:
        yield started


@pytest.fixture
def consume(running: Emulator, cloud: Cloud) -> Emulator:
    """The same, with nothing in its tables and its log."""
    running.log.write_text("")
    return running


def event(*bodies: bytes, queue: str = "completed", **properties: Any) -> dict[str, Any]:
    deliveries = [
        {"basicProperties": properties, "redelivered": False, "data": base64.b64encode(body).decode()}
        for body in bodies
    ]
    return {"eventSource": "aws:rmq", "eventSourceArn": "arn", "rmqMessagesByQueue": {f"{queue}::/": deliveries}}


def statuses(cloud: Cloud) -> list[str]:
    return sorted(row["status"] for row in cloud.rows("Outcomes"))


def test_results_become_outcomes_and_suppressions(consume: Emulator, cloud: Cloud) -> None:
    assert consume.invoke(event(DELIVERED, REFUSED)) == {"unreadable": 0}
    assert statuses(cloud) == ["bounced", "delivered"]
    assert [sorted(json.loads(row["causes"])) for row in cloud.rows("Suppressions")] == [["hard"]]
    assert cloud.archived() == [DELIVERED.decode(), REFUSED.decode()]
    assert cloud.parked() == []


def test_a_batch_that_comes_again_changes_nothing(consume: Emulator, cloud: Cloud) -> None:
    consume.invoke(event(DELIVERED, REFUSED))
    before = (cloud.rows("Outcomes"), cloud.rows("Suppressions"))
    assert consume.invoke(event(REFUSED, DELIVERED)) == {"unreadable": 0}
    assert (cloud.rows("Outcomes"), cloud.rows("Suppressions")) == before


def test_the_queue_says_whether_it_was_the_end(consume: Emulator, cloud: Cloud) -> None:
    """A full mailbox is deferred where MailerQ tries again, and bounced where it does not."""
    consume.invoke(event(DEFERRED, queue="delayed"))
    assert statuses(cloud) == ["deferred"]
    consume.invoke(event(DEFERRED, queue="completed"))
    assert statuses(cloud) == ["bounced"]


def test_what_is_packed_is_unpacked(consume: Emulator, cloud: Cloud) -> None:
    consume.invoke(event(gzip.compress(DELIVERED), contentEncoding="gzip"))
    assert statuses(cloud) == ["delivered"]


def test_what_nobody_can_read_is_parked_and_holds_up_nothing(consume: Emulator, cloud: Cloud) -> None:
    """Nobody takes single messages back, so a body must not make its batch come again."""
    poison = [b"{no json", b"\x1f\x8b broken", b""]
    assert consume.invoke(event(DELIVERED, *poison, REFUSED)) == {"unreadable": 3}
    assert statuses(cloud) == ["bounced", "delivered"]
    parked = cloud.parked()
    assert sorted(unpack(text, attributes)[0] for text, attributes in parked) == sorted(poison)
    assert {attributes["source"] for _, attributes in parked} == {"mailerq"}
    assert {unpack(text, attributes)[1]["x-queue"] for text, attributes in parked} == {"results"}
    assert all(len(attributes["reason"]) > 5 for _, attributes in parked)


def test_poison_that_is_too_large_to_park_lies_in_the_archive(consume: Emulator, cloud: Cloud) -> None:
    poison = b'{"' + b"x" * (2 * MAX_BYTES)
    assert consume.invoke(event(DELIVERED, poison)) == {"unreadable": 1}
    ((text, attributes),) = cloud.parked()
    note = json.loads(text)
    assert attributes["message_id"] == note["message_id"]
    (key,) = cloud.objects()
    assert key.startswith(note["archived_in"])
    assert cloud.archived()[1] == poison.decode()


@pytest.mark.parametrize("away", ["Outcomes", "Suppressions"])
def test_what_cannot_be_stored_makes_the_batch_come_again(consume: Emulator, cloud: Cloud, away: str) -> None:
    cloud.drop_table(away)
    answer = consume.invoke(event(DELIVERED, REFUSED))
    assert (answer["errorType"], answer["errorMessage"]) == (
        "StoreUnavailable",
        "not stored: the whole batch must come again",
    )
    cloud.create_table(away)
    assert consume.invoke(event(DELIVERED, REFUSED)) == {"unreadable": 0}
    assert statuses(cloud) == ["bounced", "delivered"]
    assert len(cloud.rows("Suppressions")) == 1


def test_logs_and_metrics_hold_no_address(consume: Emulator, cloud: Cloud) -> None:
    bodies = [path.read_bytes() for path in (EVENTS / "mailerq").glob("*.json") if ".expected" not in path.name]
    assert len(bodies) > 10
    consume.invoke(event(*bodies, messageId="<ann@example.net>"))
    log = consume.log.read_text()
    assert "@" not in log
    (line,) = (each for each in consume.lines() if each.get("message") == "batch")
    assert (line["source"], line["service"]) == ("mailerq", "aftersend")
    assert line["counts"]["Unreadable"] >= 1
    (metric,) = (each for each in consume.lines() if "_aws" in each)
    assert (metric["source"], metric["service"]) == ("mailerq", "aftersend")
