"""What the API shows of jobs: how far they are, and where their files are. Nothing of it names anybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from aftersend.api.shapes import Moment
from aftersend.lists.files import URL_LIFETIME
from aftersend.lists.job import (
    ExportProgress,
    ExportRequest,
    ImportProgress,
    ImportRequest,
    JobState,
    ListJob,
    RevertProgress,
    RevertRequest,
)
from aftersend.lists.summary import ImportSummary

_ENDINGS: Final = {"csv": "csv", "jsonl": "jsonl", "addresses": "csv"}


class Places(Protocol):
    """Where files are put and got: `aftersend.lists.files.ListFiles` knows."""

    def presign_put(self, key: str) -> str: ...  # noqa: D102
    def presign_get(self, key: str, name: str) -> str: ...  # noqa: D102


class Rows(Struct, frozen=True):
    """What an export holds so far."""

    rows: int


class Found(Struct, frozen=True):
    """What a revert came to so far."""

    found: int  # suppressions with evidence in the window
    changed: int  # of which the window was not reverted before
    freed: int  # that hold no more


class FileAddress(Struct, frozen=True, kw_only=True):
    """Where to put or get a file; it works for a while, and for whoever has it."""

    method: Literal["GET", "PUT"]
    url: str
    until: Moment


class JobView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job, and how far it is."""

    id: str
    job: Literal["import", "export", "revert"]
    state: JobState
    dry_run: bool = False
    by: str
    created_at: Moment
    format: str | None = None  # of the list, as it was named or detected
    imported: ImportSummary | None = None
    exported: Rows | None = None
    reverted: Found | None = None
    why: str | None = None  # it failed
    upload: FileAddress | None = None  # of a list that is still to come
    download: FileAddress | None = None  # of an export that is done


def view(job: ListJob, places: Places, now: datetime) -> JobView:
    """A job as it is shown at `now`, with the address of its file where there is something to do with it."""
    shown, until = summary(job), now + timedelta(seconds=URL_LIFETIME)
    if job.state is JobState.WAITING:
        url = places.presign_put(job.file)
        return replace(shown, upload=FileAddress(method="PUT", url=url, until=until))
    if job.state is JobState.DONE and isinstance(job.request, ExportRequest):
        url = places.presign_get(job.file, f"suppressions-{job.id[:8]}.{_ENDINGS[job.request.layout]}")
        return replace(shown, download=FileAddress(method="GET", url=url, until=until))
    return shown


def summary(job: ListJob) -> JobView:
    """A job without addresses of files."""
    shown = JobView(
        id=job.id, job=_NAMES[type(job.request)], state=job.state, by=job.by, created_at=job.created_at, why=job.why
    )
    match job.request, job.progress:
        case ImportRequest() as wanted, ImportProgress() as done:
            shown = replace(shown, dry_run=wanted.dry_run, format=done.format or wanted.format, imported=done.summary)
        case RevertRequest() as wanted, RevertProgress() as done:
            found = Found(found=done.found, changed=done.changed, freed=done.freed)
            shown = replace(shown, dry_run=wanted.dry_run, reverted=found)
        case ExportRequest() as wanted, ExportProgress() as done:
            shown = replace(shown, format=wanted.layout, exported=Rows(rows=done.rows))
    return shown


_NAMES: Final[dict[type, Literal["import", "export", "revert"]]] = {
    ImportRequest: "import",
    ExportRequest: "export",
    RevertRequest: "revert",
}
