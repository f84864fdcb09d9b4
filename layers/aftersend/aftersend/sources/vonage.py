"""Vonage: status callbacks of the Messages API, and delivery receipts of the older SMS API.

Sources: Vonage documentation, "Messages API status callbacks", "Messages API error codes", "SMS delivery receipts".
What is not obvious there:
- the Messages API says `rejected` of an SMS whatever became of it (expired, failed or refused): only its `error` tells;
- in a receipt of the SMS API `to` is the sender, and `msisdn` the recipient;
- numbers are international and have no "+";
- `scts` is when the network made the receipt, to the minute; `message-timestamp` is when Vonage began to push it;
- receipts come as a query, as a form or as JSON, which the account's settings say.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback, Kind
from aftersend.core.vocabulary import Protocol
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
    canonicalize_number,
    decode_form,
    is_json,
    make_evidence,
    make_text_context,
    parse_minute,
)

SOURCE: Final = "vonage"

KINDS: Final = {  # of the Messages API
    "submitted": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "read": Kind.OPENED,
    "rejected": Kind.BOUNCED,
    "undeliverable": Kind.BOUNCED,
}
RECEIPTS: Final = {  # of the SMS API
    "accepted": Kind.SENT,
    "buffered": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "expired": Kind.BOUNCED,
    "failed": Kind.BOUNCED,
    "rejected": Kind.BOUNCED,
    "unknown": Kind.UNKNOWN,
}
CHANNELS: Final = frozenset({"", "sms", "mms"})  # by which a number is reached; the others are apps
# Codes of the Messages API that say that nothing was sent: it is about the request or the account.
NOT_SENT: Final = frozenset(
    (
        *(1000, 1010, 1020, 1021, 1022, 1030, 1040, 1050, 1060, 1070, 1080, 1090, 1110, 1120, 1130, 1140, 1150, 1160),
        *(1170, 1241, 1320, 1340, 1370, 1380, 1400, 1420, 1430, 1460, 1470),
    )
)


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body; none for received messages. Raises MalformedFeedback."""
    events = decode_events(SOURCE, raw) if is_json(raw) else [decode_form(SOURCE, raw)]
    return [fact for event in events for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    if "message_uuid" in event:
        return _read_status(event) if find_text(event, "status") else []
    if "messageId" in event or "message-id" in event:
        return _read_receipt(event) if find_text(event, "status") else []
    raise MalformedFeedback(SOURCE, "neither a status of the Messages API nor a receipt of the SMS API")


def _read_status(event: Event) -> list[Feedback]:
    status, error = find_text(event, "status").strip(), find_object(event, "error")
    code, channel = _find_error(error), find_text(event, "channel").strip().lower()
    kind = KINDS.get(status.lower(), Kind.UNKNOWN)
    if kind is Kind.BOUNCED and code in NOT_SENT:
        kind = Kind.REJECTED
    app = "" if channel in CHANNELS else channel
    evidence = make_evidence(make_provider_code(app, status), code, Protocol.HTTP, find_text(error, "detail", "title"))
    known = {"client_ref": find_text(event, "client_ref")}
    known["network_code"] = find_text(find_object(event, "destination"), "network_code")
    number = (find_text(event, "to") or find_text(find_object(event, "to"), "number")).strip()
    fact = TextFact(
        source=SOURCE,
        message=find_text(event, "message_uuid").strip(),
        recipient=canonicalize_number(number, app),
        spelled=number,
        at=find_time(SOURCE, event if find_text(event, "timestamp") else {}, "timestamp"),
        context=make_text_context(find_text(event, "from") or find_text(find_object(event, "from"), "number"), known),
    )
    return fact.build(kind, evidence)


def _find_error(error: Event) -> int | None:
    """The number of an error: its title in older callbacks, else what its type ends in."""
    for value in (error.get("title"), error.get("code"), find_text(error, "type").rpartition("#")[2]):
        if (code := find_number({"": value}, "")) is not None:
            return code
    return None


def _read_receipt(event: Event) -> list[Feedback]:
    status = find_text(event, "status").strip()
    code = find_number(event, "err-code")
    kind = RECEIPTS.get(status.lower(), Kind.UNKNOWN)
    known = {"client-ref": find_text(event, "client-ref"), "network-code": find_text(event, "network-code")}
    number = find_text(event, "msisdn").strip()
    fact = TextFact(
        source=SOURCE,
        message=find_text(event, "messageId", "message-id").strip(),
        recipient=canonicalize_number(number),
        spelled=number,
        at=find_time(SOURCE, event | {"": parse_minute(find_text(event, "scts").strip())}, "", "message-timestamp"),
        context=make_text_context(find_text(event, "to"), known),
    )
    return fact.build(kind, make_evidence(make_provider_code(status), code if kind is Kind.BOUNCED else None))
