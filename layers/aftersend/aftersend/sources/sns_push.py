"""Push messages by Amazon SNS: its application events (on a topic), and its delivery logs (CloudWatch Logs).

Sources: Amazon SNS developer guide, "Application event notifications" and "Mobile app attributes"; the words of
`FailureType` that are known come from senders who published what they got, for AWS lists none. Not obvious there:
- `DeliveryFailure` is sent for permanent failures of what was published to one endpoint, not to a topic;
- SNS disables an endpoint whose token was refused, and says `EndpointDisabled` from then on without trying;
- a log may say SUCCESS, and the status 200, beside an error in `providerResponse`: FCM's legacy protocol answered so.
  The answer of the service decides, in its own words;
- an event names the endpoint alone, the log its token too: the recipient is the endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Context, Evidence, Feedback, Kind, Protocol
from aftersend.core.recipient import canonicalize_push
from aftersend.core.text import truncate, truncate_or_none
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources import apns, fcm
from aftersend.sources.answers import MAX_WORD
from aftersend.sources.cloudwatch import LogRecord, read_records
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.push import TokenAnswer, find_text

SOURCE: Final = "sns_push"
SERVICE: Final = "sns"  # of the recipient: "push:sns:arn:aws:sns:…:endpoint/APNS/shop/…"
MAX_TEXT: Final = 1_024
MAX_TOKEN: Final = 200  # of the token, which stands among the identifiers

FAILURE: Final = "DeliveryFailure"
ABOUT_NO_MESSAGE: Final = frozenset({"EndpointCreated", "EndpointUpdated", "EndpointDeleted"})
NOT_TRIED: Final = frozenset({"EndpointDisabled"})
_decode: Final = msgspec.json.Decoder().decode


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body: one fact for each failure or record of a log; raises MalformedFeedback.

    Events about no message, that an endpoint was made or changed, give none.
    """
    return [fact for record in read_records(SOURCE, raw) for fact in _read(record)]


def _read(found: LogRecord) -> Iterator[Feedback]:
    place, record = found.place, found.fields
    kind = record.get("EventType")
    if isinstance(kind, str):
        if kind not in ABOUT_NO_MESSAGE:
            yield _read_event(place, record, kind)
    elif isinstance(record.get("delivery"), dict) and isinstance(record.get("notification"), dict):
        yield _read_log(place, record, record["delivery"], record["notification"])
    elif not found.shared:
        raise _refuse(place, "neither an application event of SNS nor a delivery log")


def _refuse(place: str, why: str) -> MalformedFeedback:
    return MalformedFeedback(SOURCE, f"{place}: {why}" if place else why)


def _read_event(place: str, event: dict[str, Any], type_: str) -> Feedback:
    """One application event about a message."""
    failure = find_text(event, "FailureType") or type_
    kind = Kind.REJECTED if failure in NOT_TRIED else Kind.BOUNCED
    return _build(
        place,
        kind if type_ == FAILURE else Kind.UNKNOWN,
        endpoint=event.get("EndpointArn"),
        message=event.get("MessageId"),
        at=_find_time(place, event.get("Time")),
        evidence=Evidence(
            text=truncate_or_none(find_text(event, "FailureMessage"), MAX_TEXT),
            provider_code=truncate(failure, MAX_WORD),
            attempt=_find_number(event.get("DeliveryAttempts")),
        ),
    )


def _read_log(place: str, record: dict[str, Any], delivery: dict[str, Any], notification: dict[str, Any]) -> Feedback:
    """One record of a delivery log: what the service answered decides, else the status."""
    answered = read_response(delivery.get("providerResponse"))
    taken = find_text(record, "status") == "SUCCESS" and answered.word is None
    code = _find_number(delivery.get("statusCode"))
    return _build(
        place,
        Kind.DELIVERED if taken else Kind.BOUNCED,
        endpoint=delivery.get("destination"),
        message=notification.get("messageId"),
        at=answered.at or _find_time(place, notification.get("timestamp")),
        evidence=Evidence(
            code=code,
            protocol=Protocol.HTTP if code is not None else None,
            text=truncate_or_none(answered.text, MAX_TEXT),
            provider_code=truncate_or_none(answered.word, MAX_WORD),
            attempt=_find_number(delivery.get("attempts")),
        ),
        token=find_text(delivery, "token"),
    )


def read_response(given: Any) -> TokenAnswer:
    """Read what the push service answered SNS: JSON of APNs or FCM, or any other text."""
    body = given
    if isinstance(given, str) and given.strip()[:1] in ("{", "["):
        try:
            body = _decode(given.strip())
        except DECODE_ERRORS:  # cut off, or written in another way
            return TokenAnswer(text=given)
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    reason = apns.find_reason(body)
    if reason is not None:
        return TokenAnswer(word=reason, at=apns.find_death(body) if reason in apns.DEAD else None)
    if isinstance(body, dict) and isinstance(results := body.get("results"), list) and len(results) == 1:
        found = fcm.read_result(results[0], {})
        return replace(found, text=find_text(given)) if found.word else TokenAnswer()
    found_failure = fcm.read_failure(body)
    return found_failure or TokenAnswer(text=find_text(given))


def _build(
    place: str,
    kind: Kind,
    *,
    endpoint: Any,
    message: Any,
    at: datetime,
    evidence: Evidence,
    token: str | None = None,
) -> Feedback:
    if not isinstance(endpoint, str) or not endpoint.strip():
        raise _refuse(place, "it names no endpoint")
    if not isinstance(message, str) or not message.strip():
        raise _refuse(place, "it names no message")
    return Feedback(
        source=SOURCE,
        kind=kind,
        message=f"{SOURCE}:{truncate(message.strip(), MAX_ID)}",
        recipient=canonicalize_push(SERVICE, endpoint),
        occurred_at=at,
        evidence=evidence,
        context=Context(correlation={"token": truncate(token, MAX_TOKEN)}) if token else None,
    )


def _find_time(place: str, given: Any) -> datetime:
    if given in (None, ""):
        return UNKNOWN_TIME
    try:
        return parse_time(given)
    except (ValueError, TypeError) as error:  # its text quotes the body
        raise _refuse(place, "a time is in no format that is known") from error


def _find_number(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1000 else None
