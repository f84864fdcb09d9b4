"""What a report says of one recipient, before it becomes a fact."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from aftersend.core.model import Kind
from aftersend.sources.report.mime import Headers


class Form(StrEnum):
    """What a mail is, whomever it names."""

    BOUNCE = "bounce"  # a delivery status notification of any outcome, or a notice in a mail system's own words
    COMPLAINT = "complaint"  # a feedback-loop report of any feedback type
    AUTO_REPLY = "auto_reply"
    NONE = "none"


class Said(Struct, kw_only=True):
    """One recipient and what became of the message, in the words of the report."""

    recipient: str
    kind: Kind = Kind.BOUNCED
    original: str | None = None  # Original-Recipient, where it is another address
    action: str | None = None
    status: str | None = None
    text: str | None = None
    around: str | None = None  # what the notice tells beside it: to which command the reply was
    remote_mta: str | None = None
    at: str | None = None  # Last-Attempt-Date
    derived: bool = False  # the report does not name the recipient


class Report(Struct, kw_only=True):
    """One mail, read."""

    form: Form
    provider_code: str = ""
    said: list[Said] = []
    headers: Headers = {}
    returned: Headers = {}  # of the message that came back, as far as it did
    reporting_mta: str | None = None
    message: str | None = None  # the join key, where the report gives it ready
    envelope_id: str | None = None
    arrival: str | None = None  # Arrival-Date
    feedback_type: str | None = None
    sent_to: str | None = None  # the address that the report came to, where it may hold a token
