"""The set of facts: a union that is commutative, associative and idempotent, and bounded without losing that.

The same fact may arrive by several paths, each with more or less of it: two copies are joined field by field. The
set is bounded by rules that depend only on its content, never on the order of arrival: of each kind the earliest and
the very last stay; between them a fact keeps only that it happened. `(occurred_at, id)` never changes for a fact, so
what one writer drops, every other writer drops too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.model import Class, Context, Engagement, Evidence, Feedback, Kind, Reason, Verdict
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

# How many of the earliest keep their whole evidence; the last one always does.
WHOLE: Final[dict[Kind, int]] = {Kind.BOUNCED: 3}
SCOPES: Final = 2  # streams that forgeable facts of one kind may be about: one message belongs to one
_NAMED: Final = frozenset({Reason.SUPPRESSED, Reason.MAILBOX_FULL})  # reasons that a cause of their own may follow from
_CAUSAL: Final = frozenset({Kind.REJECTED, Kind.BOUNCED})  # of whose verdict a cause may come
# Kinds whose diagnostic text decides something keep 1 KB of it, the others a line.
WORDY: Final = frozenset({Kind.REJECTED, Kind.DEFERRED, Kind.BOUNCED})
LINE: Final = 180
CORRELATIONS: Final = 16
EMPTY_CONTEXT: Final = Context()

_S = TypeVar("_S", bound=Struct)


Judge = Callable[[Feedback], Verdict | None]


def union(stored: tuple[Feedback, ...], new: Iterable[Feedback], judge: Judge) -> tuple[Feedback, ...]:
    """Unite the facts of both: each once, bounded, in their order; `judge` says what a refusal means.

    Facts of `stored` are without context, and so are all that come back: `merge_contexts` gathers it.
    """
    known = {fact.id: fact for fact in stored}
    for fact in new:
        bare = fact if fact.context is None else replace(fact, context=None)
        known[fact.id] = join(known[fact.id], bare) if fact.id in known else bare
    facts = list(known.values())
    return _bound(sorted(facts, key=_order), judge) if len(facts) > 1 else (_cut_line(facts[0]),)


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


def _bound(facts: list[Feedback], judge: Judge) -> tuple[Feedback, ...]:
    """The facts that stay, each as whole as its place allows. No forgery takes the place of what cannot be forged."""
    groups: dict[tuple[Kind, bool], list[Feedback]] = {}
    for fact in facts:
        groups.setdefault((fact.kind, fact.forgeable), []).append(fact)
    if len(groups) == len(facts):  # one of each, as most have: nothing is too many
        return tuple(map(_cut_line, facts))
    bounded: list[Feedback] = []
    for (kind, forgeable), group in groups.items():
        bounded += _bound_forgeable(kind, group, judge) if forgeable else _bound_kind(kind, group)
    return tuple(sorted(bounded, key=_order))


def _bound_kind(kind: Kind, facts: list[Feedback]) -> list[Feedback]:
    bound, whole = BOUNDS[kind], WHOLE.get(kind, 1)
    if len(facts) <= min(2, bound - 1):
        return [_cut_line(fact) for fact in facts]
    *early, last = facts[: bound - 1] + facts[bound - 1 :][-1:]
    return [_cut_way(fact) if place < whole else _slim_down(fact) for place, fact in enumerate(early)] + [
        _cut_line(last)
    ]


def _bound_forgeable(kind: Kind, facts: list[Feedback], judge: Judge) -> list[Feedback]:
    """The first and the last of each meaning; of several refusals the very last stays whole.

    Nobody knows yet whether somebody will vouch for them. Once somebody does, they widen causes just as all of them
    would have, however many there were: a cause is its first and its latest evidence.
    """
    if len(facts) == 1:
        return [_cut_line(facts[0])]
    groups: dict[tuple[str, str], list[Feedback]] = {}
    for fact in facts:
        groups.setdefault(_find_meaning(fact, judge), []).append(fact)
    scopes = sorted({scope for scope, _ in groups})[:SCOPES]
    ends = {fact.id: fact for (scope, _), group in groups.items() if scope in scopes for fact in (group[0], group[-1])}
    whole = facts[-1] if kind in WORDY else None
    return [_cut_way(fact) if fact is whole else _slim_down_forgeable(fact, judge) for fact in ends.values()]


def _find_meaning(fact: Feedback, judge: Judge) -> tuple[str, str]:
    """What a forgeable fact could do: in which scope, and to which cause."""
    if fact.kind in WORDY:
        return "", _find_effect(fact, judge)
    return fact.scope or "", ""


def _find_effect(fact: Feedback, judge: Judge) -> str:
    verdict = judge(fact) if fact.kind in _CAUSAL else None
    if verdict is None or verdict.reason in _NAMED:
        return verdict.reason if verdict else ""
    return verdict.klass if verdict.klass in (Class.HARD, Class.COMPLAINT) else ""


def is_judgeable(fact: Feedback) -> bool:
    """Return whether a stored fact still has all that rules may look at: its identity is made of that."""
    return fact.kind not in WORDY or replace(fact, id="").id == fact.id


def _cut_line(fact: Feedback) -> Feedback:
    evidence = fact.evidence
    if evidence is None or evidence.text is None or fact.kind in WORDY or len(evidence.text) <= LINE // 4:
        return fact
    return replace(fact, evidence=replace(evidence, text=truncate_or_none(evidence.text, LINE)))


def _cut_way(fact: Feedback) -> Feedback:
    """All that decides something; of several, only the last keeps how it came and what is of interest to people."""
    if fact.received_as is not None:
        fact = replace(fact, received_as=None)
    evidence = fact.evidence
    if evidence is None:
        return fact
    if fact.kind in WORDY:
        return replace(fact, evidence=replace(evidence, tls=None, reporting_mta=None))
    return replace(fact, evidence=replace(evidence, tls=None, reporting_mta=None, text=None, event_id=None))


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


def _slim_down_forgeable(fact: Feedback, judge: Judge) -> Feedback:
    """The same, and what a cause needs of it: it can be named as evidence, but not judged again."""
    slim, evidence = _slim_down(fact), fact.evidence
    assert slim.evidence is not None and evidence is not None
    if fact.kind in WORDY and not _find_effect(fact, judge):
        return slim
    judged = judge(fact) if fact.kind in WORDY else None
    return replace(slim, evidence=replace(slim.evidence, provider_code=evidence.provider_code, judged=judged))
