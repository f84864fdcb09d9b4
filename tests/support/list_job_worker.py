"""One function that works a job, as a process of its own: says after each chunk how far it is, and may be killed.

It goes on with the next chunk once its parent has written a line.

python -m tests.support.list_job_worker ENDPOINT OUTCOMES SUPPRESSIONS JOBS FOLDER JOB
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from aftersend.lists.context import JobContext
from aftersend.lists.job import ListJob
from aftersend.lists.job_table import ListJobs
from aftersend.lists.runner import run_job
from aftersend.storage.deletions import Deletions
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store, TableNames
from tests.engines import Engine
from tests.support.list_jobs import MemoryFiles, job_context
from tests.support.ports import NOW

WORKERS = 8


class FolderFiles(MemoryFiles):
    """A bucket that begins with what lies in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        files = (path for path in folder.rglob("*") if path.is_file())
        self.bodies = {str(path.relative_to(folder)): path.read_bytes() for path in files}


class ReportingListJobs(ListJobs):
    """A table of jobs that says how far each is whenever it is written down."""

    def put(self, job: ListJob) -> ListJob:
        job = super().put(job)
        print(job.state, job.version, flush=True)  # what the parent waits for
        sys.stdin.readline()
        return job


def job_context_on(
    engine: Engine, names: TableNames, jobs: ListJobs, folder: Path, clock: Callable[[], datetime] = lambda: NOW
) -> JobContext:
    """Everything that a job is worked with, on an engine."""
    client: Any = engine.connect()
    store = Store(client, names, clock=clock)
    return job_context(
        store,
        queries=Queries(client, names),
        deletions=Deletions(client, names),
        jobs=jobs,
        files=FolderFiles(folder),
        pool=ThreadPoolExecutor(WORKERS),
        clock=clock,
        timer=time.monotonic,
    )


def main(endpoint: str, outcomes: str, suppressions: str, jobs: str, folder: str, job: str) -> None:
    engine = Engine("of the parent", endpoint)
    names = TableNames(outcomes=outcomes, suppressions=suppressions)
    run_job(job, job_context_on(engine, names, ReportingListJobs(engine.connect(), jobs), Path(folder)), 600.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
