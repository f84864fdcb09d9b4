"""`aftersend restore`: joins restored tables with those in use, so that what was lost is there again.

DynamoDB restores into new tables. What they hold is facts, evidence and decisions, which are sets: they are joined
with what is there, by the same steps that functions take, and nothing that is newer is lost. It can be stopped
anywhere and run again, beside functions that process feedback.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from aftersend.aws import connect
from aftersend.core.causes import Claim
from aftersend.core.errors import Unreadable
from aftersend.core.model import Act, CauseKind, Decision, Outcome, Suppression
from aftersend.core.outcome import Classify
from aftersend.core.plan import plan_updates
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.writes import SuppressionUpdate, update_outcome, update_suppression
from aftersend.ports import StorePort
from aftersend.storage.items import decode_outcome, decode_suppression
from aftersend.storage.store import Store, TableNames
from aftersend_cli import documents
from aftersend_cli.asking import confirm
from aftersend_cli.output import Output
from aftersend_cli.scanning import scan_table, write_counts
from aftersend_cli.stack import DeployedStack

_T = TypeVar("_T")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--from-outcomes", metavar="TABLE", required=True, help="the restored table of outcomes")
    parser.add_argument("--from-suppressions", metavar="TABLE", required=True, help="the restored one of suppressions")
    parser.add_argument("--dry-run", action="store_true", help="say how much would be joined, and write nothing")
    documents.arguments(parser)


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Join what was restored with the tables of a stack; raises ServiceError where a table does not answer."""
    rules, judge = documents.load_documents(options, stack)
    sources = (options.from_outcomes, options.from_suppressions)
    if options.dry_run:
        return count(*sources, output)
    names = stack.tables(rules.identifiers.find_by)
    plan = [f"join {sources[0]} into {names.outcomes}", f"join {sources[1]} into {names.suppressions}"]
    confirm(stack.place, plan, yes=options.yes)
    return restore(*sources, names, (rules, judge), output)


def count(from_outcomes: str, from_suppressions: str, output: Output) -> int:
    """Say how much could be joined; 1 where an item cannot be read."""
    dynamodb: Any = connect("dynamodb")
    unreadable: list[Unreadable] = []
    counts = {}
    for table, decode, name in (
        (from_outcomes, decode_outcome, "outcomes"),
        (from_suppressions, decode_suppression, "suppressions"),
    ):
        found: Iterator[Outcome | Suppression] = scan_table(dynamodb, table, decode, unreadable)
        counts[f"{name} would be joined"] = sum(1 for _ in found)
    write_counts(counts, unreadable, output, dry_run=True)
    return 1 if unreadable else 0


def restore(
    from_outcomes: str, from_suppressions: str, names: TableNames, judging: tuple[Policy, Classify], output: Output
) -> int:
    """Do it and say how much was joined; 1 where an item cannot be read: it was left alone, run it again."""
    rules, judge = judging
    dynamodb: Any = connect("dynamodb")
    store = Store(dynamodb, names)
    unreadable: list[Unreadable] = []
    outcomes = scan_table(dynamodb, from_outcomes, decode_outcome, unreadable)
    counts = {"outcomes joined": _join_all(outcomes, partial(join_outcome, store, judge, rules), unreadable)}
    rows = scan_table(dynamodb, from_suppressions, decode_suppression, unreadable)
    counts["suppressions joined"] = _join_all(rows, partial(join_suppression, store, rules), unreadable)
    write_counts(counts, unreadable, output, dry_run=False)
    return 1 if unreadable else 0


def join_outcome(store: StorePort, judge: Classify, rules: Policy, restored: Outcome) -> None:
    """Join a restored outcome with the one in use, and update suppressions by both: one may vouch for the other."""
    facts = [replace(fact, context=restored.context) for fact in restored.feedback]
    stored = store.get_outcomes([restored.key]).get(restored.key)
    steps = update_outcome(stored, facts, judge, look=restored.resolved, reports=rules.report, validity=rules.validity)
    joined = run_steps(steps, store.answer)
    for key, update in plan_updates({joined.key: joined}, {joined.key: facts}, judge, rules).updates.items():
        run_steps(update_suppression(update, store.get_suppressions([key]).get(key), rules), store.answer)


def join_suppression(store: StorePort, rules: Policy, restored: Suppression) -> None:
    """Join a restored suppression with the one in use: evidence, decisions, reverted windows; streaks follow."""
    causes = {kind: cause for kind, cause in restored.causes.items() if kind is not CauseKind.STREAK}
    update = SuppressionUpdate(
        restored.key,
        claims=tuple(Claim(*restored.key, kind, cause) for kind, cause in causes.items()),
        recount=True,
        decisions=tuple(_find_decisions(restored)),
        windows=restored.reverted,
    )
    run_steps(update_suppression(update, store.get_suppressions([restored.key]).get(restored.key), rules), store.answer)


def _find_decisions(restored: Suppression) -> Iterator[Decision]:
    """What people decided, and the barriers of releases that have dropped out of the history."""
    yield from restored.history
    known = {each.at for each in restored.history if each.act is Act.RELEASED}
    for at, force in ((restored.released_at, False), (restored.forced_at, True)):
        if at is not None and at not in known:
            by, note = (restored.released_by or "", restored.note) if at == restored.released_at else ("", None)
            yield Decision(at=at, by=by, act=Act.RELEASED, note=note, force=force)


def _join_all(found: Iterator[_T], join: Callable[[_T], None], unreadable: list[Unreadable]) -> int:
    """Join each; how many were. What would have to be joined with an item that cannot be read is added to those."""
    count = 0
    for each in found:
        try:
            join(each)
        except Unreadable as error:
            unreadable.append(error)
        else:
            count += 1
    return count
