"""`aftersend reevaluate`: shows what other rules or another policy make of what a stack has stored, and makes it so."""

from __future__ import annotations

import argparse
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from aftersend.aws import connect
from aftersend.classify import Classifier
from aftersend.core.policy import Policy
from aftersend.jobs.reevaluate import Changes, ReevaluationJob, ReevaluationPorts, run_slice, split
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store, TableNames
from aftersend_cli import documents
from aftersend_cli.asking import confirm
from aftersend_cli.output import Output
from aftersend_cli.stack import DeployedStack

_FIRST: Final = ("recipients", "outcomes", "outcomes changed", "suppressions changed", "suppressed", "freed")
_WORKERS: Final = 8


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    documents.arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Do it and show it; raises ServiceError where the tables do not answer, ConfigurationError for wrong documents."""
    rules = documents.load_documents(options, stack)
    names = stack.tables(rules[0].identifiers.find_by)
    if not options.dry_run:
        by = [f"{name} of {given or 'the stack'}" for name, given in vars(options).items() if name in _DOCUMENTS]
        confirm(stack.place, [f"judge everything in {names.outcomes} anew, by {' and '.join(by)}"], yes=options.yes)
    reevaluate(names, rules, output, workers=_WORKERS, dry_run=options.dry_run)
    return 0


_DOCUMENTS: Final = ("policy", "rules")


def reevaluate(
    names: TableNames, rules: tuple[Policy, Classifier], output: Output, *, workers: int, dry_run: bool
) -> None:
    """Judge two tables anew, and show what changes; raises ServiceError where they do not answer."""
    dynamodb: Any = connect("dynamodb")
    with ThreadPoolExecutor(workers) as pool:
        ports = ReevaluationPorts(
            store=Store(dynamodb, names),
            queries=Queries(dynamodb, names),
            policy=rules[0],
            classify=rules[1],
            pool=pool,
            clock=lambda: datetime.now(UTC),
            digest_key=os.environ.get("DIGEST_KEY", secrets.token_hex(16)).encode(),
        )
        (whole,) = split(ReevaluationJob(segments=1, dry_run=dry_run), "command")
        _show(run_slice(whole, ports, lambda: float("inf")).changes, output, dry_run=dry_run)


def _show(changes: Changes, output: Output, *, dry_run: bool) -> None:
    counts = {name: changes.counts.get(name, 0) for name in (*_FIRST, *sorted(changes.counts.keys() - {*_FIRST}))}
    lines = {"outcomes": list(changes.outcomes), "suppressions": list(changes.suppressions)}
    if output.as_json:
        output.write_json({"dry_run": dry_run, "counts": counts, **lines})
        return
    output.write("What would change; nothing was written:" if dry_run else "What has changed:")
    output.write_counts(counts)
    for name, some in lines.items():
        if some:
            output.write(f"{name.title()}, the first {len(some)}; addresses are digests:")
            for line in some:
                output.write(f"  {line}")
