"""The use case of an import: bite after bite of a list into the suppressions, or what that would change.

A dry run goes through the same plan and writes nothing. It remembers what it would have written, so that what an
address was listed for already is known the second time; of very many addresses it forgets the first ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final

from aftersend.core.causes import Claim
from aftersend.core.model import Act, Decision, Key, Suppression
from aftersend.core.writes import SuppressionUpdate
from aftersend.lists import columns, formats
from aftersend.lists.columns import Layout
from aftersend.lists.entries import Flawed
from aftersend.lists.job import Import, Imported, Job
from aftersend.lists.plan import Terms, added, claims
from aftersend.lists.records import Record, records
from aftersend.lists.shop import Shop, stored, written
from aftersend.lists.tally import Fate, Flaw, Tally

BITE: Final = 500  # records
MEMORY: Final = 20_000  # suppressions that a dry run remembers

_Wanted = dict[Key, list[tuple[int, Claim]]]  # by row
_ORDER: Final = (Fate.NEW, Fate.WIDENED, Fate.KNOWN)  # of a row that means several streams, the first one counts


def imported(job: Job, shop: Shop) -> Iterator[Imported]:
    """How far it is, after each bite; raises MalformedFeedback where the file is no list that we know."""
    request, progress = job.request, job.progress
    assert isinstance(request, Import) and isinstance(progress, Imported)
    begin, etag = next(shop.objects.pieces(job.file, 0, progress.etag), (b"", ""))
    head = begin[: columns.HEAD]
    layout = columns.layout(head)
    format_ = formats.recognised(columns.names(layout, head), request.format)
    terms = Terms(
        format=format_,
        policy=shop.policy,
        classify=shop.classify,
        began=job.created_at,
        scope=request.scope,
        at=request.at,
    )
    place = progress.place or layout.begin
    pieces = (piece for piece, _ in shop.objects.pieces(job.file, place.offset, etag))
    waiting = records(pieces, layout.framing, place)
    decision = Decision(at=job.created_at, by=job.by, act=Act.ADDED, note=f"import {format_.name} {job.id}")
    take = _Pretence(shop).taken if request.dry_run else partial(_taken, decision=decision, shop=shop)
    while bite := list(islice(waiting, BITE)):
        tally = _bite(bite, layout, terms, take, progress.tally)
        progress = Imported(format=format_.name, etag=etag, place=bite[-1].after, tally=tally)
        yield progress


Take = Callable[[_Wanted], Iterable[list[Fate]]]  # what becomes of the claims of each suppression, in their order


def _bite(records_: Iterable[Record], layout: Layout, terms: Terms, take: Take, tally: Tally) -> Tally:
    """Take a bite in; `tally` and what became of it."""
    wanted, skipped, flaws = _gathered(records_, layout, terms)
    fates: dict[int, Fate] = {}
    for meant, found in zip(wanted.values(), take(wanted), strict=True):
        for (row, _), fate in zip(meant, found, strict=True):
            fates[row] = min(fates.get(row, fate), fate, key=_ORDER.index)
    return tally.with_fates([*fates.values(), *[Fate.SKIPPED] * skipped], flaws)


def _taken(wanted: _Wanted, decision: Decision, shop: Shop) -> Iterable[list[Fate]]:
    """Bring into each suppression all that a bite says of it."""
    known = stored(list(wanted), shop)

    def one(key: Key) -> list[Fate]:
        meant = tuple(claim for _, claim in wanted[key])

        def plan(before: Suppression) -> tuple[list[Fate], SuppressionUpdate | None]:
            after, fates = added(before, meant)
            if after is before:
                return fates, None
            return fates, SuppressionUpdate(key, claims=meant, decisions=(decision,), expect=before.version)

        return written(key, known.get(key), plan, shop)

    return shop.pool.map(one, wanted)


class _Pretence:
    """Remembers what it would have taken in."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._memory: dict[Key, Suppression] = {}

    def taken(self, wanted: _Wanted) -> Iterator[list[Fate]]:
        """What would become of the claims."""
        known = stored([key for key in wanted if key not in self._memory], self._shop)
        for key, meant in wanted.items():
            before = self._memory.get(key) or known.get(key) or Suppression(recipient=key[0], scope=key[1])
            after, fates = added(before, (claim for _, claim in meant))
            if after is not before:
                self._remember(after)
            yield fates

    def _remember(self, suppression: Suppression) -> None:
        self._memory.pop(suppression.key, None)
        self._memory[suppression.key] = suppression
        if len(self._memory) > MEMORY:
            del self._memory[next(iter(self._memory))]


def _gathered(bite: Iterable[Record], layout: Layout, terms: Terms) -> tuple[_Wanted, int, list[Flaw]]:
    """What a bite wants of each suppression, by row; how many rows are left alone; and those that cannot be taken."""
    wanted: defaultdict[Key, list[tuple[int, Claim]]] = defaultdict(list)
    skipped, flaws = 0, []
    rows = (row for record in bite for row in columns.rows(record, layout))
    for number, row in enumerate(rows):
        try:
            found = claims(row, terms)
        except Flawed as flaw:
            flaws.append(Flaw(row.line, str(flaw)))
            continue
        skipped += not found
        for claim in found:
            wanted[claim.recipient, claim.scope].append((number, claim))
    return wanted, skipped, flaws
