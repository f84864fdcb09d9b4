"""Every raw body, before its batch is acknowledged: one compressed JSON Lines object a batch, partitioned for Athena.

    source=ses/date=2026-03-02/hour=10/<digest of the message ids>.jsonl.gz

The key depends only on the batch, so a batch that comes again writes the same object again. What Amazon Data Firehose
brings lies in a folder of its own, in objects that it writes itself: JSON, one body behind the other.

    source=ses/firehose/date=2026-03-02/hour=10/…
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import S3Client
from aftersend.core.times import format_time
from aftersend.sources.message import Message

FIREHOSE: Final = "firehose/"  # the folder of what Firehose writes, below that of a source


def list_prefixes(source: str, folder: str) -> list[str]:
    """List, in their order, the beginnings of the keys of a source's bodies in a folder such as date=2026-03-02/."""
    return sorted([f"source={source}/{folder}", f"source={source}/{FIREHOSE}{folder}"])


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


_encode: Final = msgspec.json.Encoder().encode_lines


def build_put(bucket: str, messages: Sequence[Message]) -> dict[str, Any]:
    """Return the object that keeps `messages`, which are not empty and of one source."""
    (source,) = {message.source for message in messages}
    first = min(message.received_at for message in messages)
    ids = sorted(message.id for message in messages)
    name = blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()
    return {
        "Bucket": bucket,
        "Key": f"{folder(source, first)}{name}.jsonl.gz",
        "Body": gzip.compress(_encode([_line(message) for message in messages]), compresslevel=6, mtime=0),
        "ContentType": "application/x-ndjson",
        "ContentEncoding": "gzip",
    }


def folder(source: str, at: datetime) -> str:
    """Where bodies are kept that came at this time (UTC)."""
    return f"source={source}/date={at:%Y-%m-%d}/hour={at:%H}/"


def _line(message: Message) -> _Line:
    try:
        text, coded = message.body.decode(), None
    except UnicodeDecodeError:
        text, coded = None, base64.b64encode(message.body).decode()
    return _Line(message.source, message.id, format_time(message.received_at), text, coded, message.headers)


class Archive:
    """Keeps raw bodies in one bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, messages: Sequence[Message]) -> None:
        """Keep `messages`, if there are any, all of one source; raises StoreUnavailable where the bucket fails."""
        if not messages:
            return
        with translate_errors("S3: PutObject"):
            self._client.put_object(**build_put(self._bucket, messages))


class AlreadyArchived:
    """Stands in the place of an `Archive` for bodies that come out of the archive itself."""

    def put(self, messages: Sequence[Message]) -> None:
        """Leave them where they are."""
