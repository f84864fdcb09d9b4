"""Begins jobs, goes on with them, and tells how far they are.

A job is worked at once for some seconds, which is enough for most, and then from a queue. A message about it is in that
queue before the work begins, to be seen once whoever began must have ended: so nothing that stops a function leaves a
job that nobody goes on with. A job that somebody else has is asked for again later, in the same way.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend import settings
from aftersend.api.desk import Desk
from aftersend.aws.calls import translate_errors
from aftersend.core.errors import ServiceError
from aftersend.lists.job import HOLD, Job, Request, State, begun
from aftersend.lists.jobs import Held, Jobs
from aftersend.lists.objects import Objects
from aftersend.lists.reader import Reader
from aftersend.lists.shop import Shop
from aftersend.lists.work import work

AT_ONCE: Final = 8.0  # seconds that whoever asks waits for
_LATER: Final = int(HOLD.total_seconds()) + 10
_OVER: Final = frozenset({State.DONE, State.FAILED})


class Office(Struct, frozen=True, kw_only=True):
    """What jobs are begun and worked with."""

    shop: Shop
    jobs: Jobs
    objects: Objects
    reader: Reader
    send: Callable[[str, int], None]  # a message about a job, to be seen after so many seconds

    def begin(self, request: Request, by: str, body: bytes | None = None) -> Job:
        """Begin a job; a list to import is its body. How far it is after some seconds."""
        job = begun(secrets.token_hex(16), request, by, self.shop.clock())
        if body is not None:
            self.objects.put(job.file, body)
        job = self.jobs.put(job)
        self.send(job.id, _LATER)
        try:
            return self._worked(job.id, AT_ONCE) or job
        except ServiceError:
            return job  # the queue has it

    def announce(self, request: Request, by: str) -> Job:
        """Begin a job whose list is still to be put into the bucket."""
        return self.jobs.put(begun(secrets.token_hex(16), request, by, self.shop.clock(), State.WAITING))

    def start(self, job: Job) -> Job:
        """Let a job be worked, once its list is there."""
        if job.state in _OVER:
            return job
        if job.state is State.WAITING:
            job = self.jobs.put(replace(job, state=State.QUEUED))
        self.send(job.id, 0)
        return job

    def go_on(self, id_: str, seconds: float) -> Job | None:
        """Work a job for some time, as a message asks for it; what it is then, or None where there is nothing to do.

        Raises ServiceError where our side could not: the message must come again.
        """
        try:
            return self._worked(id_, seconds)
        except Held:
            self.send(id_, _LATER)
            return None

    def _worked(self, id_: str, seconds: float) -> Job | None:
        job = work(id_, self.shop, seconds)
        if job is not None and job.state is State.QUEUED:
            self.send(id_, 0)
        return job


class BulkDesk(Desk, frozen=True, kw_only=True):
    """The desk of a function that does bulk work too."""

    office: Office


def build(desk: Desk, config: settings.ListJobSettings, whole_s3: Callable[[], Any] | None = None) -> BulkDesk:
    """The same desk with an office beside it."""
    dynamodb = desk.connect("dynamodb")
    jobs, reader = Jobs(dynamodb, config.jobs_table), Reader(dynamodb, desk.tables)
    objects = Objects(desk.connect("s3"), config.bucket, whole_s3 or _whole_s3)
    shop = Shop(
        store=desk.store,
        reader=reader,
        jobs=jobs,
        objects=objects,
        policy=desk.policy,
        classify=desk.classify,
        pool=desk.pool,
        clock=desk.clock,
        timer=time.monotonic,
        pending=lambda recipient: list(desk.pending(recipient)),
    )
    send = partial(_send, desk.connect("sqs"), config.queue)
    office = Office(shop=shop, jobs=jobs, objects=objects, reader=reader, send=send)
    return BulkDesk(office=office, **{name: getattr(desk, name) for name in Desk.__struct_fields__})


@cache
def _whole_s3() -> Any:
    """boto3's client, which takes a third of a second to make and is seldom needed."""
    from aftersend.aws import boto  # noqa: PLC0415

    return boto.client("s3")


def _send(sqs: Any, queue: str, id_: str, seconds: int) -> None:
    with translate_errors("SQS: SendMessage"):
        sqs.send_message(QueueUrl=queue, MessageBody=id_, DelaySeconds=seconds)
