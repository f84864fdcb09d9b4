"""Reads rules as data, from TOML into checked, compiled rules, and says which field of which rule is wrong.

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
    when.code = ["550", "5"]              # the SMTP reply code, or its first digit; of others "http:410", "smpp:11"
    when.status = ["5.1.1", "x.2.*"]      # the enhanced status; x is any class, * any detail
    when.provider_code = ["Permanent/*"]  # the provider's own code
    when.domain = ["mail.example"]        # the machine that answered is this or below it
    when.absent = ["text", "status"]      # the source left these empty (also: code, action); "words": the text says
                                          # nothing but codes, names and what every refusal has
    then.reason = "mailbox_disabled"      # a word of the vocabulary
    then.class = "soft"                   # instead of the class that goes with the reason
    then.final = true                     # the fact is permanent (or, false, temporary) whatever the code says
    then.advice = "Ask them."             # what to do, instead of the advice that goes with the reason
    then.note = "their wiki, page 7"      # for people
    example = ["550 mailbox is parked"]   # texts that this rule decides
    not = ["550 no parking"]              # texts that it must leave alone

A user's document may have `[smsc.NAME]` tables beside: what is said of an SMSC (see `core.smsc`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct, ValidationError, convert, field

from aftersend.classify.pattern import Matcher, compile_pattern
from aftersend.core import smsc
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Kind, Phase, Reason

MAX_BYTES: Final = 256 * 1024  # of a document, as UTF-8
MAX_RULES: Final = 500
MAX_ENTRIES: Final = 500  # of one list
MAX_LENGTH: Final = 300  # characters of one entry

Lines = str | Sequence[str]
Field = Literal["text", "words", "status", "code", "action"]
Choice = TypeVar("Choice", bound=str)


class RuleError(ConfigurationError):
    """A mistake in one rule: the message names the rule and the field."""

    def __init__(self, rule: str, problem: str, *, field: str = "", entry: str = "", number: int = 0) -> None:
        super().__init__(f"rule {rule}: {problem}")
        self.rule = rule  # its id, or "number 3" where it has none
        self.field = field  # "when.text"; empty where it is none in particular
        self.entry = entry  # that is wrong, as it was read; empty where it is none in particular
        self.number = number  # of the rule in its document, from 1; 0 where the id tells


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


class RuleDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of a document, as written."""

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
    provider_codes: frozenset[str] | None = None
    domains: frozenset[str] | None = None
    absent: frozenset[str] = frozenset()
    plain: bool = False  # it asks for patterns alone


def read_document(document: str) -> dict[str, Any]:
    """Return the tables of a TOML document of rules; raise `ConfigurationError` where the form is wrong."""
    if len(document.encode()) > MAX_BYTES:
        raise ConfigurationError(f"rules: more than {MAX_BYTES} bytes")
    if _CHAIN.search(document):
        raise ConfigurationError("rules: nested too deeply")
    try:
        tables = tomllib.loads(document)
    except ValueError as error:  # that of `tomllib`, or a number with too many digits
        raise ConfigurationError(f"rules: not TOML: {error}") from error
    unknown = sorted(set(tables) - {"rule", smsc.TABLE})
    if unknown:
        raise ConfigurationError(
            f"rules: unknown key {unknown[0]!r}: only [[rule]] and [{smsc.TABLE}.NAME] tables are known"
        )
    return tables


class RuleDocument(Struct, frozen=True, omit_defaults=True):
    """A user's document, as written: its rules in their order, and its tables of SMSCs."""

    rules: tuple[RuleDefinition, ...] = ()
    smsc: Any = {}


