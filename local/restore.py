"""`python -m local restore`: joins restored tables with those in use, so that what was lost is there again.

DynamoDB restores into new tables. What they hold is facts, evidence and decisions, which are sets: they are joined
with what is there, by the same steps that functions take, and nothing that is newer is lost. It can be stopped
anywhere and run again, beside functions that process feedback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from aftersend.aws import connect
from aftersend.aws.calls import translate_errors
from aftersend.core.causes import Claim
from aftersend.core.errors import ConfigurationError, ServiceError, Unreadable
from aftersend.core.model import Act, CauseKind, Decision, Outcome, Suppression
from aftersend.core.outcome import Classify
from aftersend.core.plan import plan_updates
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.writes import SuppressionUpdate, update_outcome, update_suppression
from aftersend.ports import StorePort
from aftersend.storage.items import Item, decode_outcome, decode_suppression
from aftersend.storage.store import Store, TableNames
from local.reevaluate import load_rules

_T = TypeVar("_T")
_NAMES: Final = {
    "--from-outcomes": "the restored table of outcomes",
    "--from-suppressions": "the restored table of suppressions",
    "--outcomes": "the table of outcomes in use",
    "--suppressions": "the table of suppressions in use",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    for name, meaning in _NAMES.items():
        parser.add_argument(name, metavar="TABLE", required=True, help=meaning)
    parser.add_argument("--policy", metavar="FILE", help="the Policy of the stack, as TOML")
    parser.add_argument("--rules", metavar="FILE", help="the stack's rules of your own, as TOML")
    parser.add_argument(
        "--retention-days", type=int, default=180, metavar="N", help="the RetentionDays of the stack (default 180)"
    )


def restore(options: argparse.Namespace) -> int:
    """Run it and say how much was joined; 1 where a table does not answer or an item cannot be read: run it again."""
    try:
        rules, judge = load_rules(options)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    dynamodb: Any = connect("dynamodb")
    retention = timedelta(days=options.retention_days)
    store = Store(
        dynamodb, TableNames(outcomes=options.outcomes, suppressions=options.suppressions, retention=retention)
    )
    unreadable: list[Unreadable] = []
    try:
        outcomes = scan_table(dynamodb, options.from_outcomes, decode_outcome, unreadable)
        count = _join_all(outcomes, partial(join_outcome, store, judge, rules), unreadable)
        sys.stdout.write(f"{count:9}  outcomes joined\n")
        rows = scan_table(dynamodb, options.from_suppressions, decode_suppression, unreadable)
        count = _join_all(rows, partial(join_suppression, store, rules), unreadable)
        sys.stdout.write(f"{count:9}  suppressions joined\n")
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if unreadable:
        sys.stderr.write(f"{len(unreadable):9}  left alone: {unreadable[0]}\n")
        return 1
    return 0


def join_outcome(store: StorePort, judge: Classify, rules: Policy, restored: Outcome) -> None:
    """Join a restored outcome with the one in use, and update suppressions by both: one may vouch for the other."""
    facts = [replace(fact, context=restored.context) for fact in restored.feedback]
    stored = store.get_outcomes([restored.key]).get(restored.key)
    joined = run_steps(update_outcome(stored, facts, judge, look=restored.resolved), store.answer)
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


def scan_table(
    dynamodb: Any, table: str, decode: Callable[[Item], _T], unreadable: list[Unreadable] | None = None
) -> Iterator[_T]:
    """Yield every item of a table; raises StoreUnavailable where it does not answer.

    An item that this version cannot read is passed over and added to `unreadable`; without such a list, the error is
    raised.
    """
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while request:
        with translate_errors("DynamoDB: Scan"):
            page = dynamodb.scan(**request)
        for item in page["Items"]:
            try:
                found = decode(item)
            except Unreadable as error:
                if unreadable is None:
                    raise
                unreadable.append(error)
            else:
                yield found
        last = page.get("LastEvaluatedKey")
        request = request | {"ExclusiveStartKey": last} if last else {}
