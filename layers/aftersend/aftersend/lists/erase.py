"""The use case of an erasure: nothing that names a person is left, and they stay suppressed under an alias.

The order makes it safe to stop anywhere and begin again: first the alias is written, then outcomes are deleted, then
the suppressions that it stands for, each only as it was read. So at every moment the address or its alias is
suppressed, and evidence that comes in meanwhile is not lost: its suppression has moved on, stays, and is read again.

What lies elsewhere goes by its age: raw bodies in the archive, files of list jobs in their bucket, backups of the
tables. docs/lists.md says how to hurry it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from aftersend.core.erasure import merge_into_alias, strip_suppressions
from aftersend.core.errors import ContentionExhausted
from aftersend.core.model import Reverted, Suppression
from aftersend.core.suppression import find_active_causes, merge_claims
from aftersend.core.writes import MAX_TRIES, Put, Refused
from aftersend.lists.context import JobContext
from aftersend.lists.summary import ErasureResult
from aftersend.ports import StorePort


def erase(recipient: str, alias: str, context: JobContext, reverts: Sequence[Reverted] = ()) -> ErasureResult:
    """Erase a recipient (canonical), and keep them suppressed under `alias` if they are. Safe to do again.

    `reverts` are the windows of a provider's accident, in which evidence does not count. Raises StoreUnavailable, or
    ContentionExhausted where others keep writing; what is deleted by then stays deleted.
    """
    outcomes = suppressions = 0
    for _ in range(MAX_TRIES):
        found = context.queries.find_suppressions_of(recipient)
        own = {each.scope: each for each in found}
        for stripped in strip_suppressions(found, alias, context.clock(), reverts):
            _write_alias(stripped, own[stripped.scope], context.store)
        keys = [(recipient, line.message) for line in context.queries.find_lines_of(recipient)]
        outcomes += len(list(context.pool.map(context.deletions.delete_outcome, keys)))
        deleted = [context.deletions.delete_suppression(each) for each in found]
        suppressions += sum(deleted)
        if all(deleted):
            return ErasureResult(
                outcomes=outcomes, suppressions=suppressions, suppressed=_is_suppressed(alias, context)
            )
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being erased")


def _is_suppressed(alias: str, context: JobContext) -> bool:
    return any(find_active_causes(each, context.clock()) for each in context.queries.find_suppressions_of(alias))


def _write_alias(alias: Suppression, own: Suppression, store: StorePort) -> None:
    """Bring the alias of `own` into the table, beside what an earlier erasure has put there."""
    stored = store.get_suppressions([alias.key]).get(alias.key)
    for _ in range(MAX_TRIES):
        before = stored or replace(alias, causes={})
        after = merge_claims(before, merge_into_alias(alias, own, before))
        if after is before:
            return
        answer = store.answer(Put(replace(after, version=before.version + 1)))
        if not isinstance(answer, Refused):
            return
        assert answer.current is None or isinstance(answer.current, Suppression)
        stored = answer.current
    raise ContentionExhausted(f"an alias changed {MAX_TRIES} times while it was being written")
