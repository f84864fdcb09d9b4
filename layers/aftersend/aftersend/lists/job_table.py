"""The table of list jobs: whoever takes a job up holds a lease of it, and stores its progress."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.errors import ServiceError
from aftersend.lists.job import LEASE, JobState, ListJob, decode_job, encode_job
from aftersend.storage import versioned
from aftersend.storage.items import Item

_OPEN: Final = frozenset({JobState.QUEUED, JobState.RUNNING})


class JobLeased(ServiceError):
    """Somebody else holds the lease of the job; it can be asked for again once that has run out."""


class ListJobs:
    """Reads and writes list jobs. Every method raises StoreUnavailable where DynamoDB does not answer or refuses us."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, id_: str) -> ListJob | None:
        """Return the job as it is now."""
        item = versioned.get(self._client, self._table, {"id": {"S": id_}})
        return decode_job(item) if item else None

    def find_ids(self, month: str, limit: int, after: Item | None = None) -> tuple[list[str], Item | None]:
        """Return the ids of jobs that were asked for in a month (2026-03), the newest first, and where to go on."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "by_month",
            "KeyConditionExpression": "#month = :month",
            "ExpressionAttributeNames": {"#month": "month"},
            "ExpressionAttributeValues": {":month": {"S": month}},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if after:
            request["ExclusiveStartKey"] = after
        with translate_errors("DynamoDB: Query"):
            page = self._client.query(**request)
        return [item["id"]["S"] for item in page["Items"]], page.get("LastEvaluatedKey")

    def put(self, job: ListJob) -> ListJob:
        """Store the job as its next version, and return that; raises JobLeased where somebody else has written it."""
        job = replace(job, version=job.version + 1)
        if versioned.put(self._client, self._table, {"id": {"S": job.id}}, encode_job(job)) is not None:
            raise JobLeased("somebody else works this job")
        return job

    def acquire(self, id_: str, now: datetime) -> ListJob | None:
        """Take the lease of a job, and return it; None where there is nothing to do.

        Raises JobLeased where somebody else holds the lease.
        """
        job = self.get(id_)
        if job is None or job.state not in _OPEN:
            return None
        if job.leased_until is not None and now < job.leased_until:
            raise JobLeased("somebody else works this job")
        return self.put(replace(job, state=JobState.RUNNING, leased_until=now + LEASE))
