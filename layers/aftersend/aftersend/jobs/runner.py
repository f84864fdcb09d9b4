"""Runs long jobs in slices: each is one message of a queue, and what is left of it is sent on before it is deleted.

A slice that is stopped anywhere comes again as it began, and one that is stopped between the two leaves its rest there
twice. So what a slice does must bear being done again. A message that is no job is parked at once, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, field

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SQSClient
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback, ServiceError
from aftersend.sources.lambda_event import read_messages
from aftersend.sources.message import Message
from aftersend.storage.dead_letters import DeadLetters

J = TypeVar("J")
R = TypeVar("R")


def run_each(event: Mapping[str, Any], work: Callable[[str], R | None]) -> tuple[list[R], dict[str, str]]:
    """Call `work` with the text of each message of an SQS event.

    Return what it gave, and of the messages for which it raised ServiceError the id and why: they must come again.
    """
    done, failed = list[R](), dict[str, str]()
    for record in event["Records"]:
        try:
            result = work(record["body"])
        except ServiceError as error:
            failed[record["messageId"]] = str(error)
        else:
            done += [] if result is None else [result]
    return done, failed


class RunResult(Struct):
    """What became of the messages of an event."""

    failed: dict[str, str] = field(default_factory=dict)  # message id -> why: ours, it comes again
    parked: dict[str, str] = field(default_factory=dict)  # message id -> why: it is no job


class JobRunner(Generic[J]):
    """Runs the jobs of one queue."""

    def __init__(self, name: str, kind: type[J], client: SQSClient, queue_url: str, dead_letters: DeadLetters) -> None:
        self._name = name
        self._decode = msgspec.json.Decoder(kind).decode
        self._client, self._queue_url, self._dead_letters = client, queue_url, dead_letters

    def run(self, event: Mapping[str, Any], work: Callable[[J, str], Sequence[J]]) -> RunResult:
        """Run the job of every message of `event`: `work` gets it and the message's id, and returns jobs to send on.

        It may raise MalformedFeedback for a job that makes no sense, and ServiceError where it should come again.
        """
        result = RunResult()
        for message in read_messages(event, self._name):
            try:
                self.send(work(self._job(message), message.id))
            except MalformedFeedback as error:
                self.park(message, error.why, result)
            except ServiceError as error:
                result.failed[message.id] = str(error)
        return result

    def _job(self, message: Message) -> J:
        try:
            return self._decode(message.body)
        except DECODE_ERRORS as error:
            raise MalformedFeedback(self._name, f"no job: {error}") from error

    def send(self, jobs: Sequence[J]) -> None:
        """Queue these jobs; raises StoreUnavailable."""
        for job in jobs:
            with translate_errors("SQS: SendMessage"):
                self._client.send_message(QueueUrl=self._queue_url, MessageBody=msgspec.json.encode(job).decode())

    def park(self, message: Message, why: str, result: RunResult) -> None:
        """Park a message that is no job, and note it in `result`."""
        try:
            self._dead_letters.put(message, why)
        except ServiceError as trouble:
            result.failed[message.id] = str(trouble)
        else:
            result.parked[message.id] = why