def read_rules(given: str | Sequence[Any]) -> RuleDocument:
    """Return a document of rules, given as TOML or as the tables of its rules; raise `ConfigurationError`."""
    try:
        tables = read_document(given) if isinstance(given, str) else {"rule": list(given)}
    except RecursionError:
        raise ConfigurationError("rules: nested too deeply") from None
    rules = tables.get("rule", [])
    if not isinstance(rules, list):
        raise ConfigurationError("rules: write [[rule]], not [rule]")
    converted = [convert_rule(number, rule) for number, rule in enumerate(rules, 1)]
    return RuleDocument(tuple(converted), tables.get(smsc.TABLE, {}))


def put_before(first: RuleDocument, others: RuleDocument) -> RuleDocument:
    """Return one document with the rules of both; of those with the same id only the first stays."""
    ids = {rule.id for rule in first.rules}
    left = (rule for rule in others.rules if rule.id not in ids)
    return RuleDocument((*first.rules, *left), {**others.smsc, **first.smsc})


def parse(document: str) -> list[RuleDefinition]:
    """Return the rules of a TOML document as written; raise `ConfigurationError` where the form is wrong."""
    return list(read_rules(document).rules)


def define_errors(settings: Mapping[str, smsc.SmscSettings]) -> list[RuleDefinition]:
    """Return a rule for each error that a user's own table of an SMSC explains."""
    return [
        RuleDefinition(
            id=f"{smsc.TABLE}-{number}.{_OTHER.sub('-', code)}",
            when=When(provider_code=[smsc.name_error(_name_own_table(name), code)]),
            then=Then(reason=reason),
        )
        for number, (name, each) in enumerate(settings.items(), 1)
        if isinstance(each.errors, dict)
        for code, reason in each.errors.items()
    ]


def _name_own_table(name: str) -> str:
    """The name of a table of errors that belongs to one SMSC: no table that is shipped has such a one."""
    return f"own {smsc.fold_name(name)}"


def name_tables(settings: Mapping[str, smsc.SmscSettings]) -> dict[str, str]:
    """Return the table of errors that each SMSC has, by `smsc.fold_name`: one that is shipped, or its own."""
    return {
        smsc.fold_name(name): each.errors if isinstance(each.errors, str) else _name_own_table(name)
        for name, each in settings.items()
        if each.errors is not None
    }


def convert_rule(number: int, table: object) -> RuleDefinition:
    """Return the rule in a table of TOML, the `number`th of its document; raise `RuleError` where the form is wrong."""
    name = table.get("id", f"number {number}") if isinstance(table, dict) else f"number {number}"
    try:
        return convert(table, RuleDefinition)
    except ValidationError as error:
        raise RuleError(name, str(error), field=_find_field(str(error)), number=number) from error


def _find_field(problem: str) -> str:
    """Return the field that msgspec names: "… field `colour` - at `$.when`" is of "when.colour"."""
    member, path = _MEMBER.search(problem), _PATH.search(problem)
    return ".".join(found[1] for found in (path, member) if found)


