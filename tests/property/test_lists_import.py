"""An import obeys the laws: any order, any split and any repetition of rows give the same tables, and a dry run reports
what it would do.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core.model import Act, Decision, Feedback, Suppression
from aftersend.core.suppression import apply_decisions, find_active_causes
from aftersend.core.writes import Put
from aftersend.lists import import_list
from aftersend.lists.job import ImportProgress, JobState, ListJob
from aftersend.lists.summary import ImportSummary
from tests.support.list_jobs import ANN, ingest_facts, job_context, make_ticking_timer, run_import
from tests.support.oracle import Tables, stored
from tests.support.ports import NOW, MemoryStore
from tests.support.strategies import facts

# Few addresses, streams and times, so that rows collide as often as they can.
ROWS = st.fixed_dictionaries(
    {
        "recipient": st.sampled_from(["ann@example.com", "Ann@Example.com", "bob@example.com", "nobody"]),
        "kind": st.sampled_from(["hard", "complaint", "unsubscribed", "provider", "manual", "streak", "mood"]),
        "at": st.sampled_from([f"2026-03-{day:02}T00:00:00Z" for day in range(1, 6)]),
    },
    optional={
        "scope": st.sampled_from(["*", "news", ""]),
        "since": st.sampled_from(["2026-02-01T00:00:00Z", "2026-03-09T00:00:00Z"]),
        "until": st.sampled_from(["2026-03-20T00:00:00Z", "2026-05-01T00:00:00Z"]),
        "reason": st.sampled_from(["user_unknown", "mailbox_full"]),
        "note": st.sampled_from(["by phone", "by mail"]),
    },
)
LISTS = st.lists(ROWS, max_size=12)
Row = dict[str, str]


def lines(rows: list[Row]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def import_lists(*lists: list[Row], store: MemoryStore | None = None, ids: tuple[str, ...] = ()) -> MemoryStore:
    """A store into which lists were imported, one after another, as parts of one import where no ids say otherwise."""
    store = store or MemoryStore()
    for number, rows in enumerate(lists):
        used = job_context(store)
        job = run_import(used, lines(rows), id_=ids[number] if ids else "job")
        assert job.state in (JobState.DONE, JobState.FAILED)
    return store


def summary_of(job: ListJob) -> ImportSummary:
    assert isinstance(job.progress, ImportProgress)
    return job.progress.summary


@given(rows=LISTS, random=st.randoms(use_true_random=False), cuts=st.lists(st.integers(0, 12), max_size=3))
def test_rows_in_any_order_split_and_repetition_give_the_same_tables(
    rows: list[Row], random: Random, cuts: list[int]
) -> None:
    others = [*rows, *random.sample(rows, len(rows) // 2)]
    random.shuffle(others)
    places = [0, *sorted(cuts), len(others)]
    parts = [others[start:end] for start, end in pairwise(places)]
    assert stored(import_lists(*parts)) == stored(import_lists(rows))


@given(rows=LISTS)
def test_the_same_file_again_writes_nothing(rows: list[Row]) -> None:
    """Also as another import, by another person, on another day."""
    store = import_lists(rows)
    before, puts = stored(store), store.puts
    import_lists(rows, store=store, ids=("another",))
    assert stored(store) == before
    assert store.puts == puts


@given(rows=LISTS, earlier=LISTS, chunk=st.integers(1, 5))
def test_a_dry_run_writes_nothing_and_reports_exactly_what_an_import_does(
    rows: list[Row], earlier: list[Row], chunk: int
) -> None:
    store = import_lists(earlier, ids=("earlier",))
    before, puts = stored(store), store.puts
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_list, "CHUNK", chunk)
        dry = run_import(job_context(store), lines(rows), dry_run=True)
        assert (stored(store), store.puts) == (before, puts)
        assert summary_of(dry) == summary_of(run_import(job_context(store), lines(rows)))
        assert dry.why is None or not rows


@given(rows=LISTS, chunk=st.integers(1, 3))
def test_an_import_that_is_interrupted_after_every_chunk_gives_the_same(rows: list[Row], chunk: int) -> None:
    whole, pieces = MemoryStore(), MemoryStore()
    all_at_once = run_import(job_context(whole), lines(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_list, "CHUNK", chunk)
        in_chunks = run_import(job_context(pieces, timer=make_ticking_timer()), lines(rows))
    assert stored(pieces) == stored(whole)
    assert summary_of(in_chunks) == summary_of(all_at_once)


@settings(max_examples=50)
@given(rows=LISTS, others=st.lists(facts(), max_size=8))
def test_rows_and_feedback_in_any_order_give_the_same_causes(rows: list[Row], others: list[Feedback]) -> None:
    first, then = import_lists(rows), MemoryStore()
    ingest_facts(others, first)
    ingest_facts(others, then)
    import_lists(rows, store=then)
    assert _causes(stored(first)) == _causes(stored(then))


def _causes(tables: Tables) -> dict[Any, Any]:
    return {key: row.causes for key, row in tables.suppressions.items() if row.causes}


@given(rows=LISTS)
def test_every_suppression_that_an_import_changes_says_who_and_when(rows: list[Row]) -> None:
    """Law 6: "Every status and every suppression names the feedback and the rule that caused it"."""
    for row in stored(import_lists(rows)).suppressions.values():
        (decision,) = row.history
        assert (decision.by, decision.at, decision.note) == (ANN, NOW, "import aftersend job")
        assert {
            evidence.source for cause in row.causes.values() for evidence in (cause.first, cause.latest) if evidence
        } == {"import:aftersend"}


@given(rows=LISTS)
def test_a_release_holds_against_older_rows_whenever_they_are_imported(rows: list[Row]) -> None:
    release = Decision(at=NOW - timedelta(days=1), by="bob", act=Act.RELEASED, force=True)
    imported_first = stored(import_lists(rows)).suppressions
    store = MemoryStore()
    for key in imported_first:
        store.answer(Put(replace(apply_decisions(Suppression(recipient=key[0], scope=key[1]), [release]), version=1)))
    released_first = stored(import_lists(rows, store=store)).suppressions
    for key, row in imported_first.items():
        assert apply_decisions(row, [release]) == released_first[key]
        assert not find_active_causes(released_first[key], NOW)


@given(rows=LISTS)
def test_a_dry_run_that_forgets_never_reports_too_little(rows: list[Row]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_list, "MEMORY", 1)
        dry, real = (
            summary_of(run_import(job_context(), lines(rows), dry_run=True)),
            summary_of(run_import(job_context(), lines(rows))),
        )
    assert dry.new + dry.updated >= real.new + real.updated
    assert (dry.rows, dry.skipped, dry.errors) == (real.rows, real.skipped, real.errors)
