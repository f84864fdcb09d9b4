"""What happened to this message: for each recipient the outcome, every feedback in it, and why it means what it means.

Verdicts are explained under the rules of today. The status is the one that is stored: under rules that have changed
since, it is another only once it was derived anew.
"""

from __future__ import annotations

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from msgspec import Meta, Struct, field

from aftersend.api import answers, request, views
from aftersend.api.problems import Problem
from aftersend.api.routing import Router
from aftersend.api.shapes import Cursor, Moment
from aftersend.core.model import Class, Engagement, Evidence, Feedback, Kind, Outcome, Reason, Status, Verdict
from aftersend.core.outcome import Classify
from aftersend.core.recipient import split_channel
from aftersend.core.vocabulary import Channel, advise
from aftersend.storage.items import Item

router: Final = Router()

MOST: Final = 25  # outcomes of one answer: they are of 64 KB at most, and Lambda answers with 6 MB at most


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a page of outcomes."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many at most.")] = MOST
    cursor: Cursor | None = None


class VerdictView(Struct, frozen=True, kw_only=True):
    """What a refusal means, the rule that says so, and what to do."""

    klass: Class = field(name="class")
    reason: Reason
    rule: str
    advice: str


class FactView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One feedback: what a source said, and what it means."""

    id: str
    source: str
    kind: Kind
    at: Moment
    decided: bool = False  # it is the one that the status follows from
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
    verdict: VerdictView | None = None
    review: str | None = None
    resolved: views.DecisionView | None = None
    first_at: Moment
    last_at: Moment
    delivered_at: Moment | None = None
    bounced_at: Moment | None = None
    complained_at: Moment | None = None
    opened_at: Moment | None = None
    clicked_at: Moment | None = None
    engaged_at: Moment | None = None
    opens: int = 0
    clicks: int = 0
    attempts: int = 0
    auto_replied: bool = False
    saturated: list[str] = []  # kinds whose counts mean "or more"
    sender: str | None = None
    subject: str | None = None
    correlation: dict[str, str] = {}
    feedback: list[FactView]
    version: int


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page of the recipients of a message."""

    message: str
    outcomes: list[OutcomeView]
    next: str | None = None


_SAME: Final = (
    *("message", "recipient", "status", "review", "first_at", "last_at", "delivered_at", "bounced_at"),
    *("complained_at", "opened_at", "clicked_at", "engaged_at", "opens", "clicks", "attempts", "auto_replied"),
    *("version",),
)


@router.get("/messages/<message>")
def message(message: str) -> Response[str]:
    """Every recipient's outcome of one message."""
    asked = request.read(router)
    wanted = asked.parameters(Wanted)
    name = request.message(message)
    page = asked.desk.lookups.recipients_of(name, wanted.limit, asked.place(wanted.cursor, Item))
    found = asked.desk.store.outcomes(page.found) if page.found else {}
    if not found and wanted.cursor is None:
        raise Problem("not-found", "nothing was ever said of this message as far as is still known")
    shown = [view(found[key], asked.desk.classify) for key in page.found if key in found]
    return answers.json(Message(message=name, outcomes=shown, next=asked.cursor(page.last)))


def view(outcome: Outcome, classify: Classify) -> OutcomeView:
    """An outcome, explained."""
    return OutcomeView(
        **{name: getattr(outcome, name) for name in _SAME},
        verdict=_verdict(outcome.verdict, split_channel(outcome.recipient)[0]),
        resolved=views.decision(outcome.resolved) if outcome.resolved else None,
        saturated=list(outcome.saturated),
        sender=outcome.context.sender,
        subject=outcome.context.subject,
        correlation=outcome.context.correlation,
        feedback=[_fact(fact, outcome, classify) for fact in outcome.feedback],
    )


def _fact(fact: Feedback, outcome: Outcome, classify: Classify) -> FactView:
    return FactView(
        id=fact.id,
        source=fact.source,
        kind=fact.kind,
        at=fact.occurred_at,
        decided=fact.id == outcome.decided_by,
        verdict=_verdict(classify(fact), split_channel(fact.recipient)[0]),
        evidence=fact.evidence,
        engagement=fact.engagement,
        received_as=fact.received_as,
        scope=fact.scope,
    )


def _verdict(verdict: Verdict | None, channel: Channel | None) -> VerdictView | None:
    if verdict is None:
        return None
    return VerdictView(
        klass=verdict.klass, reason=verdict.reason, rule=verdict.rule, advice=advise(verdict.reason, channel)
    )
