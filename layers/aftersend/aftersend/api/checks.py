"""May I write to these addresses? Up to a thousand at once, or one with an answer that is its status."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from aftersend.api.context import ApiContext
from aftersend.api.request import ApiRequest, canonicalize
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


class CheckResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one of them may be written to."""

    given: str
    recipient: str
    suppressed: bool
    until: Moment | None = None  # when it ends as far as is known; missing if it has no end
    why: list[ActiveCause] = []


class CheckResults(Struct, frozen=True, kw_only=True):
    """The results, in the order of the request."""

    checked_at: Moment
    scope: str
    suppressed: int
    results: list[CheckResult]


@route(
    "POST",
    "/suppressions/check",
    body=CheckRequest,
    answer=CheckResults,
    examples=(
        Example(
            name="three-addresses",
            body={
                "recipients": ["Old Account <Old.Account@Example.net>", "max.huber@example.com", "annoyed@example.com"],
                "scope": "news",
            },
        ),
    ),
)
def check_recipients(request: ApiRequest[NoParameters, CheckRequest]) -> ApiResponse:
    """Check which of up to 1,000 recipients are suppressed, why, and until when.

    A recipient is suppressed in a stream if they are suppressed in all streams or in that one. Results come in the
    order of the request, one for each recipient in it.
    """
    asked = request.body
    named = [(given, canonicalize(given)) for given in asked.recipients]
    now = request.context.clock()
    found = find_suppressed(request.context, {name for _, name in named}, asked.scope, now)
    results = [_show(given, name, found.get(name, [])) for given, name in named]
    return json_response(
        CheckResults(
            checked_at=now,
            scope=asked.scope,
            suppressed=sum(each.suppressed for each in results),
            results=results,
        )
    )


@route(
    "HEAD",
    "/suppressions/{recipient}",
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


def _show(given: str, name: str, causes: list[ActiveCause]) -> CheckResult:
    return CheckResult(given=given, recipient=name, suppressed=bool(causes), until=find_end(causes), why=causes)
