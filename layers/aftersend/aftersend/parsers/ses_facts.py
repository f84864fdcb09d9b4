"""What all events of one SES message have in common: its key, its recipients, its context, its times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from aftersend import address
from aftersend.errors import MalformedFeedback
from aftersend.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.parsers import ses_body as body
from aftersend.text import cut, cut_or_none
from aftersend.times import UNKNOWN, instant

# Headers that mailing software adds by itself: they identify nothing.
_NOT_CUSTOM: Final = ("x-ses-", "x-mailer", "x-priority", "x-msmail", "x-mimeole", "x-originating", "x-received")
_SES_MESSAGE_ID: Final = "amazonses.com>"  # says no more than the key does
_MAX_CUSTOM: Final = 16


class Facts:
    """Makes feedback about one message."""

    def __init__(self, mail: body.Mail) -> None:
        if not mail.message_id:
            raise MalformedFeedback("ses", "mail.messageId is empty")
        self._mail = mail
        self._message = "ses:" + cut(mail.message_id, 200)
        self._context = _context(mail)
        self._destinations = _distinct(mail.destination or ())

    def about(
        self,
        recipient: str,
        kind: Kind,
        at: datetime,
        evidence: Evidence | None = None,
        *,
        engagement: Engagement | None = None,
        scope: str | None = None,
    ) -> Feedback:
        """One fact about the recipient that SES spells `recipient`."""
        canonical = address.email(recipient)
        return Feedback(
            source="ses",
            kind=kind,
            message=self._message,
            recipient=canonical,
            occurred_at=at,
            received_as=None if canonical == f"email:{recipient}" else cut(recipient, address.MAX_BYTES),
            scope=scope,
            evidence=evidence,
            engagement=engagement,
            context=self._context,
        )

    def everyone(self, kind: Kind, evidence: Evidence | None) -> Iterator[Feedback]:
        """One fact about each destination, at the time of sending: for events that have no time of their own."""
        at = self.time(None)
        for recipient in self._destinations:
            yield self.about(recipient, kind, at, evidence)

    def named(self, recipients: list[body.Recipient] | None) -> list[tuple[body.Recipient, bool]]:
        """The recipients an event names, or all destinations, marked as derived, where it names none."""
        named = [(recipient, False) for recipient in recipients or () if recipient.email_address]
        return named or [(body.Recipient(email_address=each), True) for each in self._destinations]

    def time(self, own: str | None) -> datetime:
        """The event's own time, else the message's; raises ValueError where it is no time."""
        text = own or self._mail.timestamp
        return instant(text) if text else UNKNOWN

    @property
    def only_destination(self) -> str | None:
        """The one recipient of the message, where it had one."""
        return self._destinations[0] if len(self._destinations) == 1 else None


def _distinct(destinations: Sequence[str]) -> list[str]:
    """Each recipient once, in its first spelling."""
    if len(destinations) == 1 and destinations[0]:
        return list(destinations)
    spellings: dict[str, str] = {}
    for each in destinations:
        if each:
            spellings.setdefault(address.email(each), each)
    return list(spellings.values())


def _context(mail: body.Mail) -> Context | None:
    """What the sender said of the message: tags and headers of their own."""
    tags, headers = mail.tags or {}, mail.headers or ()
    found = {name: cut(values[0], 128) for tag, values in tags.items() if (name := _tag_name(tag)) and values}
    for header in headers:
        if (name := _header_name(header.name)) and header.value and not header.value.endswith(_SES_MESSAGE_ID):
            found.setdefault(name, cut(header.value.strip(), 128))
    found = {name: value for name, value in found.items() if value}
    if len(found) > _MAX_CUSTOM:
        found = dict(sorted(found.items())[:_MAX_CUSTOM])
    subject = mail.common_headers.subject if mail.common_headers else None
    sender = (_sender(mail.source) or None) if mail.source else None
    return Context(sender=sender, subject=cut_or_none(subject, 256), correlation=found)


# The same few names and senders come with every message.
@lru_cache(maxsize=256)
def _sender(source: str) -> str:
    return address.email(source).removeprefix("email:")


@lru_cache(maxsize=256)
def _tag_name(name: str) -> str:
    """The name of a tag that the sender gave, or nothing for those that SES adds by itself."""
    return "" if name.startswith("ses:") else cut(name, 64)


@lru_cache(maxsize=1024)
def _header_name(name: str) -> str:
    """The name of a header of the sender's own, X- or the Message-ID it gave, or nothing."""
    lowered = name.lower()
    custom = lowered.startswith("x-") and not lowered.startswith(_NOT_CUSTOM)
    return cut(name, 64) if custom or lowered == "message-id" else ""
