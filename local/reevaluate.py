"""`python -m local reevaluate`: shows what other rules or another policy make of all samples, on the embedded stack."""

from __future__ import annotations

import argparse
import sys

from aftersend.core.errors import ConfigurationError, ServiceError
from aftersend.storage.store import TableNames
from aftersend_cli import documents
from aftersend_cli.output import Output
from aftersend_cli.reevaluate import reevaluate as judge_anew


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    documents.arguments(parser, "the built-in ones")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")


def reevaluate(options: argparse.Namespace) -> int:
    """Run it and show it; 1 where the tables do not answer, 2 where a document is wrong."""
    try:
        rules = documents.load_documents(options)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from local.demo import rigged  # noqa: PLC0415  # the embedded stack takes a second to import
    from local.stack import running  # noqa: PLC0415

    with running() as stack, rigged(stack) as rig:
        rig.run(list(rig.samples))
        made = stack.physical_ids("AWS::DynamoDB::Table")
        names = TableNames(outcomes=made["Outcomes"], suppressions=made["Suppressions"])
        try:
            judge_anew(names, rules, Output(), workers=1, dry_run=options.dry_run)
        except ServiceError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0
