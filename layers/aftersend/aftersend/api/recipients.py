"""How is this person doing: everything that is known of one recipient, over all their messages and streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from aftersend.api.context import ApiContext
from aftersend.api.messages import advise_on_fact
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import PageQuery, SuppressionView
from aftersend.api.suppression_views import answer_about, find_near, show_recipient
from aftersend.core.model import Class, Outcome, Status
from aftersend.core.sentence import SuppressionAnswer
from aftersend.core.streaks import BOUNCES
from aftersend.core.times import UNKNOWN_TIME, Moment
from aftersend.core.validity import show_at
from aftersend.core.write_again import compute_write_again, find_write_again
from aftersend.storage.queries import OutcomeLine, show_line_at
from aftersend.storage.store import BATCH

route: Final = Router(tag="How is this recipient doing?")

MAX_TEXT: Final = 200  # characters of a refusal that a line shows; the outcome itself has the whole
_AGAINST: Final = frozenset({Class.HARD, Class.SOFT})  # the classes that are held against an address


class RecipientHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A summary of all outcomes of one recipient."""

    messages: int  # all, but those that nobody but a report by mail without a proof knows
    delivered: int  # accepted, whatever happened afterwards
    bounced: int
    complained: int
    bounces_in_a_row: int  # hard, soft or expired, since the last sign of life
    last_delivered_at: Moment | None = None
    last_bounced_at: Moment | None = None
    last_engaged_at: Moment | None = None


class HistoryLine(OutcomeLine, frozen=True, kw_only=True, omit_defaults=True):
    """An outcome in short: what became of it, in whose words, and what to do."""

    advice: str | None = None  # what to do about the refusal
    text: str | None = None  # the beginning of what the refusal said
    write_again_at: Moment | None = None  # when a new message may be tried; see the policy, `[write_again]`
    correlation: dict[str, str] = field(default_factory=dict)  # the sender's own identifiers, 16 at most


class RecipientView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recipient: health, suppressions in all scopes, and one page of outcomes, the newest first."""

    recipient: str
    suppressed: bool  # in at least one scope
    answer: SuppressionAnswer  # whether they are written to, why, and what may be done, for all streams and each
    health: RecipientHealth
    write_again_at: Moment | None = None  # after the last refusals for a while; suppressions hold besides
    suppressions: list[SuppressionView]
    outcomes: list[HistoryLine]
    next: str | None = None


class _Place(Struct, frozen=True, array_like=True):
    last_at: datetime
    message: str


@route(
    "GET",
    "/recipients/{recipient}",
    needs="ask",
    query=PageQuery,
    answer=RecipientView,
    examples=(Example(name="one-page", path={"recipient": "old.account@example.net"}),),
)
def get_recipient(request: ApiRequest[PageQuery, None]) -> ApiResponse:
    """Get a recipient's health, suppressions in all scopes, and outcomes, the newest first."""
    context, name = request.context, request.stored_recipient()
    lines = sorted(_find_lines(name, context), key=_order, reverse=True)
    shown = show_recipient(context, name)
    if not lines and not shown:
        if near := find_near(context, name):
            raise Problem("not-found", "nothing is stored about this recipient; `near` has who may be meant", near=near)
        raise Problem("not-found", "nothing about this recipient is stored (any more)")
    place = request.decode_cursor(request.query.cursor, _Place)
    left = lines if place is None else [each for each in lines if _order(each) < (place.last_at, place.message)]
    page = left[: request.query.limit]
    after = _Place(*_order(page[-1])) if len(left) > len(page) else None
    proven = [each for each in lines if not each.unproven]
    return json_response(
        RecipientView(
            recipient=name,
            suppressed=any(each.suppressed for each in shown),
            answer=answer_about(context, name, shown),
            health=summarize(proven),
            write_again_at=_find_write_again(name, proven, context),
            suppressions=shown,
            outcomes=_explain(name, page, context),
            next=request.encode_cursor(after),
        )
    )


