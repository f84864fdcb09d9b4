"""How is this person doing: everything that is known of one recipient, over all their messages and streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import PageQuery, SuppressionView
from aftersend.api.suppression_views import show_recipient
from aftersend.core.model import Class, Status
from aftersend.core.times import UNKNOWN_TIME, Moment
from aftersend.storage.queries import OutcomeLine

route: Final = Router(tag="How is this recipient doing?")

_AGAINST: Final = frozenset({Class.HARD, Class.SOFT})  # the classes that are held against an address


class RecipientHealth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A summary of all outcomes of one recipient."""

    messages: int  # all, but those that nobody but a report by mail without a proof knows
    delivered: int  # accepted, whatever happened afterwards
    bounced: int
    complained: int
    bounces_in_a_row: int  # hard or soft, since the last sign of life
    last_delivered_at: Moment | None = None
    last_bounced_at: Moment | None = None
    last_engaged_at: Moment | None = None


class RecipientView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recipient: health, suppressions in all scopes, and one page of outcomes, the newest first."""

    recipient: str
    suppressed: bool  # in at least one scope
    health: RecipientHealth
    suppressions: list[SuppressionView]
    outcomes: list[OutcomeLine]
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
    lines = sorted(context.queries.find_lines_of(name), key=_order, reverse=True)
    shown = show_recipient(context, name)
    if not lines and not shown:
        raise Problem("not-found", "nothing about this recipient is stored (any more)")
    place = request.decode_cursor(request.query.cursor, _Place)
    left = lines if place is None else [each for each in lines if _order(each) < (place.last_at, place.message)]
    page = left[: request.query.limit]
    after = _Place(*_order(page[-1])) if len(left) > len(page) else None
    return json_response(
        RecipientView(
            recipient=name,
            suppressed=any(each.suppressed for each in shown),
            health=summarize(lines),
            suppressions=shown,
            outcomes=page,
            next=request.encode_cursor(after),
        )
    )


def summarize(lines: Sequence[OutcomeLine]) -> RecipientHealth:
    """Return a summary of these outcomes of one recipient."""
    lines = [each for each in lines if not each.unproven]  # anybody could have sent them
    arrived = [each.delivered_at for each in lines if each.delivered_at and each.status is not Status.BOUNCED]
    engaged = [each.engaged_at for each in lines if each.engaged_at]
    bounced = [each for each in lines if each.status is Status.BOUNCED]
    alive = max([*arrived, *engaged], default=UNKNOWN_TIME)
    row = [each for each in bounced if each.klass in _AGAINST and each.bounced_at and each.bounced_at > alive]
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


def _order(line: OutcomeLine) -> tuple[datetime, str]:
    return line.order
