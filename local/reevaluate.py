"""`python -m local reevaluate`: shows what other rules or another policy make of what is stored, and makes it so.

On the embedded stack, fed with every sample, it shows what a document does. With the names of two tables it works on
those, with the credentials of the environment.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aftersend import classify
from aftersend.aws import connect
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError, ServiceError
from aftersend.jobs.reevaluate import Changes, ReevaluationJob, ReevaluationPorts, run_slice, split
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store, TableNames

_FIRST: Final = ("recipients", "outcomes", "outcomes changed", "suppressions changed", "suppressed", "freed")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--policy", metavar="FILE", help="what differs from the built-in policy, as TOML")
    parser.add_argument("--rules", metavar="FILE", help="rules of your own, as TOML")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")
    parser.add_argument("--outcomes", metavar="TABLE", help="a table of outcomes, instead of the embedded stack")
    parser.add_argument("--suppressions", metavar="TABLE", help="the table of suppressions that belongs to it")
    parser.add_argument(
        "--retention-days", type=int, default=180, metavar="N", help="the RetentionDays of the stack (default 180)"
    )


def reevaluate(options: argparse.Namespace) -> int:
    """Run it and show it; 1 where the tables do not answer, 2 where it was asked for wrongly."""
    if bool(options.outcomes) != bool(options.suppressions):
        return _complain("give both --outcomes and --suppressions, or none of them", 2)
    try:
        rules = load_rules(options)
    except ConfigurationError as error:
        return _complain(str(error), 2)
    try:
        if options.outcomes:
            retention = timedelta(days=options.retention_days)
            names = TableNames(
                outcomes=options.outcomes,
                suppressions=options.suppressions,
                retention=retention,
                find_by=rules[0].identifiers.find_by,
            )
            return _run(names, rules, workers=8, dry_run=options.dry_run)
        return _run_on_the_embedded_stack(rules, dry_run=options.dry_run)
    except ServiceError as error:
        return _complain(str(error), 1)


def _run_on_the_embedded_stack(rules: tuple[policy.Policy, classify.Classifier], *, dry_run: bool) -> int:
    from local.demo import rigged  # noqa: PLC0415  # the embedded stack takes a second to import
    from local.stack import running  # noqa: PLC0415

    with running() as stack, rigged(stack) as rig:
        rig.run(list(rig.samples))
        made = stack.physical_ids("AWS::DynamoDB::Table")
        names = TableNames(outcomes=made["Outcomes"], suppressions=made["Suppressions"])
        return _run(names, rules, workers=1, dry_run=dry_run)  # moto takes no two writes at a time


def _run(names: TableNames, rules: tuple[policy.Policy, classify.Classifier], *, workers: int, dry_run: bool) -> int:
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
        (whole,) = split(ReevaluationJob(segments=1, dry_run=dry_run), "local")
        _show(run_slice(whole, ports, lambda: float("inf")).changes, dry_run=dry_run)
    return 0


def _show(changes: Changes, *, dry_run: bool) -> None:
    out = sys.stdout
    out.write("What would change; nothing was written:\n" if dry_run else "What has changed:\n")
    for name in (*_FIRST, *sorted(changes.counts.keys() - {*_FIRST})):
        out.write(f"{changes.counts.get(name, 0):9}  {name}\n")
    for title, lines in (("Outcomes", changes.outcomes), ("Suppressions", changes.suppressions)):
        if lines:
            out.write(f"{title}, the first {len(lines)}; addresses are digests:\n")
            out.writelines(f"  {line}\n" for line in lines)


def load_rules(options: argparse.Namespace) -> tuple[policy.Policy, classify.Classifier]:
    """Return policy and rules, out of the files that were named; raises ConfigurationError where they are wrong."""
    return policy.load(_read(options.policy)), classify.load(_read(options.rules) or None)


def _read(name: str | None) -> str:
    return Path(name).read_text("utf-8") if name else ""


def _complain(what: str, code: int) -> int:
    sys.stderr.write(what + "\n")
    return code
