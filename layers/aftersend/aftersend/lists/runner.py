"""Runs one list job for some time: chunk after chunk, with its progress stored after each, until it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from msgspec.structs import replace

from aftersend.core.errors import MalformedFeedback
from aftersend.lists.context import JobContext, RunContext
from aftersend.lists.drop import drop_file
from aftersend.lists.export_list import export_list
from aftersend.lists.export_outcomes import export_outcomes
from aftersend.lists.import_list import import_list
from aftersend.lists.job import (
    LEASE,
    DropRequest,
    ExportRequest,
    ImportRequest,
    JobProgress,
    JobRequest,
    JobState,
    ListJob,
    OutcomesRequest,
    RevertRequest,
)
from aftersend.lists.revert import revert

C = TypeVar("C", bound=RunContext)
UseCases = Mapping[type[JobRequest], Callable[[ListJob, C], Iterator[JobProgress]]]

USE_CASES: Final[UseCases[JobContext]] = {
    ImportRequest: import_list,
    ExportRequest: export_list,
    OutcomesRequest: export_outcomes,
    RevertRequest: revert,
    DropRequest: drop_file,
}


def run_job(id_: str, context: JobContext, seconds: float) -> ListJob | None:
    """Work a job on a list, as `run_chunks` does."""
    return run_chunks(id_, context, USE_CASES, seconds)


def run_chunks(id_: str, context: C, use_cases: UseCases[C], seconds: float) -> ListJob | None:
    """Work a job for so many seconds, and one chunk longer at most; returns what it is then.

    None says that there is nothing to do. Raises a ServiceError where our side failed, or where somebody else holds
    the job: it must be asked for again. A list that cannot be read ends the job as failed, with the reason.
    """
    job = context.jobs.acquire(id_, context.clock())
    if job is None:
        return None
    ends = context.timer() + seconds
    try:
        for progress in use_cases[type(job.request)](job, context):
            job = context.jobs.put(replace(job, progress=progress, leased_until=context.clock() + LEASE))
            if context.timer() > ends:
                return context.jobs.put(replace(job, state=JobState.QUEUED, leased_until=None))
    except MalformedFeedback as error:
        return context.jobs.put(replace(job, state=JobState.FAILED, leased_until=None, why=error.why))
    return context.jobs.put(replace(job, state=JobState.DONE, leased_until=None))
