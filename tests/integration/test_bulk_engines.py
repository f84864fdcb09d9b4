"""Bulk work on real engines: a long import that is killed on the way, exports, reverts and erasures."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from os import environ
from pathlib import Path
from typing import Any

import pytest

from aftersend.core.erasure import make_alias
from aftersend.core.model import Kind, Reason
from aftersend.core.suppression import find_active_causes
from aftersend.lists.erasing import Ports, erase
from aftersend.lists.job import Export, Exported, Import, Imported, Revert, State, Undone, begun
from aftersend.lists.jobs import Held, Jobs
from aftersend.lists.reader import Reader
from aftersend.lists.shop import Shop
from aftersend.lists.work import work
from aftersend.storage.store import Store, Tables
from tests.engines import ROOT, Engine
from tests.support.bulk_worker import shop_on
from tests.support.oracle import differences, scanned, stored
from tests.support.ports import NOW, Inline, MemoryStore
from tests.support.shop import ANN, finish, imported, ingested, shop, ticking
from tests.support.words import ANN as ADDRESS
from tests.support.words import bounce, fact

WORKER = (sys.executable, "-m", "tests.support.bulk_worker")
ROWS = {"dynoxide": 10_000}  # on others, which are slower, a fifth of them
SAID = 3  # lines, before the function is killed: that it has begun, and two bites, of which 2,000 rows have four
KINDS = ("hard", *("complaint", "unsubscribed", "manual", "provider") * 3)


def rows(count: int) -> bytes:
    """Rows of all kinds about fewer addresses than there are rows."""
    lines = ["recipient,scope,kind,at"]
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        scope = "news" if kind == "unsubscribed" else "*"
        lines.append(f"{number * 7 % (count * 9 // 10)}@example.com,{scope},{kind},2026-03-{number % 28 + 1:02}")
    return "\n".join(lines).encode()


def begin(jobs: Jobs, folder: Path, request: Any, body: bytes = b"") -> str:
    job = jobs.put(begun("job", request, ANN, NOW))
    path = folder / job.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return job.id


def test_an_import_that_is_killed_goes_on_where_it_was(concurrent_engine: Engine, tmp_path: Path) -> None:
    """10,000 rows; the process is killed after some bites, and another goes on once nobody can have the job."""
    engine, names, table = concurrent_engine, concurrent_engine.tables(), concurrent_engine.table("ListJobs")
    count = ROWS.get(engine.name, 2_000)
    body, jobs = rows(count), Jobs(engine.connect(), table)
    id_ = begin(jobs, tmp_path, Import(dry_run=False), body)
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
    process.stdin.write(SAID * "\n")  # it is in the middle of the next one, or waits behind it, however slow we are
    process.stdin.flush()
    assert all(process.stdout.readline() for _ in range(SAID))
    process.kill()
    process.communicate()
    half = jobs.get(id_)
    assert half is not None
    assert isinstance(half.progress, Imported)
    assert 0 < half.progress.tally.rows < count
    with pytest.raises(Held):
        work(id_, shop_on(engine, names, jobs, tmp_path), 600.0)
    done = work(id_, shop_on(engine, names, jobs, tmp_path, lambda: NOW + timedelta(minutes=10)), 600.0)
    assert done is not None
    assert isinstance(done.progress, Imported)
    assert (done.state, done.progress.tally.rows, done.progress.tally.bad) == (State.DONE, count, 0)
    right = MemoryStore()
    imported(shop(right), body)
    assert not differences(scanned(engine.client(), names), stored(right))


def small(engine: Engine, tmp_path: Path, **others: Any) -> tuple[Shop, Tables, Jobs]:
    names, jobs = engine.tables(), Jobs(engine.connect(), engine.table("ListJobs"))
    store = Store(engine.connect(), names, clock=lambda: NOW)
    given = {"reader": Reader(engine.connect(), names), "jobs": jobs, "pool": Inline()}
    return shop(store, **(given | others)), names, jobs


def test_an_export_reads_the_whole_table(engine: Engine, tmp_path: Path) -> None:
    used, names, jobs = small(engine, tmp_path, timer=ticking())
    imported(used, rows(60), id_="import")
    jobs.put(begun("export", Export(), ANN, NOW))
    job = finish(used, "export")
    assert isinstance(job.progress, Exported)
    file = used.objects.bodies[job.file]  # type: ignore[attr-defined]
    found = scanned(engine.client(), names).suppressions
    assert job.progress.rows == file.count(b"\r\n") - 1 == sum(len(row.causes) for row in found.values())


def test_a_page_goes_on_behind_the_last_one(engine: Engine, tmp_path: Path) -> None:
    used, names, _ = small(engine, tmp_path)
    imported(used, rows(60), id_="import")
    reader, seen, after = Reader(engine.connect(), names), [], None
    while True:
        found, after = reader.page(after, 7)
        assert len(found) <= 7
        seen += [each.key for each in found]
        if after is None:
            break
    assert sorted(seen) == sorted(scanned(engine.client(), names).suppressions)


def test_a_revert_finds_its_suppressions_by_day(engine: Engine, tmp_path: Path) -> None:
    used, names, jobs = small(engine, tmp_path)
    names_of = [f"email:{number}@apple.example" for number in range(5)]
    facts = [fact(Kind.BOUNCED, number, "hard", recipient=each) for number, each in enumerate(names_of)]
    ingested([*facts, fact(Kind.BOUNCED, 1, "hard")], used.store)
    since = facts[1].occurred_at
    request = Revert(
        dry_run=False,
        domain="apple.example",
        reason=Reason.USER_UNKNOWN,
        since=since,
        until=since + timedelta(days=2),
    )
    jobs.put(begun("revert", request, ANN, NOW))
    job = finish(used, "revert")
    assert isinstance(job.progress, Undone)
    assert (job.progress.found, job.progress.changed, job.progress.freed) == (3, 3, 3)
    held = {key[0] for key, row in scanned(engine.client(), names).suppressions.items() if find_active_causes(row, NOW)}
    assert held == {ADDRESS, names_of[0], names_of[4]}


def test_whoever_is_erased_is_in_no_table(engine: Engine, tmp_path: Path) -> None:
    used, names, _ = small(engine, tmp_path)
    facts = [*(bounce(2 * day, message=f"told:{day}") for day in range(6)), fact(Kind.COMPLAINED, 3)]
    ingested(facts, used.store)
    reader = Reader(engine.connect(), names)
    with ThreadPoolExecutor(4) as pool:
        ports = Ports(
            store=used.store, reader=reader, pool=pool if engine.name != "moto" else Inline(), clock=used.clock
        )
        done = erase(ADDRESS, make_alias(ADDRESS, b"key"), ports)
    assert (done.outcomes, done.suppressions, done.suppressed) == (6, 1, True)
    left = scanned(engine.client(), names)
    assert not left.outcomes
    assert [key[0] for key in left.suppressions] == [make_alias(ADDRESS, b"key")]
    assert not reader.delete_suppression(next(iter(left.suppressions.values()))), "of another version"
