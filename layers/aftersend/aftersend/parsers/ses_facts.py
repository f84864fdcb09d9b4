"""What all events of one SES message have in common: its key, its recipients, its context, its times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from aftersend import address
from aftersend.errors import MalformedFeedback
from aftersend.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.parsers import ses_body as body
from aftersend.text import cut, cut_or_none
from aftersend.times import UNKNOWN, instant

# Headers that mailing software adds by itself: they identify nothing.
_NOT_CUSTOM: Final = ("x-ses-", "x-mailer", "x-priority", "x-msmail", "x-mimeole", "x-originating", "x-received")
_MAX_CUSTOM: Final = 16


class Facts:
    """Makes feedback about one message."""

    def __init__(self, mail: body.Mail) -> None:
        if not mail.message_id:
            raise MalformedFeedback("ses", "mail.messageId is empty")
        self._mail = mail
        self._message = "ses:" + cut(mail.message_id, 200)
        self._context = _context(mail)

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
        for recipient in self._destinations():
            yield self.about(recipient, kind, at, evidence)

    def named(self, recipients: list[body.Recipient] | None) -> Iterator[tuple[body.Recipient, bool]]:
        """The recipients an event names, or all destinations, marked as derived, where it names none."""
        named = [recipient for recipient in recipients or () if recipient.email_address]
        if named:
            yield from ((recipient, False) for recipient in named)
        else:
            yield from ((body.Recipient(email_address=each), True) for each in self._destinations())

    def time(self, own: str | None) -> datetime:
        """The event's own time, else the message's; raises ValueError where it is no time."""
        text = own or self._mail.timestamp
        return instant(text) if text else UNKNOWN

    @property
    def only_destination(self) -> str | None:
        """The one recipient of the message, where it had one."""
        destinations = self._destinations()
        return destinations[0] if len(destinations) == 1 else None

    def _destinations(self) -> list[str]:
        return list(dict.fromkeys(each for each in self._mail.destination or () if each))


def _context(mail: body.Mail) -> Context | None:
    """What the sender said of the message: tags and headers of their own."""
    found: dict[str, str] = {}
    for name, values in (mail.tags or {}).items():
        if values and not name.startswith("ses:"):
            found[cut(name, 64)] = cut(values[0], 128)
    for header in mail.headers or ():
        if header.value and _is_custom(header):
            found.setdefault(cut(header.name, 64), cut(header.value.strip(), 128))
    if len(found) > _MAX_CUSTOM:
        found = dict(sorted(found.items())[:_MAX_CUSTOM])
    subject = mail.common_headers.subject if mail.common_headers else None
    sender = address.email(mail.source).removeprefix("email:") if mail.source else None
    return Context(sender=sender, subject=cut_or_none(subject, 256), correlation=found)


def _is_custom(header: body.Header) -> bool:
    """X- headers of the sender's, and the Message-ID it gave where SES has not replaced it."""
    name = header.name[:64].lower()
    if name == "message-id":
        return "amazonses.com" not in (header.value or "")
    return name.startswith("x-") and not name.startswith(_NOT_CUSTOM)
