"""May I write to these addresses? Up to a thousand at once, or one with an answer that is its status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest, parse_named
from aftersend.api.responses import ApiResponse, empty_response, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import EVERYWHERE, NoParameters, Scope, ScopeQuery, Spelling
from aftersend.core.active_causes import ActiveCause, describe_active_causes, find_end
from aftersend.core.erasure import is_alias
from aftersend.core.model import Key
from aftersend.core.times import Moment
from aftersend.storage.store import BATCH

route: Final = Router(tag="May I write to these addresses?")

MAX_RECIPIENTS: Final = 1000


class CheckRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The recipients of a message, and its stream; without a stream, only what holds for all streams counts."""

    recipients: Annotated[list[Spelling], Meta(min_length=1, max_length=MAX_RECIPIENTS)]
    scope: Scope = EVERYWHERE


class EntryError(Struct, frozen=True, kw_only=True):
    """Why an entry names nobody: the type of the problem, and what is wrong with it."""

    type: str
    detail: str


class CheckResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one of them may be written to."""

    given: str
    recipient: str | None  # null where the entry does not name exactly one recipient
    suppressed: bool  # do not write to them; true of an entry with an error, too
    error: EntryError | None = None
    until: Moment | None = None  # when it ends as far as is known; missing if it has no end
    why: list[ActiveCause] = []


class CheckResults(Struct, frozen=True, kw_only=True):
    """The results, in the order of the request."""

    checked_at: Moment
    scope: str
    suppressed: int  # those not to write to, with the entries that have an error
    errors: int  # entries that do not name exactly one recipient
    results: list[CheckResult]


@route(
    "POST",
    "/suppressions/check",
    needs="ask",
    body=CheckRequest,
    answer=CheckResults,
    examples=(
        Example(
            name="three-entries",
            body={
                "recipients": ["Old Account <Old.Account@Example.net>", "max.huber@example.com", "annoyed example.com"],
                "scope": "news",
            },
        ),
    ),
)
def check_recipients(request: ApiRequest[NoParameters, CheckRequest]) -> ApiResponse:
    """Check which of up to 1,000 recipients are suppressed, why, and until when.

    A recipient is suppressed in a stream if they are suppressed in all streams or in that one. Results come in the
    order of the request, one for each entry in it. An entry that does not name exactly one recipient has an error of
    its own, and all others are answered.
    """
    asked = request.body
    named = [(given, _parse(given)) for given in asked.recipients]
    now = request.context.clock()
    names = {name for _, name in named if isinstance(name, str)}
    found = find_suppressed(request.context, names, asked.scope, now)
    results = [_show(given, name, found) for given, name in named]
    return json_response(
        CheckResults(
            checked_at=now,
            scope=asked.scope,
            suppressed=sum(each.suppressed for each in results),
            errors=sum(each.error is not None for each in results),
            results=results,
        )
    )


@route(
    "HEAD",
    "/suppressions/{recipient}",
    needs="ask",
    query=ScopeQuery,
    statuses={200: "Suppressed: do not write to them.", 404: "Not suppressed."},
    examples=(
        Example(name="suppressed", path={"recipient": "old.account@example.net"}),
        Example(name="not-suppressed", path={"recipient": "max.huber@example.com"}),
    ),
)
def check_recipient(request: ApiRequest[ScopeQuery, None]) -> ApiResponse:
    """Check whether one recipient is suppressed.

    The status is the answer. It differs from that of GET, which also returns suppressions that were released.
    """
    name = request.recipient()
    found = find_suppressed(request.context, [name], request.query.scope, request.context.clock())
    return empty_response(200 if found else 404)


def find_suppressed(
    context: ApiContext, recipients: Iterable[str], scope: str, now: datetime
) -> dict[str, list[ActiveCause]]:
    """Return the causes of those of `recipients` that are suppressed at `now` (UTC) in this scope, or everywhere.

    Erased recipients are looked up under their alias too; what holds there holds, whatever incidents there are.
    """
    owners: dict[Key, str] = {}
    for name in recipients:
        for each in (name, context.make_alias(name)):
            owners |= {(each, EVERYWHERE): name, (each, scope): name}
    keys = list(owners)
    chunks = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    found: dict[str, list[ActiveCause]] = {}
    for stored in context.pool.map(context.store.get_suppressions, chunks):
        for key, suppression in stored.items():
            pending = () if is_alias(key[0]) else context.find_pending_windows(key[0])
            if causes := describe_active_causes(suppression, now, pending):
                found.setdefault(owners[key], []).extend(causes)
    return found


def _parse(given: str) -> str | EntryError:
    """The recipient that an entry names, or why it names nobody."""
    try:
        return parse_named(given)
    except Problem as problem:
        return EntryError(type=problem.type, detail=problem.detail)


def _show(given: str, name: str | EntryError, found: Mapping[str, list[ActiveCause]]) -> CheckResult:
    if isinstance(name, EntryError):
        return CheckResult(given=given, recipient=None, suppressed=True, error=name)
    causes = found.get(name, [])
    return CheckResult(given=given, recipient=name, suppressed=bool(causes), until=find_end(causes), why=causes)
