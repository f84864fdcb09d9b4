"""The way of the mass: objects of many records, which Amazon Data Firehose has put into the archive, into the tables.

The object is the archive, so nothing of it is kept twice. Its records are worked in large batches, over all objects
that came in one event: what is said of one message within a few minutes becomes one write. What a batch cannot store of
single records goes on as single messages, by the feedback queue, where each has its own tries.

What there is no time for is sent on, as an object and a place in it, before the notice of it is deleted. Whatever fails
comes again as it began: what is stored already changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol
from urllib.parse import unquote_plus

import msgspec
from msgspec import Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback, ServiceError, StoreUnavailable
from aftersend.jobs.runner import JobRunner, RunResult
from aftersend.ports import BatchReport
from aftersend.sources import SOURCES
from aftersend.sources.json_stream import StreamRecord, split_objects
from aftersend.sources.lambda_event import read_messages
from aftersend.sources.message import Message
from aftersend.storage.archive import FIREHOSE
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.queue import OutgoingMessage, SendResults

MOST_RECORDS: Final = 20_000  # of a batch
MOST_BYTES: Final = 32 * 1024 * 1024  # of their bodies
MOST_FORWARDED: Final = 100  # records of a batch that go on alone; where more fail, it is the store that fails
MOST_BROKEN: Final = 1_000  # records of an object that are parked: what has more is no object of Firehose's
MARGIN: Final = 60.0  # seconds that must be left for another batch
BEGINNING: Final = 1_000  # bytes of a broken record that are parked

_NAME: Final = "gather"
_KEY: Final = re.compile(f"source=([a-z][a-z0-9_]*)/{FIREHOSE}.+")

SecondsLeft = Callable[[], float]
Ingest = Callable[[Sequence[Message], SecondsLeft], BatchReport]  # `aftersend.ingest.ingest`, without an archive


class Target(Protocol):
    """Where single records go on: `aftersend.storage.queue.QueueSender` is one."""

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults: ...  # noqa: D102


class ObjectPart(Struct, frozen=True, omit_defaults=True):
    """What is left to do of an object: all from a byte (unpacked) on."""

    key: str
    offset: int = 0
    broken: int = 0  # records before it that were parked


class _S3Object(Struct, frozen=True):
    key: str = ""


class _S3Entity(Struct, frozen=True):
    object: _S3Object = _S3Object()


class _S3Record(Struct, frozen=True):
    s3: _S3Entity = _S3Entity()


class _Job(Struct):
    """A notice of S3, what S3 sends to try the queue out, or a part that was sent on."""

    records: list[_S3Record] | None = field(name="Records", default=None)
    event: str = field(name="Event", default="")
    key: str = ""
    offset: int = 0
    broken: int = 0


_decode_job: Final = msgspec.json.Decoder(_Job).decode


def read_parts(text: bytes) -> list[ObjectPart]:
    """Return what a message asks for; raises MalformedFeedback where that is nothing.

    Source: S3 user guide, "Event message structure": keys are encoded as in a form.
    """
    try:
        job = _decode_job(text)
    except DECODE_ERRORS as error:
        raise MalformedFeedback(_NAME, f"no job: {error}") from error
    if job.records is not None:
        return [ObjectPart(unquote_plus(each.s3.object.key)) for each in job.records]
    if not job.key and job.event != "s3:TestEvent":
        raise MalformedFeedback(_NAME, "no job: it names no object")
    return [ObjectPart(job.key, job.offset, job.broken)] if job.key else []


class _ObjectReader:
    """One object on its way, and how far it is."""

    def __init__(self, notice: Message, part: ObjectPart, read: Callable[[str], Iterable[bytes]]) -> None:
        named = _KEY.fullmatch(part.key)
        if named is None or named[1] not in SOURCES:
            raise MalformedFeedback(_NAME, "the key of the object names no source")
        self.source = named[1]
        self.notice, self.done = notice, part  # all that is stored
        self.ended, self._exhausted = False, False  # all of it is stored; all of it was taken
        self.why, self.error = "", ""  # what is wrong with the object, or with our side
        self._name = blake2b(part.key.encode(), digest_size=12).hexdigest()
        self._broken, self._after = part.broken, part.offset
        self._records = split_objects(_skip(read(part.key), part.offset), part.offset)

    def take(self, count: int, size: int) -> list[StreamRecord]:
        """Return the next records, up to this number and about so many bytes."""
        taken: list[StreamRecord] = []
        try:
            for record in self._records:
                taken.append(record)
                self._after = record.after
                size -= len(record.data)
                if len(taken) >= count or size <= 0:
                    return taken
        except MalformedFeedback as error:
            self.why = error.why
        except ServiceError as error:
            self.error = str(error)
        self._exhausted = True
        return taken

    def make_message(self, record: StreamRecord) -> Message:
        """Return a record as a message, which knows the object and the place that it comes from."""
        headers = {"x-file": f"{self.done.key}:{record.start}"}
        return Message(f"{self._name}:{record.start}", record.data, self.notice.received_at, self.source, headers)

    def owns(self, id_: str) -> bool:
        """Whether a message of this id is a record of this object."""
        return id_.startswith(self._name)

    def commit(self, broken: int) -> None:
        """Note that all that was taken is stored, but for so many records that were parked."""
        self._broken, self.ended = self._broken + broken, self._exhausted
        self.done = ObjectPart(self.done.key, self._after, self._broken)
        if self._broken > MOST_BROKEN:
            self.ended, self.why = True, f"more than {MOST_BROKEN} records of it cannot be read"


def _skip(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    """All but the first bytes, which are unpacked to no end: gzip cannot be entered in its middle."""
    for piece in pieces:
        if len(piece) > count:
            yield piece[count:]
        count = max(0, count - len(piece))


class Gatherer:
    """Works the objects of one bucket."""

    def __init__(
        self,
        runner: JobRunner[ObjectPart],
        read: Callable[[str], Iterable[bytes]],
        ingest: Ingest,
        unreadable: DeadLetters,
        single: Target,
    ) -> None:
        """Take what reads an object unpacked, and where broken records and those go that could not be stored."""
        self._runner, self._read, self._ingest = runner, read, ingest
        self._unreadable, self._single = unreadable, single

    def run(
        self, event: Mapping[str, Any], seconds_left: SecondsLeft, note: Callable[[BatchReport], None]
    ) -> RunResult:
        """Work the objects that the messages of an event name; `note` is told of each batch.

        What is left when time gets short is sent on. The first batch is always worked, so that every call makes
        progress.
        """
        result = RunResult()
        readers = list(self._open(read_messages(event, _NAME), result))
        waiting, begun = readers, False
        while waiting and (not begun or seconds_left() >= MARGIN):
            try:
                finished = self._work(waiting, seconds_left, note)
            except ServiceError as error:
                result.failed |= {reader.notice.id: str(error) for reader in waiting}
                break
            if not finished:
                break
            begun, waiting = True, [reader for reader in waiting if not reader.ended]
        self._conclude(readers, begun, result)
        return result

    def _open(self, notices: Iterable[Message], result: RunResult) -> Iterator[_ObjectReader]:
        for notice in notices:
            try:
                yield from [_ObjectReader(notice, part, self._read) for part in read_parts(notice.body)]
            except MalformedFeedback as error:
                self._runner.park(notice, error.why, result)

    def _work(
        self, readers: Sequence[_ObjectReader], seconds_left: SecondsLeft, note: Callable[[BatchReport], None]
    ) -> bool:
        """Work one batch, the same share of each object; whether there was time for all of it.

        Raises StoreUnavailable where it is not stored.
        """
        good: dict[str, Message] = {}
        broken: list[tuple[Message, str]] = []
        share = max(1, MOST_RECORDS // len(readers)), MOST_BYTES // len(readers)
        for reader in readers:
            for record in reader.take(*share):
                message = reader.make_message(record)
                if record.error is None:
                    good[message.id] = message
                else:
                    broken.append((msgspec.structs.replace(message, body=message.body[:BEGINNING]), record.error))
        if refused := self._unreadable.put_all(broken) if broken else {}:
            raise StoreUnavailable(min(refused.values()))
        report = self._ingest(list(good.values()), seconds_left)
        if not report.handed_back:
            self._send_alone(report, good)
        note(report)
        if report.handed_back:
            return False
        parked = [message.id for message, _ in broken] + [*report.unreadable]
        for reader in readers:
            reader.commit(sum(reader.owns(id_) for id_ in parked))
        return True

    def _send_alone(self, report: BatchReport, messages: Mapping[str, Message]) -> None:
        """Have the few that could not be stored, or wait for what others say, come again as single messages."""
        if len(report.failed) > MOST_FORWARDED:
            raise StoreUnavailable(f"{len(report.failed)} records: {min(report.failed.values())}")
        unfinished = {*report.unfinished}
        alone = [message for id_, message in messages.items() if id_ in unfinished]
        parcels = [OutgoingMessage(each.source, each.body, each.headers) for each in alone]
        results = self._single.send(parcels)
        if troubles := {**results.failed, **results.refused}:
            raise StoreUnavailable(f"SQS: {min(troubles.values())}")
        for message in alone:
            report.counts[message.source, "SentAlone", ""] += 1
        report.failed.clear()
        report.waiting.clear()

    def _conclude(self, readers: Sequence[_ObjectReader], begun: bool, result: RunResult) -> None:
        """Send on what is left, and say of each message whether it is done."""
        for reader in readers:
            notice = reader.notice
            if notice.id in result.failed:
                continue
            if reader.error or not (begun or reader.ended):
                result.failed[notice.id] = reader.error or "no time was left"
            elif reader.why:
                self._runner.park(notice, reader.why, result)
            elif not reader.ended:
                try:
                    self._runner.send([reader.done])
                except ServiceError as error:
                    result.failed[notice.id] = str(error)
