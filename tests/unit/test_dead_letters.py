"""Dead letters: the whole body, with the reason as an attribute, at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aftersend.aws.boto import adapt_client
from aftersend.aws.errors import NoAnswer
from aftersend.core.errors import StoreUnavailable
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import Message, unpack
from aftersend.storage.dead_letters import DeadLetters, build_send
from tests.support.clients import FakeSQS, service_error

BAD = Message("id-1", b"{no json", datetime(2026, 3, 1, tzinfo=UTC), "ses")


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


def test_the_body_goes_whole_with_the_reason(sqs: Any) -> None:
    """Design §3: "one queue of unreadable bodies with source and reason"."""
    queue = sqs.create_queue(QueueName="parked")["QueueUrl"]
    DeadLetters(lambda: adapt_client(sqs, "sqs"), queue).put(BAD, "no JSON")
    [found] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    attributes = {name: each["StringValue"] for name, each in found["MessageAttributes"].items()}
    assert (found["Body"], attributes) == ("{no json", {"source": "ses", "reason": "no JSON", "message_id": "id-1"})


def test_a_body_that_is_no_text_comes_back_from_the_queue_as_it_was(sqs: Any) -> None:
    queue = sqs.create_queue(QueueName="parked")["QueueUrl"]
    packed = Message("id-1", b"\x1f\x8b\xff", BAD.received_at, "mailerq", {"x-queue": "retry"})
    DeadLetters(lambda: adapt_client(sqs, "sqs"), queue).put(packed, "broken")
    [found] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    attributes = {name: each["StringValue"] for name, each in found["MessageAttributes"].items()}
    assert unpack(found["Body"], attributes) == (packed.body, packed.headers)


def test_what_sqs_would_refuse_is_not_sent() -> None:
    """An attribute must not be empty or hold control characters; the reason may quote what a stranger wrote."""
    sent = build_send("q", Message("", b"\xff", BAD.received_at, "ses"), "bad\x00\n" + "é" * 1000)["MessageAttributes"]
    assert sent["message_id"]["StringValue"] == "-"
    assert sent["reason"]["StringValue"].startswith("bad é")
    assert len(sent["reason"]["StringValue"].encode()) <= 256


def test_the_client_is_made_when_the_first_letter_comes_and_once() -> None:
    made: list[Any] = []

    class Queue(FakeSQS):
        def send_message_batch(self, **request: Any) -> Any:
            made.append(request)
            return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]]}

    def connect() -> Queue:
        made.append("connected")
        return Queue()

    letters = DeadLetters(connect, "q")
    assert made == []
    letters.put(BAD, "why")
    letters.put(BAD, "why")
    assert [each for each in made if each == "connected"] == ["connected"]
    assert len(made) == 3


@pytest.mark.parametrize("error", [service_error("AccessDenied"), NoAnswer("TimeoutError")])
def test_a_queue_that_does_not_answer_is_ours(error: Exception) -> None:
    class Broken(FakeSQS):
        def send_message_batch(self, **_request: Any) -> Any:
            raise error

    with pytest.raises(StoreUnavailable):
        DeadLetters(Broken, "q").put(BAD, "why")


def test_many_are_parked_in_few_calls_and_each_has_a_fate_of_its_own() -> None:
    calls: list[Any] = []

    class Queue(FakeSQS):
        def send_message_batch(self, **request: Any) -> Any:
            calls.append([each["Id"] for each in request["Entries"]])
            if len(calls) == 3:
                raise NoAnswer("TimeoutError")
            taken = [{"Id": each["Id"]} for each in request["Entries"] if each["Id"] not in {"1", "12"}]
            return {"Successful": taken, "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}

    letters = [(Message(f"m{number}", b"{", BAD.received_at, "ses"), "no JSON") for number in range(25)]
    refused = DeadLetters(Queue, "q").put_all(letters)
    assert list(map(len, calls)) == [10, 10, 5]
    assert refused.keys() == {"m1", "m12", *(f"m{number}" for number in range(20, 25))}
    assert (refused["m1"], refused["m12"]) == ("InternalError", "missing in the answer")


def test_no_call_is_larger_than_the_queue_takes() -> None:
    sizes: list[int] = []

    class Queue(FakeSQS):
        def send_message_batch(self, **request: Any) -> Any:
            sizes.append(sum(len(each["MessageBody"]) for each in request["Entries"]))
            return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]]}

    body = b"x" * (MAX_BYTES // 3)
    assert not DeadLetters(Queue, "q").put_all(
        [(Message(str(at), body, BAD.received_at, "ses"), "w") for at in range(5)]
    )
    assert len(sizes) == 3 and max(sizes) <= MAX_BYTES
