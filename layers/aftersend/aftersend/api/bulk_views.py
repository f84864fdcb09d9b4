"""What the API shows of jobs: how far they are, and where their files are. Nothing of it names anybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from aftersend.api.shapes import Moment
from aftersend.lists.job import Export, Exported, Import, Imported, Job, Revert, State, Undone
from aftersend.lists.objects import LASTS
from aftersend.lists.tally import Tally

_ENDINGS: Final = {"csv": "csv", "jsonl": "jsonl", "addresses": "csv"}


class Places(Protocol):
    """Where files are put and got: `aftersend.lists.objects.Objects` knows."""

    def address_to_put(self, key: str) -> str: ...  # noqa: D102
    def address_to_get(self, key: str, name: str) -> str: ...  # noqa: D102


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
    state: State
    dry_run: bool = False
    by: str
    created_at: Moment
    format: str | None = None  # of the list, as it was named or recognised
    imported: Tally | None = None
    exported: Rows | None = None
    reverted: Found | None = None
    why: str | None = None  # it failed
    upload: FileAddress | None = None  # of a list that is still to come
    download: FileAddress | None = None  # of an export that is done


def view(job: Job, places: Places, now: datetime) -> JobView:
    """A job as it is shown at `now`, with the address of its file where there is something to do with it."""
    shown, until = summary(job), now + timedelta(seconds=LASTS)
    if job.state is State.WAITING:
        url = places.address_to_put(job.file)
        return replace(shown, upload=FileAddress(method="PUT", url=url, until=until))
    if job.state is State.DONE and isinstance(job.request, Export):
        url = places.address_to_get(job.file, f"suppressions-{job.id[:8]}.{_ENDINGS[job.request.layout]}")
        return replace(shown, download=FileAddress(method="GET", url=url, until=until))
    return shown


def summary(job: Job) -> JobView:
    """A job without addresses of files."""
    shown = JobView(
        id=job.id, job=_NAMES[type(job.request)], state=job.state, by=job.by, created_at=job.created_at, why=job.why
    )
    match job.request, job.progress:
        case Import() as wanted, Imported() as done:
            shown = replace(shown, dry_run=wanted.dry_run, format=done.format or wanted.format, imported=done.tally)
        case Revert() as wanted, Undone() as done:
            found = Found(found=done.found, changed=done.changed, freed=done.freed)
            shown = replace(shown, dry_run=wanted.dry_run, reverted=found)
        case Export() as wanted, Exported() as done:
            shown = replace(shown, format=wanted.layout, exported=Rows(rows=done.rows))
    return shown


_NAMES: Final[dict[type, Literal["import", "export", "revert"]]] = {
    Import: "import",
    Export: "export",
    Revert: "revert",
}
