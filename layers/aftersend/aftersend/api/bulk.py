"""Many at once: take lists in, give lists out, take a provider's accident back, forget a person, and jobs that do so.

What may take long is a job. It is worked while the caller waits for some seconds, and answered with 200 where it is
done by then, else with 202 and the place where to ask how far it is.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from aws_lambda_powertools.event_handler import Response
from msgspec import Meta, Struct

from aftersend.api import answers, request
from aftersend.api.bulk_views import view
from aftersend.api.problems import Problem
from aftersend.api.request import Asked
from aftersend.api.routing import Router
from aftersend.api.shapes import EVERYWHERE, Cursor, Note, Nothing, Scope
from aftersend.core.erasure import is_alias
from aftersend.core.model import Key, Reason
from aftersend.core.recipient import canonicalize_email
from aftersend.core.spike_guard import find_group, find_reverted_windows
from aftersend.core.times import parse_time
from aftersend.lists import export_rows
from aftersend.lists.formats import FormatName
from aftersend.lists.job import ExportRequest, ImportRequest, JobState, ListJob, RevertRequest

if TYPE_CHECKING:
    from aftersend.lists.service import ListJobService

router: Final = Router()

MOST: Final = 5 * 1024 * 1024  # bytes of a list that comes with its request; Lambda takes no more than 6 MB
LISTS: Final = ("text/csv", "application/x-ndjson", "application/jsonl", "application/json")
MOST_QUERIES: Final = 20  # pages that are read for one answer
OLDEST: Final = timedelta(days=3660)  # that a revert may reach back
LONGEST: Final = timedelta(days=31)  # that its window may be

_ID: Final = re.compile(r"[0-9a-f]{32}")

Layout = Literal["csv", "jsonl", "addresses"]
Channel = Literal["email", "sms", "push"]
When = Annotated[datetime, Meta(tz=True)]


class Wanted(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of an import. Whether it is a dry run is always said."""

    dry_run: bool  # tell what would change, and change nothing
    format: FormatName | None = None  # of the list; detected where it is missing
    scope: Scope = EVERYWHERE  # the stream that wishes in a list are about which names none
    at: When | None = None  # the time of rows that have none


