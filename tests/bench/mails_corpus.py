"""Measures the report parser against published mails: who was found, what each mail is, how fast; beside flufl.bounce.

    python -m tests.bench.mails_corpus DIR      (or AFTERSEND_CORPUS=DIR)

DIR holds `mails.jsonl`: one mail a line with its file, its kind and who should be found in it, and under which other
name. A recipient that the corpus only invents (`….invalid`) is not looked for.

- found: recipients that were found, by either name, as a share of those expected
- extra: recipients that were found and not expected, as a share of those found
- kind: mails that were taken for what they are: a bounce, a complaint, an automatic answer
- hard, no bounce: mails that are no bounce, and from which a hard verdict came
- mails a second: bytes in, facts (or addresses) out, on one core; the best of several rounds
"""

from __future__ import annotations

import argparse
import email
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "layers" / "aftersend"))

from aftersend import classify
from aftersend.core.recipient import canonicalize_email
from aftersend.sources import report
from aftersend_cli.mails import summarize_mail
from tests.bench.table import goal, show

ROUNDS = 5
KINDS = {"arf": "complaint", "autoreply": "auto_reply"}  # every other one is a bounce


class Mail(NamedTuple):
    """One mail of the corpus."""

    id: str
    kind: str
    raw: bytes
    expected: list[set[str]]  # for each recipient the names that are right


class Read(NamedTuple):
    """What a contender found in a mail; `kind` and `hard` only where it says so."""

    recipients: set[str]
    kind: str | None = None
    hard: bool = False


Contender = Callable[[bytes], Read]


def mails(corpus: Path) -> Iterator[Mail]:
    """The mails of a corpus."""
    with (corpus / "mails.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            named = [each for each in row["expected"] if not each["recipient"].endswith(".invalid")]
            expected = [{_canonical(each[name]) for name in ("recipient", "alias") if each[name]} for each in named]
            yield Mail(row["id"], KINDS.get(row["kind"], "bounce"), (corpus / row["file"]).read_bytes(), expected)


def _canonical(name: str) -> str:
    return canonicalize_email(name).removeprefix("email:")


def ours() -> Contender:
    """This parser, with the verdicts of the shipped rules."""
    classifier = classify.load()

    def read(raw: bytes) -> Read:
        result = summarize_mail("", raw, classifier)
        found = {each["recipient"] for each in result["recipients"]}
        return Read(found, result["kind"], any(each["class"] == "hard" for each in result["recipients"]))

    return read


def flufl() -> Contender:
    """flufl.bounce, which finds addresses and says no more."""
    from flufl.bounce import all_failures

    def read(raw: bytes) -> Read:
        temporary, permanent = all_failures(email.message_from_bytes(raw))
        return Read({_canonical(each.decode("utf-8", "replace")) for each in temporary | permanent})

    return read


def measure(rows: list[Mail], contender: Contender) -> tuple[dict[str, float], list[str]]:
    """The figures of a contender, and what it missed."""
    found = read_count = extra = kinds = hard = 0
    misses = []
    for row in rows:
        read = contender(row.raw)
        hits = [names for names in row.expected if names & read.recipients]
        more = read.recipients - set().union(*row.expected)
        found, read_count, extra = found + len(hits), read_count + len(read.recipients), extra + len(more)
        kinds += read.kind == row.kind
        hard += read.hard and row.kind != "bounce"
        if len(hits) < len(row.expected) or more or read.kind not in {None, row.kind}:
            misses.append(f"{row.id}: {read.kind or ''} {sorted(read.recipients)}, not {row.kind} {row.expected}")
    expected = sum(len(row.expected) for row in rows)
    figures = {"found": found / expected, "extra": extra / max(read_count, 1), "kind": kinds / len(rows), "hard": hard}
    return {name: 100 * value if name != "hard" else value for name, value in figures.items()}, misses


def speed(rows: list[Mail], read: Callable[[bytes], object]) -> float:
    """Mails a second of CPU."""
    best = 0.0
    for _ in range(ROUNDS):
        begun = time.process_time()
        for row in rows:
            read(row.raw)
        best = max(best, len(rows) / (time.process_time() - begun))
    return best


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", nargs="?", default=os.environ.get("AFTERSEND_CORPUS"), help="directory")
    parser.add_argument("--misses", action="store_true", help="list what was missed")
    arguments = parser.parse_args()
    if not arguments.corpus:
        parser.error("name a corpus directory, or set AFTERSEND_CORPUS")
    rows = list(mails(Path(arguments.corpus)))
    figures, misses = measure(rows, ours())
    columns: dict[str, tuple[dict[str, Any], float]] = {"aftersend": (figures, speed(rows, report.parse))}
    if find_spec("flufl"):
        rival = flufl()
        columns["flufl.bounce"] = (measure(rows, rival)[0], speed(rows, rival))
    _print(len(rows), columns)
    if arguments.misses:
        print(*misses, sep="\n")


def _print(count: int, columns: dict[str, tuple[dict[str, Any], float]]) -> None:
    lines = [
        ["found", *(f"{figures['found']:.1f} %" for figures, _ in columns.values())],
        ["extra", *(f"{figures['extra']:.1f} %" for figures, _ in columns.values())],
        ["kind", *(f"{figures['kind']:.1f} %" if figures["kind"] else "-" for figures, _ in columns.values())],
        ["hard, no bounce", *(str(figures["hard"]) if figures["kind"] else "-" for figures, _ in columns.values())],
        ["mails a second", *(f"{rate:.0f}" for _, rate in columns.values())],
    ]
    figures, rate = columns["aftersend"]
    notes = [
        goal("found, %", figures["found"], 95, least=True),
        goal("extra, %", figures["extra"], 2),
        goal("kind, %", figures["kind"], 98, least=True),
        goal("hard verdicts from mails that are no bounce", figures["hard"], 0),
        goal("mails a second", rate, 1_500, least=True),
    ]
    show(f"{count} mails", ["", *columns], lines, notes)


if __name__ == "__main__":
    main()
