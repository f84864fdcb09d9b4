"""A whole export of a provider's list lifts what an earlier one said, and nothing that anybody else did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core.active_causes import EndedBy, find_ending
from aftersend.core.erasure import make_alias
from aftersend.core.model import CauseKind, Kind
from aftersend.core.suppression import find_active_causes
from aftersend.core.writes import Put
from aftersend.lists import import_list, snapshot
from aftersend.lists.job import ImportProgress, JobState, ListJob
from aftersend.lists.summary import ImportSummary
from tests.support.facts import ANN, BOB, fact
from tests.support.list_jobs import ListJobApi, ingest_facts, job_context, make_ticking_timer, run_import
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore

FORMAT = "campaign-addresses"
HEADER = "address,status,errorReason,lastModified\n"
MONDAY, TUESDAY = datetime(2026, 3, 9, 4, tzinfo=UTC), datetime(2026, 3, 10, 4, tzinfo=UTC)
DAY = {"ann": "2026-03-02 10:00:00", "bob": "2026-03-03 10:00:00"}
ROWS = {
    "ann": f"ann@example.com,Quarantine,1,{DAY['ann']}\n",
    "bob": f"bob@example.org,Quarantine,5,{DAY['bob']}\n",
    "spam": "spam@example.org,Denylisted,20,2026-03-03 11:00:00\n",
    "errors": "soft@example.org,With errors,3,2026-03-03 12:00:00\n",
}


def table(*names: str) -> bytes:
    return (HEADER + "".join(ROWS[name] for name in names)).encode()


def run(
    store: MemoryStore, body: bytes, id_: str = "job", *, full: bool = True, at: Any = MONDAY, **others: Any
) -> ListJob:
    context = job_context(store, **others.pop("context", {}))
    return run_import(context, body, FORMAT, id_, full=full, at=at, **others)


def holding(store: MemoryStore) -> dict[str, tuple[CauseKind, ...]]:
    found = {row.recipient: find_active_causes(row, NOW) for row in stored(store).suppressions.values()}
    return {recipient: kinds for recipient, kinds in found.items() if kinds}


def summary_of(job: ListJob) -> ImportSummary:
    assert isinstance(job.progress, ImportProgress)
    return job.progress.summary


def test_who_is_not_in_a_whole_export_any_more_is_lifted() -> None:
    store = MemoryStore()
    assert summary_of(run(store, table("ann", "bob"))).new == 2
    job = run(store, table("bob"), "next", at=TUESDAY)
    assert (job.state, summary_of(job).lifted, summary_of(job).unchanged) == (JobState.DONE, 1, 1)
    assert holding(store) == {BOB: (CauseKind.PROVIDER,)}
    lifted = stored(store).suppressions[ANN, "*"]
    assert find_ending(lifted, CauseKind.PROVIDER, NOW) is EndedBy.WITHDRAWN


def test_one_of_changes_lifts_nobody() -> None:
    store = MemoryStore()
    run(store, table("ann"))
    assert summary_of(run(store, table("bob"), "next", full=False)).lifted == 0
    assert holding(store).keys() == {ANN, BOB}


def test_the_same_export_again_changes_nothing() -> None:
    store = MemoryStore()
    run(store, table("ann", "bob"))
    run(store, table("bob"), "next", at=TUESDAY)
    before, puts = stored(store), store.puts
    assert summary_of(run(store, table("bob"), "again", at=TUESDAY)).lifted == 0
    assert (stored(store), store.puts) == (before, puts)


def test_who_comes_back_later_is_suppressed_again() -> None:
    store = MemoryStore()
    run(store, table("ann", "bob"))
    run(store, table("bob"), "next", at=TUESDAY)
    again = f"{HEADER}{ROWS['bob']}ann@example.com,Quarantine,1,2026-03-11 10:00:00\n".encode()
    run(store, again, "later", at=datetime(2026, 3, 12, tzinfo=UTC))
    assert holding(store).keys() == {ANN, BOB}


@pytest.mark.parametrize("order", ["before", "after"])
def test_what_others_say_stays_in_any_order(order: str) -> None:
    """The provider's cause of another source counts, whether it came before the lifting or after it."""
    store = MemoryStore()
    listed = fact(Kind.REJECTED, 3, "listed")
    run(store, table("ann", "bob"))
    if order == "before":
        ingest_facts([listed], store)
    run(store, table("bob"), "next", at=TUESDAY)
    if order == "after":
        ingest_facts([listed], store)
    assert holding(store).keys() == {ANN, BOB}


