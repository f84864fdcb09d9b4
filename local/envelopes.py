"""Lambda's envelopes around a source's bodies, as AWS hands them to a function. Pure: the same in, the same out.

    SQS holding the raw body · SQS holding an SNS notification · SQS holding an EventBridge event
    SNS to the function directly · EventBridge to the function directly

`python -m local.envelopes` writes those in `events/invoke/`, for `sam local invoke -e`; a test says when they are old.

Sources: AWS Lambda developer guide, "Using Lambda with Amazon SQS" and "… with Amazon SNS"; SNS developer guide,
message and JSON formats; EventBridge reference, event structure.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from local.samples import EVENTS

Event = dict[str, Any]

REGION: Final = "eu-west-1"
ACCOUNT: Final = "111122223333"
TAKEN_AT: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)  # when a queue, a topic or a bus took the body

# SES's event type -> EventBridge's detail-type.
DETAIL_TYPES: Final = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}


def sqs(bodies: Iterable[str], at: datetime = TAKEN_AT, queue: str = "aftersend-SesEventsQueue") -> Event:
    """A batch of a queue that holds `bodies`; the same body in another place has another id."""
    return {"Records": [_sqs_record(body, place, at, queue) for place, body in enumerate(bodies)]}


def sqs_of_sns(bodies: Iterable[str], at: datetime = TAKEN_AT) -> Event:
    """A batch of a queue that subscribes to a topic without raw delivery."""
    return sqs((json.dumps(notification(body, at)) for body in bodies), at)


def sqs_of_eventbridge(bodies: Iterable[str], at: datetime = TAKEN_AT) -> Event:
    """A batch of a queue that is the target of an EventBridge rule."""
    return sqs((json.dumps(eventbridge(body, at)) for body in bodies), at)


def sns(body: str, at: datetime = TAKEN_AT) -> Event:
    """What a function gets that subscribes to a topic: always one notification."""
    notice = notification(body, at)
    notice["SigningCertUrl"] = notice.pop("SigningCertURL")  # Lambda spells these two in its own way
    notice["UnsubscribeUrl"] = notice.pop("UnsubscribeURL")
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{notice['TopicArn']}:{_id('subscription')}",
        "Sns": notice | {"MessageAttributes": {}},
    }
    return {"Records": [record]}


def eventbridge(body: str, at: datetime = TAKEN_AT) -> Event:
    """The event around a body of SES event publishing; this is also what a function gets that is a rule's target."""
    detail = json.loads(body)
    return {
        "version": "0",
        "id": _id(body),
        "detail-type": DETAIL_TYPES[detail["eventType"]],
        "source": "aws.ses",
        "account": ACCOUNT,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/letters"],
        "detail": detail,
    }


def notification(body: str, at: datetime = TAKEN_AT, topic: str = "aftersend-SesEventsTopic") -> Event:
    """What SNS puts around a body where raw delivery is off."""
    host = f"https://sns.{REGION}.amazonaws.com"
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}"
    return {
        "Type": "Notification",
        "MessageId": _id(body),
        "TopicArn": arn,
        "Subject": "Amazon SES Email Event Notification",
        "Message": body,
        "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
        "Signature": "c2lnbmF0dXJlIG9mIGEgc2FtcGxl",
        "SigningCertURL": f"{host}/SimpleNotificationService-{hashlib.sha256(b'sample').hexdigest()[:32]}.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={arn}:{_id('subscription')}",
    }


def _sqs_record(body: str, place: int, at: datetime, queue: str) -> Event:
    sent = str(int(at.timestamp() * 1000) + place)
    return {
        "messageId": _id(f"{place} {body}"),
        "receiptHandle": hashlib.sha256(body.encode()).hexdigest(),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDAISENDEROFASAMPLE",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "awsRegion": REGION,
    }


def _id(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


# ---- The files in events/invoke --------------------------------------------------------------------------------------

OOTO: Final = ("story-ooto.1-delivery.json", "story-ooto.2-bounce.json")
LIFE: Final = ("story-life.1-send.json", "story-life.3-delivery.json", "story-life.7-complaint.json")
MALFORMED: Final = ("delivery.json", "malformed-truncated.txt", "bounce-permanent-noemail.json")

# File -> the envelope, and the samples of SES in it.
INVOCATIONS: Final[dict[str, tuple[Callable[[list[str]], Event], tuple[str, ...]]]] = {
    "ses-sqs-raw.json": (sqs, OOTO),
    "ses-sqs-sns.json": (sqs_of_sns, LIFE),
    "ses-sqs-eventbridge.json": (sqs_of_eventbridge, LIFE),
    "ses-sqs-malformed.json": (sqs, MALFORMED),
    "ses-sns.json": (lambda bodies: sns(bodies[0]), ("complaint-abuse.json",)),
    "ses-eventbridge.json": (lambda bodies: eventbridge(bodies[0]), ("bounce-permanent-noemail.json",)),
}


def rendered(name: str) -> str:
    """The text of one file in `events/invoke/`."""
    wrap, cases = INVOCATIONS[name]
    bodies = [(EVENTS / "ses" / case).read_text() for case in cases]
    return json.dumps(wrap(bodies), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in INVOCATIONS:
        (EVENTS / "invoke" / name).write_text(rendered(name))
