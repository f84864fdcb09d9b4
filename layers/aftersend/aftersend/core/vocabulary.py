"""The vocabulary: channels, kinds, statuses, classes, reasons, phases and causes, and what each reason means.

The class of a reason depends on the deciding code: a permanent (5yz) refusal of an unknown user is hard, a temporary
(4yz) one is soft. Reasons that are the sender's fault never turn against the address, whatever the code.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Channel(StrEnum):
    """How a recipient is reached: the first part of every recipient."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Protocol(StrEnum):
    """Which protocol an answer belongs to, and so what its code means."""

    SMTP = "smtp"
    HTTP = "http"  # push services and providers' own APIs: 410 there is "gone", and nothing temporary
    SMPP = "smpp"  # the code of a network or of an SMSC, which each numbers as it likes


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
    UNKNOWN = "unknown"  # a type that the parser does not know; its own type stays in the evidence


class Status(StrEnum):
    """What became of a message, in short."""

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
    """What a person decided, and what was done of it elsewhere."""

    ADDED = "added"  # suppress this address
    RELEASED = "released"  # evidence up to now no longer counts
    REVERTED = "reverted"  # evidence of one reason in a window of time does not count
    CONFIRMED = "confirmed"  # it does count, although it looked like an accident
    RESOLVED = "resolved"  # looked at: what was put up for review needs no look
    DELISTED = "delisted"  # after a release, taken off the list of the provider that `by` names: the note says how


class Meaning(Struct, frozen=True):
    """What a reason means: its class, its class when the deciding code is 4yz, one sentence of advice."""

    permanent: Class
    temporary: Class
    advice: str


_HARD, _SOFT, _BLOCK, _IGNORE = Class.HARD, Class.SOFT, Class.BLOCK, Class.IGNORE

MEANINGS: Final[dict[Reason, Meaning]] = {
    Reason.USER_UNKNOWN: Meaning(_HARD, _SOFT, "Remove this address: no such mailbox exists."),
    Reason.INVALID_ADDRESS: Meaning(_HARD, _SOFT, "Remove or correct this address: it is not a valid one."),
    Reason.INVALID_DOMAIN: Meaning(_HARD, _SOFT, "Remove or correct this address: its domain takes no mail."),
    Reason.MAILBOX_DISABLED: Meaning(_HARD, _SOFT, "Remove this address: its mailbox is disabled or abandoned."),
    Reason.MAILBOX_FULL: Meaning(_SOFT, _SOFT, "Try again in some days: the mailbox is full."),
    Reason.RECIPIENT_REFUSED: Meaning(_SOFT, _SOFT, "Ask the recipient to allow you: their own filter refuses you."),
    Reason.MESSAGE_TOO_LARGE: Meaning(_IGNORE, _IGNORE, "Send a smaller message, for example links for attachments."),
    Reason.EXPIRED: Meaning(_SOFT, _SOFT, "Nothing to do at once: the recipient's system did not answer in time."),
    Reason.GREYLISTED: Meaning(_IGNORE, _IGNORE, "Nothing to do: the recipient's system asks to try again later."),
    Reason.RATE_LIMITED: Meaning(_IGNORE, _IGNORE, "Send more slowly to this provider."),
    Reason.DNS_FAILURE: Meaning(_SOFT, _SOFT, "Try again later: the domain could not be looked up."),
    Reason.NETWORK_ERROR: Meaning(_SOFT, _SOFT, "Try again later: the recipient's system could not be reached."),
    Reason.SYSTEM_ERROR: Meaning(_SOFT, _SOFT, "Try again later: the recipient's system has a fault."),
    Reason.PROTOCOL_ERROR: Meaning(
        _IGNORE, _IGNORE, "Check your sending system: it was misunderstood or misconfigured."
    ),
    Reason.BLOCKED: Meaning(
        _BLOCK, _BLOCK, "Check your IP address and domain against block lists and ask for delisting."
    ),
    Reason.AUTH_FAILED: Meaning(
        _BLOCK, _BLOCK, "Publish correct SPF, DKIM, DMARC and reverse DNS records for your domain."
    ),
    Reason.RELAY_DENIED: Meaning(_BLOCK, _BLOCK, "Check the domain's MX records: the server there does not serve it."),
    Reason.SENDER_REJECTED: Meaning(_BLOCK, _BLOCK, "Check your sender address: its mailbox or domain was refused."),
    Reason.SPAM_CONTENT: Meaning(_BLOCK, _BLOCK, "Change the content: it was judged to be spam."),
    Reason.POLICY_REJECTED: Meaning(_BLOCK, _BLOCK, "Ask the provider's postmaster: their policy refuses you."),
    Reason.CONTENT_REJECTED: Meaning(
        _BLOCK, _BLOCK, "Correct the message: an attachment, a virus or its format was refused."
    ),
    Reason.SUPPRESSED: Meaning(
        _IGNORE, _IGNORE, "Look at your provider's suppression list: it did not try to deliver."
    ),
    Reason.COMPLAINT: Meaning(Class.COMPLAINT, Class.COMPLAINT, "Stop writing to this person: they reported spam."),
    Reason.AUTO_REPLY: Meaning(_IGNORE, _IGNORE, "Nothing to do: an automatic answer, the message arrived."),
    Reason.UNDETERMINED: Meaning(
        Class.UNDETERMINED, Class.UNDETERMINED, "Read the diagnostic text and decide; a rule of your own can name it."
    ),
}


