"""Amazon SES notifications as a campaign brings them: all feedback of a message, in SNS envelopes, every body distinct.

Made up here, in the shape of the SES developer guide. Nineteen messages in twenty are delivered, opened and clicked;
the rest bounce after delays or are complained about. One message in five is reported by identity notifications, which
have no tags and only what SES says itself.
"""

from __future__ import annotations

import itertools
import json
import random
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

Event = dict[str, Any]

REFUSED: Final = 0.05  # of all messages: Amazon SES reviews an account that bounces more
COMPLAINED: Final = 0.055  # up to here, from where the refused ones end

DELIVERED: Final = 1.0  # the fate of a message that is opened and clicked

_START: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
_TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:feedback"
_SNS: Final = "https://sns.eu-west-1.amazonaws.com"
_MTA: Final = "a8-53.smtp-out.eu-west-1.amazonses.com"
_DOMAINS: Final = ("example.net", "mail.example.org", "post.example.com", "corp.example.co.uk")
_HARD: Final = (
    ("550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table {token}", "5.1.1"),
    ("550-5.1.1 The account {to} does not exist here. {token} - ex", "5.1.1"),
    ("554 5.7.1 Service unavailable; client host [198.51.100.7] blocked using a list, ref {token}", "5.7.1"),
)
_SOFT: Final = (
    ("452 4.2.2 The mailbox of {to} is over its quota. Please try again later. {token} - ex", "4.2.2"),
    ("451 4.3.0 Temporary server error. Please try again later {token}", "4.3.0"),
)
_AGENTS: Final = (
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)


