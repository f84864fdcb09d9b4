"""Why is this person blocked, and may I unblock them? Suppressions one by one, and all of some days.

What is released is not deleted: its history stays, and says who and why.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from msgspec import Meta, Struct, field

from aftersend.api import answers, request, views, writes
from aftersend.api.desk import Desk
from aftersend.api.problems import Problem
from aftersend.api.request import Asked
from aftersend.api.routing import Router
from aftersend.api.shapes import Cursor, Limit, Moment, Note, Scoped
from aftersend.core.model import CauseKind, Key, Reason, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.core.text import truncate
from aftersend.core.times import parse_time
from aftersend.storage.items import Item

router: Final = Router()

QUERIES: Final = 32  # of the index for one page: as many days without a suppression are passed over at most
MOST_DAYS: Final = 366
_USUAL: Final = timedelta(days=6)
_DAY: Final = timedelta(days=1)
_YEARS: Final = range(1970, 2200)  # those of `aftersend.core.times`


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which suppressions are meant: of these days of the newest cause, with one cause of which all of this is true."""

    since: date | None = field(default=None, name="from")
    to: date | None = None
    cause: CauseKind | None = None
    reason: Reason | None = None
    source: Annotated[str, Meta(max_length=64)] | None = None
    active: bool = False  # only what holds now
    limit: Limit = 50
    cursor: Cursor | None = None


class Release(Scoped, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a release: why, and whether complaints are meant too."""

    note: Note
    force: bool = False


class Addition(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says who suppresses by hand: why, and until when."""

    note: Note
    until: Moment | None = None


class Suppressions(Struct, frozen=True, omit_defaults=True):
    """One page, the newest cause first; a page may be short, or empty, where `next` leads on."""

    suppressions: list[views.SuppressionView]
    next: str | None = None


class _Place(Struct, frozen=True, array_like=True):
    day: date
    after: Item | None


@router.get("/suppressions")
def listed() -> Response[str]:
    """Suppressions by the day of their newest cause."""
    asked = request.read(router)
    wanted = asked.parameters(Filter)
    now = asked.desk.clock()
    first, last = _days(wanted, now.date())
    place = asked.place(wanted.cursor, _Place) or _Place(last, None)
    found, after = _page(asked.desk, wanted, place, first)
    shown = [views.suppression(each, now, asked.desk.pending(each.recipient)) for each in found]
    return answers.json(Suppressions(shown, asked.cursor(after)))


def _days(wanted: Filter, today: date) -> tuple[date, date]:
    last = wanted.to or today
    if last.year in _YEARS:
        first = wanted.since or last - _USUAL
        if first.year in _YEARS and timedelta(0) <= last - first < timedelta(days=MOST_DAYS):
            return first, last
    raise Problem("invalid", f"from must not be after to, both at most {MOST_DAYS} days apart and in years of mail")


def _page(desk: Desk, wanted: Filter, place: _Place, first: date) -> tuple[list[Suppression], _Place | None]:
    """As many as are wanted or a bounded number of queries finds, and where to go on."""
    found: list[Suppression] = []
    now = desk.clock()
    for _ in range(QUERIES):
        page = desk.lookups.suppressed_on(place.day.isoformat(), wanted.limit - len(found), place.after)
        found += [each for each in page.found if _fits(each, wanted, desk, now)]
        place = _Place(place.day, page.last) if page.last else _Place(place.day - _DAY, None)
        if place.day < first:
            return found, None
        if len(found) == wanted.limit:
            break
    return found, place


def _fits(stored: Suppression, wanted: Filter, desk: Desk, now: datetime) -> bool:
    """Whether one cause is all that is wanted."""
    holding = find_active_causes(stored, now, desk.pending(stored.recipient)) if wanted.active else tuple(stored.causes)
    return any(_is_wanted(stored, kind, wanted) for kind in holding)


def _is_wanted(stored: Suppression, kind: CauseKind, wanted: Filter) -> bool:
    mark = stored.causes[kind].latest
    return (
        wanted.cause in (None, kind)
        and wanted.reason in (None, mark.reason if mark else None)
        and wanted.source in (None, mark.source if mark else None)
    )


@router.get("/suppressions/<recipient>")
def one(recipient: str) -> Response[str]:
    """One suppression with its causes and its history."""
    asked = request.read(router)
    return _shown(asked, (request.recipient(recipient), asked.parameters(Scoped).scope))


@router.put("/suppressions/<recipient>")
def added(recipient: str) -> Response[str]:
    """Suppress by hand."""
    asked = request.read(router)
    key = _plausible(request.recipient(recipient)), asked.parameters(Scoped).scope
    said = asked.body(Addition)
    until = _ahead(said.until, asked.desk.clock()) if said.until else None
    fresh = writes.add(asked.desk, key, asked.by, truncate(said.note, 1000), until=until, expected=asked.expected)
    return _shown(asked, key, 201 if fresh else 200)


@router.delete("/suppressions/<recipient>")
def released(recipient: str) -> Response[str]:
    """Let evidence up to now no longer count."""
    asked = request.read(router)
    said = asked.parameters(Release)
    key = request.recipient(recipient), said.scope
    if not any(writes.stored_of(asked.desk, key)):  # whatever a source has called somebody can be released
        _plausible(key[0])
    writes.release(asked.desk, key, asked.by, truncate(said.note, 1000), force=said.force, expected=asked.expected)
    return _shown(asked, key)


def _shown(asked: Asked, key: Key, status: int = 200) -> Response[str]:
    """What is stored now."""
    stored, erased = writes.stored_of(asked.desk, key)
    if stored is None and erased is None:
        raise Problem("not-found", "this recipient has never been suppressed or released in this scope")
    own = stored or Suppression(recipient=key[0], scope=key[1])
    shown = views.suppression(own, asked.desk.clock(), asked.desk.pending(key[0]), erased)
    return answers.json(shown, status, etag=own.version)


def _plausible(recipient: str) -> str:
    """A recipient that somebody could have; nobody suppresses what is none."""
    channel, _, rest = recipient.partition(":")
    local, _, domain = rest.rpartition("@")
    if (channel != "email" and rest) or (local and domain and " " not in domain):
        return recipient
    raise Problem("not-found", "nobody is called that: it is no e-mail address, nor sms: or push: and what follows it")


def _ahead(until: datetime, now: datetime) -> datetime:
    try:
        moment = parse_time(until.isoformat())
    except ValueError as error:
        raise Problem("invalid", "until must lie before the year 2200") from error
    if moment <= now:
        raise Problem("invalid", "until must lie ahead")
    return moment
