"""Many at once: import and export suppressions, revert a provider's mistake, and the jobs that do so.

Whatever may take long is a job. It is worked while the caller waits for some seconds, and answered with 200 if it is
done by then, else with 202 and the place where to ask about its progress.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from aftersend.api.context import ApiContext
from aftersend.api.list_job_schemas import JobKind, JobView, show_job, summarize_job
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest, PlainRequest, parse_named
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import EVERYWHERE, JOB_ID, Cursor, NoParameters, Note, PageQuery, Scope
from aftersend.core.model import CauseKind, Key, Reason
from aftersend.core.spike_guard import find_group
from aftersend.core.times import Moment, parse_time
from aftersend.lists import export_rows
from aftersend.lists.formats import FormatName
from aftersend.lists.job import (
    RETENTION,
    ExportRequest,
    ImportRequest,
    JobState,
    ListJob,
    RevertRequest,
    is_finished_dry_run,
)
from aftersend.storage.items import Item

if TYPE_CHECKING:
    from aftersend.lists.service import ListJobService

route: Final = Router(tag="Import, export and revert")

MAX_LIST: Final = 5 * 1024 * 1024  # bytes of a list that comes with its request; Lambda takes no more than 6 MB
LIST_TYPES: Final = ("text/csv", "application/x-ndjson", "application/jsonl", "application/json")
MAX_UPLOAD: Final = 1024 * 1024 * 1024  # bytes of a list that is uploaded: some ten million rows
MAX_QUERIES: Final = 20  # pages that are read for one answer
MAX_AGE: Final = timedelta(days=3660)  # of what a revert may reach back to
MAX_WINDOW: Final = timedelta(days=31)  # of a revert

_GROUP: Final = re.compile(r"sms(?::\+[0-9]{1,3})?|push:[a-z0-9][a-z0-9._-]{0,31}").fullmatch

# What all routes have in common that answer with a job.
_JOB: Final[dict[str, Any]] = {
    "answer": JobView,
    "statuses": {200: "The job is over.", 202: "The job goes on; ask again at its location."},
    "headers": {"Location": "Where to ask about the progress of the job."},
}

Layout = Literal["csv", "jsonl", "addresses", "tokens"]
Channel = Literal["email", "sms", "push"]


class ImportQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of an import, which must say whether it is a dry run."""

    dry_run: bool  # report what would change, and change nothing
    format: FormatName | None = None  # of the list; detected if it is missing
    scope: Scope = EVERYWHERE  # the stream of unsubscribes in a list that names none
    at: Moment | None = None  # the time of rows that have none, and of a full list
    full: bool = False  # it is all of the provider's list: who is not in it is on it no more


