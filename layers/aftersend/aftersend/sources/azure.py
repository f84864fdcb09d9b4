"""Azure Communication Services: reports on mail and SMS, by Event Grid, in either of its two schemas.

Sources: Azure Event Grid documentation, "Azure Communication Services - Email events" and "- SMS events"; "CloudEvents
v1.0 schema". What is not obvious there:
- the schema of Event Grid says `eventType` and `eventTime`, that of CloudEvents `type` and `time`; the data are equal;
- the attempt's time is spelled `deliveryAttemptTimeStamp` in the documentation and `…Timestamp` in the libraries;
- `messageId` is what the sending operation was called; the Message-ID of the mail stands beside it, in some regions;
- a report on an opening or a click need not name who it was: the message tells it;
- `Expanded` is a delivery to a group, which is no failure.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID, make_message_key
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.text import truncate, truncate_host, truncate_or_none
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
from aftersend.sources.text_messages import TextFact, canonicalize_number, make_text_context

SOURCE: Final = "azure"
FAMILY: Final = "microsoft.communication."
MAIL: Final = FAMILY + "emaildeliveryreportreceived"
ENGAGEMENT: Final = FAMILY + "emailengagementtrackingreportreceived"
SMS: Final = FAMILY + "smsdeliveryreportreceived"

MAIL_KINDS: Final = {
    "delivered": Kind.DELIVERED,
    "expanded": Kind.DELIVERED,
    "outfordelivery": Kind.SENT,
    "bounced": Kind.BOUNCED,
    "failed": Kind.BOUNCED,
    "filteredspam": Kind.BOUNCED,
    "quarantined": Kind.BOUNCED,
    "suppressed": Kind.REJECTED,
}
ENGAGEMENTS: Final = {"view": Kind.OPENED, "click": Kind.CLICKED}
SMS_KINDS: Final = {"delivered": Kind.DELIVERED, "failed": Kind.BOUNCED}
_ACTIONS: Final = {"expanded": "expanded"}


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event; none for validations and received messages.

    Raises MalformedFeedback.
    """
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    type_, data = find_text(event, "eventType", "type"), find_object(event, "data")
    if not type_:
        raise MalformedFeedback(SOURCE, "an object that names no type of event")
    match type_.strip().lower():
        case known if known == MAIL:
            return _read_mail(event, data)
        case known if known == ENGAGEMENT:
            return _read_engagement(event, data)
        case known if known == SMS:
            return _read_sms(event, data)
        case other if other.startswith(FAMILY) and find_text(data, "recipient"):
            code = make_provider_code(type_.strip()[len(FAMILY) :])
            return _find_facts(event, data).build(Kind.UNKNOWN, Evidence(provider_code=code))
    return []


def _read_mail(event: Event, data: Event) -> list[Feedback]:
    status, details = find_text(data, "status").strip(), find_object(data, "deliveryStatusDetails")
    kind = MAIL_KINDS.get(status.lower(), Kind.UNKNOWN)
    code, enhanced, text = read_reply(find_text(details, "statusMessage") or find_text(data, "deliveryStatusDetails"))
    evidence = Evidence(
        code=code,
        status=enhanced,
        text=text,
        provider_code=make_provider_code(status),
        action=_ACTIONS.get(status.lower()),
        remote_mta=truncate_host(find_text(details, "recipientMailServerHostName")),
        event_id=_find_event_id(event),
    )
    return _find_facts(event, data).build(kind, evidence)


def _read_engagement(event: Event, data: Event) -> list[Feedback]:
    type_ = find_text(data, "engagementType").strip()
    kind, event_id = ENGAGEMENTS.get(type_.lower(), Kind.UNKNOWN), _find_event_id(event)
    if kind is Kind.UNKNOWN:
        code = make_provider_code(type_ or "engagement")
        return _find_facts(event, data).build(kind, Evidence(provider_code=code, event_id=event_id))
    link = find_text(data, "engagementContext") if kind is Kind.CLICKED else ""
    seen = make_engagement(user_agent=find_text(data, "userAgent"), link=link)
    return _find_facts(event, data).build(kind, Evidence(event_id=event_id) if event_id else None, seen)


def _find_event_id(event: Event) -> str | None:
    return truncate_or_none(find_text(event, "id"), MAX_ID)


def _find_facts(event: Event, data: Event) -> EventFacts:
    own, mail_id = find_text(data, "messageId").strip(), find_text(data, "internetMessageId")
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(own, MAX_ID)}" if own else make_message_key(mail_id),
        recipient=find_text(data, "recipient"),
        at=find_time(
            SOURCE,
            data | {"": event.get("eventTime") or event.get("time")},
            *("deliveryAttemptTimeStamp", "deliveryAttemptTimestamp", "userActionTimeStamp", "userActionTimestamp", ""),
        ),
        context=make_context(sender=find_text(data, "sender"), identifiers={"message-id": mail_id.strip(" <>")}),
    )


def _read_sms(event: Event, data: Event) -> list[Feedback]:
    """A report on an SMS; its numbers have their "+", but for those of older reports."""
    number = find_text(data, "to").strip()
    status = find_text(data, "deliveryStatus").strip()
    evidence = Evidence(
        text=truncate_or_none(find_text(data, "deliveryStatusDetails"), 1024),
        provider_code=make_provider_code("sms", status),
        event_id=_find_event_id(event),
    )
    fact = TextFact(
        source=SOURCE,
        message=find_text(data, "messageId").strip(),
        recipient=canonicalize_number(number),
        spelled=number,
        at=find_time(SOURCE, data | {"": event.get("eventTime") or event.get("time")}, "receivedTimestamp", ""),
        context=make_text_context(find_text(data, "from"), {"tag": find_text(data, "tag", "Tag")}),
    )
    return fact.build(SMS_KINDS.get(status.lower(), Kind.UNKNOWN), evidence)
