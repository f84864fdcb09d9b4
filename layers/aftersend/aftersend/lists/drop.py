"""The use case of a dropped file: every body in it into the feedback queue, with the source that its folder names.

A file of any size is read piece by piece, and its progress is written down after each chunk. A chunk that was under
way when a function was stopped is sent again, and what comes twice is one fact. Each body says which line of which file
it was, so whoever finds it among those that nobody can read knows where to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback, StoreUnavailable
from aftersend.lists.context import JobContext
from aftersend.lists.job import DROP_FOLDER, DropProgress, DropRequest, ListJob
from aftersend.lists.records import FilePosition, Framing, Record, split_records
from aftersend.sources import SOURCES, Slices
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import UNKNOWN, Message
from aftersend.storage.queue import OutgoingMessage

MAX_LINE: Final = 512 * 1024  # bytes: a queue takes as much, as base64 as well
MAX_HEAD: Final = 16 * 1024  # bytes of the names of columns, which travel with every row
CHUNK: Final = 1_000  # records
CHUNK_SIZE: Final = 4 * 1024 * 1024  # bytes after which a chunk ends
AT_ONCE: Final = 100  # bodies that one thread sends
BEGINNING: Final = 1_000  # bytes of what is no body that are parked in its place

_SOURCE: Final = "drop"  # in errors
_BOM: Final = b"\xef\xbb\xbf"
_FRAMINGS: Final = {Slices.LINES: Framing.LINES, Slices.CSV: Framing.CSV}
# How files begin that hold no lines of text. RFC 1952; PKWARE's APPNOTE, 4.3.7; The Unicode Standard, 23.8.
_NO_TEXT: Final = {
    b"\x1f\x8b": "packed",
    b"PK\x03\x04": "packed",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
}


class _Object(Struct, frozen=True):
    key: str = ""
    size: int = 0
    etag: str = field(name="eTag", default="")
    sequencer: str = ""


class _S3(Struct, frozen=True):
    object: _Object = _Object()


class _Record(Struct, frozen=True):
    s3: _S3 = _S3()


class _Notice(Struct):
    records: list[_Record] = field(name="Records", default_factory=list)


_decode_notice: Final = msgspec.json.Decoder(_Notice).decode


def read_notice(text: str) -> list[DropRequest]:
    """Return the files that a notice of S3 says were put into the bucket; none for what is no notice of a file.

    Source: S3 user guide, "Event message structure": keys are encoded as in a form, and `sequencer` tells uploads with
    one key apart.
    """
    try:
        notice = _decode_notice(text)
    except DECODE_ERRORS:
        return []
    objects = [record.s3.object for record in notice.records]
    found = ((unquote_plus(each.key), each) for each in objects)
    return [
        DropRequest(key=key, upload=each.sequencer or each.etag, size=each.size)
        for key, each in found
        if key.startswith(DROP_FOLDER) and not key.endswith("/")
    ]


def make_drop_id(key: str) -> str:
    """Return the id of the job of a file, which whoever knows the key can compute."""
    return sha256(key.encode()).hexdigest()[:32]


def drop_file(job: ListJob, context: JobContext) -> Iterator[DropProgress]:
    """Send every body in the file of a job to the feedback queue, and yield the progress after each chunk.

    Raises MalformedFeedback where the file cannot be read at all, which is parked then as well, and StoreUnavailable.
    """
    request, progress = job.request, job.progress
    assert isinstance(request, DropRequest) and isinstance(progress, DropProgress)
    source, _, name = request.key.removeprefix(DROP_FOLDER).partition("/")
    try:
        if source not in SOURCES or not name:
            raise MalformedFeedback(_SOURCE, "its folder names no source")
        yield from _Drop(request, source, context).run(progress)
    except MalformedFeedback as error:
        note = msgspec.json.encode({"file": request.key})
        known = source if source in SOURCES else UNKNOWN
        context.dead_letters.put(Message(job.id, note, context.clock(), known), error.why)
        raise


def detect_slices(begin: bytes, named: Slices) -> Slices:
    """Find out how a file falls into bodies that begins so, and whose source has them as `named`.

    XML is one body, and so is JSON that goes over several lines. Raises MalformedFeedback for what is packed.
    """
    for magic, what in _NO_TEXT.items():
        if begin.startswith(magic):
            raise MalformedFeedback(_SOURCE, f"the file is {what}: put it there as text in UTF-8")
    text = begin.removeprefix(_BOM).lstrip()
    if named is Slices.WHOLE or text.startswith(b"<"):
        return Slices.WHOLE
    if text[:1] in (b"{", b"["):
        return Slices.LINES if _is_json(text.partition(b"\n")[0]) else Slices.WHOLE
    return named


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except DECODE_ERRORS:
        return False
    return True


def read_head(begin: bytes) -> bytes:
    """Return the beginning of a file of rows that each row needs: comments with #, and the names of the columns.

    Raises MalformedFeedback where that is longer than a row may carry.
    """
    for record in split_records([begin], Framing.CSV, FilePosition(), MAX_HEAD):
        if record.error or record.after.offset > MAX_HEAD:
            break
        if not record.data.removeprefix(_BOM).startswith(b"#"):
            return begin[: record.after.offset]
    raise MalformedFeedback(_SOURCE, f"no names of columns in the first {MAX_HEAD} bytes")


class _Drop:
    """One file on its way."""

    def __init__(self, request: DropRequest, source: str, context: JobContext) -> None:
        self._key, self._source, self._context = request.key, source, context
        self._name = request.key.removeprefix(DROP_FOLDER)
        self._head, self._whole = b"", False

    def run(self, progress: DropProgress) -> Iterator[DropProgress]:
        begin, etag = next(self._context.files.read(self._key, 0, progress.etag), (b"", ""))
        progress = replace(progress, etag=etag)
        slices = detect_slices(begin, SOURCES[self._source].slices)
        if slices is Slices.WHOLE:
            self._whole = True
            yield self._send([self._read_whole(etag)] if begin.strip() else [], progress)
            return
        start = progress.position
        if slices is Slices.CSV and begin.strip():
            self._head = read_head(begin)
            start = start if start.offset else FilePosition(len(self._head), 1 + self._head.count(b"\n"))
        pieces = (piece for piece, _ in self._context.files.read(self._key, start.offset, etag))
        records = split_records(pieces, _FRAMINGS[slices], start, MAX_LINE)
        while chunk := list(_take_chunk(records)):
            progress = self._send(chunk, progress)
            yield progress

    def _read_whole(self, etag: str) -> Record:
        body = b""
        for piece, _ in self._context.files.read(self._key, 0, etag):
            body += piece
            if len(body) > MAX_BYTES:
                raise MalformedFeedback(_SOURCE, f"the file is one body, and longer than {MAX_BYTES} bytes")
        return Record(1, FilePosition(len(body), 1 + body.count(b"\n")), body)

    def _send(self, chunk: list[Record], progress: DropProgress) -> DropProgress:
        """Send a chunk, and return the progress after it; raises StoreUnavailable where a queue takes not all of it."""
        good = [record for record in chunk if record.error is None and not record.is_empty]
        groups = [good[start : start + AT_ONCE] for start in range(0, len(good), AT_ONCE)]
        refused: list[tuple[Record, str]] = []
        for group, results in zip(groups, self._context.pool.map(self._send_group, groups), strict=True):
            if results.failed:
                raise StoreUnavailable(f"SQS: {min(results.failed.values())}")
            refused += [(group[place], why) for place, why in results.refused.items()]
        wrong = [*((record, record.error) for record in chunk if record.error is not None), *refused]
        for record, why in wrong:
            self._park(record, why)
        return replace(
            progress,
            position=chunk[-1].after if chunk else progress.position,
            sent=progress.sent + len(good) - len(refused),
            parked=progress.parked + len(wrong),
        )

    def _send_group(self, group: Iterable[Record]) -> Any:
        return self._context.feedback_queue.send(
            [OutgoingMessage(self._source, self._make_body(record), self._make_headers(record)) for record in group]
        )

    def _make_body(self, record: Record) -> bytes:
        if self._whole or self._head:
            return self._head + record.data
        return record.data.removeprefix(_BOM).rstrip(b"\r\n")

    def _make_headers(self, record: Record) -> Mapping[str, str]:
        return {"x-file": f"{self._name}:{record.line}"}

    def _park(self, record: Record, why: str) -> None:
        """Park the beginning of what can be no body; the file has the rest of it."""
        name = f"{make_drop_id(self._key)}:{record.line}"
        headers = dict(self._make_headers(record))
        body = record.data[:BEGINNING]
        self._context.dead_letters.put(Message(name, body, self._context.clock(), self._source, headers), why)


def _take_chunk(records: Iterator[Record]) -> Iterator[Record]:
    """Take the next records, up to a place where there is nothing but a place to stop: time passes there, too."""
    count = size = 0
    for record in records:
        yield record
        count, size = count + 1, size + len(record.data)
        if count == CHUNK or size > CHUNK_SIZE or record.is_empty:
            return
