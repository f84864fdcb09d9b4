"""What providers of text messages have in common: numbers, apps beside SMS, forms, the times of networks. Pure.

A number is a recipient of SMS. The same number in an app (WhatsApp, Viber, RCS) is another recipient, a token of that
app: whoever has no WhatsApp can be sent an SMS, and an SMS that cannot be delivered says nothing of the app (decision
40).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import UNNAMED, Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email, canonicalize_push, canonicalize_sms
from aftersend.core.text import truncate, truncate_or_none
from aftersend.core.vocabulary import Channel, Protocol
from aftersend.sources.events import Event, make_context

MAX_FIELDS: Final = 1_000  # of a form
MAX_TEXT: Final = 1_024
MAX_SENDER: Final = 128
SMS: Final = ""  # the app of a number that is reached by none
NUMBERED: Final = frozenset((SMS, "rcs", "viber", "viber_service", "whatsapp"))  # whose accounts are telephone numbers

_DIGITS: Final = frozenset("0123456789")

_encode: Final = msgspec.json.Encoder().encode


def decode_form(source: str, raw: bytes) -> Event:
    """Return the fields of a form or of a query as an event; of a name that comes twice, the first value counts.

    Raises MalformedFeedback where there are none, or more than MAX_FIELDS.
    """
    try:
        pairs = parse_qsl(raw.decode("utf-8", "replace").strip(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise MalformedFeedback(source, "more fields than any form has") from error
    if not pairs or b"=" not in raw:
        raise MalformedFeedback(source, "neither JSON nor the fields of a form")
    return dict(reversed(pairs))


def is_json(raw: bytes) -> bool:
    """Return whether a body begins as JSON does, and not as a form."""
    return raw.lstrip()[:1] in (b"{", b"[")


def canonicalize_number(number: str, app: str = SMS) -> str:
    """Return the canonical recipient of a number of SMS, or of an account in `app`; UNNAMED where there is none.

    The number is an international one: digits alone get their "+". None of E.164 begins with 0.
    """
    number = number.strip()
    if not number:
        return UNNAMED
    if app in NUMBERED and 7 <= len(number) <= 15 and number[0] != "0" and _DIGITS.issuperset(number):
        number = f"+{number}"
    return canonicalize_push(app, number) if app else canonicalize_sms(number)


def canonicalize_address(address: str, channel: Channel, app: str = SMS) -> str:
    """Return the canonical recipient of an address as a provider of several channels spells it."""
    if channel is Channel.EMAIL:
        return canonicalize_email(address) if address.strip() else UNNAMED
    return canonicalize_number(address, app)


def parse_minute(text: str) -> str:
    """Return the ISO-8601 form, in UTC, of a time that a network writes as YYMMDDhhmm or YYMMDDhhmmss.

    An empty text where it is no such time, or all zeros: then the network knew none. Source: SMPP 3.4, appendix B.
    """
    if len(text) not in (10, 12) or not _DIGITS.issuperset(text) or not text.strip("0"):
        return ""
    year, month, day, hour, minute, second = (text[at : at + 2] or "00" for at in range(0, 12, 2))
    return f"20{year}-{month}-{day}T{hour}:{minute}:{second}Z"


def make_evidence(
    provider_code: str | None, code: int | None = None, protocol: Protocol = Protocol.SMPP, text: str = ""
) -> Evidence:
    """Make the evidence of a report: the provider's word, and the code of `protocol` that goes with it."""
    return Evidence(
        code=code,
        protocol=None if code is None else protocol,
        text=truncate_or_none(text, MAX_TEXT),
        provider_code=provider_code,
    )


def make_text_context(sender: str, identifiers: Mapping[str, object]) -> Context:
    """Make what the sender said of the message; `sender` is a number or a name, and stays as it is spelled."""
    return replace(make_context(identifiers=identifiers), sender=truncate_or_none(sender.strip(), MAX_SENDER))


class TextFact(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one event, before it is a fact."""

    source: str
    message: str  # the provider's id of the message; empty where it names none
    recipient: str  # canonical, or UNNAMED
    spelled: str  # the recipient, as the provider spells it
    at: datetime
    context: Context

    def build(
        self, kind: Kind, evidence: Evidence | None = None, engagement: Engagement | None = None
    ) -> list[Feedback]:
        """Return the fact; none where the event is about no message and nobody."""
        if not self.message and self.recipient == UNNAMED:
            return []
        given = truncate(self.spelled, MAX_RECIPIENT_BYTES)
        same = self.recipient == UNNAMED or self.recipient.partition(":")[2] == given
        message = truncate(self.message, MAX_ID) or self._digest(kind, evidence)
        return [
            Feedback(
                source=self.source,
                kind=kind,
                message=f"{self.source}:{message}",
                recipient=self.recipient,
                occurred_at=self.at,
                received_as=None if same else given,
                evidence=evidence,
                engagement=engagement,
                context=self.context,
            )
        ]

    def _digest(self, kind: Kind, evidence: Evidence | None) -> str:
        """Of what is the same whenever the event is repeated."""
        said = (evidence.provider_code, evidence.code) if evidence is not None else None
        return blake2b(_encode((kind, self.recipient, self.at, said)), digest_size=10).hexdigest()
