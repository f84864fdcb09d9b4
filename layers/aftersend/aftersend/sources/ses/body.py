"""The JSON bodies of Amazon SES as typed structures: only the fields that are used, every one of them optional.

SES may add fields at any time and leaves out what does not apply, so nothing but the message id is required, and
that only of events that are about a message.
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

from typing import Final

import msgspec
from msgspec import Raw, Struct, field


class Header(Struct, rename="camel", gc=False):
    """One header of the original message."""

    name: str = ""
    value: str | None = None


class CommonHeaders(Struct, rename="camel", gc=False):
    """The headers that SES shows decoded."""

    subject: str | None = None


class Mail(Struct, rename="camel", gc=False):
    """The message that the event is about."""

    message_id: str
    timestamp: str | None = None
    source: str | None = None
    destination: list[str] | None = None
    common_headers: CommonHeaders | None = None
    headers: list[Header] | None = None
    tags: dict[str, list[str] | None] | None = None


class Recipient(Struct, rename="camel", gc=False):
    """One recipient of a bounce, a complaint or a delay, with what the remote server said."""

    email_address: str = ""
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(Struct, rename="camel", gc=False):
    """`bounce`: a refusal for good, or the end of retrying."""

    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    bounced_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    reporting_mta: str | None = field(name="reportingMTA", default=None)


class Complaint(Struct, rename="camel", gc=False):
    """`complaint`: a feedback-loop report (ARF, RFC 5965)."""

    complained_recipients: list[Recipient] | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    complaint_sub_type: str | None = None
    complaint_feedback_type: str | None = None
    user_agent: str | None = None


class Delivery(Struct, rename="camel", gc=False):
    """`delivery`: the recipient's server took the message."""

    timestamp: str | None = None
    recipients: list[str] | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = field(name="reportingMTA", default=None)
    remote_mta_ip: str | None = None


class Delay(Struct, rename="camel", gc=False):
    """`deliveryDelay`: an attempt failed, SES goes on trying."""

    timestamp: str | None = None
    delay_type: str | None = None
    delayed_recipients: list[Recipient] | None = None
    reporting_mta: str | None = field(name="reportingMTA", default=None)


class Reject(Struct, rename="camel", gc=False):
    """`reject`: SES refused to send (a virus)."""

    reason: str | None = None


class Failure(Struct, rename="camel", gc=False):
    """`failure`: a template could not be rendered."""

    error_message: str | None = None


class Interaction(Struct, rename="camel", gc=False):
    """`open` and `click`."""

    timestamp: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    link: str | None = None


class TopicPreference(Struct, rename="camel", gc=False):
    """One topic of a contact list."""

    topic_name: str = ""
    subscription_status: str | None = None


class Preferences(Struct, rename="camel", gc=False):
    """What a contact takes."""

    unsubscribe_all: bool | None = None
    topic_subscription_status: list[TopicPreference] | None = None


class Subscription(Struct, rename="camel", gc=False):
    """`subscription`: a contact changed what it takes."""

    contact_list: str | None = None
    timestamp: str | None = None
    source: str | None = None
    new_topic_preferences: Preferences | None = None
    old_topic_preferences: Preferences | None = None


class SesEvent(Struct, rename="camel", gc=False):
    """Any body of SES: identity notifications name their type one way, event publishing the other."""

    event_type: str | None = None
    notification_type: str | None = None
    mail: Mail | None = None
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None
    delivery_delay: Delay | None = None
    reject: Reject | None = None
    failure: Failure | None = None
    open: Interaction | None = None
    click: Interaction | None = None
    subscription: Subscription | None = None
    data: Raw = Raw()  # only in events about the account, which are about no message

    @property
    def type(self) -> str:
        """The type in either spelling, or nothing."""
        return self.event_type or self.notification_type or ""


decode: Final = msgspec.json.Decoder(SesEvent).decode


def make_recipients(addresses: list[str]) -> list[Recipient]:
    """Return bare addresses in the form that the other events give them."""
    return [Recipient(email_address=address) for address in addresses]
