"""Amazon SES: identity notifications, event publishing and EventBridge carry the same body in three envelopes.

Sources: SES developer guide, "notification contents" and "contents of event data"; EventBridge reference for SES.
What is not obvious there:
- a delivery and a bounce of one message come in any order, in separate notifications, and both are true;
- a recipient's own status decides before the bounce type: one Permanent bounce can hold a delayed recipient;
- out-of-office replies are reported as bounces, Transient/General, and differ from them only in what they lack:
  no `action: failed`, no status, no SMTP text;
- opens, clicks and subscriptions name no recipient, so they belong to one only where the message had one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.sources.envelope import SET_UP_TEXTS
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.ses import body
from aftersend.sources.ses.engagement import read_click, read_open
from aftersend.sources.ses.feedback import FeedbackBuilder
from aftersend.sources.ses.subscriptions import read_subscription
from aftersend.sources.smtp_reply import parse_reply

SOURCE: Final = "ses"


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return every fact in one SES body, one per recipient. Raise MalformedFeedback for what is no body of SES.

    Set-up messages, events about the account, inbound mail, and opens or clicks of a message with several recipients
    give an empty list.
    """
    try:
        return _read(body.decode(raw))
    except DECODE_ERRORS as error:
        if raw.lstrip()[:40].startswith(SET_UP_TEXTS):
            return []
        raise MalformedFeedback(SOURCE, f"not a body of Amazon SES: {error}") from error
    except ValueError as error:  # its text quotes the body, and whoever wrote that chose it
        raise MalformedFeedback(SOURCE, "a time is in no format that is known") from error


def _read(event: body.SesEvent) -> list[Feedback]:
    kind = event.type
    handler = HANDLERS.get(kind) or HANDLERS.get(_TYPES.get(_fold(kind), ""), _read_unknown)
    if event.mail is None:
        if kind in _WITHOUT_MAIL or (not kind and event.data):
            return []
        raise MalformedFeedback(SOURCE, "the event is about no message: it has no mail object")
    if kind == "Received":
        return []
    return handler(event, FeedbackBuilder(event.mail))


def _fold(kind: str) -> str:
    """The type as any of SES's interfaces spells it: "Rendering Failure", RENDERING_FAILURE, RenderingFailure."""
    return kind[:40].replace("_", "").replace(" ", "").lower()


