"""What happened to this message: the outcome of each recipient, every feedback in it, and why it means what it means.

Verdicts are explained under today's rules. The status is the stored one: if rules have changed since, it only changes
when the outcome is derived again.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest, PlainRequest, parse_known
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import Cursor, DecisionView, InQuery, show_decision
from aftersend.core.model import Class, Engagement, Evidence, Feedback, Key, Kind, Outcome, Reason, Status, Verdict
from aftersend.core.outcome import select_counting
from aftersend.core.recipient import split_channel
from aftersend.core.text import truncate
from aftersend.core.times import Moment
from aftersend.core.validity import show_at
from aftersend.core.vocabulary import Judgement
from aftersend.core.write_again import find_write_again
from aftersend.storage.items import Item, make_identifier
from aftersend.storage.queries import Page
from aftersend.storage.store import BATCH

route: Final = Router(tag="What happened to this message?")

MAX_IDENTIFIER: Final = 128  # bytes of a value that parsers keep
MAX_OUTCOMES: Final = 25  # of one page: outcomes are of 64 KB at most, and Lambda answers with 6 MB at most


class OutcomeQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a page of outcomes."""

    limit: Annotated[int, Meta(ge=1, le=MAX_OUTCOMES, description="The maximum number of items to return.")] = (
        MAX_OUTCOMES
    )
    cursor: Cursor | None = None
    recipient: InQuery | None = None  # only this one


Identifier = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=200,
        pattern=r"^[^:\x00-\x1f\x7f-\x9f]+:[^\x00-\x1f\x7f-\x9f]+$",
        description="The name of one of the sender's own identifiers, a colon, and its value: X-Notify-Message-ID:42.",
    ),
]


class IdentifierQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By which identifier of the sender's own, and which page."""

    identifier: Identifier
    limit: Annotated[int, Meta(ge=1, le=MAX_OUTCOMES, description="The maximum number of items to return.")] = (
        MAX_OUTCOMES
    )
    cursor: Cursor | None = None


class VerdictView(Struct, frozen=True, kw_only=True):
    """What a refusal means, the rule that says so, and what to do."""

    klass: Class = field(name="class")
    reason: Reason
    rule: str
    advice: str


class FeedbackView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One feedback: what a source said, and what it means."""

    id: str
    source: str
    kind: Kind
    at: Moment
    decided: bool = False  # the status follows from it
    unproven: bool = False  # anybody could have sent it, and nothing proves it, so it decides nothing
    verdict: VerdictView | None = None
    evidence: Evidence | None = None
    engagement: Engagement | None = None
    received_as: str | None = None
    scope: str | None = None


class OutcomeView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message to one recipient."""

    message: str
    recipient: str
    status: Status
    unproven: bool = False  # anybody could have sent all of it, and nothing proves it, so it decides nothing
    verdict: VerdictView | None = None
    review: str | None = None
    resolved: DecisionView | None = None
    first_at: Moment
    last_at: Moment
    delivered_at: Moment | None = None
    bounced_at: Moment | None = None
    complained_at: Moment | None = None
    opened_at: Moment | None = None
    clicked_at: Moment | None = None
    engaged_at: Moment | None = None
    due_at: Moment | None = None  # when it expires, or did, unless more is heard; see the policy, `[validity]`
    opens: int = 0
    clicks: int = 0
    attempts: int = 0
    auto_replied: bool = False
    write_again_at: Moment | None = None  # when a new message may be tried; see the policy, `[write_again]`
    saturated: list[str] = []  # kinds whose counts mean "or more"; `correlation`: the archive may have more of it
    sender: str | None = None
    subject: str | None = None
    correlation: dict[str, str] = {}  # the sender's own identifiers: tags, headers, properties; 16 at most
    feedback: list[FeedbackView]
    version: int


class MessageView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page of the recipients of a message."""

    message: str
    outcomes: list[OutcomeView]
    next: str | None = None


class FoundOutcomes(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page of the outcomes of messages with one identifier."""

    identifier: str
    outcomes: list[OutcomeView]
    next: str | None = None


_SAME: Final = (
    *("message", "recipient", "status", "review", "first_at", "last_at", "delivered_at", "bounced_at"),
    *("complained_at", "opened_at", "clicked_at", "engaged_at", "opens", "clicks", "attempts", "auto_replied"),
    *("due_at", "version"),
)


@route(
    "GET",
    "/messages/{message}",
    needs="ask",
    query=OutcomeQuery,
    answer=MessageView,
    problems=("not-one-recipient",),
    examples=(Example(name="first-of-three", path={"message": "ses:0102-b2"}, query="limit=1"),),
)
def get_message(request: ApiRequest[OutcomeQuery, None]) -> ApiResponse:
    """Get the outcome of every recipient of a message, with all feedback, its verdicts and what to do.

    The verdicts of the feedback are those of today's rules; the status is the stored one, or `expired` where nothing
    was heard in time (policy, `[validity]`). Colons and slashes of the id
    may stand in the path as they are.
    """
    name, wanted, context = request.message(), request.query, request.context
    if wanted.recipient is not None:
        only = _find_outcome(context, (parse_known(wanted.recipient, context), name))
        return json_response(MessageView(message=name, outcomes=[show_outcome(only, context)]))
    page = context.queries.find_recipients_of(name, wanted.limit, request.decode_cursor(wanted.cursor, Item))
    shown = _show_page(page, context)
    if not shown and wanted.cursor is None:
        raise Problem("not-found", "no feedback about this message is stored (any more)")
    return json_response(MessageView(message=name, outcomes=shown, next=request.encode_cursor(page.last)))


