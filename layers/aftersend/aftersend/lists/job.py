"""One thing to be done with many suppressions: what is wanted, and how far it is. Pure.

A job is worked in bites, and after each one it is written down how far it is: whoever takes it up again goes on there.
A bite that is done twice changes nothing. Whoever works a job has it for a while; one that nobody has, anybody can take
up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from aftersend.core.model import Key
from aftersend.core.times import format_time, parse_time
from aftersend.lists.records import Place
from aftersend.lists.tally import Tally
from aftersend.storage.items import Item

KEPT: Final = timedelta(days=30)  # after it was made
HOLD: Final = timedelta(minutes=3)  # longer than any function that works jobs may run


class State(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"  # for its file
    QUEUED = "queued"  # for somebody to work it
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # it cannot be done, and `why` says why


class Import(Struct, frozen=True, kw_only=True, tag="import"):
    """Take in a list that lies in the bucket."""

    dry_run: bool
    format: str | None = None  # None is to be recognised
    scope: str = "*"
    at: datetime | None = None


class Export(Struct, frozen=True, kw_only=True, tag="export"):
    """Write a list into the bucket."""

    layout: str = "csv"
    channel: str | None = None
    scope: str | None = None
    active: bool = True  # only what holds now


class Revert(Struct, frozen=True, kw_only=True, tag="revert"):
    """Take back what one domain said for one reason in a window of time, both ends included."""

    dry_run: bool
    domain: str
    reason: str
    since: datetime
    until: datetime
    note: str | None = None


class Imported(Struct, frozen=True, kw_only=True, tag="import"):
    """How far an import is."""

    format: str | None = None  # as recognised
    etag: str | None = None  # of the file: it must stay the same
    place: Place | None = None  # where to go on
    tally: Tally = Tally()


class Exported(Struct, frozen=True, kw_only=True, tag="export"):
    """How far an export is: which parts of the file are there, and after which key to go on."""

    upload: str | None = None
    parts: tuple[str, ...] = ()  # their entity tags
    after: Key | None = None
    read: bool = False  # the whole table
    bites: int = 0
    rest: int = 0  # bytes that are not in a part yet
    rows: int = 0


class Undone(Struct, frozen=True, kw_only=True, tag="revert"):
    """How far a revert is: `found` have evidence in the window, `freed` of them are suppressed no more."""

    day: str | None = None
    after: Item | None = None  # within the day, as its index says
    found: int = 0
    freed: int = 0
    changed: int = 0


Request = Import | Export | Revert
Progress = Imported | Exported | Undone

BEGIN: Final[dict[type[Request], Progress]] = {Import: Imported(), Export: Exported(), Revert: Undone()}


class Job(Struct, frozen=True, kw_only=True):
    """A job. `id` is not to be guessed: who knows it may ask how far it is."""

    id: str
    request: Request
    progress: Progress
    state: State = State.QUEUED
    by: str  # who wants it
    created_at: datetime
    held_until: datetime | None = None
    why: str | None = None  # of a failure
    version: int = 0

    @property
    def file(self) -> str:
        """The key of its file in the bucket."""
        return f"jobs/{self.id}/{'list' if isinstance(self.request, Import) else 'export'}"


_encode: Final = msgspec.json.Encoder().encode
_request: Final = msgspec.json.Decoder(Request).decode
_progress: Final = msgspec.json.Decoder(Progress).decode


def begun(id_: str, request: Request, by: str, now: datetime, state: State = State.QUEUED) -> Job:
    """A new job."""
    return Job(id=id_, request=request, progress=BEGIN[type(request)], state=state, by=by, created_at=now)


def item_of(job: Job) -> Item:
    """The item of a job."""
    item: Item = {
        "id": {"S": job.id},
        "state": {"S": job.state},
        "request": {"S": _encode(job.request).decode()},
        "progress": {"S": _encode(job.progress).decode()},
        "by": {"S": job.by},
        "created_at": {"S": format_time(job.created_at)},
        "version": {"N": str(job.version)},
        "expires_at": {"N": str(int((job.created_at + KEPT).timestamp()))},
    }
    if job.held_until is not None:
        item["held_until"] = {"S": format_time(job.held_until)}
    if job.why is not None:
        item["why"] = {"S": job.why}
    return item


def job_of(item: Item) -> Job:
    """The job that `item_of` wrote."""
    return Job(
        id=item["id"]["S"],
        state=State(item["state"]["S"]),
        request=_request(item["request"]["S"]),
        progress=_progress(item["progress"]["S"]),
        by=item["by"]["S"],
        created_at=parse_time(item["created_at"]["S"]),
        held_until=parse_time(item["held_until"]["S"]) if "held_until" in item else None,
        why=item["why"]["S"] if "why" in item else None,
        version=int(item["version"]["N"]),
    )
