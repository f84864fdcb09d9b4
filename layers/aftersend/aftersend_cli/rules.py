"""`aftersend rules`: says what a file of rules would make of the texts that no rule of a stack knows."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from aftersend import classify
from aftersend.aws import connect
from aftersend.classify import evidence_from
from aftersend.core.model import Verdict
from aftersend.storage.items import Item
from aftersend_cli.documents import load_rules
from aftersend_cli.scanning import scan_table
from aftersend_cli.stack import DeployedStack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", metavar="FILE", help="[[rule]] tables in TOML, as docs/rules.md has them")


def run(options: argparse.Namespace, stack: DeployedStack) -> int:
    """Show each text whose verdict changes, the most frequent first; raises ConfigurationError for wrong rules."""
    before, after = stack.read_classifier(), load_rules(options.file, stack)
    dynamodb: Any = connect("dynamodb")
    texts = sorted(scan_table(dynamodb, stack.find("UnmatchedTexts"), _read), key=lambda text: (-text.seen, text.text))
    changed = 0
    for text in texts:
        old, new = text.judge(before), text.judge(after)
        if (old.reason, old.klass) != (new.reason, new.klass):
            changed += 1
            sys.stdout.write(f"{text.seen:5}  {_say(old)} → {_say(new)}  {text.source}: {text.text}\n")
    sys.stdout.write(f"{len(texts)} texts that no rule knew: {changed} would be judged otherwise\n")
    return 0


class _Text:
    """One text, as the table has it."""

    def __init__(self, item: Item) -> None:
        self.source, self.text = item["source"]["S"], item["example"]["S"]
        self.seen = len(item["seen"]["SS"])
        self._code, self._status = (item[name]["S"] for name in ("code", "status"))

    def judge(self, classifier: classify.Classifier) -> Verdict:
        """Return the verdict on it."""
        code, status = (None if each == "-" else each for each in (self._code, self._status))
        evidence = evidence_from(code=code, status=status, text=self.text)
        return classifier.judge(source=self.source, evidence=evidence)


def _read(item: Item) -> _Text:
    return _Text(item)


def _say(verdict: Verdict) -> str:
    return f"{verdict.reason}/{verdict.klass} ({verdict.rule})"
