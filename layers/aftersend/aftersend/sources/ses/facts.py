"""What all events of one SES message have in common: its key, its recipients, its context, its times."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email
from aftersend.core.text import truncate, truncate_or_none
from aftersend.core.times import UNKNOWN_TIME, parse_time
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


class Facts:
    """Makes feedback about one message."""

    __slots__ = ("_context", "_message", "_sent_at", "destinations")

    def __init__(self, mail: body.Mail) -> None:
        if not mail.message_id:
            raise MalformedFeedback("ses", "mail.messageId is empty")
        self._message = "ses:" + truncate(mail.message_id, 200)
        self._context = _context(mail)
        self.destinations = _distinct(mail.destination or [])  # as SES spells them
        self._sent_at = mail.timestamp

    def about(
        self,
        recipient: str,
        kind: Kind,
        at: datetime,
        evidence: Evidence | None = None,
        engagement: Engagement | None = None,
        *,
        scope: str | None = None,
    ) -> Feedback:
        """One fact about the recipient that SES spells `recipient`."""
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

    def everyone(self, kind: Kind, evidence: Evidence | None = None) -> list[Feedback]:
        """One fact about each destination, at the time of sending: for events that have no time of their own."""
        at = self.time(None)
        return [self.about(recipient, kind, at, evidence) for recipient in self.destinations]

    def named(self, recipients: list[body.Recipient] | None) -> tuple[list[body.Recipient], bool]:
        """The recipients an event names; or all destinations, and that they are derived, where it names none."""
        named = [each for each in recipients or () if each.email_address]
        return (named, False) if named else (body.recipients(self.destinations), True)

    def time(self, own: str | None) -> datetime:
        """The event's own time, else the message's; raises ValueError where it is no time."""
        text = own or self._sent_at
        return parse_time(text) if text else UNKNOWN_TIME


def _distinct(destinations: list[str]) -> list[str]:
    """Each recipient once, in its first spelling."""
    if len(destinations) == 1 and destinations[0]:
        return destinations
    spellings: dict[str, str] = {}
    for each in destinations:
        if each:
            spellings.setdefault(canonicalize_email(each), each)
    return list(spellings.values())


def _context(mail: body.Mail) -> Context:
    """What the sender said of the message: tags and headers of their own."""
    found: dict[str, str] = {}
    for tag, values in (mail.tags or {}).items():
        if tag not in _SES_TAGS and values and values[0] and (name := _tag_name(tag)):
            found[name] = truncate(values[0], 128)
    for header in mail.headers or ():
        if name := _header_name(header.name):
            value = (header.value or "").strip()
            if value and not value.endswith(_SES_MESSAGE_ID):
                found.setdefault(name, truncate(value, 128))
    if len(found) > _MAX_CUSTOM:
        found = dict(sorted(found.items())[:_MAX_CUSTOM])
    subject = mail.common_headers.subject if mail.common_headers else None
    sender = (_sender(mail.source) or None) if mail.source else None
    return Context(sender=sender, subject=truncate_or_none(subject, 256), correlation=found)


# The same few names and senders come with every message.
@lru_cache(maxsize=256)
def _sender(source: str) -> str:
    return canonicalize_email(source).removeprefix("email:")


@lru_cache(maxsize=256)
def _tag_name(name: str) -> str:
    """The name of a tag that the sender gave, or nothing for those of SES."""
    return "" if name.startswith("ses:") else truncate(name, 64)


@lru_cache(maxsize=1024)
def _header_name(name: str) -> str:
    """The name of a header of the sender's own, X- or the Message-ID it gave, or nothing."""
    lowered = name.lower()
    custom = lowered.startswith("x-") and not lowered.startswith(_NOT_CUSTOM)
    return truncate(name, 64) if custom or lowered == "message-id" else ""
