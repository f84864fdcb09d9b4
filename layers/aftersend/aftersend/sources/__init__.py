"""The sources: one row each, with all that differs from one provider to another. Pure.

A parser is `parse(body, headers) -> list[Feedback]`, bytes in, facts out, no I/O. Its contract:
- `headers` are what came beside the body (`message.FORWARDED_HEADERS`); most parsers have no use for them;
- one feedback per recipient, in the order of the body; times are the event's own;
- a type it does not know becomes `Kind.UNKNOWN` with the raw type in its evidence; unknown fields are tolerated;
- a set-up message gives an empty list, and so does an event about no message;
- a fact about a message whose event names no recipient has the recipient `UNNAMED`: who it was is asked for by its
  message, which another fact names;
- a body it cannot read raises `MalformedFeedback(source, why)`, and nothing else is ever raised.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

from msgspec import Struct

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Feedback
from aftersend.core.vocabulary import Channel
from aftersend.sources import proofs, provider_lists
from aftersend.sources.envelope import peel
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.proofs import Proof
from aftersend.sources.provider_lists import ProviderLists

Parse = Callable[[bytes, Headers], list[Feedback]]

__all__ = ["SOURCES", "UNNAMED", "Parse", "Source", "find_polled", "load_parser", "name_source", "read"]

_KB: Final = 1024
_MAIL_AND_SMS: Final = frozenset({Channel.EMAIL, Channel.SMS})
_SMS_AND_APPS: Final = frozenset({Channel.SMS, Channel.PUSH})
_ALL: Final = frozenset(Channel)


class Source(Struct, frozen=True, kw_only=True):
    """A source: who reads its bodies, and how its provider pushes them."""

    parser: str  # the module whose `parse` reads a body; imported when the first one comes
    title: str = ""  # what people call it; its own name, where it has no other
    channels: frozenset[Channel] = frozenset({Channel.EMAIL})  # by which the messages travel that it reports on
    proofs: tuple[Proof, ...] = ()  # the first that a push carries counts; none: this source is never pushed
    largest: int = 1000 * _KB  # bytes of a pushed body
    success: int = 204  # the HTTP status by which the provider knows that a push is safe
    answer: str = ""  # the text of that answer, for a provider that looks at it
    methods: frozenset[str] = frozenset({"POST"})  # by which it pushes; what a GET carries is its query
    probes: frozenset[str] = frozenset()  # by which it asks whether anybody is there: answered, and never queued
    handshakes: tuple[str, ...] = ()  # what it wants answered before it pushes: keys of webhooks.handshakes.HANDSHAKES
    lists: ProviderLists | None = None  # those of its provider that a release here can be told to
    polled: bool = False  # its messages may also be fetched out of a queue of Alibaba Cloud MNS

    @property
    def secrets(self) -> frozenset[str]:
        """Kinds of secrets that its provider can send, and of keys that it can be checked with."""
        keys = frozenset(proof.key for proof in self.proofs if proof.key)
        return keys.union(*(proof.secrets for proof in self.proofs))


# MessageBird signs in two ways: a token, and an older HMAC.
_BIRD: Final = proofs.jwt(
    "messagebird-signature-jwt", algorithms=("HS256", "HS384", "HS512"), issuer="MessageBird", url_hash="url_hash"
)
_MESSAGEBIRD: Final = proofs.hmac_body(
    "messagebird-signature",
    signed="{messagebird-request-timestamp}\n{query}\n{sha256}",
    encoding="base64",
    time="messagebird-request-timestamp",
    window=10,
)

SOURCES: Final[dict[str, Source]] = {
    "azure": Source(
        parser="aftersend.sources.azure",
        title="Azure Communication Services",
        channels=_MAIL_AND_SMS,
        proofs=(proofs.secret(),),
        success=200,
        handshakes=("cloudevents", "event_grid"),
    ),
    "brevo": Source(
        parser="aftersend.sources.brevo",
        title="Brevo",
        proofs=(proofs.secret(),),
        success=200,
        lists=provider_lists.brevo(),
    ),
    "directmail": Source(
        parser="aftersend.sources.directmail",
        title="Alibaba DirectMail",
        proofs=(proofs.mns(), proofs.eventbridge()),
        largest=384 * _KB,  # MNS and EventBridge take events of 64 KB; written as XML or JSON they may grow
        polled=True,
    ),
    "infobip": Source(
        parser="aftersend.sources.infobip", title="Infobip", channels=_ALL, proofs=(proofs.secret(),), success=200
    ),
    "mailerq": Source(parser="aftersend.sources.mailerq", title="MailerQ", proofs=(proofs.secret(),)),
    "mailersend": Source(
        parser="aftersend.sources.mailersend", title="MailerSend", proofs=(proofs.hmac_body("signature"),), success=200
    ),
    "mailgun": Source(
        parser="aftersend.sources.mailgun",
        title="Mailgun",
        proofs=(proofs.token_in_body(),),
        success=200,  # and nothing else is one; it tells of a delivery once
        lists=provider_lists.mailgun(),
    ),
    "mailjet": Source(
        parser="aftersend.sources.mailjet",
        title="Mailjet",
        proofs=(proofs.secret(),),
        success=200,  # whatever else is answered is repeated
        lists=provider_lists.mailjet(),
    ),
    "mailtrap": Source(
        parser="aftersend.sources.mailtrap",
        title="Mailtrap",
        proofs=(
            proofs.hmac_body("mailtrap-signature"),
            proofs.secret(),
        ),
        success=200,
    ),
    "mandrill": Source(
        parser="aftersend.sources.mandrill",
        title="Mandrill",
        proofs=(proofs.url_form("x-mandrill-signature", test_key="test-webhook"),),
        success=200,
        probes=frozenset({"HEAD"}),
    ),
    "messagebird": Source(
        parser="aftersend.sources.messagebird",
        title="MessageBird",
        channels=_ALL,
        proofs=(
            _BIRD,
            _MESSAGEBIRD,
            proofs.secret("path"),
        ),
        success=200,
        methods=frozenset({"GET", "POST"}),
    ),
    "postmark": Source(
        parser="aftersend.sources.postmark",
        title="Postmark",
        proofs=(proofs.secret(),),
        success=200,
        lists=provider_lists.postmark(),
    ),
    "report": Source(parser="aftersend.sources.report", title="a report by mail"),
    "resend": Source(
        parser="aftersend.sources.resend", title="Resend", proofs=(proofs.standard_webhooks(),), success=200
    ),
    "sendgrid": Source(
        parser="aftersend.sources.sendgrid",
        title="SendGrid",
        proofs=(
            proofs.ecdsa(
                "x-twilio-email-event-webhook-signature", signed="{x-twilio-email-event-webhook-timestamp}{body}"
            ),
        ),
        success=200,
        lists=provider_lists.sendgrid(),
    ),
    "ses": Source(
        parser="aftersend.sources.ses", title="Amazon SES", proofs=(proofs.sns_raw(), proofs.sns()), success=200
    ),
    "sparkpost": Source(
        parser="aftersend.sources.sparkpost", title="SparkPost", proofs=(proofs.secret(),), success=200
    ),
    "twilio": Source(
        parser="aftersend.sources.twilio",
        title="Twilio",
        channels=_SMS_AND_APPS,
        proofs=(proofs.url_form("x-twilio-signature", body_hash="bodySHA256"),),
        success=200,
    ),
    "vonage": Source(
        parser="aftersend.sources.vonage",
        title="Vonage",
        channels=_SMS_AND_APPS,
        proofs=(
            proofs.jwt("authorization", issuer="Vonage", max_age=300),
            proofs.secret("path"),
        ),
        success=200,
        methods=frozenset({"GET", "POST"}),
    ),
}


def name_source(source: str) -> str:
    """Return what people call a source."""
    return (SOURCES[source].title if source in SOURCES else "") or source


def find_polled() -> str:
    """Return the source whose messages are fetched out of a queue of MNS: their queues name none."""
    return next(name for name, row in SOURCES.items() if row.polled)


@cache
def load_parser(source: str) -> Parse:
    """Return the parser of `source`; raises MalformedFeedback where there is none."""
    if source not in SOURCES:
        raise MalformedFeedback(source[:40], "no parser of this name")
    parse: Parse = import_module(SOURCES[source].parser).parse
    return parse


def read(source: str, raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the feedback in `raw`, out of any envelope; raises MalformedFeedback where it cannot be read."""
    return load_parser(source)(peel(raw), headers)
