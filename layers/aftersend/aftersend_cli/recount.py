"""`aftersend recount`: proves that the counters of a stack are what its tables say, or makes them so.

It reads both tables whole. While anything is written, counters are some seconds behind the tables, so differences of
the last days mean nothing, and what `--apply` writes would be wrong. So it wants that nothing moves: no function that
brings feedback may be fed, and the streams must have been worked to their end (docs/statistics.md).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from aftersend.aws import connect
from aftersend.core.errors import Unreadable
from aftersend.core.model import Outcome, Suppression
from aftersend.core.statistics import CounterRow, Disagreement, FindStream, compare_rows, recount, sum_rows
from aftersend.storage.items import decode_outcome, decode_suppression
from aftersend.storage.statistics import StatisticsTable
from aftersend_cli.asking import confirm
from aftersend_cli.errors import CommandError, UsageError
from aftersend_cli.output import Output
from aftersend_cli.scanning import scan_table
from aftersend_cli.stack import DeployedStack, make_client

_SHOWN: Final = 20  # differences
_TABLE: Final = "StatisticsTable"
_READERS: Final = frozenset({"Streams", "SyncSesList"})  # they follow the tables, and feed nothing
_FUNCTION: Final = "AWS::Lambda::Function"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--apply", action="store_true", help="write what is counted anew, while nothing is written")


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Do it and show it; 0 where all counters are right, or are so now. Raises ServiceError where a table is silent."""
    names = stack.tables()
    if _TABLE not in stack.resources:
        raise UsageError(f"{stack.place} counts nothing: deploy it with Statistics=true")
    table = stack.find(_TABLE)
    if options.apply:
        if feeding := find_feeding(stack):
            raise CommandError(
                f"nothing was done: {', '.join(feeding)} may write; docs/statistics.md says how to stop what feeds them"
            )
        plan = [f"count all of {names.outcomes} and {names.suppressions}", f"write every counter of {table} anew"]
        confirm(stack.place, plan, yes=options.yes)
    dynamodb: Any = connect("dynamodb")
    unreadable: list[Unreadable] = []
    rows: Iterator[Outcome | Suppression] = chain(
        scan_table(dynamodb, names.outcomes, decode_outcome, unreadable),
        scan_table(dynamodb, names.suppressions, decode_suppression, unreadable),
    )
    return recount_table(
        StatisticsTable(dynamodb, table), rows, stack.read_policy().find_stream, unreadable, output, apply=options.apply
    )


def find_feeding(stack: DeployedStack) -> list[str]:
    """Return the functions of a stack, by their names in the template, that a queue or a broker feeds at present."""
    client = make_client("lambda")
    feeding = []
    for name, function in sorted(stack.find_all(_FUNCTION).items()):
        if name not in _READERS:
            pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
            states = {each["State"] for page in pages for each in page["EventSourceMappings"]}
            if states - {"Disabled"}:
                feeding.append(name)
    return feeding


def recount_table(
    table: StatisticsTable,
    rows: Iterator[Outcome | Suppression],
    find_stream: FindStream,
    unreadable: Sequence[Unreadable],
    output: Output,
    *,
    apply: bool,
) -> int:
    """Compare counters with `rows`, which are all that there are, and mend them where that is wanted."""
    live = sum_rows(rows, find_stream)
    if unreadable:
        sys.stderr.write(f"{len(unreadable):9}  rows left out, and nothing is written: {unreadable[0]}\n")
        return 1
    stored = dict(table.scan_rows())
    recounted = recount(stored, live)
    differing = compare_rows(stored, recounted)
    if apply:
        for row in sorted({CounterRow(each.cell.day, each.cell.dimension) for each in differing}, key=str):
            table.put_row(row, recounted[row])
        table.note_recount()
    _show(sum(map(len, recounted.values())), differing, output, mended=apply)
    return 1 if differing and not apply else 0


def _show(counters: int, differing: Sequence[Disagreement], output: Output, *, mended: bool) -> None:
    if output.as_json:
        output.write_json(
            {"counters": counters, "mended": mended, "differing": [_describe(each) for each in differing]}
        )
        return
    output.write_counts({"counters": counters, "differ from a recount": len(differing)})
    head = ("day", "by", "value", "measure", "counted", "recounted")
    output.table(head, [tuple(str(each) for each in _describe(one).values()) for one in differing[:_SHOWN]])
    if mended:
        output.write_counts({"counters mended": len(differing)})


def _describe(found: Disagreement) -> dict[str, str | int]:
    cell, counted, number = found
    named = {"day": cell.day, "by": cell.dimension, "value": cell.value, "measure": cell.measure}
    return {**named, "counted": counted, "recounted": number}
