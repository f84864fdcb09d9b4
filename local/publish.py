"""Sends the samples where a source sends them.

Where the template has topics for a source, a body goes to the one for its type, an event of EventBridge to the bus, and
what SNS has wrapped lies in a queue. A mail goes into the bucket that Amazon SES puts mails into, and a notification of
it to the topic. All other sources push, and what nobody pushes comes as if it had been polled.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any, Final

from aftersend.sources import SOURCES
from aftersend.storage.queue import OutgoingMessage, QueueSender
from local.pushes import Pushed, Pusher
from local.samples import Sample
from local.stack import Stack
from local.template import Json

REPEATS: Final = 0.3  # of the samples come a second time, as SNS and SQS allow themselves

_ACCEPTED: Final = (200, 202, 204)

# Which topic takes which type: the one whose name in the template holds this word, and another for all others.
_TOPICS: Final = {"Bounce": "bounce", "Complaint": "complaint"}


def shuffled(chosen: Sequence[Sample], seed: int) -> list[Sample]:
    """The samples in an order that only `seed` decides, with about 30 % of them twice."""
    dice = random.Random(seed)  # noqa: S311  # an order to show, not a secret
    arrivals = [*chosen, *dice.sample(chosen, math.ceil(len(chosen) * REPEATS))]
    dice.shuffle(arrivals)
    return arrivals


class Publisher:
    """Sends bodies into a stack, each by the way on which its source would send it."""

    def __init__(self, stack: Stack, pusher: Pusher) -> None:
        self._pusher = pusher
        self._topics = {name.lower(): arn for name, arn in stack.physical_ids("AWS::SNS::Topic").items()}
        self._subscribed = {each["TopicArn"] for each in stack.resources("AWS::SNS::Subscription").values()}
        self._sns, self._sqs, self._events = (stack.client(name) for name in ("sns", "sqs", "events"))
        queues = stack.physical_ids("AWS::SQS::Queue")
        self._queue, self._polled = queues["SesEventsQueue"], QueueSender(self._sqs, queues["FeedbackQueue"])
        self._mails = stack.physical_ids("AWS::S3::Bucket")["InboundMail"]
        self._s3 = stack.client("s3")

    def reaches(self, source: str) -> bool:
        """Return whether samples of this source can be sent: over topics of the template, or as pushes."""
        return bool(SOURCES[source].proofs) or bool(self._topics_of(source))

    def send(self, samples: Sequence[Sample]) -> None:
        """Send every sample, in this order; raises RuntimeError where a webhook does not take one."""
        for sample in samples:
            if self._topics_of(sample.source):
                self._hand_over(sample, sample.body())
            else:
                pushed = self._push(sample)
                if pushed is not None and pushed.status not in _ACCEPTED:
                    raise RuntimeError(f"{sample.name}: the webhook answered {pushed.status}")

    def push(self, sample: Sample) -> tuple[int, str]:
        """Send one sample by a signed push where its source has such; return the status, and what was done."""
        pushed = self._pusher.push(sample)
        if pushed is not None:
            return pushed.status, f"pushed with the proof {pushed.scheme!r}"
        if self._topics_of(sample.source):
            self._hand_over(sample, sample.body())
            return 202, "put into the bucket for mail" if sample.source == "report" else "published to its topic"
        self._poll(sample)
        return 202, "put into the feedback queue, as if it had been polled"

    def _push(self, sample: Sample) -> Pushed | None:
        pushed = self._pusher.push(sample)
        if pushed is None:  # webhooks let no such body in; out of a queue that is polled comes anything
            self._poll(sample)
        return pushed

    def _poll(self, sample: Sample) -> None:
        self._polled.send([OutgoingMessage(sample.source, sample.body(), dict(sample.headers))])

    def _hand_over(self, sample: Sample, body: bytes) -> None:
        if sample.source == "report" and not body.lstrip().startswith(b"{"):
            body = self._delivered(sample, body)
        self._send(sample.source, body.decode())

    def _delivered(self, sample: Sample, mail: bytes) -> bytes:
        """Put a mail where the receipt rule of the template puts it; the notification of it."""
        key = f"mail/{sample.path.stem}"
        self._s3.put_object(Bucket=self._mails, Key=key, Body=mail)
        action = {"type": "S3", "bucketName": self._mails, "objectKey": key}
        notification = {"notificationType": "Received", "mail": {"messageId": sample.path.stem}}
        return json.dumps(notification | {"receipt": {"action": action}}).encode()

    def _send(self, source: str, body: str) -> None:
        found = _object(body)
        if "TopicArn" in found:  # as it lies in a queue that is not subscribed raw
            self._sqs.send_message(QueueUrl=self._queue, MessageBody=body)
        elif "detail-type" in found:
            self._events.put_events(Entries=[_entry(found)])
        else:
            type_ = str(found.get("eventType") or found.get("notificationType"))
            self._sns.publish(TopicArn=self._topic(source, type_), Message=body)

    def _topic(self, source: str, type_: str) -> str:
        """The topic of this source for this type, by the words of its name in the template."""
        wanted = _TOPICS.get(type_)
        for name, arn in self._topics_of(source).items():
            if (wanted in name) if wanted else not any(word in name for word in _TOPICS.values()):
                return arn
        raise LookupError(f"the template has no topic of {source!r} for {wanted or 'other events'}")

    def _topics_of(self, source: str) -> dict[str, str]:
        """The topics whose name in the template begins with the name of the source, and that somebody listens to."""
        return {name: arn for name, arn in self._topics.items() if name.startswith(source) and arn in self._subscribed}


def _object(body: str) -> Json:
    """The JSON object in a body, or an empty one: malformed bodies are sent too."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _entry(event: Json) -> Json:
    """An EventBridge event as its source puts it on the bus."""
    return {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"], ensure_ascii=False),
        "Resources": event["resources"],
        "Time": event["time"],
    }
