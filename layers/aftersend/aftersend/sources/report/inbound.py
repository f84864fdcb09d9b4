"""The notification of Amazon SES that carries a received mail (SES developer guide, "notification contents")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.sources.report.decode import decode_base64


class _Action(Struct):
    encoding: str | None = None


class _Check(Struct):
    status: str | None = None


class _Receipt(Struct):
    action: _Action | None = None
    recipients: list[str] = []
    spf: _Check | None = field(name="spfVerdict", default=None)
    dkim: _Check | None = field(name="dkimVerdict", default=None)
    dmarc: _Check | None = field(name="dmarcVerdict", default=None)
    spam: _Check | None = field(name="spamVerdict", default=None)
    virus: _Check | None = field(name="virusVerdict", default=None)


class _Notification(Struct):
    type: str | None = field(name="notificationType", default=None)
    receipt: _Receipt | None = None
    content: str | None = None


_decode: Final = msgspec.json.Decoder(_Notification).decode

SET_UP: Final = "AmazonSnsSubscriptionSucceeded"


class ReceivedMail(NamedTuple):
    """A mail, whom its envelope named, and what Amazon SES found when it took the mail ("pass", "fail", "gray" …)."""

    content: bytes
    recipients: Sequence[str] = ()
    checks: Mapping[str, str] = MappingProxyType({})

    @property
    def is_authenticated(self) -> bool:
        """Whether the domain that sent the mail stands by it, as far as anybody looked."""
        if not self.checks:
            return True
        return "pass" in (self.checks.get("spf"), self.checks.get("dkim")) and self.checks.get("dmarc") != "fail"


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
    content = decode_base64(text) if encoding.upper() == "BASE64" else text
    return ReceivedMail(content, receipt.recipients, _list_checks(receipt))


def _list_checks(receipt: _Receipt) -> dict[str, str]:
    found = {name: getattr(receipt, name) for name in ("spf", "dkim", "dmarc", "spam", "virus")}
    return {name: check.status.lower()[:16] for name, check in found.items() if check and check.status}
