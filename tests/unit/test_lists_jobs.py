"""Jobs and their table: what is written is what is read, one has a job at a time, and faults are distinguished."""

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
    LEASE,
    ExportProgress,
    ExportRequest,
    ImportProgress,
    ImportRequest,
    JobState,
    ListJob,
    RevertProgress,
    RevertRequest,
    create_job,
    decode_job,
    encode_job,
)
from aftersend.lists.job_table import JobLeased, ListJobs
from aftersend.lists.records import FilePosition
from aftersend.lists.runner import run_job
from aftersend.lists.summary import MAX_ERRORS, ImportSummary, RowError, RowResult
from aftersend.storage.deletions import Deletions
from aftersend.storage.queries import Queries
from aftersend.storage.store import TableNames
from tests.support.list_jobs import ANN, job_context, memory_jobs
from tests.support.ports import NOW

SUMMARY = ImportSummary(rows=3, new=1, invalid=2, errors=(RowError(2, "not an address"), RowError(9, "not CSV")))
JOBS = [
    replace(
        create_job("1", ImportRequest(dry_run=True, format="ses", scope="news", at=NOW), ANN, NOW, JobState.WAITING),
        progress=ImportProgress(format="ses", etag='"e"', position=FilePosition(99, 7, "[{"), summary=SUMMARY),
    ),
    replace(
        create_job("2", ExportRequest(layout="jsonl", channel="sms", scope="news", active=False), ANN, NOW),
        progress=ExportProgress(upload_id="u", etags=("a", "b"), after=("sms:+1", "*"), chunks=3, buffered=17, rows=5),
        leased_until=NOW + LEASE,
        state=JobState.RUNNING,
    ),
    replace(
        create_job(
            "3", RevertRequest(dry_run=False, domain="a.example", reason="user_unknown", since=NOW, until=NOW), ANN, NOW
        ),
        progress=RevertProgress(day="2026-03-01", after={"day": {"S": "2026-03-01"}}, found=4, freed=2, changed=3),
        state=JobState.FAILED,
        why="whatever",
    ),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job.request).__name__)
def test_what_is_written_is_what_is_read(job: ListJob) -> None:
    assert decode_job(encode_job(job)) == job
    assert encode_job(job)["expires_at"] == {"N": str(int((NOW + timedelta(days=30)).timestamp()))}


def test_one_has_a_job_at_a_time() -> None:
    jobs = memory_jobs()
    mine = jobs.put(create_job("1", ExportRequest(), ANN, NOW))
    taken = jobs.acquire("1", NOW)
    assert taken is not None
    assert (taken.state, taken.leased_until) == (JobState.RUNNING, NOW + LEASE)
    with pytest.raises(JobLeased):
        jobs.acquire("1", NOW + LEASE - timedelta(seconds=1))
    with pytest.raises(JobLeased):
        jobs.put(mine)  # somebody has written since
    again = jobs.acquire("1", NOW + LEASE)
    assert again is not None
    with pytest.raises(JobLeased):
        jobs.put(taken)  # whoever had it until then has it no more


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.DONE, JobState.FAILED])
def test_there_is_nothing_to_do_for_what_waits_or_is_over(state: JobState) -> None:
    jobs = memory_jobs()
    jobs.put(create_job("1", ExportRequest(), ANN, NOW, state))
    assert jobs.acquire("1", NOW) is None
    assert jobs.acquire("another", NOW) is None
    assert run_job("1", job_context(jobs=jobs), 10.0) is None


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
    jobs = ListJobs(Failing(failure), "Jobs")
    names = TableNames(outcomes="Outcomes", suppressions="Suppressions")
    queries, deletions = Queries(Failing(failure), names), Deletions(Failing(failure), names)
    calls: list[Any] = [
        lambda: jobs.get("1"),
        lambda: jobs.put(JOBS[0]),
        lambda: jobs.acquire("1", NOW),
        lambda: queries.scan_suppressions(None),
        lambda: queries.find_suppressed_on("2026-03-01", 500, oldest_first=True),
        lambda: queries.find_suppressions_of("email:ann@example.com"),
        lambda: queries.find_lines_of("email:ann@example.com"),
        lambda: deletions.delete_outcome(("email:ann@example.com", "m")),
        lambda: deletions.delete_suppression(Suppression(recipient="email:ann@example.com", version=1)),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()


def test_a_summary_counts_every_row_once_and_keeps_the_first_errors() -> None:
    summary = ImportSummary()
    for number in range(MAX_ERRORS + 5):
        summary = summary.add(
            [RowResult.NEW, RowResult.UNCHANGED, RowResult.SKIPPED, RowResult.UPDATED], [RowError(number, "bad")]
        )
    assert summary.rows == 5 * (MAX_ERRORS + 5) == 5 * summary.invalid
    assert (summary.new, summary.unchanged, summary.skipped, summary.updated) == (summary.invalid,) * 4
    assert [error.line for error in summary.errors] == list(range(MAX_ERRORS))


@pytest.mark.parametrize("name", ["LIST_JOBS_TABLE", "LIST_FILES_BUCKET", "LIST_JOBS_QUEUE"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    given = dict.fromkeys(("LIST_JOBS_TABLE", "LIST_FILES_BUCKET", "LIST_JOBS_QUEUE"), "x") | {name: " "}
    with pytest.raises(ConfigurationError, match=name):
        settings.load_list_jobs(given)
