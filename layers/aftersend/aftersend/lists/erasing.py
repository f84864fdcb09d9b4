"""The use case of forgetting a person: nothing that names them is left, and they stay suppressed under an alias.

The order makes it safe to stop anywhere and begin again: first the alias is written, then outcomes are deleted, then
the suppressions that it stands for, each only as it was read. So at every moment the address or its alias is
suppressed, and evidence that comes in meanwhile is not lost: its suppression has moved on, stays, and is read again.

What lies elsewhere is forgotten by its age: raw bodies in the archive, files of bulk work in their bucket, backups of
the tables. docs/bulk.md says how to hurry it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.erasure import merge_into_alias, strip_suppressions
from aftersend.core.errors import ContentionExhausted
from aftersend.core.model import Key, Reverted, Suppression
from aftersend.core.suppression import find_active_causes, merge_claims
from aftersend.core.writes import MAX_TRIES, Put, Refused
from aftersend.lists.shop import Store


class Reader(Protocol):
    """What is asked of the tables: `aftersend.lists.reader.Reader` is one."""

    def suppressions_of(self, recipient: str) -> list[Suppression]: ...  # noqa: D102
    def messages_of(self, recipient: str) -> list[str]: ...  # noqa: D102
    def delete_outcome(self, key: Key) -> None: ...  # noqa: D102
    def delete_suppression(self, suppression: Suppression) -> bool: ...  # noqa: D102


class Ports(Struct, frozen=True, kw_only=True):
    """Everything that an erasure works with."""

    store: Store
    reader: Reader
    pool: Executor
    clock: Callable[[], datetime]
    taken_back: Sequence[Reverted] = ()  # windows of a provider's accident, in which evidence does not count


class Erased(Struct, frozen=True, kw_only=True):
    """What was deleted, and whether the address stays suppressed under its alias."""

    outcomes: int = 0
    suppressions: int = 0
    suppressed: bool = False


def erase(recipient: str, alias: str, ports: Ports) -> Erased:
    """Forget a recipient (canonical), and keep them suppressed under `alias` if they are. Safe to do again.

    Raises StoreUnavailable, or ContentionExhausted where others keep writing; what is deleted by then stays deleted.
    """
    outcomes = suppressions = 0
    for _ in range(MAX_TRIES):
        found = ports.reader.suppressions_of(recipient)
        own = {each.scope: each for each in found}
        for kept in strip_suppressions(found, alias, ports.clock(), ports.taken_back):
            _keep(kept, own[kept.scope], ports.store)
        keys = [(recipient, message) for message in ports.reader.messages_of(recipient)]
        outcomes += len(list(ports.pool.map(ports.reader.delete_outcome, keys)))
        deleted = [ports.reader.delete_suppression(each) for each in found]
        suppressions += sum(deleted)
        if all(deleted):
            return Erased(outcomes=outcomes, suppressions=suppressions, suppressed=_is_suppressed(alias, ports))
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being erased")


def _is_suppressed(alias: str, ports: Ports) -> bool:
    return any(find_active_causes(each, ports.clock()) for each in ports.reader.suppressions_of(alias))


def _keep(alias: Suppression, own: Suppression, store: Store) -> None:
    """Bring the alias of `own` into the table, beside what an earlier erasure has put there."""
    stored = store.suppressions([alias.key]).get(alias.key)
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