class Chosen(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of one page of an export."""

    format: Layout = "csv"
    channel: Channel | None = None
    scope: Scope | None = None  # with what holds for all streams
    active: bool = True  # only what holds now
    limit: Annotated[int, Meta(ge=1, le=1000, description="Suppressions to read at once, at most.")] = 500
    cursor: Cursor | None = None


class Selection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an export is to hold."""

    format: Layout
    channel: Channel | None = None
    scope: Scope | None = None  # with what holds for all streams
    active: bool = True  # only what holds now


class Accident(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be taken back: what one domain said for one reason in a window of time, both ends included."""

    dry_run: bool  # tell what would change, and change nothing
    domain: Annotated[str, Meta(min_length=1, max_length=320)]
    reason: Reason
    since: When
    until: When
    note: Note


@router.post("/suppressions/import")
def imported() -> Response[str]:
    """Take in the list that is the body."""
    asked = request.read(router)
    wanted = _import(asked.parameters(Wanted))
    body = asked.content(LISTS, MOST)
    service = _service(asked)
    return _told(service.begin(wanted, asked.by, body), service)


@router.post("/suppressions/import/uploads")
def announced() -> Response[str]:
    """Say where a large list is to be put."""
    asked = request.read(router)
    wanted = _import(asked.parameters(Wanted))
    service = _service(asked)
    return _told(service.announce(wanted, asked.by), service, 201)


def _import(said: Wanted) -> ImportRequest:
    at = _moment(said.at, "at") if said.at else None
    return ImportRequest(dry_run=said.dry_run, format=said.format, scope=said.scope, at=at)


class _Place(Struct, frozen=True, array_like=True):
    after: Key


@router.get("/suppressions/export")
def page() -> Response[str]:
    """One page of suppressions as a file; the first one has the header, so that all pages are one file."""
    asked = request.read(router)
    chosen = asked.parameters(Chosen)
    wanted = _export(chosen.format, chosen.channel, chosen.scope, active=chosen.active)
    place = asked.place(chosen.cursor, _Place)
    after = place.after if place else None
    rows = [] if place else [export_rows.render_header(wanted.layout)]
    context, begun = _service(asked).context, len(rows)
    for _ in range(MOST_QUERIES):
        found, after = context.queries.scan_suppressions(after, chosen.limit)
        rows += export_rows.render_rows(found, wanted, asked.desk.clock(), context.find_reverts)
        if after is None or len(rows) > begun:
            break
    headers = {"Cache-Control": "no-store"}
    if after is not None:
        headers["Next-Cursor"] = asked.cursor(_Place(after)) or ""
    return Response(200, export_rows.CONTENT_TYPES[wanted.layout], b"".join(rows).decode(), headers)


@router.post("/suppressions/export")
def exported() -> Response[str]:
    """Write all suppressions into a file."""
    asked = request.read(router)
    asked.parameters(Nothing)
    said = asked.body(Selection)
    wanted = _export(said.format, said.channel, said.scope, active=said.active)
    service = _service(asked)
    return _told(service.begin(wanted, asked.by), service)


def _export(layout: Layout, channel: Channel | None, scope: str | None, *, active: bool) -> ExportRequest:
    if layout == "addresses" and channel is None:
        raise Problem("invalid", "a file of addresses is of one channel: name it")
    return ExportRequest(layout=layout, channel=channel, scope=scope, active=active)


@router.post("/suppressions/revert")
def reverted() -> Response[str]:
    """Take back what a domain said in a window of time."""
    asked = request.read(router)
    asked.parameters(Nothing)
    said = asked.body(Accident)
    since, until, now = _moment(said.since, "since"), _moment(said.until, "until"), asked.desk.clock()
    if not timedelta(0) <= until - since <= LONGEST or since < now - OLDEST:
        raise Problem("invalid", f"until is not before since, at most {LONGEST.days} days after it, and not ages ago")
    wanted = RevertRequest(
        dry_run=said.dry_run,
        domain=_domain(said.domain),
        reason=said.reason,
        since=since,
        until=until,
        note=said.note,
    )
    service = _service(asked)
    return _told(service.begin(wanted, asked.by), service)


def _domain(given: str) -> str:
    """As the spike guard calls it: the domain of mail addresses, or the channel or application of all others."""
    if given.partition(":")[0] in ("sms", "push"):
        return given
    return find_group(canonicalize_email(f"anybody@{given.removeprefix('email:')}"))


@router.get("/jobs/<job>")
def shown(job: str) -> Response[str]:
    """How far a job is."""
    asked = request.read(router)
    asked.parameters(Nothing)
    service = _service(asked)
    return _told(_found(job, service), service, 200)


@router.post("/jobs/<job>/start")
def started(job: str) -> Response[str]:
    """Let a job be worked, once its list has been uploaded."""
    asked = request.read(router)
    asked.parameters(Nothing)
    service = _service(asked)
    return _told(service.start(_found(job, service)), service)


@router.delete("/recipients/<recipient>")
def erased(recipient: str) -> Response[str]:
    """Forget a recipient, who stays suppressed if they are."""
    from aftersend.lists.erase import erase  # noqa: PLC0415

    asked = request.read(router)
    asked.parameters(Nothing)
    name = request.recipient(recipient)
    if is_alias(name):
        raise Problem("invalid", "whoever this was has been erased already")
    desk, service = asked.desk, _service(asked)
    reverts = find_reverted_windows([each for each in desk.incidents() if each.decision], name)
    return answers.json(erase(name, desk.alias(name), service.context, reverts))


def _service(asked: Asked) -> ListJobService:
    """The service of a function that has one."""
    if asked.desk.list_jobs is None:
        raise Problem("not-found", "list jobs have a function of their own, and this is another one")
    return asked.desk.list_jobs


def _found(id_: str, service: ListJobService) -> ListJob:
    job = service.context.jobs.get(id_) if _ID.fullmatch(id_) else None
    if job is None:
        raise Problem("not-found", "no such job, or none any more")
    return job


def _moment(given: datetime, name: str) -> datetime:
    try:
        return parse_time(given.isoformat())
    except ValueError as error:
        raise Problem("invalid", f"{name} must lie between 1970 and 2200") from error


def _told(job: ListJob, service: ListJobService, status: int | None = None) -> Response[str]:
    """A job, with the status that says whether it is over."""
    over = job.state in (JobState.DONE, JobState.FAILED)
    response = answers.json(view(job, service.context.files, service.context.clock()), status or (200 if over else 202))
    response.headers["Location"] = f"/jobs/{job.id}"
    return response
