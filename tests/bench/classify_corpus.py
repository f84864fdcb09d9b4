"""Measures the classifier against published replies: what is right, what is dangerous, how fast.

    python tests/bench/classify_corpus.py DIR      (or AFTERSEND_CORPUS=DIR)

DIR holds `replies.jsonl`: one reply a line with the reason and the class that are right, and others that are right
too. Each is judged twice: by its text with the given code, status and phase, and by its raw DSN fields.

- false suppression: judged hard where hard is not right, as a share of those where hard is not right
- hard recall: judged hard, as a share of those where hard is the one right class
- class, reason: right or also right, as a share of all
- undetermined: no reason found, as a share of those whose reason is known
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "layers" / "aftersend"))

from aftersend.classify import evidence_from, load
from aftersend.core.model import Class, Evidence, Reason, Verdict

ROUNDS = 60  # of some milliseconds each: the best is the one that nothing else disturbed
Row = dict[str, Any]


def by_text(row: Row) -> Evidence:
    """The reply as a mail log shows it."""
    return evidence_from(code=row["reply_code"], status=row["status"], text=row["text"], command=row["phase"])


def by_dsn(row: Row) -> Evidence:
    """The fields of a delivery status notification."""
    dsn = row["dsn"]
    return evidence_from(
        status=dsn["status"], text=dsn["diagnostic"], action=dsn["action"], remote_mta=dsn["remote_mta"]
    )


def classes_right(row: Row, evidence: Evidence) -> set[str]:
    """The classes that are right; what was only delayed may be ignored."""
    delayed = {"ignore"} if evidence.action == "delayed" else set()
    return {row["bounce_class"], *row["class_also_right"], *delayed}


def measure(rows: list[Row], judged: list[tuple[Evidence, Verdict]]) -> dict[str, str]:
    """The figures of one table row."""
    false_hard = not_hard = hard_found = hard = class_right = reason_right = unknown = known = 0
    for row, (evidence, verdict) in zip(rows, judged, strict=True):
        right = classes_right(row, evidence)
        reasons = {row["reason"], *row["reason_also_right"]}
        not_hard += "hard" not in right
        false_hard += "hard" not in right and verdict.klass is Class.HARD
        hard += right == {"hard"}
        hard_found += right == {"hard"} and verdict.klass is Class.HARD
        class_right += verdict.klass in right
        reason_right += verdict.reason in reasons
        known += "undetermined" not in reasons
        unknown += "undetermined" not in reasons and verdict.reason is Reason.UNDETERMINED
    return {
        "rows": str(len(rows)),
        "false suppression": _share(false_hard, not_hard),
        "hard recall": _share(hard_found, hard),
        "class": _share(class_right, len(rows)),
        "reason": _share(reason_right, len(rows)),
        "undetermined": _share(unknown, known),
    }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f} % ({part}/{whole})" if whole else "-"


def speed(evidence: list[Evidence]) -> float:
    """Replies a second of CPU, none of them remembered."""
    classifier = load()
    best = 0.0
    for _ in range(ROUNDS):
        classifier.forget()
        start = time.process_time()
        for one in evidence:
            classifier.judge(source="report", evidence=one)
        best = max(best, len(evidence) / (time.process_time() - start))
    return best


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", nargs="?", default=os.environ.get("AFTERSEND_CORPUS"), help="directory")
    parser.add_argument("--misses", action="store_true", help="list what was judged wrongly")
    arguments = parser.parse_args()
    if not arguments.corpus:
        parser.error("name a corpus directory, or set AFTERSEND_CORPUS")
    start = time.perf_counter()
    classifier = load()
    loaded = time.perf_counter() - start
    with (Path(arguments.corpus) / "replies.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    table = {}
    for name, chosen, read in (
        ("text", rows, by_text),
        ("dsn", [row for row in rows if row.get("dsn")], by_dsn),
    ):
        evidence = [read(row) for row in chosen]
        judged = [(one, classifier.judge(source="report", evidence=one)) for one in evidence]
        table[name] = measure(chosen, judged)
        if arguments.misses:
            _misses(name, chosen, judged)
    for figure in table["text"]:
        print(f"{figure:20}", *(f"{table[name][figure]:>20}" for name in table))
    distinct = list(dict.fromkeys(by_text(row) for row in rows))
    print(f"{'replies a second':20} {speed(distinct):20.0f}")
    print(f"{'rules loaded in':20} {1000 * loaded:17.1f} ms")


def _misses(name: str, rows: list[Row], judged: list[tuple[Evidence, Verdict]]) -> None:
    for row, (evidence, verdict) in zip(rows, judged, strict=True):
        wrong_class = verdict.klass not in classes_right(row, evidence)
        if wrong_class or verdict.reason not in {row["reason"], *row["reason_also_right"]}:
            mark = "CLASS " if wrong_class else "reason"
            print(f"{name} {mark} {row['id']}: {verdict.klass}/{verdict.reason} by {verdict.rule}, ", end="")
            print(f"not {row['bounce_class']}/{row['reason']}: {evidence.code} {evidence.text!r:.300}")


if __name__ == "__main__":
    main()
