"""List jobs on real engines: a long import that is killed on the way, exports, reverts and erasures."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from os import environ
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core.erasure import make_alias
from aftersend.core.model import Kind, Reason
from aftersend.core.suppression import find_active_causes
from aftersend.lists.context import JobContext
from aftersend.lists.erase import erase
from aftersend.lists.job import (
    ExportProgress,
    ExportRequest,
    ImportProgress,
    ImportRequest,
    JobState,
    RevertProgress,
    RevertRequest,
    create_job,
)
from aftersend.lists.job_table import JobLeased, ListJobs
from aftersend.lists.runner import run_job
from aftersend.storage.deletions import Deletions
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store, TableNames
from tests.engines import ROOT, Engine
from tests.support.facts import ANN as ADDRESS
from tests.support.facts import bounce, fact
from tests.support.list_job_worker import job_context_on
from tests.support.list_jobs import ANN, finish_job, ingest_facts, job_context, make_ticking_timer, run_import
from tests.support.oracle import differences, scanned, stored
from tests.support.ports import NOW, Inline, MemoryStore

WORKER = (sys.executable, "-m", "tests.support.list_job_worker")
ROWS = {"dynoxide": 10_000}  # on others, which are slower, a fifth of them
LINES = 3  # lines, before the function is killed: that it has begun, and two chunks, of which 2,000 rows have four
KINDS = ("hard", *("complaint", "unsubscribed", "manual", "provider") * 3)


def rows(count: int) -> bytes:
    """Rows of all kinds about fewer addresses than there are rows."""
    lines = ["recipient,scope,kind,at"]
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        scope = "news" if kind == "unsubscribed" else "*"
        lines.append(f"{number * 7 % (count * 9 // 10)}@example.com,{scope},{kind},2026-03-{number % 28 + 1:02}")
    return "\n".join(lines).encode()


def begin(jobs: ListJobs, folder: Path, request: Any, body: bytes = b"") -> str:
    job = jobs.put(create_job("job", request, ANN, NOW))
    path = folder / job.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return job.id


def test_an_import_that_is_killed_goes_on_where_it_was(concurrent_engine: Engine, tmp_path: Path) -> None:
    """10,000 rows; the process is killed after some chunks, and another goes on once nobody can have the job."""
    engine, names, table = concurrent_engine, concurrent_engine.tables(), concurrent_engine.table("ListJobs")
    count = ROWS.get(engine.name, 2_000)
    body, jobs = rows(count), ListJobs(engine.connect(), table)
    id_ = begin(jobs, tmp_path, ImportRequest(dry_run=False), body)
    process = subprocess.Popen(
        [*WORKER, str(engine.endpoint), names.outcomes, names.suppressions, table, str(tmp_path), id_],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environ | {"PYTHONPATH": ":".join(each for each in sys.path if each)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(LINES * "\n")  # it is in the middle of the next one, or waits behind it, however slow we are
    process.stdin.flush()
    assert all(process.stdout.readline() for _ in range(LINES))
    process.kill()
    process.communicate()
    half = jobs.get(id_)
    assert half is not None
    assert isinstance(half.progress, ImportProgress)
    assert 0 < half.progress.summary.rows < count
    with pytest.raises(JobLeased):
        run_job(id_, job_context_on(engine, names, jobs, tmp_path), 600.0)
    done = run_job(id_, job_context_on(engine, names, jobs, tmp_path, lambda: NOW + timedelta(minutes=10)), 600.0)
    assert done is not None
    assert isinstance(done.progress, ImportProgress)
    assert (done.state, done.progress.summary.rows, done.progress.summary.invalid) == (JobState.DONE, count, 0)
    right = MemoryStore()
    run_import(job_context(right), body)
    assert not differences(scanned(engine.client(), names), stored(right))


def small(engine: Engine, tmp_path: Path, **others: Any) -> tuple[JobContext, TableNames, ListJobs]:
    names, jobs = engine.tables(), ListJobs(engine.connect(), engine.table("ListJobs"))
    store = Store(engine.connect(), names, clock=lambda: NOW)
    client = engine.connect()
    given = {
        "queries": Queries(client, names),
        "deletions": Deletions(client, names),
        "jobs": jobs,
        "pool": Inline(),
    }
    return job_context(store, **(given | others)), names, jobs


def test_an_export_reads_the_whole_table(engine: Engine, tmp_path: Path) -> None:
    used, names, jobs = small(engine, tmp_path, timer=make_ticking_timer())
    run_import(used, rows(60), id_="import")
    jobs.put(create_job("export", ExportRequest(), ANN, NOW))
    job = finish_job(used, "export")
    assert isinstance(job.progress, ExportProgress)
    file = used.files.bodies[job.file]  # type: ignore[attr-defined]
    found = scanned(engine.client(), names).suppressions
    assert job.progress.rows == file.count(b"\r\n") - 1 == sum(len(row.causes) for row in found.values())


def test_a_page_goes_on_behind_the_last_one(engine: Engine, tmp_path: Path) -> None:
    used, names, _ = small(engine, tmp_path)
    run_import(used, rows(60), id_="import")
    queries, seen, after = Queries(engine.connect(), names), [], None
    while True:
        found, after = queries.scan_suppressions(after, 7)
        assert len(found) <= 7
        seen += [each.key for each in found]
        if after is None:
            break
    assert sorted(seen) == sorted(scanned(engine.client(), names).suppressions)


def test_a_revert_finds_its_suppressions_by_day(engine: Engine, tmp_path: Path) -> None:
    used, names, jobs = small(engine, tmp_path)
    names_of = [f"email:{number}@apple.example" for number in range(5)]
    facts = [fact(Kind.BOUNCED, number, "hard", recipient=each) for number, each in enumerate(names_of)]
    ingest_facts([*facts, fact(Kind.BOUNCED, 1, "hard")], used.store)
    since = facts[1].occurred_at
    request = RevertRequest(
        dry_run=False,
        domain="apple.example",
        reason=Reason.USER_UNKNOWN,
        since=since,
        until=since + timedelta(days=2),
    )
    jobs.put(create_job("revert", request, ANN, NOW))
    job = finish_job(used, "revert")
    assert isinstance(job.progress, RevertProgress)
    assert (job.progress.found, job.progress.changed, job.progress.freed) == (3, 3, 3)
    held = {key[0] for key, row in scanned(engine.client(), names).suppressions.items() if find_active_causes(row, NOW)}
    assert held == {ADDRESS, names_of[0], names_of[4]}


def test_whoever_is_erased_is_in_no_table(engine: Engine, tmp_path: Path) -> None:
    used, names, _ = small(engine, tmp_path)
    facts = [*(bounce(2 * day, message=f"test:{day}") for day in range(6)), fact(Kind.COMPLAINED, 3)]
    ingest_facts(facts, used.store)
    with ThreadPoolExecutor(4) as pool:
        used = replace(used, pool=pool if engine.name != "moto" else Inline())
        done = erase(ADDRESS, make_alias(ADDRESS, b"key"), used)
    assert (done.outcomes, done.suppressions, done.suppressed) == (6, 1, True)
    left = scanned(engine.client(), names)
    assert not left.outcomes
    assert [key[0] for key in left.suppressions] == [make_alias(ADDRESS, b"key")]
    assert not used.deletions.delete_suppression(next(iter(left.suppressions.values()))), "of another version"
