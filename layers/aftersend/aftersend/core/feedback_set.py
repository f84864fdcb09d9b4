"""The set of facts: a union that is commutative, associative and idempotent, and bounded without losing that.

The same fact may arrive by several paths, each with more or less of it: two copies are joined field by field. The
set is bounded by rules that depend only on its content, never on the order of arrival: of each kind the earliest and
the very last stay; between them a fact keeps only that it happened. `(occurred_at, id)` never changes for a fact, so
what one writer drops, every other writer drops too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.text import truncate_or_none

# How many facts of each kind an outcome holds: 64 that decide, 32 opens and 32 clicks.
BOUNDS: Final[dict[Kind, int]] = {
    Kind.SENT: 2,
    Kind.REJECTED: 4,
    Kind.DEFERRED: 16,
    Kind.DELIVERED: 8,
    Kind.BOUNCED: 16,
    Kind.AUTO_REPLIED: 4,
    Kind.COMPLAINED: 4,
    Kind.COMPLAINT_WITHDRAWN: 2,
    Kind.UNSUBSCRIBED: 2,
    Kind.SUBSCRIBED: 2,
    Kind.EXPIRED: 2,
    Kind.UNKNOWN: 2,
    Kind.OPENED: 32,
    Kind.CLICKED: 32,
}

FORGEABLE: Final = 3  # of all kinds together; all of them whole, because somebody may vouch for them later

# How many of the earliest keep their whole evidence; the last one always does.
WHOLE: Final[dict[Kind | None, int]] = {Kind.BOUNCED: 3, None: FORGEABLE}
# Kinds whose diagnostic text decides something keep 1 KB of it, the others a line.
WORDY: Final = frozenset({Kind.REJECTED, Kind.DEFERRED, Kind.BOUNCED})
LINE: Final = 180
CORRELATIONS: Final = 16
EMPTY_CONTEXT: Final = Context()

_S = TypeVar("_S", bound=Struct)


def union(stored: tuple[Feedback, ...], new: Iterable[Feedback]) -> tuple[Feedback, ...]:
    """Unite the facts of both: each once, bounded, in their order.

    Facts of `stored` are without context, and so are all that come back: `merge_contexts` gathers it.
    """
    known = {fact.id: fact for fact in stored}
    for fact in new:
        bare = fact if fact.context is None else replace(fact, context=None)
        known[fact.id] = join(known[fact.id], bare) if fact.id in known else bare
    facts = list(known.values())
    return _bound(sorted(facts, key=_order)) if len(facts) > 1 else (_cut_line(facts[0]),)


def merge_contexts(stored: Context, new: Iterable[Feedback]) -> Context:
    """Merge what the sender said of the message, from `stored` and from every new fact that has a context."""
    for fact in new:
        if fact.context is not None:
            stored = fact.context if stored == EMPTY_CONTEXT else join(stored, fact.context)
    if len(stored.correlation) > CORRELATIONS:
        stored = replace(stored, correlation=dict(sorted(stored.correlation.items())[:CORRELATIONS]))
    return stored


def join(one: _S, other: _S) -> _S:
    """Join two copies of one fact, or of a part of it, field by field: something before nothing, else the greater.

    A flag is a doubt (`derived`, `machine`): it stands only while both have it.
    """
    if one == other:
        return one
    changes = {}
    for name in one.__struct_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            changes[name] = _choose_greater(mine, theirs)
    return replace(one, **changes)


def _choose_greater(mine: object, theirs: object) -> object:
    match mine, theirs:
        case None, _:
            return theirs
        case _, None:
            return mine
        case bool(), bool():
            return mine and theirs
        case Struct(), Struct():
            return join(mine, theirs)
        case dict(), dict():
            return {name: max(mine.get(name, ""), theirs.get(name, "")) for name in sorted({*mine, *theirs})}
    return theirs if theirs > mine else mine  # type: ignore[operator]  # both are of one type that has an order


def _order(fact: Feedback) -> tuple[object, str]:
    return fact.occurred_at, fact.id


def _bound(facts: list[Feedback]) -> tuple[Feedback, ...]:
    """The facts that stay, each as whole as its place allows."""
    groups: dict[Kind | None, list[Feedback]] = {}
    for fact in facts:
        groups.setdefault(_find_group(fact), []).append(fact)
    if all(len(group) <= 2 for group in groups.values()):
        return tuple(_cut_line(fact) for fact in facts)
    bounded = [fact for name, group in groups.items() for fact in _bound_group(name, group)]
    return tuple(sorted(bounded, key=_order))


def _find_group(fact: Feedback) -> Kind | None:
    """What a fact is bounded with: its kind, or all that could be forged, so that no forgery pushes out a fact."""
    return None if fact.evidence is not None and fact.evidence.forgeable else fact.kind


def _bound_group(name: Kind | None, facts: list[Feedback]) -> list[Feedback]:
    bound = BOUNDS[name] if name else FORGEABLE
    whole = WHOLE.get(name, 1)
    *early, last = facts[: bound - 1] + facts[bound - 1 :][-1:]
    return [_cut_tls(fact) if place < whole else _slim_down(fact) for place, fact in enumerate(early)] + [
        _cut_line(last)
    ]


def is_judgeable(fact: Feedback) -> bool:
    """Return whether a stored fact still has all that rules may look at: its identity is made of that."""
    return fact.kind not in WORDY or replace(fact, id="").id == fact.id


def _cut_line(fact: Feedback) -> Feedback:
    evidence = fact.evidence
    if evidence is None or evidence.text is None or fact.kind in WORDY or len(evidence.text) <= LINE // 4:
        return fact
    return replace(fact, evidence=replace(evidence, text=truncate_or_none(evidence.text, LINE)))


def _cut_tls(fact: Feedback) -> Feedback:
    """Whole, but for how its connection was secured: of several, only the last keeps that."""
    cut = _cut_line(fact)
    if cut.evidence is None or cut.evidence.tls is None:
        return cut
    return replace(cut, evidence=replace(cut.evidence, tls=None))


def _slim_down(fact: Feedback) -> Feedback:
    """That it happened, and when; the archive has the whole.

    Nothing is left that a rule could judge: a refusal without its text might be judged otherwise than with it.
    """
    evidence, seen = fact.evidence, fact.engagement
    if evidence is not None:
        evidence = Evidence(attempt=evidence.attempt, derived=evidence.derived, forgeable=evidence.forgeable)
    if seen is not None:
        seen = Engagement(machine=seen.machine)
    return replace(fact, evidence=evidence, engagement=seen, received_as=None)