@route(
    "GET",
    "/messages",
    needs="ask",
    query=IdentifierQuery,
    answer=FoundOutcomes,
    problems=("not-found", "identifier-not-indexed"),
    examples=(Example(name="by-order", query="identifier=X-Notify-Message-ID:order-4711"),),
)
def find_messages(request: ApiRequest[IdentifierQuery, None]) -> ApiResponse:
    """Find messages by an identifier of the sender's own: a header, a tag, a property.

    The policy names those that can be asked for (`[identifiers] find_by`), of what has come since then. A name is the
    same in any case, a value is not, and of a value the first 128 bytes count. An index is read, which lags behind the
    table by a moment.
    """
    context, wanted = request.context, request.query
    name, _, value = wanted.identifier.partition(":")
    known = context.policy.identifiers.find_by
    if name.casefold() not in map(str.casefold, known):
        listed = ", ".join(known) or "none"
        raise Problem("identifier-not-indexed", f"the policy ([identifiers] find_by) names others: {listed}")
    identifier = make_identifier(name, truncate(value, MAX_IDENTIFIER).strip())
    cursor = request.decode_cursor(wanted.cursor, Item)
    page = context.queries.find_outcomes_by_identifier(identifier, wanted.limit, cursor)
    shown = _show_page(page, context)
    if not shown and cursor is None:
        raise Problem("not-found", "no feedback about a message with this identifier is stored (any more)")
    return json_response(
        FoundOutcomes(identifier=wanted.identifier, outcomes=shown, next=request.encode_cursor(page.last))
    )


@route(
    "GET",
    "/recipients/{recipient}/messages/{message}",
    needs="ask",
    answer=OutcomeView,
    versioned=True,
    examples=(Example(name="one", path={"recipient": "max.huber@example.com", "message": "ses:0102-b2"}),),
)
def get_outcome(request: PlainRequest) -> ApiResponse:
    """Get the outcome of one message to one recipient, with all feedback, its verdicts and what to do."""
    found = _find_by_path(request)
    return json_response(show_outcome(found, request.context), version=found.version)


_BETWEEN: Final = "/messages/"


def _find_by_path(request: PlainRequest) -> Outcome:
    """The outcome that the path names. Recipients and messages may hold what stands between them: each way to read the
    path is tried, the shortest recipient first."""
    parts = f"{request.path['recipient']}{_BETWEEN}{request.path['message']}".split(_BETWEEN)
    keys: list[Key] = []
    for at in range(1, len(parts)):
        one = replace(request, path={"recipient": _BETWEEN.join(parts[:at]), "message": _BETWEEN.join(parts[at:])})
        try:
            keys.append((one.stored_recipient(), one.message()))
        except Problem:
            if at + 1 == len(parts) and not keys:
                raise
    found = request.context.store.get_outcomes(keys[:BATCH])
    return next((found[key] for key in keys if key in found), None) or _find_outcome(request.context, keys[0])


def _find_outcome(context: ApiContext, key: Key) -> Outcome:
    found = context.store.get_outcomes([key]).get(key)
    if found is None:
        raise Problem("not-found", "no feedback about this message to this recipient is stored (any more)")
    return found


def _show_page(page: Page[Key], context: ApiContext) -> list[OutcomeView]:
    """Those of a page of an index that are (still) there: the index lags behind the table."""
    found = context.store.get_outcomes(page.found) if page.found else {}
    return [show_outcome(found[key], context) for key in page.found if key in found]


def show_outcome(outcome: Outcome, context: ApiContext) -> OutcomeView:
    """Return an outcome with its feedback explained, as it is to be seen now."""
    outcome = show_at(outcome, context.clock())
    decider = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    counting = select_counting(outcome.feedback, context.policy.report)
    return OutcomeView(
        **{name: getattr(outcome, name) for name in _SAME},
        unproven=not counting,
        verdict=show_verdict(outcome.verdict, decider, context),
        write_again_at=find_write_again(outcome, context.policy),
        resolved=show_decision(outcome.resolved) if outcome.resolved else None,
        saturated=list(outcome.saturated),
        sender=outcome.context.sender,
        subject=outcome.context.subject,
        correlation=outcome.context.correlation,
        feedback=[_show_feedback(fact, outcome, context, unproven=fact not in counting) for fact in outcome.feedback],
    )


def _show_feedback(fact: Feedback, outcome: Outcome, context: ApiContext, *, unproven: bool) -> FeedbackView:
    return FeedbackView(
        id=fact.id,
        source=fact.source,
        kind=fact.kind,
        at=fact.occurred_at,
        decided=fact.id == outcome.decided_by,
        unproven=unproven,
        verdict=show_verdict(context.classify(fact), fact, context),
        evidence=fact.evidence,
        engagement=fact.engagement,
        received_as=fact.received_as,
        scope=fact.scope,
    )


def show_verdict(verdict: Verdict | None, fact: Feedback, context: ApiContext) -> VerdictView | None:
    """Return what a verdict says, with what to do about the fact; None where there is none."""
    if verdict is None:
        return None
    return VerdictView(
        klass=verdict.klass, reason=verdict.reason, rule=verdict.rule, advice=advise_on_fact(verdict, fact, context)
    )


def advise_on_fact(verdict: Verdict, fact: Feedback, context: ApiContext) -> str:
    """Return what to do about `fact`, which was judged so: what the deciding rule or the provider's document says."""
    judged = Judgement(
        reason=verdict.reason,
        rule=verdict.rule,
        source=fact.source,
        provider_code=fact.evidence.provider_code if fact.evidence else None,
    )
    return context.advise(judged, split_channel(fact.recipient)[0])
