"""A mapping file, compiled: every path taken apart once, every word folded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final

from msgspec import Struct

from aftersend.classify.source_words import SourceWords, check_words, read_words
from aftersend.core.errors import ConfigurationError
from aftersend.core.smsc import find_zone
from aftersend.core.vocabulary import Channel, Kind
from aftersend.sources.mapping.document import (
    IGNORE,
    KINDS,
    SOFT,
    CaseFields,
    MappingDocument,
    Paths,
    TimeFields,
    decode,
)
from aftersend.sources.mapping.paths import MAX_STEPS, Path, compile_path, find_all
from aftersend.sources.mapping.row import PushFields
from aftersend.sources.mapping.values import matches, to_text

Found = Sequence[Path]  # the first that finds anything counts

# Of the document, what is one value of an event.
FIELDS: Final = (
    *("word", "detail", "recipient", "sole_recipient", "text", "code", "status", "command", "remote_mta"),
    *("reporting_mta", "attempt", "event_id", "scope", "sender", "subject"),
)


class FieldTest(Struct, frozen=True):
    """A condition: what a path has to find."""

    path: Path
    patterns: tuple[str, ...]  # one of these

    def holds(self, scopes: Sequence[Any]) -> bool:
        """Return whether an event, with what it lies in, meets it."""
        values = [text for value in find_all(scopes, (self.path,)) if (text := _name_value(value))]
        return any(meets(pattern, values) for pattern in self.patterns)


def _name_value(value: Any) -> str:
    """A value as text; of a list or an object only that it is there."""
    return to_text(value) or ("*" if isinstance(value, dict | list) else "")


def meets(pattern: str, values: Sequence[str]) -> bool:
    """Whether values are as one pattern says: "" for none, "!x" for some of which none is x, "*" for any."""
    if not pattern:
        return not values
    if pattern[0] == "!":
        return bool(values) and not any(matches(pattern[1:], value) for value in values)
    return any(matches(pattern, value) for value in values)


class EventMeaning(Struct, frozen=True):
    """What an event is."""

    kind: Kind | None  # None: nothing about a message
    code: str = ""  # of the provider, in the place of the word
    soft: bool = False  # not for good, whatever the text says
    machine: bool = False


class CompiledCase(Struct, frozen=True):
    """An exception from the table of words."""

    words: tuple[str, ...]  # patterns; none for any
    tests: tuple[FieldTest, ...]
    meaning: EventMeaning

    def holds(self, word: str, scopes: Sequence[Any]) -> bool:
        """Return whether it is about an event with this word."""
        known = not self.words or any(meets(pattern, [word]) for pattern in self.words)
        return known and all(test.holds(scopes) for test in self.tests)


class SourceMapping(Struct, frozen=True, kw_only=True):
    """All that a mapping file says of a source, ready to read bodies with."""

    source: str
    channel: Channel
    service: str
    form: str
    field: str
    events: Found
    fields: dict[str, Found]
    engagement: dict[str, Found]
    correlation: dict[str, Found]
    message_id: Found
    own: Found
    before: str
    prefix: str
    word_prefix: str
    text_inside: tuple[str, ...]
    at: Found
    time: TimeFields
    zone: tzinfo | None
    words: dict[str, EventMeaning]
    cases: tuple[CompiledCase, ...]
    vocabulary: SourceWords  # what its words mean
    push: PushFields


def load(text: str) -> SourceMapping:
    """Load a mapping file (TOML); raises ConfigurationError that names the field."""
    document, tables = decode(text)
    vocabulary = read_words(tables)
    check_words(vocabulary)
    message, time = document.message, document.time
    return SourceMapping(
        source=document.source,
        channel=document.channel,
        service=document.service,
        form=document.body.form,
        field=document.body.field,
        events=_compile("body.events", document.body.events, MAX_STEPS),
        fields={name: _compile(name, getattr(document, name)) for name in FIELDS},
        engagement=_compile_table("engagement", _list_engagement(document)),
        correlation=_compile_table("correlation", document.correlation),
        message_id=_compile("message.message_id", message.message_id),
        own=_compile("message.own", message.own),
        before=message.before,
        prefix=message.prefix or document.source,
        word_prefix=document.word_prefix,
        text_inside=tuple(_listed(document.text_inside)),
        at=_compile("time.at", time.at),
        time=time,
        zone=_find_zone(time.zone),
        words={word.casefold(): _make_meaning(kind) for word, kind in document.words.items()},
        cases=tuple(_compile_case(number, each) for number, each in enumerate(document.case)),
        vocabulary=vocabulary,
        push=document.push,
    )


def _list_engagement(document: MappingDocument) -> dict[str, Paths]:
    names = document.engagement.__struct_fields__
    return {name: getattr(document.engagement, name) for name in names}


def _compile(place: str, paths: Any, lists: int = 1) -> tuple[Path, ...]:
    try:
        return tuple(compile_path(path, lists) for path in _listed(paths))
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}") from None


def _compile_table(place: str, table: dict[str, Any]) -> dict[str, Found]:
    return {name: _compile(f"{place}.{name}", paths) for name, paths in table.items()}


def _find_zone(name: str) -> tzinfo | None:
    try:
        return find_zone(name) if name else None
    except ValueError as error:
        raise ConfigurationError(f"time.zone: {error}") from None


def _listed(given: Any) -> list[str]:
    listed = given if isinstance(given, list) else [given] if given != "" else []
    if not all(isinstance(each, str) for each in listed):
        raise ValueError("a text, or a list of texts")
    return listed


def _make_meaning(kind: str, *, code: str = "", machine: bool = False) -> EventMeaning:
    plain = kind.removesuffix(SOFT)
    return EventMeaning(None if plain == IGNORE else KINDS[plain], code=code, soft=plain != kind, machine=machine)


def _compile_case(number: int, case: CaseFields) -> CompiledCase:
    place = f"case[{number}].when"
    return CompiledCase(
        words=tuple(_listed(case.word)),
        tests=tuple(_compile_test(f"{place}.{path}", path, wanted) for path, wanted in case.when.items()),
        meaning=_make_meaning(case.kind, code=case.code, machine=case.machine),
    )


def _compile_test(place: str, path: str, wanted: Any) -> FieldTest:
    (compiled,) = _compile(place, path) or [()]
    patterns = wanted if isinstance(wanted, list) else [wanted]
    if not compiled or not patterns or not all(isinstance(each, str | bool | int) for each in patterns):
        raise ConfigurationError(f"{place}: a text, a number, true or false, or a list of them")
    return FieldTest(compiled, tuple(map(to_text, patterns)))
