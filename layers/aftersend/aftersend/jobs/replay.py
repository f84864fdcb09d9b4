"""Replay: bodies out of the archive, back into the feedback queue.

A body goes as it came, with what its carrier said beside it. What is known already changes nothing, so a replay may
overlap with anything, itself included. What is sent is archived once more, under the day of the replay: so
what came to the archive after a replay had begun is left alone, or one of today would feed itself for ever. When it
began is written down before anything is sent: a slice that fails and comes again has not begun later.

Of an object that Amazon Data Firehose wrote, which may hold a hundred thousand bodies, only the name is sent where
there is a function that gathers such objects; otherwise its bodies are, as all others.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import FullS3Client
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback, StoreUnavailable
from aftersend.sources import SOURCES
from aftersend.sources.json_stream import split_objects
from aftersend.sources.message import NO_HEADERS
from aftersend.storage.archive import is_file_of_firehose, list_prefixes
from aftersend.storage.objects import unpack_pieces
from aftersend.storage.queue import OutgoingMessage, SendResults

MARGIN: Final = 60.0  # seconds that must be left for another object
PAGE: Final = 100  # objects that are listed at once
_AT_ONCE: Final = 200  # bodies in memory


class Target(Protocol):
    """Where bodies go: `aftersend.storage.queue.QueueSender` is one."""

    def send(self, parcels: list[OutgoingMessage]) -> SendResults: ...  # noqa: D102


class ReplayJob(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be sent again: what the archive keeps of a source below a folder, or what is left of that."""

    source: str
    folder: Annotated[str, Meta(pattern="^date=[0-9]{4}(-[0-9]{2}(-[0-9]{2}(/(hour=[0-9]{2}/?)?)?)?)?$")]
    run: str = ""
    began: Annotated[datetime, Meta(tz=True)] | None = None
    after: str = ""  # the last object that was sent
    sent: int = 0  # bodies of the next one that were
    counts: dict[str, int] = field(default_factory=dict)  # so far


class _Line(Struct):
    """What is needed of a line of the archive: see `aftersend.storage.archive`."""

    body: str | None = None
    body_base64: str | None = None
    headers: dict[str, str] = {}


_line: Final = msgspec.json.Decoder(_Line).decode
# What reading an object raises that is none of the archive's, or is broken.
_BROKEN: Final = (*DECODE_ERRORS, OSError, EOFError, zlib.error, ValueError, MalformedFeedback)


def parcels(packed: bytes, source: str, key: str = "") -> Iterator[OutgoingMessage]:
    """Yield every body in an object of the archive; what is broken in one of Firehose's is passed over."""
    if is_file_of_firehose(key):
        found = split_objects(unpack_pieces([packed]))
        yield from (OutgoingMessage(source, record.data) for record in found if record.error is None)
        return
    with gzip.open(BytesIO(packed)) as lines:
        for text in lines:
            line = _line(text)
            coded = line.body_base64
            body = base64.b64decode(coded, validate=True) if coded is not None else (line.body or "").encode()
            yield OutgoingMessage(source, body, line.headers or NO_HEADERS)


class Replay:
    """Sends what lies in one bucket to one queue."""

    def __init__(
        self,
        client: FullS3Client,
        bucket: str,
        target: Target,
        clock: Callable[[], datetime] | None = None,
        send_object: Callable[[str], None] | None = None,
    ) -> None:
        """Take what hands on an object of Firehose's by its key, where there is a function that gathers such."""
        self._client, self._bucket, self._target, self._send_object = client, bucket, target, send_object
        self._clock = clock or (lambda: datetime.now(UTC))

    def run_slice(self, job: ReplayJob, seconds_left: Callable[[], float]) -> tuple[ReplayJob, bool]:
        """Send until the folder ends or time gets short: the job as it stands then, and whether that is the end.

        The first slice sends nothing: it only notes when the replay began, and that is safe when the next one begins.
        Raises MalformedFeedback for a source that has no parser, StoreUnavailable where bucket or queue fail us.
        """
        if job.source not in SOURCES:
            raise MalformedFeedback("replay", f"no such source; there are {', '.join(sorted(SOURCES))}")
        began = job.began
        if began is None:
            return replace(job, began=self._clock()), False
        while objects := self._objects(job):
            for key, archived_at in objects:
                if archived_at <= began:
                    job, whole = self._send(key, job, seconds_left)
                    if not whole:
                        return job, False
                job = replace(job, after=key, sent=0)
                if seconds_left() < MARGIN:
                    return job, False
        return job, True

    def _objects(self, job: ReplayJob) -> list[tuple[str, datetime]]:
        """The next objects, in their order, and since when each is there."""
        for prefix in list_prefixes(job.source, job.folder):
            if prefix < job.after and not job.after.startswith(prefix):
                continue  # it has been sent
            after = {"StartAfter": job.after} if job.after.startswith(prefix) else {}
            request = {"Bucket": self._bucket, "Prefix": prefix, "MaxKeys": PAGE, **after}
            if found := self._ask(self._client.list_objects_v2, **request).get("Contents", ()):
                return [(each["Key"], each["LastModified"]) for each in found]
        return []

    def _send(self, key: str, job: ReplayJob, seconds_left: Callable[[], float]) -> tuple[ReplayJob, bool]:
        """Send the bodies of an object that are not sent yet: the job then, and whether that were all."""
        if self._send_object is not None and is_file_of_firehose(key):
            self._send_object(key)
            return replace(job, counts=_sum(job.counts, {"objects": 1, "gathered objects": 1})), True
        packed = self._ask(self._client.get_object, Bucket=self._bucket, Key=key)["Body"].read()
        trouble: dict[str, int] = {}
        bodies = islice(_readable(packed, job.source, key, trouble), job.sent, None)
        while chunk := list(islice(bodies, _AT_ONCE)):
            counts = _sum(job.counts, _forwarded(chunk, self._target))
            job = replace(job, sent=job.sent + len(chunk), counts=counts)
            if seconds_left() < MARGIN and is_file_of_firehose(key):
                return job, False
        return replace(job, counts=_sum(job.counts, {"objects": 1, **trouble})), True

    @staticmethod
    def _ask(call: Callable[..., Any], **request: Any) -> Any:
        with translate_errors("S3: a read"):
            return call(**request)


def _readable(packed: bytes, source: str, key: str, trouble: dict[str, int]) -> Iterator[OutgoingMessage]:
    """Every body up to the first place where an object is broken, which is counted."""
    try:
        yield from parcels(packed, source, key)
    except _BROKEN:
        trouble["broken objects"] = 1


def _forwarded(waiting: list[OutgoingMessage], target: Target) -> dict[str, int]:
    fates = target.send(waiting)
    if fates.failed:
        raise StoreUnavailable(f"SQS: {'; '.join(sorted(set(fates.failed.values()))[:3])}")
    return {"bodies": len(fates.accepted), "too large": len(fates.refused)}


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
