"""`rules check`: says of a file of rules whether it loads, which verdicts it changes, and what it makes of texts.

It reads the file as a stack does that is given it as its rules, tries the examples that the rules bring along, and
judges every wording that stands beside the shipped rules (`local.wordings`) without the file and with it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend import classify
from aftersend.classify import Classifier
from aftersend.classify.engine import USER
from aftersend.classify.mistakes import check_examples, explain_mistake
from aftersend.classify.rules import parse, split_lines
from aftersend.core.errors import ConfigurationError
from aftersend.core.mistake import Mistake
from aftersend.core.model import Verdict
from aftersend_cli.refusals import explain_refusal, judge_refusal, read_refusals
from local.wordings import list_files, read_file

_EXIT_CODES: Final = """
exit codes:
  0  the file loads, and its rules decide their examples
  1  it does not, or a file or a line of it cannot be read
  2  the command line is wrong
Verdicts that change are no fault.
"""


class FileMistake(Struct, frozen=True):
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
    mistakes: list[FileMistake] = []
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
            FileMistake(name, f"not UTF-8: {error.reason}", line=1 + document.count(b"\n", 0, error.start))
        )
        return report
    except ConfigurationError as error:
        report.mistakes.append(_place_mistake(name, explain_mistake(text, error)))
        return report
    definitions = parse(text)
    report.loads, report.rules = True, len(definitions)
    report.examples = sum(len(split_lines(rule.example) + split_lines(rule.counter)) for rule in definitions)
    report.mistakes += [_place_mistake(name, each) for each in check_examples(text, definitions, classifier, USER)]
    _compare_wordings(report, classifier)
    if texts:
        _compare_texts(report, texts, classifier)
    return report


def _place_mistake(file: str, mistake: Mistake) -> FileMistake:
    return FileMistake(file, mistake.message, mistake.rule, mistake.field, mistake.line)


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
            report.mistakes.append(FileMistake(str(texts), refusal))
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


def _say_row(row: dict[str, Any]) -> str:
    return f"{row['reason']}/{row['class']} ({row['rule']})"
