"""Makes rules of what a mapping file says about its provider's own words. Pure.

A mapping file (`aftersend.sources.mapping`) describes a provider without any code, and what the provider's words mean
stands in it as well:

    [verdicts]                          # no delivery was tried: no text says otherwise
    suppressed = "suppressed"

    [reasons]                           # what a word means where the text does not say it
    err_mailbox_full = "mailbox_full"
    hard_bounced = "undetermined/hard"  # reason, and the class in the place of the one that goes with it

    [[rule]]                            # what it says in sentences of its own, as in rules.py
    id = "no-server"
    when.text = "no smtp servers were available"
    then.reason = "network_error"

They are rules like all others about this one source, each at its place in the order of decision: verdicts with the
verdicts, sentences with those of other providers, reasons with the codes of providers, and what tells no reason but
only a class at the very end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct, ValidationError, convert
from msgspec.structs import replace

from aftersend.classify.features import CodeForm
from aftersend.classify.pattern import Matcher
from aftersend.classify.rules import Compiler, RuleDefinition, RuleError, Then, When, convert_rule
from aftersend.core.errors import ConfigurationError
from aftersend.core.vocabulary import MEANINGS, Class, Reason

MAX_WORDS: Final = 300  # of one table

# Where they stand in the order of decision: behind the rules of these steps (`shipped.ORDER`).
VERDICT, TEXT, DETAIL, WORD = "verdicts", "providers", "provider-codes", "generic"
STEPS: Final = (VERDICT, TEXT, DETAIL, WORD)

FLAGGED: Final = CodeForm(flags=True)  # the form of their codes: "soft_bounced fatal=0"

_ADDRESS: Final = frozenset({Class.HARD, Class.SOFT})  # the classes that are held against an address


class SourceWords(Struct, frozen=True):
    """What is known of the words of one source."""

    source: str
    words: frozenset[str]  # of events; all others are details
    verdicts: Mapping[str, Any] = {}
    reasons: Mapping[str, Any] = {}
    rules: tuple[RuleDefinition, ...] = ()  # about its own sentences


def read_words(mapping: Mapping[str, Any]) -> SourceWords:
    """Read the words of a mapping file, as TOML has it; raises ConfigurationError where their form is wrong."""
    try:
        document = convert(mapping, _Document)
    except ValidationError as error:
        raise ConfigurationError(str(error)) from None
    named = [*document.words, *(word for case in document.case for word in case.list_words())]
    return SourceWords(
        source=document.source,
        words=frozenset(word.casefold() for word in named),
        verdicts=document.verdicts,
        reasons=document.reasons,
        rules=tuple(convert_rule(number, table) for number, table in enumerate(document.rule, 1)),
    )


class _Case(Struct, frozen=True):
    word: str | list[str] = ""
    code: str = ""

    def list_words(self) -> list[str]:
        words = [self.word] if isinstance(self.word, str) else self.word
        return [word for word in (*words, self.code) if word]


class _Document(Struct, frozen=True):
    """Of a mapping file, what its words are and mean; all else is for the parser."""

    source: str
    words: dict[str, Any] = {}
    case: list[_Case] = []
    verdicts: dict[str, Any] = {}
    reasons: dict[str, Any] = {}
    rule: list[Any] = []


def check_words(known: SourceWords) -> None:
    """Check what a mapping file says of words by making rules of it; raises ConfigurationError that names the field."""
    compiler = Compiler(Matcher())
    for rules in make_rules(known).values():
        for rule in rules:
            compiler.compile(rule)


def make_rules(known: SourceWords) -> dict[str, list[RuleDefinition]]:
    """Make the rules of a source, by the step that they stand behind; raises ConfigurationError that names the word."""
    found: dict[str, list[RuleDefinition]] = {step: [] for step in STEPS}
    meanings: dict[tuple[str, Then], list[str]] = {}
    for table, entries in (("verdicts", known.verdicts), ("reasons", known.reasons)):
        if len(entries) > MAX_WORDS:
            raise ConfigurationError(f"{table}: more than {MAX_WORDS} words")
        for word, meaning in entries.items():
            place = f"{table}.{word}"
            then = _read_meaning(place, meaning)
            step = VERDICT if table == "verdicts" else WORD if then.reason is Reason.UNDETERMINED else DETAIL
            meanings.setdefault((step, then), []).extend(_expand(place, word, known.words))
    found[TEXT] = [_own_rule(known.source, rule) for rule in known.rules]
    for (step, then), codes in meanings.items():
        found[step].append(_make_rule(known.source, step, then, codes, len(found[step])))
    return found


def _own_rule(source: str, rule: RuleDefinition) -> RuleDefinition:
    if rule.when.source is not None:
        raise RuleError(rule.id, "when.source: it is about the source of its file", field="when.source")
    _check_law(f"rule {rule.id}", rule.then)
    return replace(rule, id=f"{source}.{rule.id}", when=replace(rule.when, source=[source]))


def _read_meaning(place: str, meaning: Any) -> Then:
    """What a word means, checked."""
    given = meaning
    if isinstance(meaning, str):
        reason, slash, klass = meaning.partition("/")
        given = {"reason": reason, "class": klass} if slash else {"reason": reason}
    try:
        then = convert(given, Then)
    except ValidationError as error:
        raise ConfigurationError(f"{place}: {error}") from None
    _check_law(place, then)
    return then


def _check_law(place: str, then: Then) -> None:
    """Law 5: what is the sender's fault can never be turned against the recipient."""
    blameless = then.reason is not Reason.UNDETERMINED and MEANINGS[then.reason].permanent not in _ADDRESS
    if then.klass in _ADDRESS and blameless:
        raise ConfigurationError(f"{place}: {then.reason.value} is never the recipient's fault")
    if then.klass is Class.COMPLAINT and then.reason is not Reason.COMPLAINT:
        raise ConfigurationError(f"{place}: the class complaint goes with the reason complaint")


def _expand(place: str, word: str, words: frozenset[str]) -> Iterator[str]:
    """What a rule calls a word: that of an event with or without a detail, a detail behind whichever word."""
    if not word.strip("/* ") or len(word) > 64 or any(char.isspace() and char != " " for char in word):
        raise ConfigurationError(f"{place}: a word has 1 to 64 characters, on one line")
    if "/" in word:
        yield word
    elif word.casefold() in words:
        yield from (word, f"{word}/*")
    else:
        yield f"*/{word}"


def _make_rule(source: str, step: str, then: Then, codes: Iterable[str], number: int) -> RuleDefinition:
    # A text that no rule knows may say anything: beside it a word without a reason is held against nobody for good.
    silent = step == WORD and then.klass is Class.HARD
    return RuleDefinition(
        id=f"{source}.{step}-{number + 1}-{then.reason.value}",
        when=When(source=[source], provider_code=[*codes], absent=("words",) if silent else None),
        then=then,
    )
