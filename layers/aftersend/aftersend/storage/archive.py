"""Every raw body, before its batch is acknowledged: one compressed JSON Lines object a batch, partitioned for Athena.

    source=ses/date=2026-03-02/hour=10/<digest of the message ids>.jsonl.gz

The key depends only on the batch, so a batch that comes again writes the same object again. What Amazon Data Firehose
brings lies in a folder of its own, in objects that it writes itself: JSON, one body behind the other.

    source=ses/firehose/date=2026-03-02/hour=10/…

S3 takes 3,500 objects a second below one beginning of keys, and every hour would be a new one. Where that is too few,
keys are spread over sixteen beginnings that stay, so that S3 has long divided them when the hour begins:

    source=ses/part=7/date=2026-03-02/hour=10/…

Source: S3 user guide, "Best practices design patterns: optimizing Amazon S3 performance".
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.core.steps import Call, Steps
from aftersend.core.times import format_time
from aftersend.sources.message import Message

PARTS: Final = "0123456789abcdef"  # how a digest begins
FIREHOSE: Final = "firehose/"  # the folder of what Firehose writes, below that of a source


def list_prefixes(source: str, folder: str) -> list[str]:
    """List, in their order, the beginnings of the keys of a source's bodies in a folder such as date=2026-03-02/."""
    places = ("", FIREHOSE, *(f"part={part}/" for part in PARTS))
    return sorted(f"source={source}/{place}{folder}" for place in places)


def is_file_of_firehose(key: str) -> bool:
    """Whether Firehose wrote the object of this key."""
    return f"/{FIREHOSE}" in key


class _Line(Struct, frozen=True, omit_defaults=True):
    source: str
    message_id: str
    received_at: str
    body: str | None = None
    body_base64: str | None = None
    headers: dict[str, str] = {}


_LEVEL: Final = 1  # of gzip: half the time of 6, for a sixth more bytes

_GZIP: Final = 16 + zlib.MAX_WBITS  # says to zlib that it should write a file of gzip
_SMALL: Final = 4096  # bytes

_encode: Final = msgspec.json.Encoder().encode_lines


def build_put(bucket: str, messages: Sequence[Message], *, spread: bool = False) -> dict[str, Any]:
    """Return the object that keeps `messages`, which are not empty and of one source; with `spread`, in a part."""
    (source,) = {message.source for message in messages}
    first = min(message.received_at for message in messages)
    ids = sorted(message.id for message in messages)
    name = blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()
    return {
        "Bucket": bucket,
        "Key": f"{folder(source, first, name[0] if spread else '')}{name}.jsonl.gz",
        "Body": _pack(_encode([_line(message) for message in messages])),
        "ContentType": "application/x-ndjson",
        "ContentEncoding": "gzip",
    }


def _pack(lines: bytes) -> bytes:
    """Return `lines` as a file of gzip without a time: the same lines are the same file.

    What is made for a message or two is in a file, and not compressed: S3 asks money for the object, and next to none
    for so few bytes.
    """
    level = _LEVEL if len(lines) > _SMALL else 0
    packer = zlib.compressobj(level, wbits=_GZIP)
    return packer.compress(lines) + packer.flush()


def folder(source: str, at: datetime, part: str = "") -> str:
    """Where bodies are kept that came at this time (UTC), in one of the PARTS if they are spread."""
    return f"source={source}/{f'part={part}/' if part else ''}date={at:%Y-%m-%d}/hour={at:%H}/"


def _line(message: Message) -> _Line:
    try:
        text, coded = message.body.decode(), None
    except UnicodeDecodeError:
        text, coded = None, base64.b64encode(message.body).decode()
    return _Line(message.source, message.id, format_time(message.received_at), text, coded, message.headers)


class Archive:
    """Keeps raw bodies in one bucket."""

    def __init__(self, bucket: str, *, spread: bool = False) -> None:
        """Take whether keys are spread over PARTS."""
        self._bucket, self._spread = bucket, spread

    def put(self, messages: Sequence[Message]) -> Steps[None]:
        """Keep `messages`, if there are any, all of one source; raises StoreUnavailable where the bucket fails."""
        if messages:
            with translate_errors("S3: PutObject"):
                yield Call("s3", "put_object", build_put(self._bucket, messages, spread=self._spread))


class AlreadyArchived:
    """Stands in the place of an `Archive` for bodies that come out of the archive itself."""

    def put(self, messages: Sequence[Message]) -> Steps[None]:  # noqa: ARG002  # as an archive has it
        """Leave them where they are."""
        yield from ()