def find_class(reason: Reason, *, temporary: bool) -> Class:
    """Return the class of `reason`; `temporary` says that the deciding code is 4yz or 4.y.z."""
    meaning = MEANINGS[reason]
    return meaning.temporary if temporary else meaning.permanent


# What differs for a telephone number or of an app's token: neither is a mailbox, nor has it a domain.
_ADVICE: Final[dict[Channel, dict[Reason, str]]] = {
    Channel.SMS: {
        Reason.USER_UNKNOWN: "Remove this number: it is not in use.",
        Reason.INVALID_ADDRESS: "Remove or correct this number: it is not a valid one for text messages.",
        Reason.INVALID_DOMAIN: "Remove or correct this number: no network serves it.",
        Reason.MAILBOX_DISABLED: "Remove this number: its owner's contract is suspended or has ended.",
        Reason.MAILBOX_FULL: "Try again in some days: the telephone's memory is full.",
        Reason.RECIPIENT_REFUSED: "Do not write again unless asked: this person's telephone or network refuses you.",
        Reason.MESSAGE_TOO_LARGE: "Send a shorter text.",
        Reason.EXPIRED: "Nothing to do at once: the telephone was off or out of reach until the message ran out.",
        Reason.RATE_LIMITED: "Send more slowly to this network.",
        Reason.DNS_FAILURE: "Try again later: the network could not be found.",
        Reason.NETWORK_ERROR: "Try again later: the telephone or its network could not be reached.",
        Reason.SYSTEM_ERROR: "Try again later: the network has a fault.",
        Reason.BLOCKED: "Ask your provider: the network blocks your messages or your sender's number.",
        Reason.AUTH_FAILED: "Register your sender's name or number for this country, and check your account.",
        Reason.RELAY_DENIED: "Ask your provider for a route to this country or network.",
        Reason.SENDER_REJECTED: "Check your sender's name or number: it was refused.",
        Reason.SPAM_CONTENT: "Change the text: it was judged to be spam.",
        Reason.POLICY_REJECTED: "Ask your provider: a rule of the country or the network refuses the message.",
        Reason.CONTENT_REJECTED: "Correct the text: its content or encoding was refused.",
    },
    Channel.PUSH: {
        Reason.USER_UNKNOWN: "Remove this token: the app is no longer installed, or it has another one now.",
        Reason.INVALID_ADDRESS: "Remove this token: it is not one of this app or service.",
        Reason.INVALID_DOMAIN: "Remove this token: its service does not exist.",
        Reason.MAILBOX_DISABLED: "Remove this token: the app may no longer show messages there.",
        Reason.MAILBOX_FULL: "Try again later: too many messages wait for this device.",
        Reason.RECIPIENT_REFUSED: "Ask the person to allow messages of the app: they are turned off.",
        Reason.MESSAGE_TOO_LARGE: "Send a smaller message: push services take about 4 KB.",
        Reason.EXPIRED: "Nothing to do: the device was not online until the message ran out.",
        Reason.RATE_LIMITED: "Send more slowly to this service or device.",
        Reason.DNS_FAILURE: "Try again later: the push service could not be found.",
        Reason.NETWORK_ERROR: "Try again later: the push service could not be reached.",
        Reason.SYSTEM_ERROR: "Try again later: the push service has a fault.",
        Reason.BLOCKED: "Ask the push service: it blocks your requests.",
        Reason.AUTH_FAILED: "Check your keys and certificates for this service: it did not accept them.",
        Reason.RELAY_DENIED: "Check that the token is one of this app, and of this environment.",
        Reason.SENDER_REJECTED: "Check the sender or topic: the token belongs to another one.",
        Reason.POLICY_REJECTED: "Ask the push service: one of its rules refuses the message.",
        Reason.CONTENT_REJECTED: "Correct the message: its format was refused.",
    },
}


def advise(reason: Reason, channel: Channel | None = Channel.EMAIL) -> str:
    """Return one sentence on what to do about `reason`, as it fits the recipient's channel."""
    return _ADVICE.get(channel or Channel.EMAIL, {}).get(reason) or MEANINGS[reason].advice


class Judgement(Struct, frozen=True, kw_only=True):
    """What was found about a refusal, as far as advice depends on it."""

    reason: Reason
    rule: str | None = None  # id of the rule that decided
    source: str | None = None
    provider_code: str | None = None  # the source's own type and sub-type


# Says what to do about a refusal, to a recipient who is reached by that channel.
Advise = Callable[[Judgement, Channel | None], str]

# What to do about a cause that no refusal speaks for. Of these two a refusal never does: a person decided.
_WISHES: Final = {
    CauseKind.UNSUBSCRIBED: "Do not write in this stream until they join it again: this person left it.",
    CauseKind.MANUAL: "Read the note first: one of you decided that this recipient is not to be written to.",
}
_CAUSE_ADVICE: Final = {
    CauseKind.HARD: "Do not write to this recipient again: a message was refused for good.",
    CauseKind.COMPLAINT: MEANINGS[Reason.COMPLAINT].advice,
    CauseKind.STREAK: "Wait until this ends: several messages in a row were not taken.",
    CauseKind.PAUSE: "Wait until this ends: the recipient's system asked to be left alone for a while.",
    CauseKind.PROVIDER: MEANINGS[Reason.SUPPRESSED].advice,
    **_WISHES,
}


def advise_without_refusal(kind: CauseKind, *, refused: bool) -> str | None:
    """Return one sentence on what to do about a cause, or None where the refusal it rests on (`refused`) says more."""
    return (_WISHES if refused else _CAUSE_ADVICE).get(kind)
