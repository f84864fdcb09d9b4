"""Rules as data: reads TOML into checked, compiled rules, and says which field of which rule is wrong.

A rule file holds `[[rule]]` tables. All conditions of `when` must hold; a list is satisfied by any of its entries, and
a text stands for a list of one entry a line.

    [[rule]]
    id = "partner-parked"                 # letters, digits, ".", "-", "_"
    when.text = ["mailbox * parked"]      # any of these patterns (see pattern.py)
    when.all = ["mailbox", "parked"]      # every one of these
    when.none = ["temporarily"]           # none of these
    when.source = ["ses"]                 # who reports
    when.kind = ["bounced"]               # what was said
    when.phase = ["rcpt_to", "data"]      # the step of the SMTP conversation
    when.code = ["550", "5"]              # the reply code, or its first digit
    when.status = ["5.1.1", "x.2.*"]      # the enhanced status; x is any class, * any detail
    when.provider_code = ["Permanent/*"]           # the source's own words
    when.domain = ["mail.example"]        # the machine that answered is this or below it
    when.absent = ["text", "status"]      # the source left these empty (also: code, action)
    then.reason = "mailbox_disabled"      # a word of the vocabulary
    then.class = "soft"                   # instead of the class that goes with the reason
    then.final = true                     # the fact is permanent (or, false, temporary) whatever the code says
    then.advice = "Ask them."             # what to do, instead of the advice that goes with the reason
    then.note = "their wiki, page 7"      # for people
    example = ["550 mailbox is parked"]   # texts that this rule decides
    not = ["550 no parking"]              # texts that it must leave alone
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Final, Literal, TypeVar

from msgspec import Struct, ValidationError, convert, field

from aftersend.classify.pattern import Matcher, compile_pattern
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Kind, Phase, Reason

MAX_BYTES: Final = 256 * 1024  # of a document, as UTF-8
MAX_RULES: Final = 500
MAX_ENTRIES: Final = 500  # of one list
MAX_LENGTH: Final = 300  # characters of one entry

Lines = str | Sequence[str]
Field = Literal["text", "status", "code", "action"]
Word = TypeVar("Word", bound=str)


class When(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The conditions of a rule, as written."""

    text: Lines | None = None
    all: Lines | None = None
    none: Lines | None = None
    source: Lines | None = None
    kind: list[Kind] | None = None
    phase: list[Phase] | None = None
    code: Lines | None = None
    status: Lines | None = None
    provider_code: Lines | None = None
    domain: Lines | None = None
    absent: tuple[Field, ...] | None = None


