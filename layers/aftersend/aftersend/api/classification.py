"""What would this mean? A refusal or a whole event, judged as one that comes in, and nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from aftersend.api.context import ApiContext
from aftersend.api.messages import VerdictView, show_verdict
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import NoParameters, Spelling
from aftersend.core.errors import ConfigurationError, MalformedFeedback
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.recipient import parse_recipient
from aftersend.core.times import UNKNOWN_TIME, Moment
from aftersend.core.vocabulary import Channel, Phase, Protocol

route: Final = Router(tag="What would this mean?")

_ANYBODY: Final = {
    Channel.EMAIL: "email:somebody@example.com",
    Channel.SMS: "sms:+15550100",
    Channel.PUSH: "push:apns:0",
}
MAX_FACTS: Final = 200


class RefusalText(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A refusal: its text, and the codes where those are known apart."""

    text: Annotated[str, Meta(max_length=4096)] = ""
    code: Annotated[int, Meta(ge=0, le=99999)] | None = None
    enhanced_status: Annotated[str, Meta(pattern=r"^[245]\.\d{1,3}\.\d{1,3}$")] | None = None
    provider_code: Annotated[str, Meta(max_length=256)] | None = None
    protocol: Protocol | None = None  # whose code it is; SMTP if it is missing
    phase: Phase | None = None
    remote_mta: Annotated[str, Meta(max_length=255)] | None = None
    recipient: Spelling | None = None  # rules may look at the domain
    channel: Channel = Channel.EMAIL  # of a recipient who is not named
    deferred: bool = False  # another attempt follows


class ClassifyRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be judged: a refusal, or an event of a source as it came."""

    source: Annotated[str, Meta(min_length=1, max_length=64)]  # of a mail server's own words: report
    refusal: RefusalText | None = None
    event: Any = None  # JSON as it is, or a text with anything else


class JudgedFeedback(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is said about one recipient, and what it means."""

    kind: Kind
    recipient: str | None = None  # missing where nobody was named
    message: str | None = None
    at: Moment | None = None
    scope: str | None = None  # the stream that was left or joined
    verdict: VerdictView | None = None  # missing where nothing was refused
    evidence: Evidence | None = None


class ClassifyResponse(Struct, frozen=True, kw_only=True):
    """What was said, in the order of the event. It is empty where an event says nothing about a message."""

    feedback: list[JudgedFeedback]


@route(
    "POST",
    "/classify",
    needs="ask",
    body=ClassifyRequest,
    answer=ClassifyResponse,
    problems=("not-one-recipient",),
    examples=(
        Example(
            name="a-text",
            body={
                "source": "my-mail-server",
                "refusal": {"text": "452 4.2.2 The email account is over quota", "code": 452},
            },
        ),
    ),
)
def classify(request: ApiRequest[NoParameters, ClassifyRequest]) -> ApiResponse:
    """Classify a refusal, or all that an event of a source says, by today's rules; nothing is stored.

    An event is read as one that comes in, out of any envelope.
    """
    context, body = request.context, request.body
    if (body.refusal is None) == (body.event is None):
        raise Problem("unprocessable-content", "body: give either a refusal or an event")
    facts = _read_event(context, body) if body.refusal is None else [make_fact(body.source, body.refusal)]
    return json_response(ClassifyResponse(feedback=[_judge(each, context) for each in facts[:MAX_FACTS]]))


def make_fact(source: str, given: RefusalText) -> Feedback:
    """Return a refusal as feedback of `source`, about anybody; raises Problem where nobody's name is given as one."""
    from aftersend.classify import evidence_from  # noqa: PLC0415  # nothing else needs it before something is judged

    try:
        recipient = parse_recipient(given.recipient) if given.recipient else _ANYBODY[given.channel]
    except ValueError as error:
        raise Problem("not-one-recipient", str(error)) from error
    return Feedback(
        source=source,
        kind=Kind.DEFERRED if given.deferred else Kind.BOUNCED,
        message="classify:",
        recipient=recipient,
        occurred_at=UNKNOWN_TIME,
        evidence=replace(
            evidence_from(code=given.code, status=given.enhanced_status, text=given.text or None),
            provider_code=given.provider_code,
            protocol=given.protocol,
            phase=given.phase,
            remote_mta=given.remote_mta,
        ),
    )


def _read_event(context: ApiContext, body: ClassifyRequest) -> list[Feedback]:
    if context.parse is None:
        raise Problem("not-found", "another function answers this; the routes of API Gateway are wrong")
    raw = body.event.encode() if isinstance(body.event, str) else msgspec.json.encode(body.event)
    try:
        return context.parse(body.source, raw)
    except (MalformedFeedback, ConfigurationError) as error:
        raise Problem("unprocessable-content", f"event: {error}") from error


def _judge(fact: Feedback, context: ApiContext) -> JudgedFeedback:
    made_up = fact.message == "classify:"
    return JudgedFeedback(
        kind=fact.kind,
        recipient=None if made_up else fact.recipient or None,
        message=None if made_up else fact.message,
        at=None if fact.occurred_at == UNKNOWN_TIME else fact.occurred_at,
        scope=fact.scope,
        verdict=show_verdict(context.classify(fact), fact, context),
        evidence=None if made_up else fact.evidence,
    )
