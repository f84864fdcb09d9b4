"""A mail as it was read, before it becomes feedback."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from aftersend.core.model import Kind
from aftersend.sources.report.mime import Headers


class MailType(StrEnum):
    """What a mail is, whomever it names."""

    BOUNCE = "bounce"  # a delivery status notification of any outcome, or a notice in a mail system's own words
    COMPLAINT = "complaint"  # a feedback-loop report of any feedback type
    AUTO_REPLY = "auto_reply"
    NONE = "none"


class RecipientReport(Struct, kw_only=True):
    """One recipient and what became of the message, in the words of the report."""

    recipient: str
    kind: Kind = Kind.BOUNCED
    original_recipient: str | None = None  # Original-Recipient, where it is another address
    action: str | None = None
    status: str | None = None
    text: str | None = None
    surrounding_text: str | None = None  # of the notice: it may say to which command the reply was
    remote_mta: str | None = None
    last_attempt: str | None = None  # Last-Attempt-Date
    derived: bool = False  # the report does not name the recipient


class ParsedReport(Struct, kw_only=True):
    """One mail, read."""

    mail_type: MailType
    provider_code: str = ""
    recipients: list[RecipientReport] = []
    headers: Headers = {}
    returned: Headers = {}  # of the message that came back, as far as it did
    reporting_mta: str | None = None
    message_key: str | None = None  # the join key, where the report names it as a source does
    envelope_id: str | None = None
    arrival_date: str | None = None  # Arrival-Date
    feedback_type: str | None = None
    original_senders: list[str] = []  # Original-Mail-From of a feedback loop
    checks: Mapping[str, str] = {}  # what Amazon SES found when it received the mail
    bounce_address: str | None = None  # the address that the report came to, where it may hold a token
    returned_address: str | None = None  # the envelope sender that a feedback loop says the message had
