"""Begins list jobs, goes on with them, and says how far they are.

A job is worked at once for some seconds, which is enough for most, and then from a queue. A message about it is in that
queue before the work begins, to be seen once whoever began must have ended: so nothing that stops a function leaves a
job that nobody goes on with. A job that somebody else holds is asked for again later, in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.errors import ServiceError
from aftersend.core.vocabulary import Channel
from aftersend.lists.context import JobContext
from aftersend.lists.drop import make_drop_id, read_notice
from aftersend.lists.job import (
    LEASE,
    DropRequest,
    ExportRequest,
    JobRequest,
    JobState,
    ListJob,
    OutcomesRequest,
    create_import,
    create_job,
)
from aftersend.lists.job_table import JobLeased
from aftersend.lists.runner import USE_CASES, C, run_job

# What is exported on a schedule: who must be left out, by channel, and the tokens to disable.
SCHEDULED: Final = (
    *(
        ExportRequest(layout="addresses", channel=channel, file=f"exports/suppressed-{channel}.csv")
        for channel in Channel
    ),
    ExportRequest(layout="tokens", channel=Channel.PUSH, file="exports/tokens-to-disable.csv"),
)
FIRST_RUN: Final = 8.0  # seconds that whoever asks waits for
_LATER: Final = int(LEASE.total_seconds()) + 10
_OVER: Final = frozenset({JobState.DONE, JobState.FAILED})


class JobService(Struct, Generic[C], frozen=True, kw_only=True):
    """Begins and continues jobs."""

    context: C
    send: Callable[[str, int], None]  # a message with the id of a job, to be seen after so many seconds
    new_id: Callable[[], str]  # that nobody can guess: whoever knows it may ask how far the job is
    run: Callable[[str, C, float], ListJob | None]  # works a job, by its id, for so many seconds

    def begin(self, request: JobRequest, by: str, put_file: Callable[[str], None] | None = None) -> ListJob:
        """Begin a job, and return what it is after some seconds; `put_file` stores its list, where it has one."""
        job = self._create(request, by)
        if put_file is not None:
            put_file(job.file)
        return self._begin(job)

    def _begin(self, job: ListJob) -> ListJob:
        job = self.context.jobs.put(job)
        self.send(job.id, _LATER)
        try:
            return self._run(job.id, FIRST_RUN) or job
        except ServiceError:
            return job  # the queue has it

    def resume(self, id_: str, seconds: float) -> ListJob | None:
        """Work a job for some time, as a message asks for it; returns what it is then, None if there is nothing to do.

        Raises ServiceError where our side could not: the message must come again.
        """
        try:
            return self._run(id_, seconds)
        except JobLeased:
            self.send(id_, _LATER)
            return None

    def _create(self, request: JobRequest, by: str, state: JobState = JobState.QUEUED) -> ListJob:
        return create_job(self.new_id(), request, by, self.context.clock(), state)

    def _run(self, id_: str, seconds: float) -> ListJob | None:
        job = self.run(id_, self.context, seconds)
        if job is not None and job.state is JobState.QUEUED:
            self.send(id_, 0)
        return job


class ListJobService(JobService[JobContext], frozen=True, kw_only=True):
    """Begins and continues jobs on lists."""

    run: Callable[[str, JobContext, float], ListJob | None] = run_job

    def begin_import(self, request: JobRequest, by: str, body: bytes) -> ListJob:
        """Begin to import the list in `body`, and return the job as it is after some seconds."""
        return self.begin(request, by, lambda key: self.context.files.put(key, body))

    def apply(self, tried: ListJob, by: str) -> ListJob:
        """Begin to import what a finished dry run has tried, and return the job as it is after some seconds.

        Asked again, it is the same job, which then goes on.
        """
        job = create_import(tried, by, self.context.clock())
        if (known := self.context.jobs.get(job.id)) is not None:
            return self.start(known)
        try:
            return self._begin(job)
        except JobLeased:  # somebody was quicker
            return self.context.jobs.get(job.id) or job

    def export_all(self, by: str) -> list[ListJob]:
        """Begin the exports that are made on a schedule, and return what they are after some seconds.

        Each replaces the file of the last time. One that is made twice at once leaves the file of either, whole.
        """
        return [self.begin(request, by) for request in SCHEDULED]

    def export_outcomes(self, by: str) -> list[ListJob]:
        """Begin the export of all outcomes that is made on a schedule, and return what it is after some seconds."""
        return [self.begin(OutcomesRequest(day=f"{self.context.clock():%Y-%m-%d}"), by)]

    def announce(self, request: JobRequest, by: str) -> ListJob:
        """Begin a job whose list is still to be uploaded into the bucket, and return it."""
        return self.context.jobs.put(self._create(request, by, JobState.WAITING))

    def start(self, job: ListJob) -> ListJob:
        """Queue a job once its list has been uploaded, and return it."""
        if job.state in _OVER or type(job.request) not in USE_CASES:
            return job  # or it goes on by itself, elsewhere
        if job.state is JobState.WAITING:
            job = self.context.jobs.put(replace(job, state=JobState.QUEUED))
        self.send(job.id, 0)
        return job

    def work(self, text: str, seconds: float) -> ListJob | None:
        """Do what a message asks for: go on with the job that it names, or take in the files that S3 says were dropped.

        Returns and raises what `resume` does.
        """
        if not text.startswith("{"):
            return self.resume(text, seconds)
        for request in read_notice(text):
            self._take_in(request)
        return None

    def _take_in(self, request: DropRequest) -> None:
        """Queue a dropped file, unless it is done already: S3 may say the same twice."""
        id_ = make_drop_id(request.key)
        known = self.context.jobs.get(id_)
        if known is not None and known.request == request:
            if known.state in _OVER:
                return
        else:
            job = create_job(id_, request, "s3", self.context.clock())
            self.context.jobs.put(replace(job, version=known.version if known else 0))
        self.send(id_, 0)
