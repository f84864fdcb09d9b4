"""Says where in a document of rules a mistake is, and which of its examples a rule does not decide. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from aftersend.classify.engine import Classifier
from aftersend.classify.evidence import evidence_from, find_code, find_phase, find_status
from aftersend.classify.rules import Lines, RuleDefinition, RuleError, split_lines
from aftersend.core.errors import ConfigurationError
from aftersend.core.mistake import Mistake
from aftersend.core.model import BY_MAIL, Kind, Verdict

DEFAULT_SOURCE: Final = BY_MAIL  # of what names no source: it is taken for a reply that a mail reports
_RULE: Final = re.compile(r"\s*\[\[\s*rule\s*\]\]")
_TOML_LINE: Final = re.compile(r"at line (\d+)")


def explain_mistake(document: str | None, error: ConfigurationError) -> Mistake:
    """Return what an error of `load` says, and the line where `document` is TOML."""
    if isinstance(error, RuleError):
        line = find_line(document, error.number or error.rule, error.field, error.entry) if document else None
        return Mistake(str(error), error.rule, error.field or None, line)
    found = _TOML_LINE.search(str(error))
    return Mistake(str(error), line=int(found[1]) if found else None)


def find_line(document: str, rule: int | str, field: str, entry: str = "") -> int | None:
    """Return the line, from 1, of an entry of a field of a rule, else of the field, else of the rule; None if unknown.

    `rule` is its id, or its number from 1.
    """
    tables = tomllib.loads(document)["rule"]
    lines = [line.casefold() for line in document.splitlines()]
    starts = [at for at, line in enumerate(lines) if _RULE.match(line)]
    if len(starts) != len(tables):
        return None  # they are written in another way, or stand in a text
    number = rule if isinstance(rule, int) else _find_number(tables, rule)
    first, behind = starts[number - 1], [*starts, len(lines)][number]
    at = _find_key(lines, range(first, behind), field)
    if entry:
        at = next((each for each in range(at, behind) if entry.casefold() in lines[each]), at)
    return at + 1


def _find_key(lines: Sequence[str], block: range, field: str) -> int:
    """Return where in `block` a field is set, else what it belongs to, else where the block begins."""
    for name in reversed(field.split(".")):
        key = re.compile(rf"(?<![\w-]){re.escape(name)}[\"']?\s*[=.\]]")
        for at in block:
            if key.search(lines[at].partition("#")[0]):
                return at
    return block.start


def _find_number(tables: Sequence[dict[str, Any]], name: str) -> int:
    """Return the number of the rule that an error calls `name`: by its id, quoted where it is no proper one."""
    return next(number for number, table in enumerate(tables, 1) if name in (table["id"], repr(table["id"])))


def check_examples(
    document: str | None, definitions: Iterable[RuleDefinition], classifier: Classifier, prefix: str = ""
) -> Iterator[Mistake]:
    """Yield a mistake for each text that a rule must decide and does not, or must leave alone and does not."""
    for rule in definitions:
        for text, verdict in find_broken_examples(rule, classifier, prefix):
            field = "example" if text in split_lines(rule.example) else "not"
            decided = f"{verdict.reason}/{verdict.klass} ({verdict.rule})"
            message = f"rule {rule.id}: {field}: decided by {decided}: {text}"
            yield Mistake(message, rule.id, field, find_line(document, rule.id, field, text) if document else None)


def find_broken_examples(
    rule: RuleDefinition, classifier: Classifier, prefix: str = ""
) -> Iterator[tuple[str, Verdict]]:
    """Yield each text that `rule` must decide and does not, or must leave alone and does not, with its verdict."""
    for wanted, texts in ((True, rule.example), (False, rule.counter)):
        for text in split_lines(texts):
            verdict = judge_example(rule, text, classifier)
            if (verdict.rule == prefix + rule.id) is not wanted:
                yield text, verdict


def judge_example(rule: RuleDefinition, text: str, classifier: Classifier) -> Verdict:
    """Return the verdict on an example, with the source, kind, codes, phase and machine that its rule asks for.

    What the text itself says of codes and of the phase is not replaced.
    """
    when = rule.when
    code, status, provider_code, domain = map(_first, (when.code, when.status, when.provider_code, when.domain))
    phase = when.phase[0].value if when.phase and not find_phase(text) else None
    evidence = evidence_from(
        text=text,
        code=None if find_code(text) else code.ljust(3, "0"),
        status=None if find_status(text) else status.replace("x", "5").replace("*", "0"),
        command=phase,
        provider_code=provider_code or None,
        remote_mta=f"mx.{domain}" if domain else None,
    )
    kind = when.kind[0] if when.kind and Kind.BOUNCED not in when.kind else Kind.BOUNCED
    return classifier.judge(source=_first(when.source) or DEFAULT_SOURCE, evidence=evidence, kind=kind)


def _first(value: Lines | None) -> str:
    entries = split_lines(value)
    return entries[0] if entries else ""
