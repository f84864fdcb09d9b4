"""Bodies into a queue of SQS: each is accepted, refused or failed, and none of them is forgotten."""

from __future__ import annotations

import gzip
from typing import Any, Final

import pytest

from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import find_source, measure_size, unpack
from aftersend.storage.queue import MOST_AT_ONCE, OutgoingMessage, QueueSender, SendResults
from tests.support.clients import FakeSQS


class Queue(FakeSQS):
    """A queue that takes everything, but for what `fates` says about a body."""

    def __init__(self, fates: dict[bytes, dict[str, Any] | None] | None = None) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._fates = fates or {}

    def send_message_batch(self, **request: Any) -> Any:
        assert request["QueueUrl"] == "url"
        self.calls.append(request["Entries"])
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in request["Entries"]:
            fate = self._fates.get(entry["MessageBody"].encode(), {})
            if fate:
                answer["Failed"].append({"Id": entry["Id"], **fate})
            elif fate is not None:
                answer["Successful"].append({"Id": entry["Id"], "MessageId": "m"})
        return {name: entries for name, entries in answer.items() if entries}

    @property
    def bodies(self) -> list[bytes]:
        return [unpack(each["MessageBody"], _attributes(each))[0] for call in self.calls for each in call]


def _attributes(entry: dict[str, Any]) -> dict[str, str]:
    return {name: each["StringValue"] for name, each in entry["MessageAttributes"].items()}


BESIDE: Final = measure_size("", {"source": "ses"})  # what the source weighs


def send(queue: Any, *bodies: bytes) -> SendResults:
    return QueueSender(queue, "url").send([OutgoingMessage("ses", body) for body in bodies])


def test_ten_at_once_each_with_an_id_of_its_own() -> None:
    queue = Queue()
    bodies = [b"%d" % number for number in range(23)]
    assert send(queue, *bodies) == SendResults(accepted=set(range(23)))
    assert [len(call) for call in queue.calls] == [10, 10, 3]
    assert queue.bodies == bodies
    assert all(len({entry["Id"] for entry in call}) == len(call) for call in queue.calls)


def test_no_call_is_heavier_than_sqs_allows() -> None:
    queue = Queue()
    send(queue, *[b"x" * 300_000] * 7, b"y" * (MAX_BYTES - BESIDE))
    for call in queue.calls:
        assert sum(measure_size(entry["MessageBody"], _attributes(entry)) for entry in call) <= MAX_BYTES
    assert [len(call) for call in queue.calls] == [3, 3, 1, 1]


@pytest.mark.parametrize("body", [b"x" * (MAX_BYTES + 1), b"\xff" * (MAX_BYTES * 3 // 4)])
def test_what_no_call_can_carry_is_refused_and_the_others_pass(body: bytes) -> None:
    """Base64 takes four bytes for three, and an attribute says so."""
    queue = Queue()
    fates = send(queue, b"a", body, b"b")
    assert fates.accepted == {0, 2}
    assert list(fates.refused) == [1]
    assert "more than the 1048576" in fates.refused[1]
    assert queue.bodies == [b"a", b"b"]


def test_the_headers_travel_and_any_body_comes_out_as_it_was() -> None:
    queue = Queue()
    packed = gzip.compress(b"{}")
    QueueSender(queue, "url").send(
        [
            OutgoingMessage("mailerq", packed, {"content-encoding": "gzip", "x-queue": "retry"}),
            OutgoingMessage("ses", b""),
        ]
    )
    (first, second) = queue.calls[0]
    assert unpack(first["MessageBody"], _attributes(first)) == (
        packed,
        {"content-encoding": "gzip", "x-queue": "retry"},
    )
    assert unpack(second["MessageBody"], _attributes(second)) == (b"", {})


def test_the_source_travels_and_is_the_group_of_the_message() -> None:
    """SQS developer guide, "Amazon SQS fair queues": a standard queue knows tenants by MessageGroupId."""
    queue = Queue()
    QueueSender(queue, "url").send([OutgoingMessage(source, b"{}") for source in ("mailerq", "ses")])
    for entry, source in zip(queue.calls[0], ("mailerq", "ses"), strict=True):
        assert entry["MessageGroupId"] == find_source(_attributes(entry)) == source


def test_one_that_sqs_will_never_take_is_refused_one_that_it_did_not_take_has_failed() -> None:
    never = {"SenderFault": True, "Code": "InvalidMessageContents", "Message": "for ann@example.com"}
    not_now = {"SenderFault": False, "Code": "InternalError"}
    fates = send(Queue({b"b": never, b"c": not_now, b"d": None}), b"a", b"b", b"c", b"d")
    assert fates.accepted == {0}
    assert fates.refused == {1: "InvalidMessageContents"}
    assert fates.failed == {2: "InternalError", 3: "missing in the answer"}


@pytest.mark.parametrize("failure", [Refusal("AccessDenied", {}), NoAnswer("ConnectTimeout")])
def test_a_call_that_fails_fails_its_messages_and_no_others(failure: CallFailed) -> None:
    class Unwell(Queue):
        def send_message_batch(self, **request: Any) -> Any:
            if not self.calls:
                self.calls.append([])
                raise failure
            return super().send_message_batch(**request)

    fates = send(Unwell(), *[b"x"] * (MOST_AT_ONCE + 2))
    assert fates.accepted == {10, 11}
    assert fates.failed == dict.fromkeys(range(10), str(failure))


def test_nothing_to_send_asks_nothing() -> None:
    queue = Queue()
    assert send(queue) == SendResults()
    assert queue.calls == []
