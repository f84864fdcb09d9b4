"""How is this person doing: everything that is known of one recipient, over all their messages and streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aws_lambda_powertools.event_handler import Response
from msgspec import Struct

from aftersend.api import answers, request, views, writes
from aftersend.api.problems import Problem
from aftersend.api.routing import Router
from aftersend.api.shapes import Moment, Paged
from aftersend.core.model import Class, Status
from aftersend.core.times import UNKNOWN_TIME
from aftersend.storage.queries import OutcomeLine

router: Final = Router()

_AGAINST: Final = frozenset({Class.HARD, Class.SOFT})  # the classes that are held against an address


class Health(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all outcomes of one recipient come to."""

    messages: int
    delivered: int  # arrived, whatever came of it then
    bounced: int
    complained: int
    bounces_in_a_row: int  # hard or soft, since the last sign of life
    last_delivered_at: Moment | None = None
    last_bounced_at: Moment | None = None
    last_engaged_at: Moment | None = None


class Recipient(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recipient: health, suppressions in all scopes, and one page of outcomes, the newest first."""

    recipient: str
    suppressed: bool  # in one scope at least
    health: Health
    suppressions: list[views.SuppressionView]
    outcomes: list[OutcomeLine]
    next: str | None = None


class _Place(Struct, frozen=True, array_like=True):
    last_at: datetime
    message: str


@router.get("/recipients/<recipient>")
def recipient(recipient: str) -> Response[str]:
    """All that is known of one recipient."""
    asked = request.read(router)
    wanted = asked.parameters(Paged)
    desk, name = asked.desk, request.recipient(recipient)
    lines = sorted(desk.lookups.lines_of(name), key=_order, reverse=True)
    found = [*desk.lookups.suppressions_of(name), *desk.lookups.suppressions_of(desk.alias(name))]
    stored = [each for each in found if writes.known(each)]
    if not lines and not stored:
        raise Problem("not-found", "nothing was ever sent to this recipient as far as is still known")
    place = asked.place(wanted.cursor, _Place)
    left = lines if place is None else [each for each in lines if _order(each) < (place.last_at, place.message)]
    page = left[: wanted.limit]
    after = _Place(*_order(page[-1])) if len(left) > len(page) else None
    shown = [views.suppression(each, desk.clock(), desk.pending(each.recipient)) for each in stored]
    return answers.json(
        Recipient(
            recipient=name,
            suppressed=any(each.suppressed for each in shown),
            health=health(lines),
            suppressions=shown,
            outcomes=page,
            next=asked.cursor(after),
        )
    )


def health(lines: Sequence[OutcomeLine]) -> Health:
    """What these outcomes of one recipient come to."""
    arrived = [each.delivered_at for each in lines if each.delivered_at and each.status is not Status.BOUNCED]
    engaged = [each.engaged_at for each in lines if each.engaged_at]
    bounced = [each for each in lines if each.status is Status.BOUNCED]
    alive = max([*arrived, *engaged], default=UNKNOWN_TIME)
    row = [each for each in bounced if each.klass in _AGAINST and each.bounced_at and each.bounced_at > alive]
    return Health(
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
