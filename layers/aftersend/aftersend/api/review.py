"""What should a person look at: outcomes that no rule can judge, and hard bounces that a sign of life contradicts."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from aftersend.api import decisions
from aftersend.api.context import ApiContext
from aftersend.api.messages import OutcomeView, show_outcome
from aftersend.api.problems import Problem
from aftersend.api.request import MAX_KEY, ApiRequest, parse_known
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import (
    EVERYWHERE,
    Cursor,
    NoParameters,
    Note,
    Scope,
    Spelling,
    SuppressionView,
)
from aftersend.api.suppression_views import show_suppressions
from aftersend.api.suppressions import MAX_NOTE, respond
from aftersend.core.errors import VersionMoved
from aftersend.core.model import Act, Decision, Key, Outcome, Suppression
from aftersend.core.suppression import find_contradiction_to_review
from aftersend.core.text import truncate
from aftersend.core.writes import update_outcome
from aftersend.storage.items import Item

route: Final = Router(tag="What should a person look at?")

MAX_ITEMS: Final = 25  # of one page: outcomes are of 64 KB at most, and Lambda answers with 6 MB at most
MAX_QUERIES: Final = 8  # of the indexes for one page

ReviewSubject = Literal["suppressions", "outcomes"]
ReviewReason = Literal["contradicted", "undetermined", "content"]
# Which indexes are read, in this order: what concerns an address comes before what concerns one message.
INDEXES: Final[tuple[tuple[ReviewSubject, ReviewReason], ...]] = (
    ("suppressions", "contradicted"),
    ("outcomes", "contradicted"),
    ("outcomes", "undetermined"),
    ("outcomes", "content"),
)


class ReviewQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What to look at: everything, or only one kind, or only for one reason."""

    of: ReviewSubject | None = None
    why: ReviewReason | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_ITEMS, description="The maximum number of items to return.")] = MAX_ITEMS
    cursor: Cursor | None = None


class ReviewPage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page. It may be short, or empty, and still have a `next`."""

    suppressions: list[SuppressionView] = []
    outcomes: list[OutcomeView] = []
    next: str | None = None


class Resolution(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person decides: keep what is stored, suppress the recipient, or release them."""

    recipient: Spelling
    decision: Literal["keep", "suppress", "release"]
    note: Note
    force: bool = False  # release what they wished themselves, too