class Compiler:
    """Compiles rules into one matcher; equal patterns share a number."""

    def __init__(self, matcher: Matcher, prefix: str = "") -> None:
        self.matcher = matcher
        self.prefix = prefix
        self._numbers: dict[str, int] = {}

    def compile(self, definition: RuleDefinition) -> Rule:
        """Return the compiled form of `definition`; raise `RuleError` for a mistake in it."""
        name, when = definition.id, definition.when
        if not name.isascii() or not name.translate(_ID).isalnum() or len(name) > MAX_LENGTH:
            raise RuleError(repr(name), "id: letters, digits, '.', '-' and '_' only", field="id", entry=name)
        if when in (When(), When(none=when.none)):
            raise RuleError(name, "when: no condition that can decide", field="when")
        return Rule(
            id=self.prefix + name,
            then=definition.then,
            any=self.compile_patterns(name, "text", when.text),
            all=self.compile_patterns(name, "all", when.all),
            none=self.compile_patterns(name, "none", when.none),
            sources=_fold_entries(name, "source", when.source),
            kinds=_check_choices(name, "kind", when.kind),
            phases=_check_choices(name, "phase", when.phase),
            codes=_check_forms(name, "code", when.code),
            statuses=_check_forms(name, "status", when.status),
            provider_codes=_fold_entries(name, "provider_code", when.provider_code),
            domains=_check_forms(name, "domain", when.domain),
            absent=_fold_entries(name, "absent", when.absent) or frozenset(),
            plain=when == When(text=when.text, all=when.all, none=when.none),
        )

    def compile_patterns(self, rule: str, name: str, value: Lines | None) -> frozenset[int]:
        """Return the numbers of the patterns of one list of a rule; raise `RuleError` for a mistake in it."""
        if value is None:
            return frozenset()
        return frozenset(self._add_pattern(rule, name, entry) for entry in _check_entries(rule, name, value))

    def _add_pattern(self, rule: str, name: str, entry: str) -> int:
        number = self._numbers.get(entry)
        if number is None:
            try:
                pattern = compile_pattern(entry)
            except ValueError as error:
                raise _mistake(rule, name, f"{error} in {entry!r}", entry) from None
            if pattern is None:
                raise _mistake(rule, name, f"nothing to look for in {entry!r}", entry)
            number = self._numbers[entry] = self.matcher.add(pattern)
        return number


# What these can be met by: an entry in another form would never decide, and nobody would notice.
_FORMS: Final = {
    "code": (
        re.compile(r"[2-5](?:\d\d)?|(?:http|smpp):\d{1,9}"),
        "an SMTP reply code or its first digit, or the code of another protocol: http:410, smpp:11",
    ),
    "status": (re.compile(r"[x245]\.\d{1,3}\.(?:\d{1,3}|\*)"), "three numbers; the first may be x, the last *"),
    "domain": (re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}"), "a domain; what is below it counts without a *"),
}
# A key in too many parts, or a text that looks like one: `tomllib` takes time and memory by the square of them.
_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_CHAIN: Final = re.compile(rf"""(?<![\w"'-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{64}}""")
_OTHER: Final = re.compile(r"[^0-9A-Za-z]")
_ID: Final = str.maketrans(".-_", "aaa")
_PATH: Final = re.compile(r"at `\$\.([\w.]+)")
_MEMBER: Final = re.compile(r"field `(\w+)`")


def split_lines(value: Lines | None) -> list[str]:
    """Return the entries of a list, or the lines of a text that hold something."""
    entries = value.splitlines() if isinstance(value, str) else value or []
    return [entry.strip() for entry in entries if entry.strip()]


def _mistake(rule: str, name: str, problem: str, entry: str = "") -> RuleError:
    return RuleError(rule, f"when.{name}: {problem}", field=f"when.{name}", entry=entry)


def _check_entries(rule: str, name: str, value: Lines) -> list[str]:
    entries = split_lines(value)
    if not entries:
        raise _mistake(rule, name, "empty")
    if len(entries) > MAX_ENTRIES:
        raise _mistake(rule, name, f"more than {MAX_ENTRIES} entries")
    longest = max(entries, key=len)
    if len(longest) > MAX_LENGTH:
        raise _mistake(rule, name, f"an entry is longer than {MAX_LENGTH} characters", longest)
    return entries


def _fold_entries(rule: str, name: str, value: Lines | None) -> frozenset[str] | None:
    return None if value is None else frozenset(entry.casefold() for entry in _check_entries(rule, name, value))


def _check_forms(rule: str, name: str, value: Lines | None) -> frozenset[str] | None:
    entries = _fold_entries(rule, name, value)
    form, words = _FORMS[name]
    for entry in sorted(entries or ()):
        if form.fullmatch(entry) is None:
            raise _mistake(rule, name, f"{entry!r} is not {words}", entry)
    return entries


def _check_choices(rule: str, name: str, value: list[Choice] | None) -> frozenset[Choice] | None:
    if value is None:
        return None
    if not value:
        raise _mistake(rule, name, "empty")
    return frozenset(value)
