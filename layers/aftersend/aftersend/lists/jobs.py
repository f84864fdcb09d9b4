"""The table of jobs: who takes one up has it for a while, and writes down how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Protocol

from msgspec.structs import replace

from aftersend.aws.errors import CallFailed, Refusal
from aftersend.core.errors import ServiceError, StoreUnavailable
from aftersend.lists.job import HOLD, Job, State, item_of, job_of

_REFUSED: Final = "ConditionalCheckFailedException"
_OPEN: Final = frozenset({State.QUEUED, State.RUNNING})


class Held(ServiceError):
    """Somebody else has the job; it can be asked for again once they must be done."""


class DynamoDB(Protocol):
    """What is needed of a client: boto3's methods, and the errors of `aftersend.aws`."""

    def put_item(self, **request: Any) -> Any: ...  # noqa: D102
    def get_item(self, **request: Any) -> Any: ...  # noqa: D102


def build_put(table: str, job: Job) -> dict[str, Any]:
    """Store a job if the stored one is the version before it; 1 is the first."""
    request: dict[str, Any] = {"TableName": table, "Item": item_of(job)}
    if job.version == 1:
        return request | {"ConditionExpression": "attribute_not_exists(id)"}
    return request | {
        "ConditionExpression": "version = :read",
        "ExpressionAttributeValues": {":read": {"N": str(job.version - 1)}},
    }


class Jobs:
    """Reads and writes jobs. Every method raises StoreUnavailable where DynamoDB does not answer or refuses us."""

    def __init__(self, client: DynamoDB, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, id_: str) -> Job | None:
        """The job as it is now."""
        try:
            answer = self._client.get_item(TableName=self._table, Key={"id": {"S": id_}}, ConsistentRead=True)
        except CallFailed as failure:
            raise StoreUnavailable(f"DynamoDB: GetItem failed: {failure}") from failure
        return job_of(answer["Item"]) if answer.get("Item") else None

    def put(self, job: Job) -> Job:
        """Store it as the next version; raises Held where somebody else has written meanwhile."""
        job = replace(job, version=job.version + 1)
        try:
            self._client.put_item(**build_put(self._table, job))
        except Refusal as refusal:
            if refusal.code != _REFUSED:
                raise StoreUnavailable(f"DynamoDB: PutItem failed: {refusal}") from refusal
            raise Held("somebody else works this job") from refusal
        except CallFailed as failure:
            raise StoreUnavailable(f"DynamoDB: PutItem failed: {failure}") from failure
        return job

    def take(self, id_: str, now: datetime) -> Job | None:
        """Take a job up; None where there is nothing to do. Raises Held where somebody else has it."""
        job = self.get(id_)
        if job is None or job.state not in _OPEN:
            return None
        if job.held_until is not None and now < job.held_until:
            raise Held("somebody else works this job")
        return self.put(replace(job, state=State.RUNNING, held_until=now + HOLD))