def _read_bounce(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    bounce = event.bounce or body.Bounce()
    provider_code = truncate(f"{bounce.bounce_type or 'Undetermined'}/{bounce.bounce_sub_type or 'Undetermined'}", 64)
    at = builder.parse_time(bounce.timestamp)
    named, derived = builder.list_recipients(bounce.bounced_recipients)
    scope = builder.read_stream() if bounce.bounce_sub_type == _LEFT_STREAM else None
    found = []
    for recipient in named:
        code, status, text = parse_reply(recipient.diagnostic_code)
        evidence = Evidence(
            code=code,
            status=truncate_or_none(recipient.status, 11) or status,
            text=text,
            provider_code=provider_code,
            action=_lower(recipient.action),
            reporting_mta=_read_host(bounce.reporting_mta),
            event_id=truncate_or_none(bounce.feedback_id, 80),
            derived=derived,
        )
        kind = _choose_bounce_kind(provider_code, evidence)
        if kind is Kind.BOUNCED and derived and len(named) > 1:
            kind = Kind.UNKNOWN  # one of them bounced, and nobody knows which: that must not count against all
        found.append(builder.build(recipient.email_address, kind, at, evidence, scope=scope))
    return found


def _choose_bounce_kind(provider_code: str, evidence: Evidence) -> Kind:
    """What happened to one recipient of a bounce: its own action speaks first (RFC 3464 section 2.3.3)."""
    kind = _ACTIONS.get(evidence.action or "", Kind.BOUNCED)
    if kind is not Kind.BOUNCED or evidence.action or evidence.status or evidence.text:
        return kind
    unnamed = evidence.derived and provider_code == "Undetermined/Undetermined"
    return Kind.AUTO_REPLIED if unnamed or provider_code == "Transient/General" else kind


# The recipient has left the topic of a contact list that the message was sent to, so SES did not send it.
_LEFT_STREAM: Final = "UnsubscribedRecipient"
_ACTIONS: Final = {
    "failed": Kind.BOUNCED,
    "delayed": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "relayed": Kind.DELIVERED,
    "expanded": Kind.DELIVERED,
}


def _read_complaint(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    complaint = event.complaint or body.Complaint()
    kind = _COMPLAINTS.get((complaint.complaint_feedback_type or "").lower(), Kind.COMPLAINED)
    detail = complaint.complaint_feedback_type
    if complaint.complaint_sub_type:  # on a suppression list: SES did not even try, so nobody complained now
        kind, detail = Kind.REJECTED, complaint.complaint_sub_type
    named, derived = builder.list_recipients(complaint.complained_recipients)
    if derived and len(named) > 1:
        kind = Kind.UNKNOWN  # one of them complained, and nobody knows who: as with a bounce
    evidence = Evidence(
        provider_code=truncate(f"Complaint/{detail}" if detail else "Complaint", 64),
        event_id=truncate_or_none(complaint.feedback_id, 80),
        derived=derived or len(named) > 1,  # several are candidates: all of that provider
    )
    at = builder.parse_time(complaint.timestamp)
    return [builder.build(each.email_address, kind, at, evidence) for each in named]


# The feedback types of ARF (RFC 5965, 6430, 6591) that are not complaints.
_COMPLAINTS: Final = {
    "not-spam": Kind.COMPLAINT_WITHDRAWN,
    "auth-failure": Kind.UNKNOWN,  # a DMARC failure report: nobody complained
    "opt-out": Kind.UNSUBSCRIBED,
    "opt-out-list": Kind.UNSUBSCRIBED,
}


def _read_delivery(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    delivery = event.delivery or body.Delivery()
    at = builder.parse_time(delivery.timestamp)
    code, status, text = parse_reply(delivery.smtp_response)
    named = [each for each in delivery.recipients or () if each]
    evidence = Evidence(
        code=code,
        status=status,
        text=text,
        remote_mta=_read_host(delivery.remote_mta_ip),
        reporting_mta=_read_host(delivery.reporting_mta),
        derived=not named,
    )
    return [builder.build(each, Kind.DELIVERED, at, evidence) for each in named or builder.destinations]


def _read_delay(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    delay = event.delivery_delay or body.Delay()
    provider_code = truncate(f"Delay/{delay.delay_type or 'Undetermined'}", 64)
    at = builder.parse_time(delay.timestamp)
    named, derived = builder.list_recipients(delay.delayed_recipients)
    found = []
    for recipient in named:
        code, status, text = parse_reply(recipient.diagnostic_code)
        evidence = Evidence(
            code=code,
            status=truncate_or_none(recipient.status, 11) or status,
            text=text,
            provider_code=provider_code,
            reporting_mta=_read_host(delay.reporting_mta),
            derived=derived,
        )
        found.append(builder.build(recipient.email_address, Kind.DEFERRED, at, evidence))
    return found


def _read_send(_event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    return builder.build_for_all(Kind.SENT)


def _read_reject(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    reason = (event.reject.reason if event.reject else None) or "unknown"
    return builder.build_for_all(Kind.REJECTED, Evidence(provider_code=truncate(f"Reject/{reason}", 64)))


def _read_rendering_failure(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    failure = event.failure or body.Failure()
    text = truncate_or_none(failure.error_message, 1024)
    return builder.build_for_all(Kind.REJECTED, Evidence(provider_code="RenderingFailure", text=text))


def _read_unknown(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    return builder.build_for_all(Kind.UNKNOWN, Evidence(provider_code=truncate(event.type, 64)))


@lru_cache(maxsize=1024)
def _read_host(reported: str | None) -> str | None:
    """The host of "dns; mx.example.com", which SES writes in three ways."""
    return truncate_host((reported or "").rpartition(";")[2].strip())


def _lower(value: str | None) -> str | None:
    return truncate_or_none((value or "").strip().lower(), 16)


Handler = Callable[[body.SesEvent, FeedbackBuilder], list[Feedback]]

HANDLERS: Final[dict[str, Handler]] = {
    "Bounce": _read_bounce,
    "Complaint": _read_complaint,
    "Delivery": _read_delivery,
    "DeliveryDelay": _read_delay,
    "Send": _read_send,
    "Reject": _read_reject,
    "Rendering Failure": _read_rendering_failure,
    "Open": read_open,
    "Click": read_click,
    "Subscription": read_subscription,
}
_TYPES: Final = {_fold(name): name for name in HANDLERS}
_WITHOUT_MAIL: Final = frozenset({"AmazonSnsSubscriptionSucceeded"})
