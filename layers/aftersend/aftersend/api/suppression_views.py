"""Suppressions as callers see them: with what holds besides for all streams, and with what an erasure has left.

An alias is never shown: what stands under one is shown as part of the person who is asked for, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aftersend.api.context import ApiContext
from aftersend.api.near_misses import find_spellings
from aftersend.api.schemas import EVERYWHERE, SuppressionView, show_suppression
from aftersend.core.active_causes import ActiveCause, describe_active_causes
from aftersend.core.erasure import is_alias
from aftersend.core.model import Key, Suppression
from aftersend.core.sentence import StoredRow, SuppressionAnswer, join_answers, make_answer
from aftersend.storage.store import BATCH

_Rows = Mapping[Key, Suppression]


def show_suppressions(context: ApiContext, stored: Iterable[Suppression]) -> list[SuppressionView]:
    """Return these suppressions as they are now, but for those of aliases. Raises StoreUnavailable."""
    own = [each for each in stored if not is_alias(each.recipient)]
    known = {each.key: each for each in own}
    wanted = {key for each in own for key in _find_related_keys(context, each)} - known.keys()
    known |= _read(context, sorted(wanted))
    return [_show(context, each, known) for each in own]


def show_recipient(context: ApiContext, name: str) -> list[SuppressionView]:
    """Return what is stored of one recipient in any scope, and under their alias. Raises StoreUnavailable."""
    alias = context.make_alias(name)
    found = [*context.queries.find_suppressions_of(name), *context.queries.find_suppressions_of(alias)]
    known = {each.key: each for each in found if not is_silent(each)}
    scopes = sorted({scope for _, scope in known}, key=lambda scope: (scope != EVERYWHERE, scope))
    own = [known.get((name, scope)) or Suppression(recipient=name, scope=scope) for scope in scopes]
    return [_show(context, each, known) for each in own]


def answer_about(context: ApiContext, name: str, shown: Sequence[SuppressionView]) -> SuppressionAnswer:
    """Return the one answer about a recipient, out of what `show_recipient` has returned: for all streams and each."""
    answers = [each.answer for each in shown]
    if not shown or shown[0].scope != EVERYWHERE:
        answers.insert(0, make_answer(StoredRow(Suppression(recipient=name)), context.clock()))
    return join_answers(answers)


def find_near(context: ApiContext, name: str, scopes: Iterable[str] = (EVERYWHERE,)) -> list[str]:
    """Return suppressed recipients who may be meant by `name`, of whom nothing is stored; the likeliest first."""
    spellings = find_spellings(name)
    found: set[str] = set()
    for scope in scopes:
        keys = [(each, scope) for each in spellings]
        found |= {row.recipient for row in context.store.get_suppressions(keys).values()} if keys else set()
    return [each for each in spellings if each in found]


def is_silent(stored: Suppression) -> bool:
    """Whether it says nothing: a streak that ended leaves an item that only has its version."""
    return not (stored.causes or stored.history or stored.released_at)


def _find_related_keys(context: ApiContext, stored: Suppression) -> tuple[Key, ...]:
    alias = context.make_alias(stored.recipient)
    return (stored.recipient, EVERYWHERE), (alias, stored.scope), (alias, EVERYWHERE)


def _read(context: ApiContext, keys: list[Key]) -> dict[Key, Suppression]:
    chunks = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    found: dict[Key, Suppression] = {}
    for some in context.pool.map(context.store.get_suppressions, chunks):
        found |= some
    return found


def _show(context: ApiContext, own: Suppression, known: _Rows) -> SuppressionView:
    alias, now = context.make_alias(own.recipient), context.clock()
    pending = tuple(context.find_pending_windows(own.recipient))
    before, everywhere = known.get((alias, own.scope)), None
    held: list[ActiveCause] = []
    erased = describe_active_causes(before, now) if before else []
    if own.scope != EVERYWHERE:
        if (row := known.get((own.recipient, EVERYWHERE))) is not None:
            everywhere = StoredRow(row, pending)
            held += describe_active_causes(row, now, pending)
        if (row := known.get((alias, EVERYWHERE))) is not None:
            erased_everywhere = describe_active_causes(row, now)
            held += erased_everywhere
            erased += erased_everywhere
    answer = make_answer(
        StoredRow(own, pending), now, everywhere=everywhere, erased=erased, name_source=context.name_source
    )
    return show_suppression(own, now, context.advise, pending, answer=answer, erased=before, everywhere=held)