def test_a_token_is_not_lifted_and_neither_is_who_was_erased() -> None:
    """Campaign purges dead tokens after some days, and nobody can tell who an alias was."""
    store = MemoryStore()
    body = "address,status,errorReason,lastModified,type\n"
    run(store, f"{body}0f744707,Quarantine,1,{DAY['ann']},41\nann@example.com,Quarantine,1,{DAY['ann']},0\n".encode())
    erased = replace(stored(store).suppressions[ANN, "*"], recipient=make_alias(ANN, b"key"), version=1)
    store.answer(Put(erased))
    assert summary_of(run(store, table("bob"), "next", at=TUESDAY)).lifted == 1
    assert holding(store).keys() == {"push:apns:0f744707", erased.recipient, BOB}


def test_a_wish_is_not_lifted() -> None:
    store = MemoryStore()
    run(store, table("ann", "spam"))
    run(store, table("ann"), "next", at=TUESDAY)
    assert holding(store) == {ANN: (CauseKind.PROVIDER,), "email:spam@example.org": (CauseKind.COMPLAINT,)}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (table("errors"), "names nobody"),
        (HEADER.encode(), "names nobody"),
        (table("bob") + b"cut@example.org,Quar", "1 rows are invalid"),
        (table("bob") + b"three@example.org,3,1,2026-03-03 10:00:00\n", "1 rows are invalid"),
    ],
)
def test_a_list_that_may_not_be_whole_lifts_nobody(body: bytes, why: str) -> None:
    store = MemoryStore()
    run(store, table("ann"))
    job = run(store, body, "next", at=TUESDAY)
    assert (job.state, why in (job.why or "")) == (JobState.FAILED, True)
    assert ANN in holding(store)


def test_a_list_without_its_time_or_of_another_format_is_no_full_one() -> None:
    assert "full" in (run(MemoryStore(), table("ann"), at=None).why or "")
    job = run_import(job_context(), b"recipient\nann@example.com\n", full=True, at=MONDAY)
    assert "full" in (job.why or "")


def test_a_dry_run_counts_and_lifts_nobody() -> None:
    store = MemoryStore()
    run(store, table("ann", "bob"))
    before, puts = stored(store), store.puts
    assert summary_of(run(store, table("bob"), "dry", at=TUESDAY, dry_run=True)).lifted == 1
    assert (stored(store), store.puts) == (before, puts)


def test_one_that_is_interrupted_after_every_chunk_lifts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_list, "CHUNK", 3)
    monkeypatch.setattr(snapshot, "CHUNK", 1)
    many = [f"p{number}@example.org,Quarantine,1,2026-03-02 10:00:00\n" for number in range(30)]
    ends = []
    for timer in (lambda: 0.0, make_ticking_timer()):
        store = MemoryStore()
        run(store, (HEADER + "".join(many)).encode())
        job = run(store, (HEADER + "".join(many[::2])).encode(), "next", at=TUESDAY, context={"timer": timer})
        ends.append((stored(store), summary_of(job)))
    assert ends[0] == ends[1]
    assert ends[0][1].lifted == 15


def test_the_api_wants_the_time_of_a_full_list() -> None:
    world = ListJobApi()
    csv = {"content-type": "text/csv"}
    wanted = f"/suppressions/import?dry_run=false&format={FORMAT}&full=true"
    assert world.api("POST", wanted, table("ann").decode(), csv).status == 422
    answer = world.api("POST", f"{wanted}&at=2026-03-09T04:00:00Z", table("ann").decode(), csv)
    assert (answer.status, answer.json["imported"]["lifted"]) == (200, 0)
