"""Text messages by AWS: events of End User Messaging (by EventBridge, SNS or a log), and Amazon SNS's delivery logs.

Sources: AWS End User Messaging SMS user guide, "Event types for SMS, MMS and voice" and "Monitoring with EventBridge";
Amazon SNS developer guide, "Amazon SNS SMS delivery status". Not obvious there:
- `isFinal` decides whether anything follows: what failed and is not final is tried on by the carrier;
- SUCCESSFUL is the carrier's yes and DELIVERED the handset's, and which is the last word depends on the country: so
  a final SUCCESSFUL is no proof that anybody has it;
- no event has an id: it is known by message, type and time, and may come by several ways;
- delivery logs of SNS give their reasons as sentences, the same that End User Messaging gives as descriptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_sms
from aftersend.core.text import truncate, truncate_or_none
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources.answers import MAX_CORRELATION, MAX_WORD, read_epoch
from aftersend.sources.cloudwatch import LogRecord, read_records
from aftersend.sources.message import NO_HEADERS, Headers

SOURCE: Final = "aws_sms"
MAX_TEXT: Final = 1_024
MAX_IDENTIFIERS: Final = 16

# What stands behind TEXT_, MEDIA_ or VOICE_, and in `messageStatus`. What is in none of these is not known.
ON_ITS_WAY: Final = frozenset(
    ("QUEUED", "PENDING", "SENT", "SUCCESSFUL", "INITIATED", "RINGING")  # and DELIVERED, where more follows
)
ARRIVED: Final = frozenset({"DELIVERED", "ANSWERED", "COMPLETED", "READ"})
FAILED: Final = frozenset(
    (
        *("INVALID", "INVALID_MESSAGE", "UNREACHABLE", "CARRIER_UNREACHABLE", "BLOCKED", "CARRIER_BLOCKED", "SPAM"),
        *("TTL_EXPIRED", "BUSY", "NO_ANSWER", "FAILED"),
        *("FILE_INACCESSIBLE", "FILE_TYPE_UNSUPPORTED", "FILE_SIZE_EXCEEDED"),
    )
)
NOT_TRIED: Final = frozenset({"PROTECT_BLOCKED", "OPTED_OUT", "MAX_PRICE"})
# The sentences of delivery logs, in lower case, as the words that mean the same.
REASONS: Final = {
    "blocked as spam by phone carrier": "SPAM",
    "destination is on a blocked list": "OPTED_OUT",
    "invalid phone number": "INVALID",
    "message body is invalid": "INVALID_MESSAGE",
    "phone carrier has blocked this message": "CARRIER_BLOCKED",
    "phone carrier is currently unreachable/unavailable": "CARRIER_UNREACHABLE",
    "phone has blocked sms": "BLOCKED",
    "phone is on a blocked list": "OPTED_OUT",
    "phone is currently unreachable/unavailable": "UNREACHABLE",
    "phone number is opted out": "OPTED_OUT",
    "this delivery would exceed max price": "MAX_PRICE",
    "unknown error attempting to reach phone": "UNKNOWN_ERROR",
}
LOG: Final = "SMS"  # in the place of TEXT, for what a delivery log says


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body: one fact for each event or record of a log; raises MalformedFeedback.

    Events about no message (registrations), and records of a log that are none of these, give none.
    """
    return [fact for record in read_records(SOURCE, raw) for fact in _read(record)]


def _read(found: LogRecord) -> Iterator[Feedback]:
    place, record = found.place, found.fields
    detail = record.get("detail")
    if isinstance(detail, dict) and "detail-type" in record:  # one of several events in an array
        record = detail
    if isinstance(record.get("eventType"), str):
        yield _read_event(place, record)
    elif isinstance(record.get("delivery"), dict) and isinstance(record.get("notification"), dict):
        yield _read_log(place, record, record["delivery"], record["notification"])
    elif not (found.shared or "registrationDetails" in record or "registrationArn" in record):
        raise _refuse(place, "neither an event of End User Messaging nor a delivery log of SNS")


def _refuse(place: str, why: str) -> MalformedFeedback:
    return MalformedFeedback(SOURCE, f"{place}: {why}" if place else why)


