"""Where a record of a stream goes that this version cannot read: into the archive's bucket, whole, with the reason.

    parked-records/<table>/<label>/<shard>/<number>.json

Its name depends only on the record, so one that comes again writes the same object again. It holds whole rows, and goes
when the archive forgets. What it says is in no counter, and no event tells of it: a recount mends the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import S3Client
from aftersend.storage.statistics import Shard

FOLDER: Final = "parked-records/"


class ParkedRecords:
    """Parks records in one bucket. Raises StoreUnavailable where it does not take one."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put(self, shard: Shard, sequence: str, record: Mapping[str, Any], why: str) -> None:
        """Park one record of a shard, with why nobody can read it."""
        with translate_errors("S3: PutObject"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{FOLDER}{shard.stream}/{shard.id}/{sequence}.json",
                Body=msgspec.json.encode({"why": why, "record": record}),
                ContentType="application/json",
            )
