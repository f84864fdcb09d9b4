"""`aftersend sync`: brings the account-level suppression list of Amazon SES to what a stack's suppressions say.

For the day on which SyncSesSuppressions is switched on, and for changes that were given up. It takes about a second for
each address that SES has to take or give up.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from aftersend.aws import connect
from aftersend.core.errors import ServiceError, Unreadable
from aftersend.core.model import Suppression
from aftersend.jobs.ses_sync import ListChange, SesSync, plan_change
from aftersend.storage.items import decode_suppression
from aftersend_cli.asking import confirm
from aftersend_cli.output import Output
from aftersend_cli.scanning import scan_table, write_counts
from aftersend_cli.stack import DeployedStack


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--dry-run", action="store_true", help="say how many would be put or taken off, and change nothing"
    )


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Do it and say what became of it; 1 where the table or SES does not answer: it can be run again."""
    table = stack.find("Suppressions")
    apply = _count_only
    if not options.dry_run:
        confirm(
            stack.place,
            [f"bring the account's suppression list of Amazon SES in {stack.region} to what {table} says"],
            yes=options.yes,
        )
        apply = SesSync(connect("sesv2"), time.sleep).apply
    dynamodb: Any = connect("dynamodb")
    counts: Counter[str] = Counter()
    unreadable: list[Unreadable] = []
    failed = False
    try:
        _apply_all(scan_table(dynamodb, table, decode_suppression, unreadable), apply, counts)
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        failed = True
    write_counts(counts, unreadable, output, dry_run=options.dry_run)
    return 1 if failed or unreadable else 0


def _apply_all(found: Iterator[Suppression], apply: Callable[[ListChange], str], counts: Counter[str]) -> None:
    for row in found:
        change = find_change(row)
        counts[apply(change) if change else "Unchanged"] += 1


def find_change(row: Suppression) -> ListChange | None:
    """Return what a row asks for, whatever SES was sent before: to put an address there, or to take it off."""
    return plan_change(None, row) or plan_change(replace(row, released_at=None, forced_at=None), row)


def _count_only(change: ListChange) -> str:
    return "Put" if change.reason else "Deleted"