def _read_event(place: str, event: dict[str, Any]) -> Feedback:
    """One event of End User Messaging."""
    channel, _, status = event["eventType"].strip().upper().partition("_")
    final = event.get("isFinal") is not False
    kind = find_kind(status, final=final)
    return _build(
        place,
        kind,
        number=event.get("destinationPhoneNumber"),
        message=event.get("messageId"),
        at=_find_time(place, event.get("eventTimestamp"), event.get("messageRequestTimestamp")),
        word=f"{channel}/{status}" if status else channel,
        text=event.get("messageStatusDescription"),
        context=Context(sender=_find_sender(event), correlation=dict(_list_identifiers(event.get("context")))),
    )


def find_kind(status: str, *, final: bool) -> Kind:
    """Find what a status means, of which nothing follows where it is `final`."""
    if status in ARRIVED:
        return Kind.DELIVERED if final else Kind.SENT
    if status in ON_ITS_WAY:
        return Kind.SENT
    if status in NOT_TRIED:
        return Kind.REJECTED
    if status in FAILED:
        return Kind.BOUNCED if final else Kind.DEFERRED
    return Kind.UNKNOWN


def _read_log(place: str, record: dict[str, Any], delivery: dict[str, Any], notification: dict[str, Any]) -> Feedback:
    """One record of a delivery log of SNS: its time is that of publishing, and the telephone's comes with its yes."""
    status, text = record.get("status"), delivery.get("providerResponse")
    taken = isinstance(status, str) and status.upper() == "SUCCESS"
    folded = text.strip().rstrip(".").lower() if isinstance(text, str) else ""
    word = REASONS.get(folded, "FAILURE")
    if taken:
        kind = Kind.SENT if delivery.get("dwellTimeMsUntilDeviceAck") is None else Kind.DELIVERED
        word = "SUCCESS"
    elif status is not None:
        kind = Kind.REJECTED if word in NOT_TRIED else Kind.BOUNCED
    else:
        kind = Kind.UNKNOWN
    return _build(
        place,
        kind,
        number=delivery.get("destination"),
        message=notification.get("messageId"),
        at=_find_time(place, notification.get("timestamp")),
        word=f"{LOG}/{word}",
        text=text,
        context=None,
    )


def _build(
    place: str,
    kind: Kind,
    *,
    number: Any,
    message: Any,
    at: datetime,
    word: str,
    text: Any,
    context: Context | None,
) -> Feedback:
    if not isinstance(number, str) or not number.strip():
        raise _refuse(place, "it names no telephone number")
    if not isinstance(message, str) or not message.strip():
        raise _refuse(place, "it names no message")
    canonical = canonicalize_sms(number)
    return Feedback(
        source=SOURCE,
        kind=kind,
        message=f"{SOURCE}:{truncate(message.strip(), MAX_ID)}",
        recipient=canonical,
        occurred_at=at,
        received_as=None if canonical == f"sms:{number}" else truncate(number, MAX_RECIPIENT_BYTES),
        evidence=Evidence(
            text=truncate_or_none(text, MAX_TEXT) if isinstance(text, str) else None,
            provider_code=truncate(word, MAX_WORD),
        ),
        context=context,
    )


def _find_time(place: str, *given: Any) -> datetime:
    """The first of these that is there: milliseconds since 1970, or a date and time in UTC."""
    value = next((each for each in given if each not in (None, "") and not isinstance(each, bool)), None)
    try:
        if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, int | float):
            return read_epoch(value)
        return parse_time(value.strip()) if isinstance(value, str) else UNKNOWN_TIME
    except (ValueError, OverflowError, OSError) as error:  # its text quotes the body
        raise _refuse(place, "a time is in no format that is known") from error


def _find_sender(event: dict[str, Any]) -> str | None:
    """The number or name that it was sent from."""
    given = event.get("originationPhoneNumber")
    return truncate_or_none(given, MAX_WORD) if isinstance(given, str) else None


def _list_identifiers(context: Any) -> Iterator[tuple[str, str]]:
    """The sender's own identifiers, which come back with each event."""
    for name, value in list(context.items())[:MAX_IDENTIFIERS] if isinstance(context, dict) else ():
        if isinstance(value, str | int | float) and (key := truncate(name.strip(), MAX_CORRELATION)):
            yield key, truncate(str(value), MAX_CORRELATION)
