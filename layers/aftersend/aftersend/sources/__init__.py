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

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from enum import StrEnum
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from aftersend.core.errors import ConfigurationError, MalformedFeedback
from aftersend.core.model import UNNAMED, Feedback
from aftersend.core.vocabulary import Channel
from aftersend.sources import proofs, provider_lists
from aftersend.sources.envelope import peel
from aftersend.sources.mapping import SHIPPED
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.proofs import Proof
from aftersend.sources.provider_lists import ProviderLists

if TYPE_CHECKING:
    from aftersend.sources.mapping.compiled import SourceMapping

Parse = Callable[[bytes, Headers], list[Feedback]]

__all__ = [
    "SOURCES",
    "UNNAMED",
    "Parse",
    "Slices",
    "Source",
    "add_mapped_source",
    "check_new_source",
    "configure",
    "find_polled",
    "load_parser",
    "make_mapped_row",
    "name_source",
    "read",
]

_KB: Final = 1024
_MAIL_AND_SMS: Final = frozenset({Channel.EMAIL, Channel.SMS})
_SMS_AND_APPS: Final = frozenset({Channel.SMS, Channel.PUSH})
_ALL: Final = frozenset(Channel)
NO_PARSERS: Final[Mapping[str, Parse]] = {}  # no parser that the user has configured


class Slices(StrEnum):
    """How a file of feedback falls into bodies; see `aftersend.lists.drop`."""

    LINES = "lines"  # each line is a body
    CSV = "csv"  # each row is a body, together with the line of names, and the comments above that
    WHOLE = "whole"  # the file is one body


class Source(Struct, frozen=True, kw_only=True):
    """A source: who reads its bodies, and how its provider pushes them."""

    parser: str | Parse  # what reads a body, or the module whose `parse` does, imported when the first one comes
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
    slices: Slices = Slices.LINES  # how a file falls into bodies that is dropped for it
    polled: bool = False  # its messages may also be fetched out of a queue of Alibaba Cloud MNS
    settings: str = ""  # the tables of the user's document that say more; its module has a `configure` then
    eventbridge: str = ""  # what its events call their source where EventBridge of AWS puts them into a queue
    log_groups: str = ""  # a pattern of the log groups whose records are its: it is met at their beginning

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