class OutcomeResolution(Resolution, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person decides about an outcome. The recipient is suppressed or released in all streams."""

    message: Annotated[str, Meta(min_length=1, max_length=1000)]


class SuppressionResolution(Resolution, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person decides about a suppression."""

    scope: Scope = EVERYWHERE


class _Place(Struct, frozen=True, array_like=True):
    index: int
    after: Item | None


@route(
    "GET",
    "/review",
    needs="ask",
    query=ReviewQuery,
    answer=ReviewPage,
    examples=(Example(name="one-of-each", query="limit=2"),),
)
def list_reviews(request: ApiRequest[ReviewQuery, None]) -> ApiResponse:
    """List outcomes that no rule can judge, and hard bounces that a sign of life contradicts."""
    context, wanted = request.context, request.query
    chosen = [at for at, (of, why) in enumerate(INDEXES) if wanted.of in (None, of) and wanted.why in (None, why)]
    place = request.decode_cursor(wanted.cursor, _Place) or _next(chosen, -1)
    outcomes: list[Outcome] = []
    suppressions: list[Suppression] = []
    for _ in range(MAX_QUERIES):
        left = wanted.limit - len(outcomes) - len(suppressions)
        if place is None or left == 0:
            break
        of, why = INDEXES[place.index]
        if of == "outcomes":
            page = context.queries.find_outcomes_to_review(why, left, place.after)
            outcomes += _read_outcomes(context, page.found, why)
        else:
            page = context.queries.find_suppressions_to_review(why, left, place.after)
            suppressions += _read_suppressions(context, page.found)
        place = _Place(place.index, page.last) if page.last else _next(chosen, place.index)
    return json_response(
        ReviewPage(
            suppressions=show_suppressions(context, suppressions),
            outcomes=[show_outcome(each, context) for each in outcomes],
            next=request.encode_cursor(place),
        )
    )


def _next(chosen: list[int], index: int) -> _Place | None:
    return next((_Place(each, None) for each in chosen if each > index), None)


def _read_outcomes(context: ApiContext, keys: list[Key], why: ReviewReason) -> list[Outcome]:
    """Those of the index that still wait for this reason."""
    found = context.store.get_outcomes(keys) if keys else {}
    return [found[key] for key in keys if key in found and found[key].review == why]


def _read_suppressions(context: ApiContext, keys: list[Key]) -> list[Suppression]:
    found = context.store.get_suppressions(keys) if keys else {}
    return [found[key] for key in keys if key in found and find_contradiction_to_review(found[key])]


@route(
    "POST",
    "/review/outcomes",
    needs="decide",
    body=OutcomeResolution,
    answer=OutcomeView,
    versioned=True,
    conditional=True,
    problems=("not-found", "release-requires-force"),
    examples=(
        Example(
            name="nothing-to-worry-about",
            body={
                "recipient": "riddle@example.org",
                "message": "ses:0102-c3",
                "decision": "keep",
                "note": "Their filter was broken that day.",
            },
        ),
    ),
)
def resolve_outcome(request: ApiRequest[NoParameters, OutcomeResolution]) -> ApiResponse:
    """Resolve one outcome: keep it, suppress its recipient, or release them.

    What was known by now needs no further review; later feedback may need one again.
    """
    context, body = request.context, request.body
    key = parse_known(body.recipient, context), truncate(body.message, MAX_KEY)
    stored = context.store.get_outcomes([key]).get(key)
    if stored is None:
        raise Problem("not-found", "no outcome of this message and this recipient is stored")
    expect = request.expected_version(stored.version)
    if expect not in (None, stored.version):
        raise VersionMoved(stored.version)
    # What is decided about the recipient is written first, so that nothing is resolved by half.
    _decide(request, (key[0], EVERYWHERE), lambda _: None)
    # What was shown is meant, also where a source's clock is ahead of ours.
    at = max(context.clock(), stored.last_at)
    look = Decision(at=at, by=request.caller, act=Act.RESOLVED, note=truncate(body.note, MAX_NOTE))
    rules = context.policy
    steps = update_outcome(stored, [], context.classify, look=look, reports=rules.report, validity=rules.validity)
    after = decisions.run(steps, context, alone=expect is not None)
    return json_response(show_outcome(after, context), version=after.version)


@route(
    "POST",
    "/review/suppressions",
    needs="decide",
    body=SuppressionResolution,
    answer=SuppressionView,
    versioned=True,
    conditional=True,
    problems=("not-found", "release-requires-force"),
    examples=(
        Example(
            name="alive-after-all",
            body={
                "recipient": "back.again@example.org",
                "decision": "release",
                "note": "Clicked in our newsletter, so the mailbox works again.",
            },
        ),
    ),
)
def resolve_suppression(request: ApiRequest[NoParameters, SuppressionResolution]) -> ApiResponse:
    """Resolve one suppression: keep it, suppress by hand as well, or release it."""
    context, body = request.context, request.body
    key = parse_known(body.recipient, context), body.scope
    if decisions.read_suppression(context, key)[0] is None:
        raise Problem("not-found", "this recipient has never been suppressed or released in this scope")
    _decide(request, key, request.expected_version)
    if body.decision != "release":
        expected = request.expected_version if body.decision == "keep" else lambda _: None
        decisions.resolve(context, key, request.caller, truncate(body.note, MAX_NOTE), expected=expected)
    return respond(request, key)


def _decide(request: ApiRequest[NoParameters, Resolution], key: Key, expected: decisions.Expected) -> None:
    """What is decided about the recipient, beside that somebody has looked."""
    body, note = request.body, truncate(request.body.note, MAX_NOTE)
    if body.decision == "suppress":
        decisions.suppress(request.context, key, request.caller, note, expected=expected)
    elif body.decision == "release":
        decisions.release(request.context, key, request.caller, note, force=body.force, expected=expected)
