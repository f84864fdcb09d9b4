"""Why is this person blocked, and may I unblock them? Suppressions one by one, and all of some days.

A release deletes nothing: the history stays, and says who released and why.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from aftersend.api import decisions
from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest, parse_named
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import EVERYWHERE, Cursor, Domain, Limit, Note, ScopeQuery, SuppressionView
from aftersend.api.suppression_views import find_near, show_suppressions
from aftersend.core.erasure import is_alias
from aftersend.core.model import CauseKind, Key, Reason, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.core.text import truncate
from aftersend.core.times import Moment, parse_time
from aftersend.storage.items import Item
from aftersend.storage.queries import Page

route: Final = Router(tag="Why is this person blocked, and may I unblock them?")

MAX_QUERIES: Final = 64  # of the index for one page, one after another; days without a suppression hardly count
MAX_AHEAD: Final = 16  # days that are asked for at once
MAX_DAYS: Final = 366
MAX_DOMAIN_PAGES: Final = 20  # of the index for one answer, one after another
MAX_NOTE: Final = 1000  # bytes
_USUAL: Final = timedelta(days=6)
_DAY: Final = timedelta(days=1)
_YEARS: Final = range(1970, 2200)  # those of `aftersend.core.times`
_HARD: Final = {"recipient": "old.account@example.net"}
_COMPLAINT: Final = {"recipient": "annoyed@example.com"}
_MISTAKE: Final = "note=Wrote+to+us+that+it+was+a+mistake."


class SuppressionQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The days of the newest cause, and what must be true of one cause together."""

    since: date | None = field(default=None, name="from")
    to: date | None = None
    cause: CauseKind | None = None
    reason: Reason | None = None
    source: Annotated[str, Meta(max_length=64)] | None = None
    domain: Domain | None = None  # of addresses: all of them, by the address, and of any day unless from or to says so
    active: bool = False  # only what holds now
    limit: Limit = 50
    cursor: Cursor | None = None


