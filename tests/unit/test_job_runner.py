"""Jobs in messages of a queue: what is left is sent on, what fails comes again, what is no job is parked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from aftersend.core.errors import MalformedFeedback, StoreUnavailable
from aftersend.jobs.runner import JobRunner
from aftersend.storage.dead_letters import DeadLetters
from tests.support.clients import FakeSQS, service_error


class Job(Struct, forbid_unknown_fields=True):
    left: int


class Queues(FakeSQS):
    """Remembers what is sent where; `fault` is raised by the next call."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.fault: Exception | None = None

    def send_message(self, **request: Any) -> None:
        if self.fault:
            raise self.fault
        self.sent.append((request["QueueUrl"], request["MessageBody"], request.get("MessageAttributes", {})))

    def send_message_batch(self, **request: Any) -> Any:
        for each in request["Entries"]:
            self.send_message(QueueUrl=request["QueueUrl"], **each)
        return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]]}


class Rig:
    def __init__(self) -> None:
        self.queues = Queues()
        self.worked: list[tuple[int, str]] = []
        self.runner = JobRunner("chore", Job, self.queues, "jobs", DeadLetters(lambda: self.queues, "parked"))

    def run(self, *bodies: str, work: Callable[[Job, str], Sequence[Job]] | None = None) -> Any:
        records = [
            {
                "eventSource": "aws:sqs",
                "messageId": f"m{place}",
                "body": body,
                "attributes": {"SentTimestamp": "1772445600000"},
            }
            for place, body in enumerate(bodies)
        ]
        return self.runner.run({"Records": records}, work or self.work)

    def work(self, job: Job, message_id: str) -> list[Job]:
        self.worked.append((job.left, message_id))
        return [Job(job.left - 1)] if job.left else []


def test_what_is_left_is_sent_on() -> None:
    rig = Rig()
    done = rig.run('{"left": 2}', '{"left": 0}')
    assert rig.worked == [(2, "m0"), (0, "m1")]
    assert rig.queues.sent == [("jobs", '{"left":1}', {})]
    assert (done.failed, done.parked) == ({}, {})


def test_a_job_ends_after_as_many_slices_as_it_has() -> None:
    rig = Rig()
    rig.run('{"left": 3}')
    while len(rig.queues.sent) > len(rig.worked) - 1:
        rig.run(rig.queues.sent[-1][1])
    assert [left for left, _ in rig.worked] == [3, 2, 1, 0]


@pytest.mark.parametrize("body", ["", "?", "[]", '{"left": "many"}', '{"left": 1, "right": 2}', "[" * 9999])
def test_what_is_no_job_is_parked_at_once_with_the_reason(body: str) -> None:
    rig = Rig()
    done = rig.run(body, '{"left": 0}')
    assert rig.worked == [(0, "m1")]
    assert done.failed == {}
    ((url, text, attributes),) = rig.queues.sent
    assert (url, text) == ("parked", body or "-")
    assert attributes["reason"]["StringValue"].startswith("no job: ")
    assert attributes["source"]["StringValue"] == "chore"
    assert list(done.parked) == ["m0"]


def test_a_job_that_makes_no_sense_is_parked_too() -> None:
    def work(_job: Job, _id: str) -> list[Job]:
        raise MalformedFeedback("chore", "there is nothing of that kind")

    rig = Rig()
    assert rig.run('{"left": 1}', work=work).parked == {"m0": "there is nothing of that kind"}


def test_what_our_side_could_not_do_comes_again() -> None:
    def work(_job: Job, _id: str) -> list[Job]:
        raise StoreUnavailable("DynamoDB: Scan failed")

    rig = Rig()
    done = rig.run('{"left": 1}', work=work)
    assert (done.failed, done.parked, rig.queues.sent) == ({"m0": "DynamoDB: Scan failed"}, {}, [])


@pytest.mark.parametrize(("body", "call"), [('{"left": 1}', "SendMessage"), ("?", "SendMessageBatch")])
def test_what_could_not_be_sent_on_or_parked_comes_again(body: str, call: str) -> None:
    rig = Rig()
    rig.queues.fault = service_error("InternalError")
    done = rig.run(body)
    assert list(done.failed) == ["m0"]
    assert f"{call} failed: InternalError" in done.failed["m0"]


def test_a_job_is_the_same_when_it_comes_out_of_the_queue() -> None:
    rig = Rig()
    rig.run('{"left": 5}')
    assert msgspec.json.decode(rig.queues.sent[0][1], type=Job) == Job(4)
