"""`rules check`: says of a file of rules whether it loads, which verdicts it changes, and what it makes of texts.

It reads the file as a stack does that is given it as its rules, tries the examples that the rules bring along, and
judges every wording that stands beside the shipped rules (`local.wordings`) without the file and with it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend import classify
from aftersend.classify import Classifier, evidence_from
from aftersend.classify.engine import USER
from aftersend.classify.evidence import find_code, find_phase, find_status
from aftersend.classify.rules import Lines, RuleDefinition, RuleError, parse, split_lines
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Kind, Verdict
from aftersend_cli.refusals import DEFAULT_SOURCE, explain_refusal, judge_refusal, read_refusals
from local.wordings import list_files, read_file

_EXIT_CODES: Final = """
exit codes:
  0  the file loads, and its rules decide their examples
  1  it does not, or a file or a line of it cannot be read
  2  the command line is wrong
Verdicts that change are no fault.
"""
_RULE: Final = re.compile(r"\s*\[\[\s*rule\s*\]\]")
_TOML_LINE: Final = re.compile(r"at line (\d+)")


class Mistake(Struct, frozen=True):
    """What is wrong with a file, and where as far as is known."""

    file: str
    message: str
    rule: str | None = None
    field: str | None = None
    line: int | None = None


class Change(Struct, frozen=True):
    """A wording that gets another reason or class."""

    wording: str  # "postfix.tsv:12"
    text: str
    before: dict[str, str]
    after: dict[str, str]


class Report(Struct):
    """All that a check found."""

    file: str
    loads: bool = False
    rules: int = 0
    examples: int = 0
    mistakes: list[Mistake] = []
    wordings: int = 0  # that were judged
    decided: int = 0  # of them, by rules of the file
    changes: list[Change] = []
    texts: list[dict[str, Any]] = []  # as `classify` answers; `before` is the verdict without the file, if another


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of `rules`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check_ = actions.add_parser(
        "check",
        help="try a file of rules: does it load, and which verdicts does it change",
        description="Try a file of rules of your own (docs/rules.md) before a stack is given it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check_.add_argument("file", metavar="FILE", help="[[rule]] tables in TOML; - is stdin")
    check_.add_argument("--texts", metavar="FILE", help="show what becomes of these, too: JSON Lines as for `classify`")
    check_.add_argument("--json", action="store_true", help="write one JSON object for a program")


def run(options: argparse.Namespace) -> int:
    """Check a file of rules; return the exit code."""
    document = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    report = check(options.file, document, Path(options.texts) if options.texts else None)
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in show(report))
    for mistake in report.mistakes:
        place = f"{mistake.file}:{mistake.line}" if mistake.line else mistake.file
        sys.stderr.write(f"{place}: {mistake.message}\n")
    return 1 if report.mistakes else 0


def check(name: str, document: bytes, texts: Path | None = None) -> Report:
    """Return what is found of a document of rules, and of the wordings and the `texts` in a file under them."""
    report = Report(name)
    try:
        text = document.decode()
        classifier = classify.load(text)
    except UnicodeDecodeError as error:
        report.mistakes.append(
            Mistake(name, f"not UTF-8: {error.reason}", line=1 + document.count(b"\n", 0, error.start))
        )
        return report
    except ConfigurationError as error:
        report.mistakes.append(_explain_mistake(name, text, error))
        return report
    except RecursionError:
        report.mistakes.append(Mistake(name, "nested too deeply"))
        return report
    definitions = parse(text)
    report.loads, report.rules = True, len(definitions)
    report.examples = sum(len(split_lines(rule.example) + split_lines(rule.counter)) for rule in definitions)
    report.mistakes += _check_examples(name, text, definitions, classifier)
    _compare_wordings(report, classifier)
    if texts:
        _compare_texts(report, texts, classifier)
    return report


# -- Mistakes ----------------------------------------------------------------------------------------------------------


def _explain_mistake(name: str, document: str, error: ConfigurationError) -> Mistake:
    if isinstance(error, RuleError):
        line = find_line(document, error.number or error.rule, error.field, error.entry)
        return Mistake(name, str(error), error.rule, error.field or None, line)
    found = _TOML_LINE.search(str(error))
    return Mistake(name, str(error), line=int(found[1]) if found else None)


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


def _check_examples(
    name: str, document: str, definitions: Iterable[RuleDefinition], classifier: Classifier
) -> Iterator[Mistake]:
    for rule in definitions:
        for text, verdict in find_broken_examples(rule, classifier, USER):
            field = "example" if text in split_lines(rule.example) else "not"
            message = f"rule {rule.id}: {field}: decided by {_say(verdict)}: {text}"
            yield Mistake(name, message, rule.id, field, find_line(document, rule.id, field, text))


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


# -- Changes -----------------------------------------------------------------------------------------------------------


def _compare_wordings(report: Report, classifier: Classifier) -> None:
    plain = classify.load()
    for wording in (each for path in list_files() for each in read_file(path)):
        before, after = wording.judge(plain), wording.judge(classifier)
        report.wordings += 1
        report.decided += after.rule.startswith(USER)
        if (before.reason, before.klass) != (after.reason, after.klass):
            report.changes.append(Change(wording.place, wording.shown, _plain(before), _plain(after)))


def _compare_texts(report: Report, texts: Path, classifier: Classifier) -> None:
    plain = classify.load()
    for refusal in read_refusals(texts.read_bytes().splitlines()):
        if isinstance(refusal, str):
            report.mistakes.append(Mistake(str(texts), refusal))
            continue
        before, after = judge_refusal(refusal, plain), judge_refusal(refusal, classifier)
        row = {"id": refusal.id, **explain_refusal(refusal, classifier)}
        report.texts.append(row | {"before": _plain(before) if before != after else None})


def _plain(verdict: Verdict) -> dict[str, str]:
    return {"class": verdict.klass, "reason": verdict.reason, "rule": verdict.rule}


# -- For people --------------------------------------------------------------------------------------------------------


def show(report: Report) -> Iterator[str]:
    """Yield the lines that show a person what was found, but for the mistakes."""
    if not report.loads:
        return
    yield f"{report.file}: {report.rules} rules, {report.examples} examples"
    yield f"{report.wordings} wordings: {report.decided} decided by these rules, {len(report.changes)} verdicts change"
    for change in report.changes:
        yield f"  {change.wording}  {_say_row(change.before)} → {_say_row(change.after)}  {change.text}"
    if report.texts:
        yield f"{len(report.texts)} texts:"
    for row in report.texts:
        before = f"{_say_row(row['before'])} → " if row["before"] else ""
        yield f"  {bytes(row['id']).decode()}  {before}{_say_row(row)}"


def _say(verdict: Verdict) -> str:
    return _say_row(_plain(verdict))


def _say_row(row: dict[str, Any]) -> str:
    return f"{row['reason']}/{row['class']} ({row['rule']})"