class ReleaseQuery(ScopeQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a release."""

    note: Note
    force: bool = False  # release what they wished themselves, too


class SuppressRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a recipient is suppressed by hand, and until when."""

    note: Note
    until: Moment | None = None  # it has no end if this is missing


class SuppressionPage(Struct, frozen=True, omit_defaults=True):
    """One page, the newest cause first. It may be short, with filters even empty, and still have a `next`."""

    suppressions: list[SuppressionView]
    next: str | None = None


class _Place(Struct, frozen=True, array_like=True):
    day: date
    after: Item | None


@route(
    "GET",
    "/suppressions",
    needs="ask",
    query=SuppressionQuery,
    answer=SuppressionPage,
    examples=(Example(name="complaints-of-march", query="from=2026-03-01&to=2026-03-31&cause=complaint&active=true"),),
)
def list_suppressions(request: ApiRequest[SuppressionQuery, None]) -> ApiResponse:
    """List suppressions by the day of their newest cause, the newest first.

    Without `from` and `to`, the list covers the last seven days. If there are several filters, one cause must match all
    of them. With `domain`, it has the suppressions of all addresses there, in the order of the addresses. The list is
    read from an index, which lags behind the table by a moment.
    """
    context, wanted = request.context, request.query
    if wanted.domain is not None:
        return _list_domain(request, wanted.domain)
    first, last = _days(wanted, context.clock().date())
    place = request.decode_cursor(wanted.cursor, _Place) or _Place(last, None)
    found, after = _page(context, wanted, place, first)
    return json_response(SuppressionPage(show_suppressions(context, found), request.encode_cursor(after)))


class _DomainPlace(Struct, frozen=True, array_like=True):
    last: Item


def _list_domain(request: ApiRequest[SuppressionQuery, None], given: str) -> ApiResponse:
    context, wanted = request.context, request.query
    domain = parse_named(f"email:anybody@{given}").rpartition("@")[2]
    dated = wanted.since is not None or wanted.to is not None
    days = _days(wanted, context.clock().date()) if dated else None
    place = request.decode_cursor(wanted.cursor, _DomainPlace)
    found: list[Suppression] = []
    last = place.last if place else None
    for _ in range(MAX_DOMAIN_PAGES):
        page = context.queries.find_suppressions_at(domain, wanted.limit - len(found), last)
        stored = context.store.get_suppressions(page.found) if page.found else {}
        rows = [stored[key] for key in page.found if key in stored]
        found += [each for each in rows if _is_of(each, days) and _fits(each, wanted, context, context.clock())]
        last = page.last
        if last is None or len(found) == wanted.limit:
            break
    after = _DomainPlace(last) if last else None
    return json_response(SuppressionPage(show_suppressions(context, found), request.encode_cursor(after)))


def _is_of(stored: Suppression, days: tuple[date, date] | None) -> bool:
    """Whether its newest cause is of one of these days, both included."""
    latest = [cause.latest.at for cause in stored.causes.values() if cause.latest]
    return days is None or bool(latest and days[0] <= max(latest).date() <= days[1])


def _days(wanted: SuppressionQuery, today: date) -> tuple[date, date]:
    last = wanted.to or today
    if last.year in _YEARS:
        first = wanted.since or last - _USUAL
        if first.year in _YEARS and timedelta(0) <= last - first < timedelta(days=MAX_DAYS):
            return first, last
    raise Problem(
        "unprocessable-content",
        f"from must not be after to, nor {MAX_DAYS} days or more before it; the years are {_YEARS[0]} to {_YEARS[-1]}",
    )


def _page(
    context: ApiContext, wanted: SuppressionQuery, place: _Place, first: date
) -> tuple[list[Suppression], _Place | None]:
    """As many as are wanted or a bounded number of queries finds, and where to go on."""
    found: list[Suppression] = []
    now, ahead = context.clock(), 1
    for _ in range(MAX_QUERIES):
        for place_, page in _read_days(context, place, first, ahead, wanted.limit - len(found)):
            found += [each for each in page.found if not is_alias(each.recipient) and _fits(each, wanted, context, now)]
            place = _Place(place_.day, page.last) if page.last else _Place(place_.day - _DAY, None)
            if page.found:
                ahead = 1  # what lies behind it on other days is not read in vain
                break
        else:
            ahead = min(2 * ahead, MAX_AHEAD)
        if place.day < first:
            return found, None
        if len(found) == wanted.limit:
            break
    return found, place


def _read_days(
    context: ApiContext, place: _Place, first: date, count: int, limit: int
) -> list[tuple[_Place, Page[Suppression]]]:
    """The next page, and those of the days before it, `count` in all: of most days of a year nothing is stored."""
    days = [place, *[_Place(place.day - number * _DAY, None) for number in range(1, count)]]
    places = [each for each in days if each.day >= first]
    pages = context.pool.map(
        lambda each: context.queries.find_suppressed_on(each.day.isoformat(), limit, each.after), places
    )
    return list(zip(places, pages, strict=True))


def _fits(stored: Suppression, wanted: SuppressionQuery, context: ApiContext, now: datetime) -> bool:
    """Whether one cause is all that is wanted."""
    holding = (
        find_active_causes(stored, now, context.find_pending_windows(stored.recipient))
        if wanted.active
        else tuple(stored.causes)
    )
    return any(_is_wanted(stored, kind, wanted) for kind in holding)


def _is_wanted(stored: Suppression, kind: CauseKind, wanted: SuppressionQuery) -> bool:
    latest = stored.causes[kind].latest
    return (
        wanted.cause in (None, kind)
        and wanted.reason in (None, latest.reason if latest else None)
        and wanted.source in (None, latest.source if latest else None)
    )


@route(
    "GET",
    "/suppressions/{recipient}",
    needs="ask",
    query=ScopeQuery,
    answer=SuppressionView,
    versioned=True,
    examples=(Example(name="hard-bounce", path=_HARD),),
)
def get_suppression(request: ApiRequest[ScopeQuery, None]) -> ApiResponse:
    """Get one suppression: its causes, and who decided what."""
    return respond(request, (request.stored_recipient(), request.query.scope))


@route(
    "PUT",
    "/suppressions/{recipient}",
    needs="decide",
    query=ScopeQuery,
    body=SuppressRequest,
    answer=SuppressionView,
    statuses={200: "Suppressed.", 201: "Suppressed; nothing was stored of them before."},
    versioned=True,
    conditional=True,
    examples=(
        Example(
            name="asked-by-telephone",
            path={"recipient": "caller@example.org"},
            body={"note": "Asked us by telephone to be left alone until summer.", "until": "2026-06-21T00:00:00Z"},
        ),
    ),
)
def suppress_recipient(request: ApiRequest[ScopeQuery, SuppressRequest]) -> ApiResponse:
    """Suppress a recipient by hand, with a note and an optional end.

    If the same caller repeats the same request, it is written once.
    """
    context, body = request.context, request.body
    key = request.recipient(), request.query.scope
    until = _check_future(body.until, context.clock()) if body.until else None
    is_new = decisions.suppress(
        context, key, request.caller, truncate(body.note, MAX_NOTE), until=until, expected=request.expected_version
    )
    return respond(request, key, 201 if is_new else 200)


@route(
    "DELETE",
    "/suppressions/{recipient}",
    needs="decide",
    query=ReleaseQuery,
    answer=SuppressionView,
    versioned=True,
    conditional=True,
    problems=("release-requires-force",),
    examples=(
        Example(name="complaint-without-force", path=_COMPLAINT, query=_MISTAKE),
        Example(
            name="complaint-with-force", path=_COMPLAINT, query=f"{_MISTAKE}&force=true", headers={"If-Match": '"1"'}
        ),
        Example(name="a-slip-of-the-keyboard", path={"recipient": "anoyed@example.com"}, query=_MISTAKE),
        Example(
            name="changed-in-between", path=_COMPLAINT, query=f"{_MISTAKE}&force=true", headers={"If-Match": '"1"'}
        ),
    ),
)
def release_recipient(request: ApiRequest[ReleaseQuery, None]) -> ApiResponse:
    """Release a recipient: evidence up to now no longer counts, later evidence does.

    Nothing is deleted: the history says who released them and why. A release is stored even if nothing holds, because
    older evidence may still be on its way; but somebody of whom nothing was ever stored is not found. A complaint, or
    that a person left, is only released with `force`. The answer says what holds now, in this scope and everywhere.
    """
    context, query = request.context, request.query
    key = request.stored_recipient(), query.scope
    _check_known(context, key)
    decisions.release(
        context,
        key,
        request.caller,
        truncate(query.note, MAX_NOTE),
        force=query.force,
        expected=request.expected_version,
    )
    return respond(request, key)


def respond(request: ApiRequest[Any, Any], key: Key, status: int = 200) -> ApiResponse:
    """Return what is stored now, and what holds in this scope and everywhere; raises Problem where nothing is."""
    context = request.context
    stored, erased = decisions.read_suppression(context, key)
    (shown,) = show_suppressions(context, [stored or Suppression(recipient=key[0], scope=key[1])])
    if stored is None and erased is None and not shown.everywhere:
        raise Problem("not-found", "this recipient has never been suppressed or released in this scope")
    return json_response(shown, status, version=shown.version)


def _check_known(context: ApiContext, key: Key) -> None:
    """Raise Problem where nothing was ever stored of this recipient, with those who may have been meant."""
    name, scope = key
    if context.is_stored(name) or context.queries.find_suppressions_of(context.make_alias(name)):
        return
    if near := find_near(context, name, {EVERYWHERE, scope}):
        raise Problem("not-found", "nothing is stored about this recipient; `near` has who may be meant", near=near)
    raise Problem("not-found", "nothing is stored about this recipient (any more), so there is nothing to release")


def _check_future(until: datetime, now: datetime) -> datetime:
    try:
        moment = parse_time(until.isoformat())
    except ValueError as error:
        raise Problem("unprocessable-content", "until must be before the year 2200") from error
    if moment <= now:
        raise Problem("unprocessable-content", "until must be in the future")
    return moment
