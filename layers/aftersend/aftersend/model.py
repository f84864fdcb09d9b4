"""The words of Aftersend: what a source can say, what can be known, why an address is suppressed.

Everything here is immutable data. Every time is an aware UTC `datetime` cut to milliseconds and is the time of the
*event*, never of the notice that told of it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from msgspec import Struct, field
from msgspec.structs import force_setattr

Key = tuple[str, str]


class Kind(StrEnum):
    """What a source said about one message and one recipient."""

    SENT = "sent"  # the sending system took the message
    REJECTED = "rejected"  # the sending system refused to send it
    DEFERRED = "deferred"  # an attempt failed, another follows
    DELIVERED = "delivered"  # the recipient's system took it
    BOUNCED = "bounced"  # the recipient's system refused it for good, or the sender gave up
    AUTO_REPLIED = "auto_replied"  # vacation notice or another automatic answer
    COMPLAINED = "complained"  # the recipient called it spam
    COMPLAINT_WITHDRAWN = "complaint_withdrawn"  # the recipient took that back (ARF not-spam)
    OPENED = "opened"  # the tracking picture was fetched
    CLICKED = "clicked"  # a tracked link was followed
    UNSUBSCRIBED = "unsubscribed"  # the recipient left a stream
    SUBSCRIBED = "subscribed"  # the recipient joined a stream
    EXPIRED = "expired"  # no feedback came in time: inferred by us
    UNKNOWN = "unknown"  # a type that the parser does not know; its raw word is kept


class Status(StrEnum):
    """An outcome in one word."""

    SENT = "sent"
    DEFERRED = "deferred"
    EXPIRED = "expired"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Class(StrEnum):
    """What a refusal means for the address."""

    HARD = "hard"  # never write there again
    SOFT = "soft"  # counts against the address when it goes on
    BLOCK = "block"  # the sender's fault: says nothing of the address
    IGNORE = "ignore"  # says nothing at all
    COMPLAINT = "complaint"  # the recipient's own wish
    UNDETERMINED = "undetermined"  # nothing decided: a person should look


class Reason(StrEnum):
    """Why a message was refused; one vocabulary for every source."""

    USER_UNKNOWN = "user_unknown"
    INVALID_ADDRESS = "invalid_address"
    INVALID_DOMAIN = "invalid_domain"
    MAILBOX_DISABLED = "mailbox_disabled"
    MAILBOX_FULL = "mailbox_full"
    RECIPIENT_REFUSED = "recipient_refused"
    MESSAGE_TOO_LARGE = "message_too_large"
    EXPIRED = "expired"
    GREYLISTED = "greylisted"
    RATE_LIMITED = "rate_limited"
    DNS_FAILURE = "dns_failure"
    NETWORK_ERROR = "network_error"
    SYSTEM_ERROR = "system_error"
    PROTOCOL_ERROR = "protocol_error"
    BLOCKED = "blocked"
    AUTH_FAILED = "auth_failed"
    RELAY_DENIED = "relay_denied"
    SENDER_REJECTED = "sender_rejected"
    SPAM_CONTENT = "spam_content"
    POLICY_REJECTED = "policy_rejected"
    CONTENT_REJECTED = "content_rejected"
    SUPPRESSED = "suppressed"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    UNDETERMINED = "undetermined"


class Phase(StrEnum):
    """The step of the SMTP conversation that a reply belongs to."""

    CONNECT = "connect"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    DATA = "data"


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the source gave as proof, in its own words. Bounded: the archive has the whole."""

    code: int | None = None  # SMTP reply code, 200..599
    status: str | None = None  # enhanced status code, RFC 3463: "5.1.1"
    text: str | None = None  # diagnostic text, at most 1,024 bytes of UTF-8
    word: str | None = None  # the source's own type and sub-type: "Permanent/NoEmail"
    action: str | None = None  # RFC 3464 Action: failed, delayed, delivered, relayed, expanded
    phase: Phase | None = None
    remote_mta: str | None = None
    reporting_mta: str | None = None
    attempt: int | None = None  # 1 is the first
    event_id: str | None = None  # the source's own id of the event
    derived: bool = False  # the recipient was inferred, not named, by the source


class Engagement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who opened or clicked, as far as the source tells."""

    ip: str | None = None
    user_agent: str | None = None
    link: str | None = None
    machine: bool = False  # a mail privacy proxy or a scanner fetched it, not a person


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the *sender* said of the message; the same for all its feedback."""

    sender: str | None = None
    subject: str | None = None
    correlation: dict[str, str] = {}  # the sender's own identifiers: tags, custom headers


