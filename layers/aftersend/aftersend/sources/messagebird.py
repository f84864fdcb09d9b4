"""MessageBird: reports of the older SMS API (a query), and Bird's events of its Channels API (JSON).

Sources: MessageBird documentation, "SMS messaging: status reports"; Bird documentation, "Message status and
interactions", "Message failure sources". What is not obvious there:
- the older reports come by GET, with everything in the query, and their numbers have no "+";
- Bird's event holds the whole message: `lastStatusAt` is when it came to the state it is in;
- of a failure, `failure.source.code` is the code of the network, of the same list as in the older reports, and
  `failure.code` Bird's own;
- Bird sends by many channels, and the event's name begins with which it is: "sms.outbound", "whatsapp.outbound".
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.vocabulary import Channel, Protocol
from aftersend.sources.events import (
    Event,
    decode_events,
    find_number,
    find_object,
    find_text,
    find_time,
    make_provider_code,
)
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.text_messages import (
    TextFact,
    canonicalize_address,
    canonicalize_number,
    decode_form,
    is_json,
    make_evidence,
    make_text_context,
)

SOURCE: Final = "messagebird"

REPORTS: Final = {
    "scheduled": Kind.SENT,
    "sent": Kind.SENT,
    "buffered": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "expired": Kind.BOUNCED,
    "delivery_failed": Kind.BOUNCED,
}
STATUSES: Final = {  # of Bird
    "accepted": Kind.SENT,
    "scheduled": Kind.SENT,
    "processing": Kind.SENT,
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "read": Kind.OPENED,
    "sending_failed": Kind.REJECTED,
    "rejected": Kind.REJECTED,
    "delivery_failed": Kind.BOUNCED,
}
FAILED: Final = frozenset({Kind.BOUNCED, Kind.REJECTED})
OUTBOUND: Final = "outbound"
_NETWORK: Final = "sms-messagebird"  # the source of failures whose codes are those of networks
_MOST: Final = 100  # receivers of one message


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body; none for received messages. Raises MalformedFeedback."""
    if not is_json(raw):
        return _read_report(decode_form(SOURCE, raw))
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_json(event)]


def _read_json(event: Event) -> list[Feedback]:
    payload = find_object(event, "payload")
    return _read_message(event, payload) if payload else _read_report(event)


def _read_report(event: Event) -> list[Feedback]:
    status, message, number = (find_text(event, name).strip() for name in ("status", "id", "recipient"))
    if not status or not message:
        raise MalformedFeedback(SOURCE, "a report without its status or the id of its message")
    kind = REPORTS.get(status.lower(), Kind.UNKNOWN)
    code = find_number(event, "statusErrorCode") if kind in FAILED else None
    fact = TextFact(
        source=SOURCE,
        message=message,
        recipient=canonicalize_number(number),
        spelled=number,
        at=find_time(SOURCE, event, "statusDatetime"),
        context=make_text_context("", {name: find_text(event, name) for name in ("reference", "mccmnc")}),
    )
    return fact.build(
        kind, make_evidence(make_provider_code(status), code or None, text=find_text(event, "statusReason"))
    )


def _read_message(event: Event, message: Event) -> list[Feedback]:
    """Of Bird: a fact for each receiver."""
    name = find_text(event, "event").strip().lower()
    channel, _, direction = name.partition(".")
    if direction not in ("", OUTBOUND) or find_text(message, "direction") == "incoming":
        return []
    status = find_text(message, "status").strip()
    if not status:
        raise MalformedFeedback(SOURCE, "a message without its status")
    kind = STATUSES.get(status.lower(), Kind.UNKNOWN)
    contacts = find_object(message, "receiver").get("contacts")
    receivers = [each for each in contacts if isinstance(each, dict)] if isinstance(contacts, list) else []
    evidence = _make_failure(kind, message, status)
    return [
        fact
        for receiver in receivers[:_MOST] or [{}]
        for fact in _find_fact(channel, message, find_text(receiver, "identifierValue").strip()).build(kind, evidence)
    ]


def _make_failure(kind: Kind, message: Event, status: str) -> Evidence:
    failure = find_object(message, "failure")
    source, own = find_object(failure, "source"), find_text(failure, "code")
    of_network = find_text(source, "name").startswith(_NETWORK)
    return make_evidence(
        make_provider_code(status, own),
        find_number(source, "code") if of_network and kind in FAILED else None,
        Protocol.SMPP,
        find_text(message, "reason", "details"),
    )


def _find_fact(channel: str, message: Event, address: str) -> TextFact:
    by = Channel.EMAIL if channel == "email" or "@" in address else Channel.SMS
    return TextFact(
        source=SOURCE,
        message=find_text(message, "id").strip(),
        recipient=canonicalize_address(address, by, "" if channel in ("", "sms") else channel),
        spelled=address,
        at=find_time(SOURCE, message, "lastStatusAt", "updatedAt", "createdAt"),
        context=_make_context(message),
    )


def _make_context(message: Event) -> Context:
    sender = find_object(find_object(message, "sender"), "connector")
    known = {name: find_text(message, name) for name in ("reference", "channelId")}
    return make_text_context(find_text(sender, "identifierValue"), known)
