"""One list job: what was asked for, and its progress. Pure.

A job is worked in chunks, and its progress is stored after each one: whoever takes it up again goes on there. A chunk
that is worked twice changes nothing. Whoever works a job holds a lease of it; once that has run out, anybody may take
the job up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.model import Key
from aftersend.core.times import format_time, parse_time
from aftersend.lists.records import FilePosition
from aftersend.lists.summary import ImportSummary
from aftersend.lists.trial_summary import TrialSummary
from aftersend.storage.items import Item
from aftersend.storage.schema import decoder, encode_schema

SCHEMA: Final = 1  # what this version writes, and the highest that it reads: see `aftersend.storage.schema`
DROP_FOLDER: Final = "drop/"  # of the bucket: what is put there is feedback, of the source that comes next
RETENTION: Final = timedelta(days=30)  # of a job, from when it was created
LEASE: Final = timedelta(minutes=3)  # longer than any function that works jobs may run


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # for its file
    QUEUED = "queued"  # for a function to work it
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # it cannot be done, and `why` says why


class ImportRequest(Struct, frozen=True, kw_only=True, tag="import"):
    """Import a list that lies in the bucket."""

    dry_run: bool
    format: str | None = None  # detected where it is None
    scope: str = "*"
    at: datetime | None = None
    bytes: int | None = None  # of a list that is still to be uploaded
    full: bool = False  # it is all of the provider's list, so who is not in it is on it no more
    tried: str | None = None  # the dry run whose file this is


class ExportRequest(Struct, frozen=True, kw_only=True, tag="export"):
    """Export suppressions into a file in the bucket."""

    layout: str = "csv"
    channel: str | None = None
    scope: str | None = None
    active: bool = True  # only what holds now
    file: str | None = None  # the key of a file that each new export replaces; one of its own, where it is None


class RevertRequest(Struct, frozen=True, kw_only=True, tag="revert"):
    """Revert what one domain reported for one reason in a window of time, both ends included."""

    dry_run: bool
    domain: str
    reason: str
    since: datetime
    until: datetime
    note: str | None = None


class OutcomesRequest(Struct, frozen=True, kw_only=True, tag="outcomes"):
    """Export all outcomes into files of their own for each day."""

    day: str  # on which it was asked for (UTC): 2026-03-02


class ImportProgress(Struct, frozen=True, kw_only=True, tag="import"):
    """How far an import is."""

    format: str | None = None  # as it was detected
    etag: str | None = None  # of the file: it must stay the same
    position: FilePosition | None = None  # where to go on
    summary: ImportSummary = ImportSummary()
    lifted_after: Key | None = None  # of a list that is whole: how far those are lifted who are not in it
    lifted_all: bool = False


class ExportProgress(Struct, frozen=True, kw_only=True, tag="export"):
    """How far an export is: which parts of the file are there, and after which key to go on."""

    upload_id: str | None = None
    etags: tuple[str, ...] = ()  # of the parts
    after: Key | None = None
    complete: bool = False  # the whole table has been read
    chunks: int = 0
    buffered: int = 0  # bytes that are in no part yet
    rows: int = 0


class RevertProgress(Struct, frozen=True, kw_only=True, tag="revert"):
    """How far a revert is: `found` have evidence in the window, `freed` of them are suppressed no more."""

    day: str | None = None
    after: Item | None = None  # within the day, as its index has it
    found: int = 0
    freed: int = 0
    changed: int = 0


class OutcomesProgress(Struct, frozen=True, kw_only=True, tag="outcomes"):
    """How far an export of outcomes is: how many files and rows are there, and after which key to go on."""

    after: Key | None = None
    complete: bool = False  # the whole table has been read
    files: int = 0
    rows: int = 0


class DropRequest(Struct, frozen=True, kw_only=True, tag="drop"):
    """Send the bodies in a dropped file to the feedback queue."""

    key: str  # in the bucket
    upload: str  # which of several files that had this key: S3's own word for it
    size: int  # bytes


class DropProgress(Struct, frozen=True, kw_only=True, tag="drop"):
    """How far a dropped file is: `sent` bodies are in the feedback queue, and `parked` is what could be none."""

    etag: str | None = None  # of the file: it must stay the same
    position: FilePosition = FilePosition()  # where to go on
    sent: int = 0
    parked: int = 0


class TrialRequest(Struct, frozen=True, kw_only=True, tag="trial"):
    """Say what other rules would make of everything stored."""

    rules: str  # `aftersend.classify.rules.RuleDocument` as JSON
    tried: tuple[str, ...]  # what verdicts call them
    instead: bool = False  # in the place of the stack's own rules, not before them


class TrialProgress(Struct, frozen=True, kw_only=True, tag="trial"):
    """How far a trial is: what it has found, and after which outcome to go on."""

    after: Key | None = None
    complete: bool = False  # the whole table has been read
    began_over: str | None = None  # a digest of the documents of the stack
    summary: TrialSummary = TrialSummary()


JobRequest = ImportRequest | ExportRequest | OutcomesRequest | RevertRequest | DropRequest | TrialRequest
JobProgress = ImportProgress | ExportProgress | OutcomesProgress | RevertProgress | DropProgress | TrialProgress

NO_PROGRESS: Final[dict[type[JobRequest], JobProgress]] = {
    ImportRequest: ImportProgress(),
    ExportRequest: ExportProgress(),
    OutcomesRequest: OutcomesProgress(),
    RevertRequest: RevertProgress(),
    DropRequest: DropProgress(),
    TrialRequest: TrialProgress(),
}


class ListJob(Struct, frozen=True, kw_only=True):
    """A job, as its table holds it."""

    id: str
    request: JobRequest
    progress: JobProgress
    state: JobState = JobState.QUEUED
    by: str  # who asked for it
    created_at: datetime
    leased_until: datetime | None = None
    why: str | None = None  # it failed
    version: int = 0

    @property
    def file(self) -> str:
        """Return the key of its file in the bucket."""
        if isinstance(self.request, DropRequest):
            return self.request.key
        named = self.request.file if isinstance(self.request, ExportRequest) else None
        return named or self.own_file

    @property
    def own_file(self) -> str:
        """Return the key of a file that no other job has, but for the import of what a dry run has tried."""
        if isinstance(self.request, ImportRequest):
            return f"jobs/{self.request.tried or self.id}/list"
        return f"jobs/{self.id}/export"


_encode: Final = msgspec.json.Encoder().encode
_decode_request: Final = msgspec.json.Decoder(JobRequest).decode
_decode_progress: Final = msgspec.json.Decoder(JobProgress).decode


def create_job(id_: str, request: JobRequest, by: str, now: datetime, state: JobState = JobState.QUEUED) -> ListJob:
    """Return a new job."""
    return ListJob(id=id_, request=request, progress=NO_PROGRESS[type(request)], state=state, by=by, created_at=now)


def is_finished_dry_run(job: ListJob) -> bool:
    """Whether a job is the dry run of an import, and has read its whole list."""
    return job.state is JobState.DONE and isinstance(job.request, ImportRequest) and job.request.dry_run


def create_import(tried: ListJob, by: str, now: datetime) -> ListJob:
    """Return the import of what a finished dry run has tried: of that very file, and the same job each time.

    Its id follows from the dry run's, which nobody can guess either. A file that was replaced since is refused.
    """
    assert isinstance(tried.request, ImportRequest) and isinstance(tried.progress, ImportProgress)
    id_ = sha256(f"import {tried.id}".encode()).hexdigest()[:32]
    job = create_job(id_, replace(tried.request, dry_run=False, tried=tried.id), by, now)
    return replace(job, progress=ImportProgress(etag=tried.progress.etag))


def encode_job(job: ListJob) -> Item:
    """Return the item that a job is stored as."""
    item: Item = {
        "id": {"S": job.id},
        **encode_schema(SCHEMA),
        "state": {"S": job.state},
        "request": {"S": _encode(job.request).decode()},
        "progress": {"S": _encode(job.progress).decode()},
        "by": {"S": job.by},
        "created_at": {"S": format_time(job.created_at)},
        "month": {"S": format_time(job.created_at)[:7]},
        "version": {"N": str(job.version)},
        "expires_at": {"N": str(int((job.created_at + RETENTION).timestamp()))},
    }
    if job.leased_until is not None:
        item["leased_until"] = {"S": format_time(job.leased_until)}
    if job.why is not None:
        item["why"] = {"S": job.why}
    return item


@decoder(SCHEMA)
def decode_job(item: Item) -> ListJob:
    """Return the job that `encode_job` wrote; raises Unreadable for any other item."""
    return ListJob(
        id=item["id"]["S"],
        state=JobState(item["state"]["S"]),
        request=_decode_request(item["request"]["S"]),
        progress=_decode_progress(item["progress"]["S"]),
        by=item["by"]["S"],
        created_at=parse_time(item["created_at"]["S"]),
        leased_until=parse_time(item["leased_until"]["S"]) if "leased_until" in item else None,
        why=item["why"]["S"] if "why" in item else None,
        version=int(item["version"]["N"]),
    )