class Feedback(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a source said about one message and one recipient: an immutable fact.

    It holds no verdict: a verdict is derived, so the same fact read under newer rules is still the same fact.

    `id` is a digest over what makes it *the same fact*, by whichever path and however often it arrives: all that
    decides something. So two copies of one fact have one verdict, and facts have one total order,
    `(occurred_at, id)`, which no path can change. Where it was seen on its way (MTAs, headers, tags) may differ.
    """

    source: str
    kind: Kind
    message: str  # the join key, named by the system that sent it: "ses:<messageId>"
    recipient: str  # canonical, with its channel: "email:user@example.com"
    occurred_at: datetime
    received_as: str | None = None  # the recipient as the source spelled it, where that differs
    scope: str | None = None  # the stream that was left or joined; None is all of them
    evidence: Evidence | None = None
    engagement: Engagement | None = None
    context: Context | None = None
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            force_setattr(self, "id", _identity(self))

    @property
    def key(self) -> Key:
        """The outcome that this fact belongs to."""
        return self.recipient, self.message

    @property
    def order(self) -> tuple[datetime, str]:
        """The one total order of facts."""
        return self.occurred_at, self.id


def _identity(fact: Feedback) -> str:
    evidence, seen = fact.evidence, fact.engagement
    parts = [fact.source, fact.message, fact.recipient, fact.kind, fact.occurred_at.isoformat(), fact.scope or ""]
    if evidence is not None:
        said = (evidence.event_id, evidence.status, evidence.text, evidence.word, evidence.action, evidence.phase)
        parts += [str(evidence.code), *(text or "" for text in said)]
    if seen is not None:
        parts += (seen.link or "", seen.user_agent or "", seen.ip or "")
    return blake2b("\0".join(parts).encode(), digest_size=10).hexdigest()


class Verdict(Struct, frozen=True, kw_only=True):
    """What a refusal means: class, reason, and the rule that decided. Derived, never part of a fact."""

    klass: Class = field(name="class")
    reason: Reason
    rule: str  # id of the deciding rule


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one message and one recipient: the set of its feedback, and what follows from it.

    Everything below `context` is derived by `outcome.fold` and by nothing else.
    """

    message: str
    recipient: str
    feedback: tuple[Feedback, ...]  # bounded, in the order of facts
    context: Context = Context()
    status: Status
    verdict: Verdict | None = None
    decided_by: str  # id of the feedback that speaks
    first_at: datetime
    last_at: datetime
    delivered_at: datetime | None = None
    bounced_at: datetime | None = None
    complained_at: datetime | None = None
    opened_at: datetime | None = None  # the first one
    clicked_at: datetime | None = None  # the first one
    engaged_at: datetime | None = None  # the last sign of life: open, click, or a change of subscription
    opens: int = 0
    clicks: int = 0
    attempts: int = 0
    auto_replied: bool = False
    review: str | None = None  # why a person should look: undetermined, content, contradicted
    saturated: tuple[str, ...] = ()  # kinds whose bound was reached: their counts mean "or more"
    version: int = 0

    @property
    def key(self) -> Key:
        """Recipient and message: the key of the table."""
        return self.recipient, self.message


class Mark(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of evidence in a cause: which feedback, when, and in whose words."""

    at: datetime
    feedback: str  # feedback id
    message: str
    source: str
    reason: Reason | None = None
    rule: str | None = None  # the rule of the verdict
    word: str | None = None  # the source's own words

    @property
    def order(self) -> tuple[datetime, str]:
        """The same total order that facts have."""
        return self.at, self.feedback


class CauseKind(StrEnum):
    """The policy's rules: a suppression has at most one cause of each."""

    HARD = "hard"
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"
    STREAK = "streak"  # soft bounces in a row


class Cause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an address must not be written to. Evidence only widens, so a cause is a set too.

    `withdrawn` is the latest feedback that takes such a cause back (ARF not-spam for a complaint, a new subscription
    for an unsubscription); it may come before the evidence does.
    """

    first: Mark | None = None
    latest: Mark | None = None
    withdrawn: Mark | None = None
    count: int | None = None  # bounces of a streak
    until: datetime | None = None  # None has no end


class Suppression(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one recipient must not be written to in one scope ("*" is every stream)."""

    recipient: str
    scope: str = "*"
    causes: dict[CauseKind, Cause] = {}
    released_at: datetime | None = None
    released_by: str | None = None
    note: str | None = None
    version: int = 0

    @property
    def key(self) -> Key:
        """Recipient and scope: the key of the table."""
        return self.recipient, self.scope