class UploadQuery(ImportQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of an import whose list is uploaded."""

    bytes: Annotated[int, Meta(ge=1, le=MAX_UPLOAD, description="The size of the file; no other is taken.")]


class ExportQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of one page of an export."""

    format: Layout = "csv"
    channel: Channel | None = None
    scope: Scope | None = None  # with what holds for all streams
    active: bool = True  # only what holds now
    limit: Annotated[int, Meta(ge=1, le=1000, description="The maximum number of suppressions to read.")] = 500
    cursor: Cursor | None = None


class ExportOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an export is to contain."""

    format: Layout
    channel: Channel | None = None
    scope: Scope | None = None  # with what holds for all streams
    active: bool = True  # only what holds now


class RevertOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be reverted: what one domain reported for one reason in a window of time, both ends included."""

    dry_run: bool  # report what would change, and change nothing
    domain: Annotated[str, Meta(min_length=1, max_length=320)]
    reason: Reason
    since: Moment
    until: Moment
    note: Note
    force: bool = False  # also what the recipients wished themselves, where evidence for the reason may be that


# Evidence for these reasons may be a person's own wish: a complaint, and that they left a stream.
_WISHES: Final = {Reason.COMPLAINT: CauseKind.COMPLAINT, Reason.SUPPRESSED: CauseKind.UNSUBSCRIBED}


@route(
    "POST",
    "/suppressions/import",
    needs="bulk",
    query=ImportQuery,
    body=bytes,
    media_types=LIST_TYPES,
    max_body=MAX_LIST,
    **_JOB,
)
def import_suppressions(request: ApiRequest[ImportQuery, bytes]) -> ApiResponse:
    """Import the list in the body, of up to 5 MB."""
    wanted, service = _make_import(request.query), find_service(request.context)
    return _respond(service.begin_import(wanted, request.caller, request.body), service)


@route(
    "POST",
    "/suppressions/import/uploads",
    needs="bulk",
    query=UploadQuery,
    **(_JOB | {"statuses": {201: "The job waits for its list."}}),
)
def prepare_import(request: ApiRequest[UploadQuery, None]) -> ApiResponse:
    """Prepare the import of a list of up to 1 GB: the answer says where to upload it.

    It is imported once its job is started.
    """
    wanted = replace(_make_import(request.query), bytes=request.query.bytes)
    service = find_service(request.context)
    return _respond(service.announce(wanted, request.caller), service, 201)


def _make_import(query: ImportQuery) -> ImportRequest:
    at = _check_moment(query.at, "at") if query.at else None
    if query.full and at is None:
        raise Problem("unprocessable-content", "a full list is that of one moment: name it as at")
    return ImportRequest(dry_run=query.dry_run, format=query.format, scope=query.scope, at=at, full=query.full)


class _Place(Struct, frozen=True, array_like=True):
    after: Key


@route(
    "GET",
    "/suppressions/export",
    needs="bulk",
    query=ExportQuery,
    files=tuple(sorted({each.partition(";")[0] for each in export_rows.CONTENT_TYPES.values()})),
    headers={"Next-Cursor": "The cursor of the next page, if there is one."},
    examples=(Example(name="as-csv", query="active=true"),),
)
def export_page(request: ApiRequest[ExportQuery, None]) -> ApiResponse:
    """Export suppressions as a file, page by page.

    All pages one after another are one file: only the first has the header. There are more as long as there is a
    `Next-Cursor`.
    """
    query = request.query
    wanted = _make_export(query.format, query.channel, query.scope, active=query.active)
    place = request.decode_cursor(query.cursor, _Place)
    after = place.after if place else None
    rows = [] if place else [export_rows.render_header(wanted.layout)]
    jobs, header_rows = find_service(request.context).context, len(rows)
    for _ in range(MAX_QUERIES):
        found, after = jobs.queries.scan_suppressions(after, query.limit)
        rows += export_rows.render_rows(found, wanted, request.context.clock(), jobs.find_reverts)
        if after is None or len(rows) > header_rows:
            break
    headers = {} if after is None else {"Next-Cursor": request.encode_cursor(_Place(after)) or ""}
    return ApiResponse(
        status=200, content_type=export_rows.CONTENT_TYPES[wanted.layout], body=b"".join(rows).decode(), headers=headers
    )


@route("POST", "/suppressions/export", needs="bulk", body=ExportOptions, **_JOB)
def export_suppressions(request: ApiRequest[NoParameters, ExportOptions]) -> ApiResponse:
    """Export all suppressions into one file."""
    body = request.body
    wanted = _make_export(body.format, body.channel, body.scope, active=body.active)
    service = find_service(request.context)
    return _respond(service.begin(wanted, request.caller), service)


def _make_export(layout: Layout, channel: Channel | None, scope: str | None, *, active: bool) -> ExportRequest:
    if layout == "addresses" and channel is None:
        raise Problem("unprocessable-content", "a file of addresses has one channel: name it")
    if layout == "tokens" and channel not in (None, "push"):
        raise Problem("unprocessable-content", "a file of tokens is of push")
    channel = "push" if layout == "tokens" else channel
    return ExportRequest(layout=layout, channel=channel, scope=scope, active=active)


_OF_REVERTS: Final = ("not-one-recipient", "release-requires-force")


@route("POST", "/suppressions/revert", needs="bulk", body=RevertOptions, problems=_OF_REVERTS, **_JOB)
def revert_window(request: ApiRequest[NoParameters, RevertOptions]) -> ApiResponse:
    """Revert what one domain reported for one reason in a window of time.

    What people wished themselves is only reverted with `force`, unless it is a dry run.
    """
    body = request.body
    if body.reason in _WISHES and not (body.force or body.dry_run):
        raise Problem(
            "release-requires-force",
            f"evidence for {body.reason} may be people's own wishes: revert it with force=true",
            causes=[_WISHES[body.reason]],
        )
    since, until = _check_moment(body.since, "since"), _check_moment(body.until, "until")
    if not timedelta(0) <= until - since <= MAX_WINDOW or since < request.context.clock() - MAX_AGE:
        raise Problem(
            "unprocessable-content",
            f"until must not be before since, nor more than {MAX_WINDOW.days} days after it; "
            f"since must be at most {MAX_AGE.days} days ago",
        )
    wanted = RevertRequest(
        dry_run=body.dry_run,
        domain=_canonicalize_domain(body.domain),
        reason=body.reason,
        since=since,
        until=until,
        note=body.note,
    )
    service = find_service(request.context)
    return _respond(service.begin(wanted, request.caller), service)


def _canonicalize_domain(given: str) -> str:
    """As the spike guard names it: the domain of mail addresses, a country's numbers, or an application."""
    if _GROUP(given):
        return given
    return find_group(parse_named(f"email:anybody@{given.strip().removeprefix('email:')}"))


class JobsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which jobs."""

    job: JobKind | None = None
    state: JobState | None = None


class JobPage(Struct, frozen=True, omit_defaults=True):
    """One page, the newest first. It may be short, with filters even empty, and still have a `next`."""

    jobs: list[JobView]
    next: str | None = None


class _JobPlace(Struct, frozen=True, array_like=True):
    month: str
    after: Item | None


@route(
    "GET",
    "/jobs",
    needs="bulk",
    query=JobsQuery,
    answer=JobPage,
    examples=(Example(name="none-has-failed", query="job=import&state=failed"),),
)
def list_all_jobs(request: ApiRequest[JobsQuery, None]) -> ApiResponse:
    """List jobs of the last thirty days, for which they are kept, the newest first.

    Links to files are in the answer about one job.
    """
    context, wanted, jobs = request.context, request.query, find_service(request.context).context.jobs
    now = context.clock()
    months = [f"{moment:%Y-%m}" for moment in (now, now - RETENTION)]
    place: _JobPlace | None = request.decode_cursor(wanted.cursor, _JobPlace) or _JobPlace(months[0], None)
    found: list[ListJob] = []
    while place is not None and len(found) < wanted.limit:
        ids, after = jobs.find_ids(place.month, wanted.limit - len(found), place.after)
        read = [job for job in context.pool.map(jobs.get, ids) if job is not None]
        found += [job for job in read if wanted.state in (None, job.state)]
        later = _JobPlace(months[1], None) if place.month != months[1] else None
        place = _JobPlace(place.month, after) if after else later
    shown = [each for each in map(summarize_job, found) if wanted.job in (None, each.job)]
    return json_response(JobPage(shown, request.encode_cursor(place)))


@route("GET", "/jobs/{job}", needs="bulk", **(_JOB | {"statuses": {200: "The job."}}))
def get_job(request: PlainRequest) -> ApiResponse:
    """Get the progress of a job."""
    service = find_service(request.context)
    return _respond(_find(request.path["job"], service), service, 200)


@route(
    "POST",
    "/jobs/{job}/start",
    needs="bulk",
    problems=("method-not-allowed",),  # a question mark in what is no id ends the path there
    **_JOB,
)
def start_job(request: PlainRequest) -> ApiResponse:
    """Start a job whose list has been uploaded."""
    service = find_service(request.context)
    return _respond(service.start(_find(request.path["job"], service)), service)


@route(
    "POST",
    "/jobs/{job}/apply",
    needs="bulk",
    problems=("method-not-allowed", "not-tried"),
    **_JOB,
)
def apply_job(request: PlainRequest) -> ApiResponse:
    """Import the list that a dry run has tried, which is not uploaded again.

    It is a job of its own, of whoever asks, and the same one each time. What was put in the place of the list meanwhile
    is not imported: the job fails.
    """
    service = find_service(request.context)
    tried = _find(request.path["job"], service)
    if not is_finished_dry_run(tried):
        raise Problem("not-tried", "this job is no dry run of an import, or is not done")
    return _respond(service.apply(tried, request.caller), service)


def find_service(context: ApiContext) -> ListJobService:
    """Return what works list jobs in a function that does; raises Problem in any other."""
    if context.list_jobs is None:
        raise Problem("not-found", "another function answers this; the routes of API Gateway are wrong")
    return context.list_jobs


def _find(id_: str, service: ListJobService) -> ListJob:
    job = service.context.jobs.get(id_) if re.fullmatch(JOB_ID, id_) else None
    if job is None:
        raise Problem("not-found", "there is no such job, or it has expired")
    return job


def _check_moment(given: datetime, name: str) -> datetime:
    try:
        return parse_time(given.isoformat())
    except ValueError as error:
        raise Problem("unprocessable-content", f"{name} must be between 1970 and 2200") from error


def _respond(job: ListJob, service: ListJobService, status: int | None = None) -> ApiResponse:
    """A job, with the status that says whether it is over."""
    is_over = job.state in (JobState.DONE, JobState.FAILED)
    response = json_response(
        show_job(job, service.context.files, service.context.clock()), status or (200 if is_over else 202)
    )
    response.headers["Location"] = f"/jobs/{job.id}"
    return response
