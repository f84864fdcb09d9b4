"""The notification of Amazon SES that carries a received mail (SES developer guide, "notification contents")."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.sources.report.decode import decode_base64


class _Action(Struct):
    encoding: str | None = None


class _Receipt(Struct):
    action: _Action | None = None
    recipients: list[str] = []


class _Notification(Struct):
    type: str | None = field(name="notificationType", default=None)
    receipt: _Receipt | None = None
    content: str | None = None


_decode: Final = msgspec.json.Decoder(_Notification).decode

SET_UP: Final = "AmazonSnsSubscriptionSucceeded"


class ReceivedMail(NamedTuple):
    """A mail, and whom its envelope named."""

    content: bytes
    recipients: list[str]


def read_notification(raw: bytes) -> ReceivedMail | None:
    """Return the mail in the notification, None where it only sets up a topic. Raise MalformedFeedback for others."""
    try:
        notification = _decode(raw)
    except DECODE_ERRORS as error:
        raise MalformedFeedback("report", "neither a mail nor a notification of Amazon SES") from error
    if notification.type == SET_UP:
        return None
    if notification.type != "Received" or notification.content is None:
        raise MalformedFeedback("report", "the notification carries no mail: only the SNS action puts it inside")
    receipt = notification.receipt or _Receipt()
    encoding = (receipt.action and receipt.action.encoding) or ""
    text = notification.content.encode("utf-8", "surrogatepass")
    return ReceivedMail(decode_base64(text) if encoding.upper() == "BASE64" else text, receipt.recipients)
