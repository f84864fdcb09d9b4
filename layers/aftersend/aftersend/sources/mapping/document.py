"""A mapping file as it is written, and the checks that say which of its fields is wrong. Pure.

`docs/mapping.md` explains each field with an example.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as MappingOf
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, ValidationError, convert

from aftersend.core.errors import ConfigurationError
from aftersend.core.vocabulary import Channel, Kind
from aftersend.sources.mapping.row import PushFields

MAX_BYTES: Final = 64 * 1024  # of a document, as UTF-8
MAX_ENTRIES: Final = 300  # of one table or list
MAX_LENGTH: Final = 300  # characters of one text

IGNORE: Final = "ignore"  # of a word that tells nothing of a message
SOFT: Final = "/soft"  # behind a kind: whatever the text says, it is not for good
# What a word may be. Of `expired` no provider says it: it is what follows where nothing was heard in time.
KINDS: Final = {kind.value: kind for kind in Kind if kind is not Kind.EXPIRED}

Paths = str | list[str]
Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]


class BodyFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a body is."""

    form: Literal["json", "form"] = "json"  # a form: `a=1&b=2`, as browsers and query strings have it
    field: str = ""  # of a form, that holds the JSON
    events: Paths = ""  # where the events lie in it; else it is one, or a list of them


class MessageFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the message is known: by its Message-ID, or by what its provider calls it."""

    message_id: Paths = ""
    own: Paths = ""
    before: Annotated[str, Meta(max_length=8)] = ""  # of `own`, only what stands before the first of these
    prefix: Name | Literal[""] = ""  # of the key of `own`; else the name of the source


class TimeFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it happened."""

    at: Paths
    unit: Literal["s", "ms", "us"] | None = None  # of a number; else its size tells
    zone: str = ""  # of a time that names none, by an offset or a name of the IANA; else UTC
    formats: list[str] = []  # of strptime, tried before all that is known anyway


class CaseFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an event is whose word says too little; the first that holds counts, before `words`."""

    word: Paths = ""  # one of these, with * for anything; any, where none is named
    when: dict[str, Any] = {}  # what each of these paths has to find
    kind: str
    code: str = ""  # what the provider's code is then; else the word
    machine: bool = False


class EngagementFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who opened or clicked."""

    link: Paths = ""
    ip: Paths = ""
    user_agent: Paths = ""
    event_id: Paths = ""  # of an open or a click, which many a provider tells twice: the first one by itself as well
    machine: Paths = ""  # says yes where no person did


class MappingDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping file."""

    source: Name
    word: Paths  # where the event says what it is
    word_prefix: Annotated[str, Meta(max_length=40)] = ""  # before every word, and no part of it
    message: MessageFields
    time: TimeFields
    title: str = ""  # what people call it
    recipient: Paths = ""
    sole_recipient: Paths = ""  # where `recipient` finds nobody and this finds one; of several, nobody knows which
    channel: Channel = Channel.EMAIL
    service: str = ""  # of push tokens
    body: BodyFields = BodyFields()
    words: dict[str, Any] = {}  # each a kind; of a table, our own check names the entry that is wrong
    case: list[CaseFields] = []
    detail: Paths = ""  # the provider's finer word: stands behind the word
    text: Paths = ""
    text_inside: Paths = ""  # forms of a text: of one that has it, what stands for its last * is meant
    code: Paths = ""
    status: Paths = ""
    command: Paths = ""
    remote_mta: Paths = ""
    reporting_mta: Paths = ""
    attempt: Paths = ""
    event_id: Paths = ""
    scope: Paths = ""
    sender: Paths = ""
    subject: Paths = ""
    engagement: EngagementFields = EngagementFields()
    correlation: dict[str, Any] = {}  # each a path, or several
    verdicts: dict[str, Any] = {}
    reasons: dict[str, Any] = {}
    rule: list[Any] = []  # about its own sentences
    push: PushFields = PushFields()


def decode(text: str) -> tuple[MappingDocument, dict[str, Any]]:
    """Decode a mapping file, and return it with its tables as TOML has them; raises ConfigurationError."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise ConfigurationError(f"more than {MAX_BYTES} bytes")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not TOML: {error}") from error
    except RecursionError:
        raise ConfigurationError("nested too deeply") from None
    try:
        document = convert(tables, MappingDocument)
    except ValidationError as error:
        raise ConfigurationError(_name_field(str(error))) from error
    _check_sizes(tables, "")
    _check(document)
    return document, tables


_AT: Final = re.compile(r"^(.*) - at `(?:key in )?\$\.?(.*)`$")
_MEMBER: Final = re.compile(r"field `(\w+)`")


def _name_field(problem: str) -> str:
    """What msgspec says, with the field in front: "time.unit: Invalid enum value 'h'"."""
    found = _AT.match(problem)
    said, place = (found[1], found[2]) if found else (problem, "")
    member = _MEMBER.search(said)
    field = ".".join(part for part in (place, member[1] if member else "") if part)
    return f"{field}: {said}" if field else said


def _check_sizes(value: object, place: str) -> None:
    if isinstance(value, str) and len(value) > MAX_LENGTH:
        raise ConfigurationError(f"{place}: longer than {MAX_LENGTH} characters")
    if isinstance(value, list | dict):
        if len(value) > MAX_ENTRIES:
            raise ConfigurationError(f"{place}: more than {MAX_ENTRIES} entries")
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            _check_sizes(each, f"{place}.{name}".strip("."))


def _check(document: MappingDocument) -> None:
    """What types alone cannot say."""
    if not document.words and not document.case:
        raise ConfigurationError("words: none, and no case: nothing could be said of any event")
    for word, kind in document.words.items():
        _check_kind(f"words.{word}", kind)
    for number, case in enumerate(document.case):
        _check_kind(f"case[{number}].kind", case.kind)
        if not case.word and not case.when:
            raise ConfigurationError(f"case[{number}]: neither `word` nor `when`, so it would be met by everything")
    if not document.recipient and not document.sole_recipient:
        raise ConfigurationError("recipient: no event could be about anybody")
    if not document.message.message_id and not document.message.own:
        raise ConfigurationError("message: neither `message_id` nor `own`: no event could be about any message")
    if (document.channel is Channel.PUSH) != bool(document.service):
        raise ConfigurationError("service: what push tokens belong to; the channel `push` has one, others have none")
    if document.body.field and document.body.form != "form":
        raise ConfigurationError("body.field: only a form has fields")
    document.push.build_proofs()
    for form in [document.text_inside] if isinstance(document.text_inside, str) else document.text_inside:
        if form and "*" not in form:
            raise ConfigurationError(f"text_inside: {form!r} has no *, so it would leave nothing")
    _check_repeated(document.words)
    for form in document.time.formats:
        _check_format(form)


def _check_kind(place: str, kind: object) -> None:
    plain = kind.removesuffix(SOFT) if isinstance(kind, str) else kind
    if plain not in KINDS and kind != IGNORE:
        raise ConfigurationError(f"{place}: {kind!r} is none of {', '.join(sorted(KINDS))} and {IGNORE}")


def _check_repeated(words: MappingOf[str, Any]) -> None:
    folded: set[str] = set()
    for word in words:
        if word.casefold() in folded:
            raise ConfigurationError(f"words.{word}: stands there twice, in another case")
        folded.add(word.casefold())


def _check_format(form: str) -> None:
    try:
        datetime.strptime(datetime(2026, 3, 2, 10, 11, 12).strftime(form), form)
    except ValueError as error:
        raise ConfigurationError(f"time.formats: {form!r} is no format of strptime: {error}") from None
