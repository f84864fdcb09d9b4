"""May I write to these addresses? Up to a thousand at once, or one with an answer that is its status."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from msgspec import Meta, Struct

from aftersend.api import answers, request
from aftersend.api.desk import Desk
from aftersend.api.routing import Router
from aftersend.api.shapes import EVERYWHERE, Moment, Nothing, Scope, Scoped, Spelling
from aftersend.api.views import Why, end, reasons
from aftersend.core.erasure import is_alias
from aftersend.core.model import Key
from aftersend.storage.store import BATCH

MOST: Final = 1000

router = Router()


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom somebody wants to write to, and in which stream; without one, what holds for all streams counts."""

    recipients: Annotated[list[Spelling], Meta(min_length=1, max_length=MOST)]
    scope: Scope = EVERYWHERE


class Checked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one of them may be written to."""

    given: str
    recipient: str
    suppressed: bool
    until: Moment | None = None  # when it ends as far as is known; without end where it is missing
    why: list[Why] = []


class Checks(Struct, frozen=True, kw_only=True):
    """The answers, in the order of the question."""

    checked_at: Moment
    scope: str
    suppressed: int
    results: list[Checked]


@router.post("/suppressions/check")
def check() -> Response[str]:
    """Which of up to 1,000 recipients are suppressed, why, and until when."""
    asked = request.read(router)
    asked.parameters(Nothing)
    question = asked.body(Question)
    named = [(given, request.spelled(given)) for given in question.recipients]
    now = asked.desk.clock()
    found = standing(asked.desk, {name for _, name in named}, question.scope, now)
    results = [_checked(given, name, found.get(name, [])) for given, name in named]
    return answers.json(
        Checks(
            checked_at=now,
            scope=question.scope,
            suppressed=sum(each.suppressed for each in results),
            results=results,
        )
    )


@router.head("/suppressions/<recipient>")
def probe(recipient: str) -> Response[str]:
    """200 where this recipient is suppressed, and 404 where not."""
    asked = request.read(router)
    name = request.recipient(recipient)
    found = standing(asked.desk, [name], asked.parameters(Scoped).scope, asked.desk.clock())
    return answers.nothing(200 if found else 404)


def standing(desk: Desk, recipients: Iterable[str], scope: str, now: datetime) -> dict[str, list[Why]]:
    """Why those of `recipients` that are suppressed in this scope, or everywhere, are so.

    Who was erased is looked for under their alias too. What holds there holds, whatever provider had an accident.
    """
    owners: dict[Key, str] = {}
    for name in recipients:
        for each in (name, desk.alias(name)):
            owners |= {(each, EVERYWHERE): name, (each, scope): name}
    keys = list(owners)
    chunks = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    found: dict[str, list[Why]] = {}
    for stored in desk.pool.map(desk.store.suppressions, chunks):
        for key, suppression in stored.items():
            pending = () if is_alias(key[0]) else desk.pending(key[0])
            if why := reasons(suppression, now, pending):
                found.setdefault(owners[key], []).extend(why)
    return found


def _checked(given: str, name: str, why: list[Why]) -> Checked:
    return Checked(given=given, recipient=name, suppressed=bool(why), until=end(why), why=why)