class Message:
    """One message to one recipient, and what SES reports of it."""

    def __init__(self, number: int, rng: random.Random, fate: float | None = None) -> None:
        self._rng = rng
        self._fate = rng.random() if fate is None else fate
        self.id = f"0102{rng.getrandbits(48):012x}-{UUID(int=rng.getrandbits(128))}-000000"
        self.to = f"reader{number}.{rng.getrandbits(24):06x}@{rng.choice(_DOMAINS)}"
        self.sent_at = _START + timedelta(milliseconds=20 * number)
        self._campaign = f"spring-{number % 7}"
        self._identity = number % 5 == 0

    def events(self, length: int) -> Iterator[tuple[float, bytes]]:
        """The first `length` things that are reported, as (seconds after sending, body)."""
        for passed, kind, event in self._notify(length):
            yield passed, self._envelope(kind, event, self.sent_at + timedelta(seconds=passed + 0.4))

    def _notify(self, length: int) -> Iterator[tuple[float, str, Event]]:
        yield 0, "Send", {"send": {}}
        if self._fate < REFUSED:
            return (yield from self._refused(length - 1))
        if length > 1:
            yield self._delivered()
        if self._fate < COMPLAINED and length > 2:
            yield self._complained()
            length -= 1
        passed = self._rng.uniform(60, 40_000)
        for place in range(length - 2):
            yield self._seen("Click" if place % 2 else "Open", passed)
            passed += self._rng.uniform(3, 40) if place % 2 == 0 else self._rng.uniform(60, 40_000)
        return None

    def _refused(self, length: int) -> Iterator[tuple[float, str, Event]]:
        for attempt in range(1, length):
            yield self._delayed(attempt * 900.0)
        if length > 0:
            yield self._bounced(length * 900.0)

    def _delivered(self) -> tuple[float, str, Event]:
        passed = self._rng.uniform(0.6, 4)
        delivery = {
            "timestamp": self._at(passed),
            "processingTimeMillis": int(passed * 1000),
            "recipients": [self.to],
            "smtpResponse": f"250 2.0.0 OK {self._token()} - ex",
            "reportingMTA": _MTA,
            "remoteMtaIp": "192.0.2.10",
        }
        return passed, "Delivery", {"delivery": delivery}

    def _bounced(self, passed: float) -> tuple[float, str, Event]:
        hard = self._rng.random() < 0.6
        text, status = self._rng.choice(_HARD if hard else _SOFT)
        recipient = {
            "emailAddress": self.to,
            "action": "failed",
            "status": status,
            "diagnosticCode": "smtp; " + text.format(to=self.to, token=self._token()),
        }
        bounce = {
            "feedbackId": f"0102{self._token()}-000000",
            "bounceType": "Permanent" if hard else "Transient",
            "bounceSubType": "General" if hard else "MailboxFull",
            "bouncedRecipients": [recipient],
            "timestamp": self._at(passed),
            "reportingMTA": f"dns; {_MTA}",
        }
        return passed, "Bounce", {"bounce": bounce}

    def _delayed(self, passed: float) -> tuple[float, str, Event]:
        text, status = self._rng.choice(_SOFT)
        diagnostic = "smtp; " + text.format(to=self.to, token=self._token())
        delay = {
            "timestamp": self._at(passed),
            "delayType": "TransientCommunicationFailure",
            "expirationTime": self._at(50_400),
            "delayedRecipients": [{"emailAddress": self.to, "status": status, "diagnosticCode": diagnostic}],
        }
        return passed, "DeliveryDelay", {"deliveryDelay": delay}

    def _complained(self) -> tuple[float, str, Event]:
        passed = self._rng.uniform(600, 90_000)
        complaint = {
            "complainedRecipients": [{"emailAddress": self.to}],
            "timestamp": self._at(passed),
            "feedbackId": f"0102{self._token()}-000000",
            "complaintSubType": None,
            "userAgent": "ExampleLoop/1.0",
            "complaintFeedbackType": "abuse",
            "arrivalDate": self._at(passed - 30),
        }
        return passed, "Complaint", {"complaint": complaint}

    def _seen(self, kind: str, passed: float) -> tuple[float, str, Event]:
        seen: Event = {
            "ipAddress": f"203.0.113.{self._rng.randrange(1, 255)}",
            "timestamp": self._at(passed),
            "userAgent": self._rng.choice(_AGENTS),
        }
        if kind == "Click":
            seen |= {"link": f"https://shop.example.com/{self._campaign}?item={self._rng.randrange(40)}"}
            seen |= {"linkTags": None}
        return passed, kind, {kind.lower(): seen}

    def _envelope(self, kind: str, event: Event, now: datetime) -> bytes:
        identity = self._identity and kind in ("Bounce", "Complaint", "Delivery")
        body = {"notificationType" if identity else "eventType": kind, "mail": self._mail(identity)} | event
        notice = {
            "Type": "Notification",
            "MessageId": f"{self._token()}-5a2c-472c-8df2-{self._token()}",
            "TopicArn": _TOPIC,
            "Subject": "Amazon SES Email Event Notification",
            "Message": json.dumps(body, separators=(",", ":")),
            "Timestamp": _iso(now),
            "SignatureVersion": "1",
            "Signature": b64encode(self._rng.randbytes(256)).decode(),
            "SigningCertURL": f"{_SNS}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
            "UnsubscribeURL": f"{_SNS}/?Action=Unsubscribe&SubscriptionArn={_TOPIC}:5f0c",
        }
        return json.dumps(notice).encode()

    def _mail(self, identity: bool) -> Event:
        mail = {
            "timestamp": self._at(0),
            "source": "Spring News <news@example.com>",
            "sourceArn": "arn:aws:ses:eu-west-1:111122223333:identity/example.com",
            "sendingAccountId": "111122223333",
            "messageId": self.id,
            "destination": [self.to],
        }
        if identity:
            return mail | {"sourceIp": "198.51.100.7", "callerIdentity": "mailer"}
        headers = {
            "From": "Spring News <news@example.com>",
            "To": self.to,
            "Subject": "What is new this spring",
            "MIME-Version": "1.0",
            "Content-Type": 'multipart/alternative; boundary="----=_Part_0_1"',
            "List-Unsubscribe": f"<https://shop.example.com/leave?who={self._campaign}>",
            "X-Campaign": self._campaign,
        }
        tags = {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": ["main"],
            "ses:source-ip": ["198.51.100.7"],
            "ses:from-domain": ["example.com"],
            "ses:caller-identity": ["mailer"],
            "campaign": [self._campaign],
        }
        common = {"from": [headers["From"]], "to": [self.to], "messageId": self.id, "subject": headers["Subject"]}
        named = [{"name": name, "value": value} for name, value in headers.items()]
        return mail | {"headersTruncated": False, "headers": named, "commonHeaders": common, "tags": tags}

    def _at(self, passed: float) -> str:
        return _iso(self.sent_at + timedelta(seconds=passed))

    def _token(self) -> str:
        return f"{self._rng.getrandbits(48):012x}"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# How to come by the rarer kinds without making the others first.
_FATES: Final = {"Bounce": 0.0, "DeliveryDelay": 0.0, "Complaint": 0.052, "Open": DELIVERED, "Click": DELIVERED}


def mix(count: int, seed: int, kind: str = "") -> list[bytes]:
    """`count` distinct bodies of all kinds or of one, shuffled; another seed gives entirely other ones."""
    rng, bodies, fate = random.Random(seed), list[bytes](), _FATES.get(kind)
    wanted = f'Type\\":\\"{kind}\\"'.encode() if kind else b"Type"
    for number in itertools.count():
        bodies += [body for _, body in Message(number, rng, fate).events(4) if wanted in body]
        if len(bodies) >= count:
            break
    rng.shuffle(bodies)
    return bodies[:count]
