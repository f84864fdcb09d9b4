"""Build feedback of SES events: what all events of one message share is its key, recipients, context and times."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final

from aftersend.core import times
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email
from aftersend.core.text import truncate, truncate_or_none
from aftersend.core.times import UNKNOWN_TIME
from aftersend.sources.ses import body

# Headers that mailing software adds by itself: they identify nothing.
_NOT_CUSTOM: Final = ("x-ses-", "x-mailer", "x-priority", "x-msmail", "x-mimeole", "x-originating", "x-received")
_SES_MESSAGE_ID: Final = "amazonses.com>"  # says no more than the key does
# Tags that SES adds by itself: these to every message, and others of the same prefix.
_SES_TAGS: Final = frozenset(
    f"ses:{name}"
    for name in ("caller-identity", "configuration-set", "from-domain", "operation", "outgoing-ip", "source-ip")
)
_MAX_CUSTOM: Final = 16
_LIST_HEADER: Final = "x-ses-list-management-options"


class FeedbackBuilder:
    """Builds the feedback about one message."""

    __slots__ = ("_context", "_headers", "_message", "_sent_at", "destinations")

    def __init__(self, mail: body.Mail) -> None:
        if not mail.message_id:
            raise MalformedFeedback("ses", "mail.messageId is empty")
        self._message = "ses:" + truncate(mail.message_id, 200)
        self._context = _build_context(mail)
        self.destinations = _deduplicate(mail.destination or [])  # as SES spells them
        self._headers = mail.headers or []
        self._sent_at = mail.timestamp

    def build(
        self,
        recipient: str,
        kind: Kind,
        at: datetime,
        evidence: Evidence | None = None,
        engagement: Engagement | None = None,
        *,
        scope: str | None = None,
    ) -> Feedback:
        """Return one fact about the recipient that SES spells `recipient`; `at` is UTC."""
        canonical = canonicalize_email(recipient)
        return Feedback(
            source="ses",
            kind=kind,
            message=self._message,
            recipient=canonical,
            occurred_at=at,
            received_as=None if canonical == "email:" + recipient else truncate(recipient, MAX_RECIPIENT_BYTES),
            scope=scope,
            evidence=evidence,
            engagement=engagement,
            context=self._context,
        )

    def read_stream(self) -> str | None:
        """Return the contact list that the message was sent to, or its topic ("list/topic"); None where none is named.

        SES developer guide, "list management": X-SES-LIST-MANAGEMENT-OPTIONS: <list>; topic=<topic>.
        """
        for header in self._headers:
            if header.name.lower() == _LIST_HEADER:
                contact_list, _, options = (header.value or "").partition(";")
                name, _, topic = options.partition("=")
                parts = (contact_list.strip(), topic.strip() if name.strip().lower() == "topic" else "")
                return "/".join(truncate(part, 64) for part in parts if part) or None
        return None

    def build_for_all(self, kind: Kind, evidence: Evidence | None = None) -> list[Feedback]:
        """Return one fact about each destination, at the time of sending: for events without a time of their own."""
        at = self.parse_time(None)
        return [self.build(recipient, kind, at, evidence) for recipient in self.destinations]

    def list_recipients(self, recipients: list[body.Recipient] | None) -> tuple[list[body.Recipient], bool]:
        """Return the recipients an event names; where it names none, all destinations, and True: they are derived."""
        named = [each for each in recipients or () if each.email_address]
        return (named, False) if named else (body.make_recipients(self.destinations), True)

    def parse_time(self, own: str | None) -> datetime:
        """Return the event's own time, else the message's (UTC); raise ValueError where it is no time."""
        text = own or self._sent_at
        return times.parse_time(text) if text else UNKNOWN_TIME


def _deduplicate(destinations: list[str]) -> list[str]:
    """Each recipient once, in its first spelling."""
    if len(destinations) == 1 and destinations[0]:
        return destinations
    spellings: dict[str, str] = {}
    for each in destinations:
        if each:
            spellings.setdefault(canonicalize_email(each), each)
    return list(spellings.values())


def _build_context(mail: body.Mail) -> Context:
    """What the sender said of the message: tags and headers of their own."""
    found: dict[str, str] = {}
    for tag, values in (mail.tags or {}).items():
        if tag not in _SES_TAGS and values and values[0] and (name := _read_tag_name(tag)):
            found[name] = truncate(values[0], 128)
    for header in mail.headers or ():
        if name := _read_header_name(header.name):
            value = (header.value or "").strip()
            if value and not value.endswith(_SES_MESSAGE_ID):
                found.setdefault(name, truncate(value, 128))
    if len(found) > _MAX_CUSTOM:
        found = dict(sorted(found.items())[:_MAX_CUSTOM])
    subject = mail.common_headers.subject if mail.common_headers else None
    sender = (_read_sender(mail.source) or None) if mail.source else None
    return Context(sender=sender, subject=truncate_or_none(subject, 256), correlation=found)


# The same few names and senders come with every message.
@lru_cache(maxsize=256)
def _read_sender(source: str) -> str:
    return canonicalize_email(source).removeprefix("email:")


@lru_cache(maxsize=256)
def _read_tag_name(name: str) -> str:
    """The name of a tag that the sender gave, or nothing for those of SES."""
    return "" if name.startswith("ses:") else truncate(name, 64)


@lru_cache(maxsize=1024)
def _read_header_name(name: str) -> str:
    """The name of a header of the sender's own, X- or the Message-ID it gave, or nothing."""
    lowered = name.lower()
    custom = lowered.startswith("x-") and not lowered.startswith(_NOT_CUSTOM)
    return truncate(name, 64) if custom or lowered == "message-id" else ""
