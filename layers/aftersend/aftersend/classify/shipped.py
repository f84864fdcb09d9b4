"""Loads the shipped rules, and a user's rules before them.

Reading the rules from TOML takes longer than a cold start should. `python -m aftersend.classify` leaves them
compiled beside the sources, and whatever loads them afterwards takes that, as long as the sources are the same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from msgspec import DecodeError, Struct, json, structs, toml

from aftersend.classify.engine import USER, Classifier
from aftersend.classify.features import CodeForm
from aftersend.classify.passing import PASSING
from aftersend.classify.pattern import Matcher
from aftersend.classify.rules import (
    MAX_RULES,
    Compiler,
    Rule,
    RuleDefinition,
    RuleDocument,
    RuleError,
    define_errors,
    name_tables,
    parse,
    read_document,
    read_rules,
)
from aftersend.classify.source_words import FLAGGED, STEPS, SourceWords, make_rules, read_words
from aftersend.core import smsc
from aftersend.core.errors import ConfigurationError

# The order of decision: each file is one step.
ORDER: Final = (
    "verdicts",
    "aws-sms",
    "push",
    "text-messages",
    "providers",
    "sender",
    "languages-sender",
    "address",
    "languages-address",
    "transport",
    "languages-transport",
    "late",
    "status",
    "smsc",
    "provider-codes",
    "weak",
    "generic",
)
COMPILED: Final = "compiled.json"
CODES: Final = Path(__file__).with_name("codes.toml")
FOLDER: Final = Path(__file__).with_name("rules")  # importlib.resources takes longer to import than the rules to load
MAPPINGS: Final = Path(__file__).parents[1] / "sources" / "mapping" / "shipped"  # of them, what their words mean


class Compiled(Struct, frozen=True):
    """The shipped rules, ready to use."""

    digest: str  # of the sources
    matcher: Matcher
    rules: tuple[Rule, ...]
    passing: frozenset[int]  # the patterns of words that say that a refusal is for a while
    codes: dict[str, CodeForm]  # by source
    ends: dict[str, int]  # how many rules there are up to the end of a step that words of a source stand behind


def load_shipped() -> Compiled:
    """Return the rules of the package, in order: a fresh copy, which a user's rules may extend."""
    documents = tuple(FOLDER.joinpath(f"{name}.toml").read_bytes() for name in ORDER)
    mappings = tuple(path.read_bytes() for path in sorted(MAPPINGS.glob("*.toml")))
    codes, stored = CODES.read_bytes(), FOLDER / COMPILED
    if stored.is_file():
        try:
            compiled = json.decode(stored.read_bytes(), type=Compiled)
        except DecodeError:
            compiled = None
        if compiled is not None and compiled.digest == _digest((*documents, *mappings, codes)):
            return compiled
    return json.decode(_compile(documents, mappings, codes), type=Compiled)


def _digest(documents: Sequence[bytes]) -> str:
    return blake2b(b"\0".join((*documents, PASSING.encode())), digest_size=16).hexdigest()


@lru_cache(maxsize=1)
def _compile(documents: tuple[bytes, ...], mappings: tuple[bytes, ...], codes: bytes) -> bytes:
    """Compile rules, once in a process; the answer is encoded, because a copy is had faster by decoding it."""
    compiler = Compiler(Matcher())
    known = [read_words(tomllib.loads(mapping.decode())) for mapping in mappings]
    words = [make_rules(each) for each in known]
    rules: list[Rule] = []
    ends: dict[str, int] = {}
    for step, document in zip(ORDER, documents, strict=True):
        rules += map(compiler.compile, parse(document.decode()))
        if step in STEPS:
            rules += [compiler.compile(rule) for each in words for rule in each[step]]
            ends[step] = len(rules)
    passing = compiler.compile_patterns("passing", "text", PASSING)
    forms = toml.decode(codes, type=dict[str, CodeForm]) | dict.fromkeys((each.source for each in known), FLAGGED)
    digest = _digest((*documents, *mappings, codes))
    return json.encode(Compiled(digest, compiler.matcher, tuple(rules), passing, forms, ends))


