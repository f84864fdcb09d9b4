"""Postmark: one object for each event, of which `RecordType` says what it is, and `Type` which of 24 kinds of bounce.

Source: Postmark documentation, "Webhooks" and "Bounce API: bounce types". What is not obvious there:
- not every bounce is one: some types are deferrals, answers by machines, changes of subscription, or were never sent;
- the number beside the type (`TypeCode`) is the same for different types: the word decides;
- a change of subscription is told for every bounce and complaint besides: it says what is on Postmark's list, and is no
  second bounce;
- a bounce may name no recipient; the message tells who it was.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.text import truncate, truncate_or_none
from aftersend.sources.events import (
    Event,
    EventFacts,
    decode_events,
    find_object,
    find_text,
    find_time,
    make_context,
    make_engagement,
    make_provider_code,
    read_reply,
)
from aftersend.sources.message import NO_HEADERS, Headers

SOURCE: Final = "postmark"

# What each type of bounce is; one that is not listed is a bounce of a type that is not known yet.
BOUNCES: Final = {
    "HardBounce": Kind.BOUNCED,
    "SoftBounce": Kind.BOUNCED,
    "SpamNotification": Kind.BOUNCED,
    "VirusNotification": Kind.BOUNCED,
    "Blocked": Kind.BOUNCED,
    "DMARCPolicy": Kind.BOUNCED,
    "Unknown": Kind.BOUNCED,
    "Transient": Kind.DEFERRED,
    "DnsError": Kind.DEFERRED,
    "AutoResponder": Kind.AUTO_REPLIED,
    "AddressChange": Kind.AUTO_REPLIED,
    "ChallengeVerification": Kind.AUTO_REPLIED,
    "OpenRelayTest": Kind.AUTO_REPLIED,
    "SpamComplaint": Kind.COMPLAINED,
    "Unsubscribe": Kind.UNSUBSCRIBED,
    "Subscribe": Kind.SUBSCRIBED,
    "BadEmailAddress": Kind.REJECTED,
    "ManuallyDeactivated": Kind.REJECTED,
    "Unconfirmed": Kind.REJECTED,
    "SMTPApiError": Kind.REJECTED,
    "TemplateRenderingFailed": Kind.REJECTED,
}
_RECEIVED: Final = "InboundError"  # about a mail that came in, and none that was sent
_NOT_FINAL: Final = "fatal=0"
_FLAGS: Final = {"SoftBounce": (_NOT_FINAL,)}
_TIMES: Final = ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt")
# Of a suppression, what its recipient did, and what Postmark concluded out of another event.
_MANUAL: Final = "ManualSuppression"


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the fact of one body; none for received mail. Raises MalformedFeedback."""
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    record = find_text(event, "RecordType")
    if not record:
        raise MalformedFeedback(SOURCE, "an object that names no type of record")
    if record == "Inbound":
        return []
    facts = _find_facts(event, find_time(SOURCE, event, *_TIMES))
    match record:
        case "Bounce" | "SpamComplaint":
            return _read_bounce(event, facts)
        case "Delivery":
            return facts.build(Kind.DELIVERED, _make_evidence(event))
        case "Open" | "Click":
            engagement = make_engagement(
                ip=find_text(find_object(event, "Geo"), "IP"),
                user_agent=find_text(event, "UserAgent"),
                link=find_text(event, "OriginalLink"),
            )
            return facts.build(Kind.OPENED if record == "Open" else Kind.CLICKED, None, engagement)
        case "SubscriptionChange":
            return _read_change(event, facts)
    return facts.build(Kind.UNKNOWN, Evidence(provider_code=make_provider_code(record)))


def _find_facts(event: Event, at: datetime) -> EventFacts:
    message = find_text(event, "MessageID").strip()
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(message, MAX_ID)}" if message else "",
        recipient=find_text(event, "Email", "Recipient"),
        at=at,
        context=_make_context(event),
    )


def _read_bounce(event: Event, facts: EventFacts) -> list[Feedback]:
    type_ = find_text(event, "Type")
    if type_ == _RECEIVED:
        return []
    kind = BOUNCES.get(type_, Kind.UNKNOWN)
    if find_text(event, "RecordType") == "SpamComplaint":
        type_, kind = "SpamComplaint", Kind.COMPLAINED
    scope = find_text(event, "MessageStream") if kind in (Kind.UNSUBSCRIBED, Kind.SUBSCRIBED) else ""
    return facts.build(kind, _make_evidence(event, make_provider_code(type_, flags=_FLAGS.get(type_, ()))), scope=scope)


def _read_change(event: Event, facts: EventFacts) -> list[Feedback]:
    """What a change of Postmark's list means: a wish of the recipient, or what is on the list for another reason.

    What somebody at the sender's wrote into the list says nothing of the message that is named, so it is about none.
    """
    origin, reason = find_text(event, "Origin"), find_text(event, "SuppressionReason") or "none"
    evidence = Evidence(provider_code=make_provider_code("SubscriptionChange", reason))
    stream = find_text(event, "MessageStream")
    if event.get("SuppressSending") is False:
        return facts.build(Kind.SUBSCRIBED, evidence, scope=stream)
    if event.get("SuppressSending") is not True:
        return facts.build(Kind.UNKNOWN, evidence)
    if reason != _MANUAL:
        return facts.build(Kind.REJECTED, evidence)
    if origin == "Recipient":
        return facts.build(Kind.UNSUBSCRIBED, evidence, scope=stream)
    about_none = EventFacts(source=SOURCE, message="", recipient=facts.recipient, at=facts.at, context=facts.context)
    return about_none.build(Kind.REJECTED, evidence)


def _make_evidence(event: Event, provider_code: str | None = None) -> Evidence:
    code, status, text = read_reply(find_text(event, "Details"))
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=provider_code,
        event_id=truncate_or_none(find_text(event, "ID"), 80),
    )


def _make_context(event: Event) -> Context:
    own = {"tag": event.get("Tag"), "stream": event.get("MessageStream")}
    return make_context(
        sender=find_text(event, "From"),
        subject=find_text(event, "Subject"),
        identifiers=find_object(event, "Metadata") | own,
    )
