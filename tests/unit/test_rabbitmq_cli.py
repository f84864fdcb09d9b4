"""The arguments of `aftersend rabbitmq`, and what it makes of a batch."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.core.errors import StoreUnavailable
from aftersend.sources.lambda_event import read_rabbitmq
from aftersend.sources.message import Message
from aftersend.storage.queue import OutgoingMessage, SendResults
from aftersend_cli import __main__ as cli
from aftersend_cli import rabbitmq
from aftersend_cli.amqp import Backoff, parameters
from aftersend_cli.sinks import Delivery, event, to_handler, to_queue

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BATCH = [
    Delivery(1, "done", b"\xff", content_encoding="gzip", content_type="application/json", message_id="m"),
    Delivery(2, "later", b"{}", redelivered=True),
    Delivery(3, "done", b""),
]
KINDS = {"done": "results", "later": "retry"}


@pytest.mark.parametrize(
    "url",
    ["", "amqp:", "http://u:secret@h/", "amqp://u:secret@", "amqp://u:secret@h:port/", "amqp://u:secret@h/?heartbeat=x",
     "amqp://u:secret@[::1/", "amqps://u:secret@h/?ssl_options=x", "amqp://u:secret@h/%2F?frame_max=1"],
)  # fmt: skip
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="not an address of RabbitMQ") as error:
        parameters(url)
    assert "secret" not in str(error.value)
    assert error.value.__suppress_context__


def test_an_address_says_everything() -> None:
    found = parameters("amqps://u:p%40ss@broker.example.com/mail%2Fer?heartbeat=30")
    assert (found.host, found.port, found.virtual_host, found.heartbeat) == ("broker.example.com", 5671, "mail/er", 30)
    assert (found.credentials.username, found.credentials.password) == ("u", "p@ss")
    assert found.ssl_options.context.check_hostname
    assert found.blocked_connection_timeout == 60


def test_queues_are_named_by_what_lies_in_them() -> None:
    assert rabbitmq.parse_queues(["results=a", "retry=b=c", "results=d"]) == {
        "a": "results",
        "b=c": "retry",
        "d": "results",
    }


@pytest.mark.parametrize("pair", ["a", "result=a", "results=", "=a", "results=a,b", "outbox=a"])
def test_a_queue_that_is_named_wrongly_is_refused(pair: str) -> None:
    with pytest.raises(
        ValueError, match="is not kind=queue, the kind one of failure, failures, reports, results, retry, success"
    ):
        rabbitmq.parse_queues(["results=fine", pair])


def test_it_ends_at_once_where_an_argument_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RABBITMQ_URL", raising=False)
    assert cli.main(["rabbitmq", "--queue", "results=a", "--handler", "--yes"]) == 2
    assert cli.main(["rabbitmq", "--url", "amqp://h/", "--queue", "a", "--handler", "--yes"]) == 2
    for name in ("SOURCE", "MAILERQ_QUEUES"):
        monkeypatch.setenv(name, "")
    assert cli.main(["rabbitmq", "--url", "amqp://h/", "--queue", "results=a", "--handler", "--yes"]) == 2
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    to = ["--to", "https://sqs.example.com/q"]
    assert cli.main(["rabbitmq", "--url", "amqp://h/", "--queue", "results=a", *to, "--yes"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[2][:20] for line in lines] == [
        "not an address of Ra",
        "'a' is not kind=queu",
        "the environment vari",
        "You must specify a r",
    ]


@pytest.mark.parametrize("arguments", [[], ["--queue", "results=a", "--handler", "--to", "url"]])
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["rabbitmq", "--url", "amqp://u:secret@h/", *arguments])
    assert "secret" not in capsys.readouterr().err


def test_pauses_grow_to_a_minute_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aftersend_cli.amqp.random.uniform", lambda _low, high: high)
    backoff = Backoff()
    assert [backoff.pause() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    backoff.reset()
    assert backoff.pause() == 1


# ---- To the function -------------------------------------------------------------------------------------------------


def test_a_batch_looks_as_it_does_when_lambda_takes_it() -> None:
    made = event(BATCH, "/")
    assert json.loads(json.dumps(made)) == made
    found = read_rabbitmq(made, "mailerq", KINDS, NOW)
    assert [(each.body, each.headers) for each in found] == [
        (b"\xff", {"content-encoding": "gzip", "content-type": "application/json", "x-queue": "results"}),
        (b"", {"x-queue": "results"}),
        (b"{}", {"x-queue": "retry"}),
    ]
    assert [each["redelivered"] for each in made["rmqMessagesByQueue"]["later::/"]] == [True]


def test_a_handler_takes_all_or_nothing() -> None:
    seen: list[list[Message]] = []

    def handle(event: dict[str, Any], _context: object) -> None:
        seen.append(read_rabbitmq(event, "mailerq", KINDS, NOW))
        if len(seen) == 1:
            raise StoreUnavailable("not stored")

    sink = to_handler(handle, "/")
    first, second = sink(BATCH), sink(BATCH)
    assert (first.again, first.refused, first.why) == (BATCH, [], "not stored")
    assert (second.again, second.refused) == ([], [])
    assert seen[0] == seen[1]


# ---- To a queue of SQS -----------------------------------------------------------------------------------------------


class Forwarder:
    def __init__(self, fates: SendResults) -> None:
        self.parcels: list[OutgoingMessage] = []
        self._fates = fates

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        self.parcels += parcels
        return self._fates


def test_a_queue_takes_each_for_itself() -> None:
    forwarder = Forwarder(SendResults(accepted={0}, refused={1: "too large"}, failed={2: "Throttling"}))
    taken = to_queue(forwarder, KINDS)(BATCH)
    assert (taken.refused, taken.again, taken.why) == ([(BATCH[1], "too large")], [BATCH[2]], "Throttling")
    assert [each.body for each in forwarder.parcels] == [b"\xff", b"{}", b""]
    assert [each.headers["x-queue"] for each in forwarder.parcels] == ["results", "retry", "results"]
    assert forwarder.parcels[0].headers["content-encoding"] == "gzip"
