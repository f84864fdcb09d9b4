"""Objects as Amazon Data Firehose writes them, and what gathers them, with queues and a bucket in memory."""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Any, Final
from urllib.parse import quote_plus

from msgspec.structs import replace

from aftersend.aws.errors import Refusal
from aftersend.ingest import ingest
from aftersend.jobs.gather import Gatherer, ObjectPart
from aftersend.jobs.runner import JobRunner, RunResult
from aftersend.ports import BatchReport, Ports
from aftersend.storage.archive import AlreadyArchived
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.objects import read_pieces, unpack_pieces
from aftersend.storage.queue import QueueSender
from tests.support.clients import FakeS3, FakeSQS

FOLDER: Final = "source=ses/firehose/date=2026-03-02/hour=10/"
HOUR: Final = 3600.0


def pack_lines(bodies: Sequence[bytes], between: bytes = b"\n") -> bytes:
    """Bodies as Firehose puts them into an object: SES ends each with a line break."""
    return gzip.compress(b"".join(body + between for body in bodies), compresslevel=1, mtime=0)


def make_notice(*keys: str) -> str:
    """What S3 says of new objects; of the notice, what is read."""
    return json.dumps({"Records": [{"s3": {"object": {"key": quote_plus(key, safe="/")}}} for key in keys]})


class Bucket(FakeS3):
    """Objects by their keys, which can be read in ranges."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fault: Callable[[int], Exception | None] = lambda _: None  # asked before each range, by its first byte

    def get_object(self, **request: Any) -> Any:
        first, last = map(int, request["Range"].removeprefix("bytes=").split("-"))
        if (fault := self.fault(first)) is not None:
            raise fault
        if request["Key"] not in self.objects:
            raise Refusal("NoSuchKey", {})
        whole = self.objects[request["Key"]]
        if first >= len(whole):
            raise Refusal("InvalidRange", {})
        return {"Body": BytesIO(whole[first : last + 1]), "ETag": str(hash(whole))}


class Queue(FakeSQS):
    """A queue that keeps what is sent to it."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.attributes: list[dict[str, Any]] = []
        self.fault: Exception | None = None

    def send_message(self, **request: Any) -> Any:
        if self.fault:
            raise self.fault
        self.bodies.append(request["MessageBody"])
        return {}

    def send_message_batch(self, **request: Any) -> Any:
        if self.fault:
            raise self.fault
        for entry in request["Entries"]:
            self.bodies.append(entry["MessageBody"])
            self.attributes.append(entry["MessageAttributes"])
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}


class GatherWorld:
    """A gatherer over `ports`; what is sent on waits in `parts`."""

    def __init__(self, ports: Ports) -> None:
        self.bucket, self.parts, self.dead = Bucket(), Queue(), Queue()
        self.unreadable, self.single = Queue(), Queue()
        self.reports: list[BatchReport] = []
        runner = JobRunner("gather", ObjectPart, self.parts, "parts", DeadLetters(lambda: self.dead, "dead"))
        letters = DeadLetters(lambda: self.unreadable, "unreadable")
        self.gatherer = Gatherer(
            runner,
            lambda key: unpack_pieces(read_pieces(self.bucket, "archive", key)),
            partial(_ingest, replace(ports, archive=AlreadyArchived(), dead_letters=letters)),
            letters,
            QueueSender(self.single, "feedback"),
        )

    def put(self, name: str, content: bytes) -> str:
        """Put an object into the bucket; its key."""
        self.bucket.objects[FOLDER + name] = content
        return FOLDER + name

    def run(self, *bodies: str, seconds_left: Callable[[], float] = lambda: HOUR) -> RunResult:
        """Give the function one event with these messages."""
        event = {"Records": [_make_record(f"n{at}", body) for at, body in enumerate(bodies)]}
        return self.gatherer.run(event, seconds_left, self.reports.append)

    def drain(self, *bodies: str, seconds_left: Callable[[], float] = lambda: HOUR) -> int:
        """The same, and then whatever is sent on; how many events it took."""
        waiting, events = deque([list(bodies)]), 0
        while waiting:
            result = self.run(*waiting.popleft(), seconds_left=seconds_left)
            assert not result.failed and not result.parked, result
            events += 1
            sent, self.parts.bodies = self.parts.bodies, []
            waiting.extend([body] for body in sent)
        return events


def _ingest(ports: Ports, messages: Any, seconds_left: Callable[[], float]) -> BatchReport:
    return ingest(messages, ports, seconds_left)


def _make_record(id_: str, body: str) -> dict[str, Any]:
    sent = {"SentTimestamp": "1772445600000", "ApproximateReceiveCount": "1"}
    return {"messageId": id_, "eventSource": "aws:sqs", "body": body, "attributes": sent}
