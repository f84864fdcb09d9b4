"""What should a person look at: outcomes that nobody can judge, and hard bounces that a sign of life contradicts."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aws_lambda_powertools.event_handler import Response
from msgspec import Meta, Struct

from aftersend.api import answers, request, views, writes
from aftersend.api.desk import Desk
from aftersend.api.messages import OutcomeView, view
from aftersend.api.problems import Problem
from aftersend.api.request import Asked
from aftersend.api.routing import Router
from aftersend.api.shapes import EVERYWHERE, Cursor, Note, Nothing, Scope, Spelling
from aftersend.core.errors import VersionMoved
from aftersend.core.model import Act, Decision, Key, Outcome, Suppression
from aftersend.core.suppression import find_contradiction_to_review
from aftersend.core.text import truncate
from aftersend.core.writes import update_outcome
from aftersend.storage.items import Item

router: Final = Router()

MOST: Final = 25  # of one page: outcomes are of 64 KB at most, and Lambda answers with 6 MB at most
QUERIES: Final = 8  # of the indexes for one page

Shelf = Literal["suppressions", "outcomes"]
Concern = Literal["contradicted", "undetermined", "content"]
# Where to look, in this order: what concerns an address comes before what concerns one message.
SHELVES: Final[tuple[tuple[Shelf, Concern], ...]] = (
    ("suppressions", "contradicted"),
    ("outcomes", "contradicted"),
    ("outcomes", "undetermined"),
    ("outcomes", "content"),
)


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """What to look at: all, or only of one kind, or for one reason."""

    of: Shelf | None = None
    why: Concern | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many at most.")] = MOST
    cursor: Cursor | None = None


class Reviews(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page; it may be short, or empty, where `next` leads on."""

    suppressions: list[views.SuppressionView] = []
    outcomes: list[OutcomeView] = []
    next: str | None = None


class Resolution(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person decides: keep what is stored, suppress the recipient, or release them."""

    recipient: Spelling
    decision: Literal["keep", "suppress", "release"]
    note: Note
    force: bool = False  # of a release: complaints too


class OfOutcome(Resolution, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same of one outcome; who is suppressed or released is so in all streams."""

    message: Annotated[str, Meta(min_length=1, max_length=1000)]


class OfSuppression(Resolution, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same of one suppression."""

    scope: Scope = EVERYWHERE


class _Place(Struct, frozen=True, array_like=True):
    shelf: int
    after: Item | None


@router.get("/review")
def waiting() -> Response[str]:
    """What waits for a person, the newest of each kind first."""
    asked = request.read(router)
    wanted = asked.parameters(Wanted)
    chosen = [at for at, (of, why) in enumerate(SHELVES) if wanted.of in (None, of) and wanted.why in (None, why)]
    place = asked.place(wanted.cursor, _Place) or _next(chosen, -1)
    outcomes: list[Outcome] = []
    suppressions: list[Suppression] = []
    for _ in range(QUERIES):
        left = wanted.limit - len(outcomes) - len(suppressions)
        if place is None or left == 0:
            break
        of, why = SHELVES[place.shelf]
        if of == "outcomes":
            page = asked.desk.lookups.outcomes_to_review(why, left, place.after)
            outcomes += _outcomes(asked.desk, page.found, why)
        else:
            page = asked.desk.lookups.suppressions_to_review(why, left, place.after)
            suppressions += _suppressions(asked.desk, page.found)
        place = _Place(place.shelf, page.last) if page.last else _next(chosen, place.shelf)
    now = asked.desk.clock()
    return answers.json(
        Reviews(
            suppressions=[views.suppression(each, now, asked.desk.pending(each.recipient)) for each in suppressions],
            outcomes=[view(each, asked.desk.classify) for each in outcomes],
            next=asked.cursor(place),
        )
    )


def _next(chosen: list[int], shelf: int) -> _Place | None:
    return next((_Place(each, None) for each in chosen if each > shelf), None)


def _outcomes(desk: Desk, keys: list[Key], why: Concern) -> list[Outcome]:
    """Those of the index that still wait for this reason."""
    found = desk.store.outcomes(keys) if keys else {}
    return [found[key] for key in keys if key in found and found[key].review == why]


def _suppressions(desk: Desk, keys: list[Key]) -> list[Suppression]:
    found = desk.store.suppressions(keys) if keys else {}
    return [found[key] for key in keys if key in found and find_contradiction_to_review(found[key])]


@router.post("/review/outcomes")
def outcome_looked_at() -> Response[str]:
    """Settle one outcome. What is decided of its recipient is written first, so that nothing is settled by half."""
    asked = request.read(router)
    asked.parameters(Nothing)
    said = asked.body(OfOutcome)
    key = request.spelled(said.recipient), truncate(said.message, request.MAX_KEY)
    stored = asked.desk.store.outcomes([key]).get(key)
    if stored is None:
        raise Problem("not-found", "no outcome is stored of this message and this recipient")
    expect = asked.expected(stored.version)
    if expect not in (None, stored.version):
        raise VersionMoved(stored.version)
    _decide(asked, (key[0], EVERYWHERE), said, lambda _: None)
    # What was shown is meant, also where a source's clock is ahead of ours.
    at = max(asked.desk.clock(), stored.last_at)
    look = Decision(at=at, by=asked.by, act=Act.RESOLVED, note=truncate(said.note, 1000))
    steps = update_outcome(stored, [], asked.desk.classify, look=look)
    after = writes.run(steps, asked.desk, alone=expect is not None)
    return answers.json(view(after, asked.desk.classify), etag=after.version)


@router.post("/review/suppressions")
def suppression_looked_at() -> Response[str]:
    """Settle one suppression."""
    asked = request.read(router)
    asked.parameters(Nothing)
    said = asked.body(OfSuppression)
    key = request.spelled(said.recipient), said.scope
    if writes.stored_of(asked.desk, key)[0] is None:
        raise Problem("not-found", "this recipient has never been suppressed or released in this scope")
    _decide(asked, key, said, asked.expected)
    if said.decision != "release":
        expected = asked.expected if said.decision == "keep" else lambda _: None
        writes.resolve(asked.desk, key, asked.by, truncate(said.note, 1000), expected=expected)
    after = asked.desk.store.suppressions([key])[key]
    shown = views.suppression(after, asked.desk.clock(), asked.desk.pending(key[0]))
    return answers.json(shown, etag=after.version)


def _decide(asked: Asked, key: Key, said: Resolution, expected: writes.Expected) -> None:
    """What is decided of the recipient, beside that somebody has looked."""
    note = truncate(said.note, 1000)
    if said.decision == "suppress":
        writes.add(asked.desk, key, asked.by, note, expected=expected)
    elif said.decision == "release":
        writes.release(asked.desk, key, asked.by, note, force=said.force, expected=expected)
