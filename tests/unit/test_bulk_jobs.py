"""Jobs and their table: what is written is what is read, one has a job at a time, and faults are told apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend import settings
from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.core.errors import ConfigurationError, StoreUnavailable
from aftersend.core.model import Suppression
from aftersend.lists.job import (
    HOLD,
    Export,
    Exported,
    Import,
    Imported,
    Job,
    Revert,
    State,
    Undone,
    begun,
    item_of,
    job_of,
)
from aftersend.lists.jobs import Held, Jobs
from aftersend.lists.reader import Reader
from aftersend.lists.records import Place
from aftersend.lists.tally import MOST_FLAWS, Fate, Flaw, Tally
from aftersend.lists.work import work
from aftersend.storage.store import Tables
from tests.support.ports import NOW
from tests.support.shop import ANN, MemoryTable, shop

TALLY = Tally(rows=3, new=1, bad=2, flaws=(Flaw(2, "not an address"), Flaw(9, "not CSV")))
JOBS = [
    replace(
        begun("1", Import(dry_run=True, format="ses", scope="news", at=NOW), ANN, NOW, State.WAITING),
        progress=Imported(format="ses", etag='"e"', place=Place(99, 7, "[{"), tally=TALLY),
    ),
    replace(
        begun("2", Export(layout="jsonl", channel="sms", scope="news", active=False), ANN, NOW),
        progress=Exported(upload="u", parts=("a", "b"), after=("sms:+1", "*"), bites=3, rest=17, rows=5),
        held_until=NOW + HOLD,
        state=State.RUNNING,
    ),
    replace(
        begun("3", Revert(dry_run=False, domain="a.example", reason="user_unknown", since=NOW, until=NOW), ANN, NOW),
        progress=Undone(day="2026-03-01", after={"day": {"S": "2026-03-01"}}, found=4, freed=2, changed=3),
        state=State.FAILED,
        why="whatever",
    ),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job.request).__name__)
def test_what_is_written_is_what_is_read(job: Job) -> None:
    assert job_of(item_of(job)) == job
    assert item_of(job)["expires_at"] == {"N": str(int((NOW + timedelta(days=30)).timestamp()))}


def test_one_has_a_job_at_a_time() -> None:
    jobs = Jobs(MemoryTable(), "Jobs")
    mine = jobs.put(begun("1", Export(), ANN, NOW))
    taken = jobs.take("1", NOW)
    assert taken is not None
    assert (taken.state, taken.held_until) == (State.RUNNING, NOW + HOLD)
    with pytest.raises(Held):
        jobs.take("1", NOW + HOLD - timedelta(seconds=1))
    with pytest.raises(Held):
        jobs.put(mine)  # somebody has written since
    again = jobs.take("1", NOW + HOLD)
    assert again is not None
    with pytest.raises(Held):
        jobs.put(taken)  # whoever had it until then has it no more


@pytest.mark.parametrize("state", [State.WAITING, State.DONE, State.FAILED])
def test_there_is_nothing_to_do_for_what_waits_or_is_over(state: State) -> None:
    jobs = Jobs(MemoryTable(), "Jobs")
    jobs.put(begun("1", Export(), ANN, NOW, state))
    assert jobs.take("1", NOW) is None
    assert jobs.take("another", NOW) is None
    assert work("1", shop(jobs=jobs), 10.0) is None


class Failing:
    """A client of which every call fails."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def __getattr__(self, name: str) -> Any:
        def fail(**_: Any) -> Any:
            raise self._failure

        return fail


@pytest.mark.parametrize("failure", [Refusal("ThrottlingException", {}), NoAnswer("TimeoutError")])
def test_a_table_that_does_not_answer_is_a_fault_of_ours(failure: Exception) -> None:
    jobs = Jobs(Failing(failure), "Jobs")
    reader = Reader(Failing(failure), Tables(outcomes="Outcomes", suppressions="Suppressions"))
    calls: list[Any] = [
        lambda: jobs.get("1"),
        lambda: jobs.put(JOBS[0]),
        lambda: jobs.take("1", NOW),
        lambda: reader.page(None),
        lambda: reader.on_day("2026-03-01", None),
        lambda: reader.suppressions_of("email:ann@example.com"),
        lambda: reader.messages_of("email:ann@example.com"),
        lambda: reader.delete_outcome(("email:ann@example.com", "m")),
        lambda: reader.delete_suppression(Suppression(recipient="email:ann@example.com", version=1)),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()


def test_a_tally_counts_every_row_once_and_keeps_the_first_flaws() -> None:
    tally = Tally()
    for number in range(MOST_FLAWS + 5):
        tally = tally.with_fates([Fate.NEW, Fate.KNOWN, Fate.SKIPPED, Fate.WIDENED], [Flaw(number, "bad")])
    assert tally.rows == 5 * (MOST_FLAWS + 5) == 5 * tally.bad
    assert (tally.new, tally.known, tally.skipped, tally.widened) == (tally.bad,) * 4
    assert [flaw.line for flaw in tally.flaws] == list(range(MOST_FLAWS))


@pytest.mark.parametrize("name", ["LIST_JOBS_TABLE", "LIST_FILES_BUCKET", "LIST_JOBS_QUEUE"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    given = dict.fromkeys(("LIST_JOBS_TABLE", "LIST_FILES_BUCKET", "LIST_JOBS_QUEUE"), "x") | {name: " "}
    with pytest.raises(ConfigurationError, match=name):
        settings.load_list_jobs(given)
