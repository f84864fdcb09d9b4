"""Every word that Aftersend uses of a message, with its meaning; `model` hands them on with the structures."""

from __future__ import annotations

from enum import StrEnum


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


class CauseKind(StrEnum):
    """The policy's rules: a suppression has at most one cause of each."""

    HARD = "hard"
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"
    STREAK = "streak"  # soft bounces in a row
    PAUSE = "pause"  # the recipient's system asked to be left alone for a while
    PROVIDER = "provider"  # the provider has it on a list of its own and does not even try
    MANUAL = "manual"  # a person wrote it down


class Act(StrEnum):
    """What a person decided."""

    ADDED = "added"  # suppress this address
    RELEASED = "released"  # evidence up to now no longer counts
    REVERTED = "reverted"  # evidence of one reason in a window of time does not count
    CONFIRMED = "confirmed"  # it does count, although it looked like an accident
    RESOLVED = "resolved"  # looked at: what was put up for review is settled
