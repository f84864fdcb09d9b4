"""One function that works a job, as a process of its own: says after each bite how far it is, and may be killed.

It goes on with the next bite once its parent has written a line.

python -m tests.support.bulk_worker ENDPOINT OUTCOMES SUPPRESSIONS JOBS FOLDER JOB
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from aftersend.lists.job import Job
from aftersend.lists.jobs import Jobs
from aftersend.lists.reader import Reader
from aftersend.lists.shop import Shop
from aftersend.lists.work import work
from aftersend.storage.store import Store, Tables
from tests.engines import Engine
from tests.support.ports import NOW
from tests.support.shop import MemoryObjects, shop

WORKERS = 8


class Folder(MemoryObjects):
    """A bucket that begins with what lies in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        files = (path for path in folder.rglob("*") if path.is_file())
        self.bodies = {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Telling(Jobs):
    """A table of jobs that says how far each is whenever it is written down."""

    def put(self, job: Job) -> Job:
        job = super().put(job)
        print(job.state, job.version, flush=True)  # what the parent waits for
        sys.stdin.readline()
        return job


def shop_on(
    engine: Engine, names: Tables, jobs: Jobs, folder: Path, clock: Callable[[], datetime] = lambda: NOW
) -> Shop:
    """Everything that a job is worked with, on an engine."""
    client: Any = engine.connect()
    store = Store(client, names, clock=clock)
    return shop(
        store,
        reader=Reader(client, names),
        jobs=jobs,
        objects=Folder(folder),
        pool=ThreadPoolExecutor(WORKERS),
        clock=clock,
        timer=time.monotonic,
    )


def main(endpoint: str, outcomes: str, suppressions: str, jobs: str, folder: str, job: str) -> None:
    engine = Engine("of the parent", endpoint)
    names = Tables(outcomes=outcomes, suppressions=suppressions)
    work(job, shop_on(engine, names, Telling(engine.connect(), jobs), Path(folder)), 600.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