_CODED: Final[dict[str, Source]] = {
    "apns": Source(
        parser="aftersend.sources.apns",
        title="Apple Push Notification service",
        channels=frozenset({Channel.PUSH}),
        proofs=(proofs.secret(),),
    ),
    "aws_sms": Source(
        parser="aftersend.sources.aws_sms",
        title="AWS End User Messaging",
        channels=frozenset({Channel.SMS}),
        proofs=(proofs.sns_raw(), proofs.sns()),
        success=200,
        eventbridge="aws.sms-voice",
        log_groups=r"sns/[^/]+/\d+/(?!app/)|.*sms",
    ),
    "baidu": Source(
        parser="aftersend.sources.baidu",
        title="Baidu Cloud Push",
        channels=frozenset({Channel.PUSH}),
        proofs=(proofs.secret(),),
    ),
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
    "campaign": Source(
        parser="aftersend.sources.campaign",
        title="Adobe Campaign",
        channels=frozenset(Channel),
        slices=Slices.CSV,
        proofs=(proofs.secret(),),
    ),
    "directmail": Source(
        parser="aftersend.sources.directmail",
        title="Alibaba DirectMail",
        proofs=(proofs.mns(), proofs.eventbridge()),
        largest=384 * _KB,  # MNS and EventBridge take events of 64 KB; written as XML or JSON they may grow
        polled=True,
    ),
    "fcm": Source(
        parser="aftersend.sources.fcm",
        title="Firebase Cloud Messaging",
        channels=frozenset({Channel.PUSH}),
        proofs=(proofs.secret(),),
    ),
    "jasmin": Source(
        parser="aftersend.sources.jasmin",
        title="Jasmin",
        channels=frozenset({Channel.SMS}),
        proofs=(proofs.secret(),),
        largest=256 * _KB,
        success=200,
        answer="ACK/Jasmin",  # without it the same receipt comes again
        methods=frozenset({"GET", "POST"}),
        settings="smsc",
    ),
    "journey_optimizer": Source(
        parser="aftersend.sources.journey_optimizer",
        title="Adobe Journey Optimizer",
        channels=frozenset(Channel),
        proofs=(proofs.secret(),),
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
    "report": Source(parser="aftersend.sources.report", title="a report by mail", slices=Slices.WHOLE),
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
    "smpp": Source(
        parser="aftersend.sources.smpp",
        title="SMPP",
        channels=frozenset({Channel.SMS}),
        proofs=(proofs.secret(),),
        settings="smsc",
    ),
    "sns_push": Source(
        parser="aftersend.sources.sns_push",
        title="Amazon SNS mobile push",
        channels=frozenset({Channel.PUSH}),
        proofs=(proofs.sns_raw(), proofs.sns()),
        success=200,
        log_groups=r"sns/[^/]+/\d+/app/",
    ),
    "webpush": Source(
        parser="aftersend.sources.webpush",
        title="web push",
        channels=frozenset({Channel.PUSH}),
        proofs=(proofs.secret(),),
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


class _Sources(MutableMapping[str, Source]):
    """The rows by the names of their sources. That of a mapping file is read when it is asked for."""

    def __init__(self, rows: Mapping[str, Source]) -> None:
        mapped = {path.stem: path for path in sorted(SHIPPED.iterdir()) if path.suffix == ".toml"}
        self._rows: dict[str, Source | Path] = {**rows, **mapped}

    def __getitem__(self, name: str) -> Source:
        row = self._rows[name]
        if isinstance(row, Path):
            row = self._rows[name] = make_mapped_row(row.read_text("utf-8"))
        return row

    def __setitem__(self, name: str, row: Source) -> None:
        self._rows[name] = row

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows


def make_mapped_row(document: str) -> Source:
    """Make the row of a mapping file that was checked before, as far as a push needs it; its parser when a body comes.

    Raises ConfigurationError where it was not.
    """
    from aftersend.sources.mapping.row import read_row  # noqa: PLC0415  # most functions need none of it

    row = read_row(document)
    return Source(
        parser=partial(_read_mapped, document),
        title=row.title,
        channels=frozenset({row.channel}),
        proofs=row.push.build_proofs(),
        largest=row.push.largest_kb * _KB,
        success=row.push.success,
        answer=row.push.answer,
        methods=frozenset[str](row.push.methods),
        probes=frozenset[str](row.push.probes),
    )


def _read_mapped(document: str, body: bytes, headers: Headers) -> list[Feedback]:
    from aftersend.sources.mapping.facts import read_body  # noqa: PLC0415

    return read_body(_load_mapping(document), body, headers)


@cache
def _load_mapping(document: str) -> SourceMapping:
    from aftersend.sources.mapping.compiled import load  # noqa: PLC0415

    return load(document)


# A source has its row here, or a file in `mapping/shipped` that is called as it is.
SOURCES: Final[MutableMapping[str, Source]] = _Sources(_CODED)


def check_new_source(name: str) -> None:
    """Raise ConfigurationError where Aftersend itself has a source of this name."""
    if name in _CODED or SHIPPED.joinpath(f"{name}.toml").is_file():
        raise ConfigurationError(f"source: Aftersend has a source {name!r} itself; give yours another name")


def add_mapped_source(name: str, document: str) -> None:
    """Add the source that a mapping file describes; raises ConfigurationError where Aftersend has one of this name."""
    check_new_source(name)
    SOURCES[name] = make_mapped_row(document)
    load_parser.cache_clear()


def name_source(source: str) -> str:
    """Return what people call a source."""
    return (SOURCES[source].title if source in SOURCES else "") or source


def find_polled() -> str:
    """Return the source whose messages are fetched out of a queue of MNS: their queues name none."""
    return next(name for name, row in _CODED.items() if row.polled)


@cache
def load_parser(source: str) -> Parse:
    """Return the parser of `source`; raises MalformedFeedback where there is none."""
    if source not in SOURCES:
        raise MalformedFeedback(source[:40], "no parser of this name")
    parser = SOURCES[source].parser
    parse: Parse = import_module(parser).parse if isinstance(parser, str) else parser
    return parse


def configure(document: Mapping[str, Any]) -> dict[str, Parse]:
    """Return the parsers, by source, that know what the document of the user's rules says of their sources.

    Raises ConfigurationError for a mistake in it.
    """
    return {
        name: import_module(str(row.parser)).configure(document)
        for name, row in _CODED.items()
        if row.settings in document
    }


def read(
    source: str, raw: bytes, headers: Headers = NO_HEADERS, parsers: Mapping[str, Parse] = NO_PARSERS
) -> list[Feedback]:
    """Return the feedback in `raw`, out of any envelope; raises MalformedFeedback where it cannot be read.

    `parsers` are those that the user has configured; of other sources it is the shipped one.
    """
    return (parsers.get(source) or load_parser(source))(peel(raw), headers)