def load(user_rules: str | RuleDocument | None = None, words: Sequence[SourceWords] = ()) -> Classifier:
    """Return the classifier with the user's rules, in TOML or as they were read, before the shipped ones.

    `words` are those of the user's own mapping files, whose meanings stand among the shipped ones. Raise
    `ConfigurationError` for a mistake in them; where it is in one rule, `RuleError`, which says in which field.
    """
    document = user_rules if isinstance(user_rules, RuleDocument) else read_rules(user_rules or "")
    if document == RuleDocument() and not words:
        return _load_plain()
    definitions = _check_definitions(document.rules)
    tables = {smsc.TABLE: document.smsc}
    settings = smsc.read_settings(tables)
    smsc.read_smscs(tables)  # whoever checks the document wants to hear of every mistake in it
    compiled = load_shipped()
    compiler = Compiler(compiled.matcher)
    shipped = tuple(_insert(compiled, compiler, [make_rules(each) for each in words]))
    compiler.prefix = USER
    rules = (*map(compiler.compile, (*definitions, *define_errors(settings))), *shipped)
    errors = name_tables(settings)
    _check_tables(errors, rules)
    codes = compiled.codes | dict.fromkeys((each.source for each in words), FLAGGED)
    return Classifier(rules, compiled.matcher, compiled.passing, codes, errors)


def _check_definitions(definitions: Sequence[RuleDefinition]) -> Sequence[RuleDefinition]:
    if len(definitions) > MAX_RULES:
        raise ConfigurationError(f"rules: more than {MAX_RULES}")
    ids: set[str] = set()
    for number, definition in enumerate(definitions, 1):
        if definition.id in ids:
            raise RuleError(definition.id, "id: used twice", field="id", entry=definition.id, number=number)
        ids.add(definition.id)
    return definitions


def _check_tables(tables: Mapping[str, str], rules: Sequence[Rule]) -> None:
    """Raise `ConfigurationError` for a table of errors that nobody has: none of its errors would ever be explained."""
    known = {code.partition(":")[0] for rule in rules for code in rule.provider_codes or () if ":" in code}
    for name, table in tables.items():
        if table.casefold() not in known:
            raise ConfigurationError(f"{smsc.TABLE}.{name}: errors: there is no table {table[:40]!r}")


def read_settings(user_rules: str | None) -> dict[str, Any]:
    """Return what the user's document says beside rules: the settings of sources; nothing where there is none."""
    tables = read_document(user_rules) if user_rules and user_rules.strip() else {}
    return {name: table for name, table in tables.items() if name != "rule"}


def _insert(compiled: Compiled, compiler: Compiler, words: Sequence[dict[str, list[RuleDefinition]]]) -> Iterator[Rule]:
    """The shipped rules, with those of words behind the steps that they belong to."""
    begin = 0
    for step, end in compiled.ends.items():
        yield from compiled.rules[begin:end]
        yield from (compiler.compile(rule) for each in words for rule in each[step])
        begin = end
    yield from compiled.rules[begin:]


@cache
def _load_plain() -> Classifier:
    compiled = load_shipped()
    return Classifier(compiled.rules, compiled.matcher, compiled.passing, compiled.codes)


def store_compiled() -> Path:
    """Store the shipped rules compiled, beside their sources; return where."""
    target = FOLDER / COMPILED
    target.unlink(missing_ok=True)
    target.write_bytes(json.encode(_sort_sets(load_shipped())))
    return target


def _sort_sets(value: Any) -> Any:
    """Return `value` with every set as a sorted list: one process has them in another order than the next.

    Two builds of the same sources are the same bytes then, and `sam deploy` has nothing to upload.
    """
    match value:
        case Struct():  # what encodes to nothing, because it has its default, stays out
            encoded = json.decode(json.encode(value))
            names = {each.name: each.encode_name for each in structs.fields(value)}
            return {new: _sort_sets(getattr(value, old)) for old, new in names.items() if new in encoded}
        case dict():
            return {key: _sort_sets(each) for key, each in value.items()}
        case list() | tuple():
            return [_sort_sets(each) for each in value]
        case set() | frozenset():
            return sorted(value)
        case _:
            return value
