"""How jobs are shown: their progress, and where their files are. Nothing of it names anybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.times import Moment
from aftersend.lists.files import URL_LIFETIME
from aftersend.lists.job import (
    DROP_FOLDER,
    DropProgress,
    DropRequest,
    ExportProgress,
    ExportRequest,
    ImportProgress,
    ImportRequest,
    JobState,
    ListJob,
    OutcomesProgress,
    OutcomesRequest,
    RevertProgress,
    RevertRequest,
    TrialProgress,
    TrialRequest,
)
from aftersend.lists.summary import ImportSummary
from aftersend.lists.trial_summary import Precedence, TrialSummary, find_precedences

_ENDINGS: Final = {"csv": "csv", "jsonl": "jsonl", "addresses": "csv", "tokens": "csv"}


class FileLinks(Protocol):
    """Where files are uploaded and downloaded: `aftersend.lists.files.ListFiles` knows."""

    def presign_put(self, key: str, size: int) -> str: ...  # noqa: D102
    def presign_get(self, key: str, name: str) -> str: ...  # noqa: D102


class ExportSummary(Struct, frozen=True):
    """What an export contains so far."""

    rows: int


class RevertSummary(Struct, frozen=True):
    """What a revert has changed so far."""

    found: int  # suppressions with evidence in the window
    changed: int  # of which this window had not been reverted before
    freed: int  # of which nothing holds any more


class DropSummary(Struct, frozen=True):
    """How far a dropped file is."""

    file: str  # below `drop/`, the source first
    size: int  # bytes
    read: int  # bytes of them
    sent: int  # bodies that are in the feedback queue
    parked: int  # lines that could be no body, in the queue of unreadable ones


class TrialView(TrialSummary, frozen=True, kw_only=True):
    """What rules would change, as far as everything was looked at."""

    instead: bool  # of the stack's own rules, not before them
    precedence: list[Precedence]  # over which rules they would take it, the most frequent first


JobKind = Literal["import", "export", "outcomes", "revert", "drop", "trial"]


class FileLink(Struct, frozen=True, kw_only=True):
    """Where to upload or download a file. The link works until it expires, for whoever has it."""

    method: Literal["GET", "PUT"]
    url: str
    until: Moment


class JobView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job and its progress."""

    id: str
    job: JobKind
    state: JobState
    dry_run: bool = False
    by: str
    created_at: Moment
    format: str | None = None  # of the list, as it was given or detected
    imported: ImportSummary | None = None
    read: int | None = None  # bytes of the list that have been looked at
    exported: ExportSummary | None = None
    reverted: RevertSummary | None = None
    dropped: DropSummary | None = None
    tried: TrialView | None = None
    why: str | None = None  # why it failed
    upload: FileLink | None = None  # of a list that has not been uploaded
    download: FileLink | None = None  # of an export that is done


def show_job(job: ListJob, links: FileLinks, now: datetime) -> JobView:
    """Return a job as it is shown at `now` (UTC), with a link to its file if there is something to do with it."""
    shown, until = summarize_job(job), now + timedelta(seconds=URL_LIFETIME)
    if job.state is JobState.WAITING and isinstance(job.request, ImportRequest) and job.request.bytes is not None:
        url = links.presign_put(job.file, job.request.bytes)
        return replace(shown, upload=FileLink(method="PUT", url=url, until=until))
    if job.state is JobState.DONE and isinstance(job.request, ExportRequest):
        url = links.presign_get(job.file, f"suppressions-{job.id[:8]}.{_ENDINGS[job.request.layout]}")
        return replace(shown, download=FileLink(method="GET", url=url, until=until))
    return shown


def summarize_job(job: ListJob) -> JobView:
    """Return a job without links to files."""
    shown = JobView(
        id=job.id, job=_NAMES[type(job.request)], state=job.state, by=job.by, created_at=job.created_at, why=job.why
    )
    match job.request, job.progress:
        case ImportRequest() as wanted, ImportProgress() as done:
            format_, read = done.format or wanted.format, done.position.offset if done.position else None
            shown = replace(shown, dry_run=wanted.dry_run, format=format_, imported=done.summary, read=read)
        case RevertRequest() as wanted, RevertProgress() as done:
            found = RevertSummary(found=done.found, changed=done.changed, freed=done.freed)
            shown = replace(shown, dry_run=wanted.dry_run, reverted=found)
        case ExportRequest() as wanted, ExportProgress() as done:
            shown = replace(shown, format=wanted.layout, exported=ExportSummary(rows=done.rows))
        case OutcomesRequest(), OutcomesProgress() as done:
            shown = replace(shown, exported=ExportSummary(rows=done.rows))
        case DropRequest() as wanted, DropProgress() as done:
            file = wanted.key.removeprefix(DROP_FOLDER)
            summary = DropSummary(file, wanted.size, done.position.offset, done.sent, done.parked)
            shown = replace(shown, dropped=summary)
        case TrialRequest() as wanted, TrialProgress() as done:
            shown = replace(shown, dry_run=True, tried=_show_trial(wanted, done.summary))
    return shown


def _show_trial(wanted: TrialRequest, summary: TrialSummary) -> TrialView:
    """Return a trial with the most frequent changes first."""
    found = {name: getattr(summary, name) for name in summary.__struct_fields__}
    found["changes"] = tuple(sorted(summary.changes, key=lambda each: -each.outcomes))
    precedence = find_precedences(summary.changes, frozenset(wanted.tried))
    return TrialView(**found, instead=wanted.instead, precedence=precedence)


_NAMES: Final[dict[type, JobKind]] = {
    ImportRequest: "import",
    ExportRequest: "export",
    OutcomesRequest: "outcomes",
    RevertRequest: "revert",
    DropRequest: "drop",
    TrialRequest: "trial",
}