class Then(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rule says, as written."""

    reason: Reason
    klass: Class | None = field(name="class", default=None)
    final: bool | None = None
    advice: str | None = None
    note: str | None = None


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule, as written."""

    id: str
    when: When
    then: Then
    example: Lines = ""
    counter: Lines = field(name="not", default="")


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule, compiled: every condition is a set to meet, or None where the rule does not care."""

    id: str
    then: Then
    any: frozenset[int] = frozenset()  # patterns by their numbers in the matcher
    all: frozenset[int] = frozenset()
    none: frozenset[int] = frozenset()
    sources: frozenset[str] | None = None
    kinds: frozenset[Kind] | None = None
    phases: frozenset[Phase] | None = None
    codes: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    words: frozenset[str] | None = None
    domains: frozenset[str] | None = None
    absent: frozenset[str] = frozenset()


def parse(document: str) -> list[Source]:
    """The rules of a TOML document as written; raises `ConfigurationError` where the form is wrong."""
    if len(document.encode()) > MAX_BYTES:
        raise ConfigurationError(f"rules: more than {MAX_BYTES} bytes")
    try:
        tables = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"rules: not TOML: {error}") from error
    unknown = sorted(set(tables) - {"rule"})
    if unknown:
        raise ConfigurationError(f"rules: unknown key {unknown[0]!r}: only [[rule]] tables are known")
    rules = tables.get("rule", [])
    if not isinstance(rules, list):
        raise ConfigurationError("rules: write [[rule]], not [rule]")
    return [_source(number, rule) for number, rule in enumerate(rules, 1)]


def _source(number: int, table: object) -> Source:
    name = table.get("id", f"number {number}") if isinstance(table, dict) else f"number {number}"
    try:
        return convert(table, Source)
    except ValidationError as error:
        raise ConfigurationError(f"rule {name}: {error}") from error


class Compiler:
    """Compiles rules into one matcher; equal patterns share a number."""

    def __init__(self, matcher: Matcher, prefix: str = "") -> None:
        self.matcher = matcher
        self.prefix = prefix
        self._numbers: dict[str, int] = {}

    def rule(self, source: Source) -> Rule:
        """The compiled form of `source`; raises `ConfigurationError` naming the rule and the field."""
        name, when = source.id, source.when
        if not name.isascii() or not name.translate(_ID).isalnum() or len(name) > MAX_LENGTH:
            raise ConfigurationError(f"rule {name!r}: id: letters, digits, '.', '-' and '_' only")
        if when in (When(), When(none=when.none)):
            raise ConfigurationError(f"rule {name}: when: no condition that can decide")
        return Rule(
            id=self.prefix + name,
            then=source.then,
            any=self._patterns(name, "text", when.text),
            all=self._patterns(name, "all", when.all),
            none=self._patterns(name, "none", when.none),
            sources=_entries(name, "source", when.source),
            kinds=_choices(name, "kind", when.kind),
            phases=_choices(name, "phase", when.phase),
            codes=_formed(name, "code", when.code),
            statuses=_formed(name, "status", when.status),
            words=_entries(name, "provider_code", when.provider_code),
            domains=_formed(name, "domain", when.domain),
            absent=_entries(name, "absent", when.absent) or frozenset(),
        )

    def _patterns(self, rule: str, name: str, value: Lines | None) -> frozenset[int]:
        if value is None:
            return frozenset()
        return frozenset(self._number(rule, name, entry) for entry in _checked(rule, name, value))

    def _number(self, rule: str, name: str, entry: str) -> int:
        number = self._numbers.get(entry)
        if number is None:
            pattern = compile_pattern(entry)
            if pattern is None:
                raise ConfigurationError(f"rule {rule}: when.{name}: nothing to look for in {entry!r}")
            number = self._numbers[entry] = self.matcher.add(pattern)
        return number


# What these can be met by: an entry in another form would never decide, and nobody would be told.
_FORMS: Final = {
    "code": (re.compile(r"[2-5](?:\d\d)?"), "a reply code or its first digit"),
    "status": (re.compile(r"[x245]\.\d{1,3}\.(?:\d{1,3}|\*)"), "three numbers; the first may be x, the last *"),
    "domain": (re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}"), "a domain; what is below it counts without a *"),
}
_ID: Final = str.maketrans(".-_", "aaa")


def lines(value: Lines | None) -> list[str]:
    """The entries of a list, or the lines of a text that hold something."""
    entries = value.splitlines() if isinstance(value, str) else value or []
    return [entry.strip() for entry in entries if entry.strip()]


def _checked(rule: str, name: str, value: Lines) -> list[str]:
    entries = lines(value)
    if not entries:
        raise ConfigurationError(f"rule {rule}: when.{name}: empty")
    if len(entries) > MAX_ENTRIES:
        raise ConfigurationError(f"rule {rule}: when.{name}: more than {MAX_ENTRIES} entries")
    if max(map(len, entries)) > MAX_LENGTH:
        raise ConfigurationError(f"rule {rule}: when.{name}: an entry is longer than {MAX_LENGTH} characters")
    return entries


def _entries(rule: str, name: str, value: Lines | None) -> frozenset[str] | None:
    return None if value is None else frozenset(entry.casefold() for entry in _checked(rule, name, value))


def _formed(rule: str, name: str, value: Lines | None) -> frozenset[str] | None:
    entries = _entries(rule, name, value)
    form, words = _FORMS[name]
    for entry in sorted(entries or ()):
        if form.fullmatch(entry) is None:
            raise ConfigurationError(f"rule {rule}: when.{name}: {entry!r} is not {words}")
    return entries


def _choices(rule: str, name: str, value: list[Word] | None) -> frozenset[Word] | None:
    if value is None:
        return None
    if not value:
        raise ConfigurationError(f"rule {rule}: when.{name}: empty")
    return frozenset(value)
