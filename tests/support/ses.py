"""Bodies of Amazon SES, made for tests: any event of one message, in any of the envelopes that can carry it."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from aftersend.sources.message import Message
from tests.support.facts import START

Body = dict[str, Any]


def mail(recipient: str = "ann@example.com", number: int = 1, **others: Any) -> Body:
    """The message that an event is about."""
    return {
        "timestamp": "2026-03-01T00:00:00.000Z",
        "messageId": f"010f{number:04d}-000000",
        "source": "news@example.com",
        "destination": [recipient],
        **others,
    }


def event(kind: str, details: Body | None = None, *, style: str = "eventType", **mail_fields: Any) -> Body:
    """One body: `details` are the event's own, under the name that SES gives them."""
    named = {"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"}.get(kind, kind.lower())
    return {style: kind, "mail": mail(**mail_fields), **({named: details} if details is not None else {})}


def delivery(at: str, recipient: str = "ann@example.com", **others: Any) -> Body:
    details = {"timestamp": at, "recipients": [recipient], "smtpResponse": "250 2.0.0 OK"}
    return event("Delivery", details, recipient=recipient, **others)


def bounce(
    at: str,
    kind: str = "Permanent/NoEmail",
    said: Body | None = None,
    recipient: str = "ann@example.com",
    **others: Any,
) -> Body:
    """A bounce; `said` is what the remote server said: action, status, diagnosticCode."""
    bounce_type, _, sub_type = kind.partition("/")
    details = {
        "bounceType": bounce_type,
        "bounceSubType": sub_type,
        "bouncedRecipients": [{"emailAddress": recipient, **(said or {})}],
        "timestamp": at,
        "feedbackId": f"feedback-{at}-{kind}",
    }
    return event("Bounce", details, recipient=recipient, **others)


UNKNOWN_USER: Final = {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
FULL: Final = {"action": "failed", "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 mailbox full"}
SPAM: Final = {"action": "failed", "status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 message rejected as spam"}


def complaint(at: str, kind: str | None = "abuse", recipient: str = "ann@example.com", **others: Any) -> Body:
    details = {
        "complainedRecipients": [{"emailAddress": recipient}],
        "timestamp": at,
        "feedbackId": f"complaint-{at}-{kind}",
        "complaintFeedbackType": kind,
    }
    return event("Complaint", details, recipient=recipient, **others)


def delay(at: str, recipient: str = "ann@example.com", **others: Any) -> Body:
    delayed = {"emailAddress": recipient, "status": "4.4.1", "diagnosticCode": "421 4.4.1 try again later"}
    details = {"timestamp": at, "delayType": "MailboxFull", "delayedRecipients": [delayed]}
    return event("DeliveryDelay", details, recipient=recipient, **others)


def seen(kind: str, at: str, **others: Any) -> Body:
    return event(kind, {"timestamp": at, "ipAddress": "192.0.2.1", "userAgent": "Mozilla/5.0 (X11)"}, **others)


def raw(body: Body) -> bytes:
    """As SQS holds it with raw message delivery."""
    return json.dumps(body).encode()


def by_sns(body: Body) -> bytes:
    """As SQS holds it when SNS wraps it."""
    notification = {"Type": "Notification", "MessageId": "n", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t"}
    return json.dumps(notification | {"Message": json.dumps(body), "Timestamp": "2026-03-01T00:00:01.000Z"}).encode()


def by_eventbridge(body: Body) -> bytes:
    event = {"version": "0", "id": "e", "detail-type": "Email Event", "source": "aws.ses", "account": "111122223333"}
    return json.dumps(event | {"time": "2026-03-01T00:00:01Z", "detail": body}).encode()


ENVELOPES: Final = (raw, by_sns, by_eventbridge)


def message(body: bytes, name: str = "m") -> Message:
    return Message(name, body, START, "ses")


_times: Final = st.integers(0, 9).map(lambda day: f"2026-03-{day + 2:02d}T10:00:00.000Z")
_numbers: Final = st.integers(1, 4)
_recipients: Final = st.sampled_from(["ann@example.com", "Ann <ANN@example.com>", "bob@bücher.example"])
_details: Final = st.sampled_from([None, UNKNOWN_USER, FULL, SPAM, {"action": "delayed", "status": "4.4.7"}])
_bounces: Final = st.sampled_from(
    [
        "Permanent/General",
        "Permanent/NoEmail",
        "Transient/General",
        "Transient/MailboxFull",
        "Undetermined/Undetermined",
    ]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """An event about one of few messages, in any envelope."""
    at = draw(_times)
    about: dict[str, Any] = {"recipient": draw(_recipients), "number": draw(_numbers)}
    made = [
        delivery(at, **about),
        bounce(at, draw(_bounces), draw(_details), **about),
        bounce(at, draw(_bounces), draw(_details), **about),
        complaint(at, draw(st.sampled_from(["abuse", "not-spam", "opt-out", None])), **about),
        delay(at, **about),
        seen("Open", at, **about),
        seen("Click", at, **about),
        event("Send", {}, **about),
        event("Reject", {"reason": "Bad content"}, **about),
        event("Rendering Failure", {"errorMessage": "Attribute 'name' is missing"}, **about),
        event("Something new", **about),
    ]
    return draw(st.sampled_from(ENVELOPES))(draw(st.sampled_from(made)))