def _find_lines(name: str, context: ApiContext) -> list[OutcomeLine]:
    """All lines of a recipient; none is `unproven` where the policy asks for no proof."""
    now = context.clock()
    lines = [show_line_at(each, now) for each in context.queries.find_lines_of(name)]
    return lines if context.policy.report.require_proof else [replace(each, unproven=False) for each in lines]


def summarize(lines: Sequence[OutcomeLine]) -> RecipientHealth:
    """Return a summary of these outcomes of one recipient, all of which something proves."""
    alive = _find_sign_of_life(lines)
    engaged = [each.engaged_at for each in lines if each.engaged_at]
    bounced = [each for each in lines if each.status is Status.BOUNCED]
    row = [each for each in lines if each.status in BOUNCES and each.klass in _AGAINST and _find_refusal(each) > alive]
    return RecipientHealth(
        messages=len(lines),
        delivered=sum(each.delivered_at is not None for each in lines),
        bounced=len(bounced),
        complained=sum(each.status is Status.COMPLAINED for each in lines),
        bounces_in_a_row=len(row),
        last_delivered_at=max((each.delivered_at for each in lines if each.delivered_at), default=None),
        last_bounced_at=max((each.bounced_at for each in bounced if each.bounced_at), default=None),
        last_engaged_at=max(engaged, default=None),
    )


def _find_refusal(line: OutcomeLine) -> datetime:
    """When (UTC) a message was refused or ran out."""
    at = line.due_at if line.status is Status.EXPIRED else line.bounced_at
    return at or UNKNOWN_TIME


def _find_sign_of_life(lines: Sequence[OutcomeLine]) -> datetime:
    arrived = [each.delivered_at for each in lines if each.delivered_at and each.status is not Status.BOUNCED]
    return max([*arrived, *(each.engaged_at for each in lines if each.engaged_at)], default=UNKNOWN_TIME)


def _find_write_again(name: str, lines: Sequence[OutcomeLine], context: ApiContext) -> datetime | None:
    """When (UTC) the last of the refusals for a while is over that no sign of life followed; None where that was."""
    now, alive, rules = context.clock(), _find_sign_of_life(lines), context.policy.select(name)
    refused = [(each, at) for each in lines if (at := _find_refusal(each)) > alive]
    waiting = [(compute_write_again(each.status, each.klass, each.reason, at, rules), each) for each, at in refused]
    last = sorted(((at, each.message) for at, each in waiting if at is not None and at > now), reverse=True)[:BATCH]
    found = context.store.get_outcomes([(name, message) for _, message in last]) if last else {}
    ends = (find_write_again(show_at(outcome, now), context.policy) for outcome in found.values())
    return max((each for each in ends if each is not None), default=None)


def _explain(name: str, lines: Sequence[OutcomeLine], context: ApiContext) -> list[HistoryLine]:
    """These lines with what the feedback in their outcomes says; one that was erased in between stays as it is."""
    keys = [(name, each.message) for each in lines]
    stored, now = context.store.get_outcomes(keys) if keys else {}, context.clock()
    found = {key: show_at(outcome, now) for key, outcome in stored.items()}
    return [_explain_line(each, found.get((name, each.message)), context) for each in lines]


def _explain_line(line: OutcomeLine, outcome: Outcome | None, context: ApiContext) -> HistoryLine:
    given = {each: getattr(line, each) for each in line.__struct_fields__}
    if outcome is None:
        return HistoryLine(**given)
    fact = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    text = fact.evidence.text if fact.evidence else None
    return HistoryLine(
        **given,
        advice=advise_on_fact(outcome.verdict, fact, context) if outcome.verdict else None,
        text=text[:MAX_TEXT] if text else None,
        write_again_at=find_write_again(outcome, context.policy),
        correlation=outcome.context.correlation,
    )


def _order(line: OutcomeLine) -> tuple[datetime, str]:
    return line.order
