"""The table of jobs: who takes one up has it for a while, and writes down how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.errors import ServiceError
from aftersend.lists.job import HOLD, Job, State, item_of, job_of
from aftersend.storage import versioned

_OPEN: Final = frozenset({State.QUEUED, State.RUNNING})


class Held(ServiceError):
    """Somebody else has the job; it can be asked for again once they must be done."""


class Jobs:
    """Reads and writes jobs. Every method raises StoreUnavailable where DynamoDB does not answer or refuses us."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, id_: str) -> Job | None:
        """The job as it is now."""
        item = versioned.get(self._client, self._table, {"id": {"S": id_}})
        return job_of(item) if item else None

    def put(self, job: Job) -> Job:
        """Store it as the next version; raises Held where somebody else has written meanwhile."""
        job = replace(job, version=job.version + 1)
        if versioned.put(self._client, self._table, {"id": {"S": job.id}}, item_of(job)) is not None:
            raise Held("somebody else works this job")
        return job

    def take(self, id_: str, now: datetime) -> Job | None:
        """Take a job up; None where there is nothing to do. Raises Held where somebody else has it."""
        job = self.get(id_)
        if job is None or job.state not in _OPEN:
            return None
        if job.held_until is not None and now < job.held_until:
            raise Held("somebody else works this job")
        return self.put(replace(job, state=State.RUNNING, held_until=now + HOLD))
