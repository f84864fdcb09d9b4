"""Queues of the embedded stack count their messages for whoever asks, and not for each message that comes."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto.sqs.models import Message

from local.environment import environment, false_account
from local.moto_server import moto_server


def test_a_message_that_comes_is_not_counted_against_all_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Message] = []
    visible = Message.visible.fget  # type: ignore[attr-defined]

    def look(message: Message) -> Any:
        looked.append(message)
        return visible(message)

    monkeypatch.setattr(Message, "visible", property(look))
    with moto_server() as (endpoint, _), environment(false_account(endpoint)):
        queues: Any = boto3.Session().client("sqs")
        url = queues.create_queue(QueueName="events.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]

        def send(number: int) -> Any:
            entry = {"Id": "1", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": str(number)}
            return queues.send_message_batch(QueueUrl=url, Entries=[entry])

        def count() -> str:
            name = "ApproximateNumberOfMessages"
            return str(queues.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

        for number in range(5):
            assert send(number)["Successful"]
        assert looked == []
        send(4)  # again, which is none more
        assert (count(), len(looked) > 0) == ("5", True)
        assert len(queues.receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]) == 2
        assert count() == "3"
        with pytest.raises(queues.exceptions.ClientError, match="MessageDeduplicationId"):
            queues.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
