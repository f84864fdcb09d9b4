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

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, Final

from msgspec import Struct

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Feedback
from aftersend.core.vocabulary import Channel
from aftersend.sources import proofs
from aftersend.sources.envelope import peel
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.proofs import Proof
from aftersend.sources.provider_lists import ProviderLists

Parse = Callable[[bytes, Headers], list[Feedback]]

__all__ = [
    "SOURCES",
    "UNNAMED",
    "Parse",
    "Slices",
    "Source",
    "configure",
    "find_polled",
    "load_parser",
    "name_source",
    "read",
]

_KB: Final = 1024
NO_PARSERS: Final[Mapping[str, Parse]] = {}  # no parser that the user has configured


class Slices(StrEnum):
    """How a file of feedback falls into bodies; see `aftersend.lists.drop`."""

    LINES = "lines"  # each line is a body
    CSV = "csv"  # each row is a body, together with the line of names, and the comments above that
    WHOLE = "whole"  # the file is one body


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


SOURCES: Final[dict[str, Source]] = {
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
    "mailerq": Source(parser="aftersend.sources.mailerq", title="MailerQ", proofs=(proofs.secret(),)),
    "report": Source(parser="aftersend.sources.report", title="a report by mail", slices=Slices.WHOLE),
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


def configure(document: Mapping[str, Any]) -> dict[str, Parse]:
    """Return the parsers, by source, that know what the document of the user's rules says of their sources.

    Raises ConfigurationError for a mistake in it.
    """
    if not document:
        return {}  # without asking for every row
    return {
        name: import_module(str(row.parser)).configure(document)
        for name, row in SOURCES.items()
        if row.settings in document
    }


def read(
    source: str, raw: bytes, headers: Headers = NO_HEADERS, parsers: Mapping[str, Parse] = NO_PARSERS
) -> list[Feedback]:
    """Return the feedback in `raw`, out of any envelope; raises MalformedFeedback where it cannot be read.

    `parsers` are those that the user has configured; of other sources it is the shipped one.
    """
    return (parsers.get(source) or load_parser(source))(peel(raw), headers)
