"""Files of events, put into the archive as Amazon Data Firehose writes them: the notice of S3 does the rest."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from local.stack import Stack

SOURCE: Final = "ses"  # the template has a stream for it


def pack_file(bodies: Iterable[bytes]) -> bytes:
    """Return the file that holds these bodies: SES ends each with a line break, and Firehose packs them."""
    return gzip.compress(b"".join(body + b"\n" for body in bodies), mtime=0)


def put_file(stack: Stack, content: bytes) -> str:
    """Put a file into the archive, by the hour of now (UTC); returns its key."""
    name = blake2b(content, digest_size=16).hexdigest()
    key = f"source={SOURCE}/firehose/{datetime.now(UTC):date=%Y-%m-%d/hour=%H}/aftersend-mass-{name}.gz"
    bucket = stack.physical_ids("AWS::S3::Bucket")["Archive"]
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return key
