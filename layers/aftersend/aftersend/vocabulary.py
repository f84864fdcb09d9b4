"""The reasons: what each means for an address, and what to do about it.

The class of a reason depends on the deciding code: a permanent (5yz) refusal of an unknown user is hard, a temporary
(4yz) one is soft. Reasons that are the sender's fault never turn against the address, whatever the code.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from aftersend.model import Class, Reason


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


def class_of(reason: Reason, *, temporary: bool) -> Class:
    """The class of `reason`; `temporary` says that the deciding code is 4yz or 4.y.z."""
    meaning = MEANINGS[reason]
    return meaning.temporary if temporary else meaning.permanent


def advice(reason: Reason) -> str:
    """One sentence for the person who reads the verdict."""
    return MEANINGS[reason].advice
