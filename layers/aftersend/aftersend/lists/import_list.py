"""The use case of an import: chunk after chunk of a list into the suppressions, or what that would change.

A dry run goes through the same plan with a store that only remembers what it would have written, so that what an
address was listed for already is known the second time; of very many addresses it forgets the first ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final

from aftersend.core.causes import Claim
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Act, CauseKind, Decision, Key, Suppression
from aftersend.core.steps import run_steps
from aftersend.core.writes import Put, ReadOutcomes, SuppressionUpdate, update_suppression
from aftersend.lists.claims import ImportTerms, add_claims, make_claims
from aftersend.lists.context import JobContext, read_suppressions, write_suppression
from aftersend.lists.entries import InvalidRow
from aftersend.lists.formats import detect_format
from aftersend.lists.job import ImportProgress, ImportRequest, ListJob
from aftersend.lists.records import Record, split_records
from aftersend.lists.rows import HEAD_SIZE, FileLayout, Row, detect_layout, read_column_names, read_rows
from aftersend.lists.snapshot import lift_missing
from aftersend.lists.summary import ImportSummary, RowError, RowResult
from aftersend.storage.dry_run import DryRunStore

CHUNK: Final = 500  # records
MEMORY: Final = 20_000  # suppressions that a dry run remembers

_Claims = dict[Key, list[tuple[int, Claim]]]  # by suppression, each with the number of its row
Apply = Callable[[_Claims], Iterable[list[RowResult]]]  # what comes of the claims on each suppression, in their order

# Of a row that is about several streams, the first of these counts.
_ORDER: Final = (RowResult.NEW, RowResult.UPDATED, RowResult.UNCHANGED)


def import_list(job: ListJob, context: JobContext) -> Iterator[ImportProgress]:
    """Import the list of a job, and yield the progress after each chunk.

    Raises MalformedFeedback where the file is no list that we know, StoreUnavailable and ContentionExhausted.
    """
    request, progress = job.request, job.progress
    assert isinstance(request, ImportRequest) and isinstance(progress, ImportProgress)
    begin, etag = next(context.files.read(job.file, 0, progress.etag), (b"", ""))
    head = begin[:HEAD_SIZE]
    layout = detect_layout(head)
    format_ = detect_format(read_column_names(layout, head), request.format)
    if request.full and not (format_.lifted and request.at):
        raise MalformedFeedback("import", "a list of this format, or without its time (at), cannot be a full one")
    terms = ImportTerms(
        format=format_,
        policy=context.policy,
        classify=context.classify,
        began_at=job.created_at,
        scope=request.scope,
        at=request.at,
    )
    position = progress.position or layout.start
    pieces = (piece for piece, _ in context.files.read(job.file, position.offset, etag))
    records = split_records(pieces, layout.framing, position)
    decision = Decision(at=job.created_at, by=job.by, act=Act.ADDED, note=f"import {format_.name} {job.id}")
    if request.dry_run:
        apply: Apply = partial(_preview, store=DryRunStore(context.store, MEMORY), context=context)
    else:
        apply = partial(_write, decision=decision, context=context)
    while chunk := _take_chunk(records):
        summary = _import_chunk(chunk, layout, terms, apply, progress.summary)
        progress = ImportProgress(format=format_.name, etag=etag, position=chunk[-1].after, summary=summary)
        yield progress
    if progress.etag is None:  # it is empty, and whoever imports it after a dry run imports this one, too
        progress = ImportProgress(format=format_.name, etag=etag)
        yield progress
    if request.full:
        rows = partial(_read_all, job.file, layout, etag, context)
        yield from lift_missing(rows, terms, progress, context, dry_run=request.dry_run)


def _read_all(file: str, layout: FileLayout, etag: str, context: JobContext) -> Iterator[Row]:
    """Yield every row of a list."""
    pieces = (piece for piece, _ in context.files.read(file, layout.start.offset, etag))
    for record in split_records(pieces, layout.framing, layout.start):
        yield from read_rows(record, layout)


def _take_chunk(records: Iterator[Record]) -> list[Record]:
    """Take the next records, up to a place where there is nothing but a place to stop: time passes there, too."""
    chunk: list[Record] = []
    for record in islice(records, CHUNK):
        chunk.append(record)
        if record.is_empty:
            break
    return chunk


def _import_chunk(
    chunk: Iterable[Record], layout: FileLayout, terms: ImportTerms, apply: Apply, summary: ImportSummary
) -> ImportSummary:
    """Return `summary` and what came of this chunk."""
    claims, skipped, errors = _collect_claims(chunk, layout, terms)
    results: dict[int, RowResult] = {}
    for numbered, found in zip(claims.values(), apply(claims), strict=True):
        for (row, _), result in zip(numbered, found, strict=True):
            results[row] = min(results.get(row, result), result, key=_ORDER.index)
    return summary.add([*results.values(), *[RowResult.SKIPPED] * skipped], errors)


def _write(claims: _Claims, decision: Decision, context: JobContext) -> Iterable[list[RowResult]]:
    """Bring into each suppression all claims that a chunk makes on it."""
    known = read_suppressions(list(claims), context.store, context.pool)

    def write(key: Key) -> list[RowResult]:
        made = tuple(claim for _, claim in claims[key])

        def decide(before: Suppression) -> tuple[list[RowResult], SuppressionUpdate | None]:
            after, results = add_claims(before, made)
            if after is before:
                return results, None
            update = SuppressionUpdate(key, claims=made, decisions=(decision,), expect=before.version, look=False)
            return results, update

        written = write_suppression(key, known.get(key), decide, context)
        _find_contradiction(written.after, context)
        return written.result

    return context.pool.map(write, claims)


def _find_contradiction(row: Suppression | None, context: JobContext) -> None:
    """Find what contradicts a hard bounce, which is written by now, where nobody has looked for it yet.

    Of most addresses that are imported nothing is stored; whoever stores something later will look.
    """
    if row is None or CauseKind.HARD not in row.causes or row.scope != "*":
        return
    if row.life is not None and not row.life.pending:
        return
    if context.store.answer(ReadOutcomes(row.recipient)):
        run_steps(update_suppression(SuppressionUpdate(row.key), row, context.policy), context.store.answer)


def _preview(claims: _Claims, store: DryRunStore, context: JobContext) -> Iterator[list[RowResult]]:
    """Yield what would come of the claims."""
    known = read_suppressions(list(claims), store, context.pool)
    for key, numbered in claims.items():
        before = known.get(key) or Suppression(recipient=key[0], scope=key[1])
        after, results = add_claims(before, (claim for _, claim in numbered))
        if after is not before:
            store.answer(Put(after))
        yield results


def _collect_claims(
    chunk: Iterable[Record], layout: FileLayout, terms: ImportTerms
) -> tuple[_Claims, int, list[RowError]]:
    """Return the claims on each suppression, how many rows make none, and the rows that are invalid."""
    claims: defaultdict[Key, list[tuple[int, Claim]]] = defaultdict(list)
    skipped, errors = 0, []
    rows = (row for record in chunk for row in read_rows(record, layout))
    for number, row in enumerate(rows):
        try:
            made = make_claims(row, terms)
        except InvalidRow as error:
            errors.append(RowError(row.line, str(error)))
            continue
        skipped += not made
        for claim in made:
            claims[claim.recipient, claim.scope].append((number, claim))
    return claims, skipped, errors
