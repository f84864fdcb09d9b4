"""Lifts what an earlier export of a provider's list said of those who are not in a whole new one.

Adobe Campaign deletes the rows of addresses that are valid again, so an export of all rows says that every other
address is valid, while one of the latest changes says nothing of those that did not change. Lifting is evidence as
well: of one moment, that of the export, and about what the same list had said up to then. What others say of an
address stays, and so do a person's wishes: that a list forgets them says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from aftersend.core.causes import Claim
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import IMPORTED, Cause, CauseKind, EvidenceRef, Suppression
from aftersend.core.recipient import split_channel
from aftersend.core.suppression import is_withdrawn, list_evidence
from aftersend.core.writes import SuppressionUpdate
from aftersend.lists.claims import ImportTerms
from aftersend.lists.context import JobContext, write_suppression
from aftersend.lists.entries import InvalidRow, read_entry
from aftersend.lists.job import ImportProgress
from aftersend.lists.rows import Row

CHUNK: Final = 20  # pages of suppressions
MOST: Final = 2_000_000  # addresses of one list: they are held as numbers of eight bytes

_encode: Final = msgspec.json.Encoder().encode

ReadRows = Callable[[], Iterator[Row]]  # of the whole list, from its beginning


def lift_missing(
    read_rows: ReadRows, terms: ImportTerms, progress: ImportProgress, context: JobContext, *, dry_run: bool
) -> Iterator[ImportProgress]:
    """Lift those of whom nothing is in the list any more, and yield the progress after each chunk.

    Raises MalformedFeedback where the list cannot be trusted to be whole: it has invalid rows, or names nobody.
    """
    if progress.lifted_all:
        return
    if progress.summary.invalid:
        raise MalformedFeedback("import", f"{progress.summary.invalid} rows are invalid, so nobody was lifted")
    listed = _read_listed(read_rows(), terms)
    after = progress.lifted_after
    while True:
        lifted = 0
        for _ in range(CHUNK):
            found, after = context.queries.scan_suppressions(after)
            lifted += sum(
                _lift(each, terms, context, dry_run=dry_run) for each in found if _is_missing(each, listed, terms)
            )
            if after is None:
                break
        summary = replace(progress.summary, lifted=progress.summary.lifted + lifted)
        progress = replace(progress, summary=summary, lifted_after=after, lifted_all=after is None)
        yield progress
        if after is None:
            return


def _read_listed(rows: Iterator[Row], terms: ImportTerms) -> set[int]:
    """Who is in the list, as digests."""
    listed: set[int] = set()
    for row in rows:
        try:
            entry = read_entry(row.fields, terms.format)
        except InvalidRow:
            continue
        if entry.kind is not None:
            listed.add(_digest(entry.recipient))
        if len(listed) > MOST:
            raise MalformedFeedback("import", f"more than {MOST} addresses: import the list without full")
    if not listed:
        raise MalformedFeedback("import", "the list names nobody, so nobody was lifted")
    return listed


def _is_missing(suppression: Suppression, listed: set[int], terms: ImportTerms) -> bool:
    """Whether a suppression is none of the list; of somebody who was erased nobody knows, so they stay as they are."""
    return (
        suppression.scope == "*"
        and CauseKind.PROVIDER in suppression.causes
        and split_channel(suppression.recipient)[0] in terms.format.lifted
        and _digest(suppression.recipient) not in listed
    )


def _lift(known: Suppression, terms: ImportTerms, context: JobContext, *, dry_run: bool) -> bool:
    """Lift one suppression, where this list had said it; returns whether it did."""

    def decide(before: Suppression) -> tuple[bool, SuppressionUpdate | None]:
        claim = _make_claim(before, terms)
        if claim is None or dry_run:
            return claim is not None, None
        return True, SuppressionUpdate(before.key, claims=(claim,), expect=before.version, look=False)

    return write_suppression(known.key, known, decide, context).result


def _make_claim(before: Suppression, terms: ImportTerms) -> Claim | None:
    source, cause = f"{IMPORTED}{terms.format.name}", before.causes.get(CauseKind.PROVIDER, Cause())
    assert terms.at is not None
    own = [ref for ref in list_evidence(cause) if ref.source == source and ref.at <= terms.at]
    if not any(not is_withdrawn(cause, ref) for ref in own):
        return None
    digest = blake2b(_encode((source, "full", before.recipient, terms.at)), digest_size=10).hexdigest()
    ref = EvidenceRef(at=terms.at, feedback=digest, message=source, source=source)
    return Claim(before.recipient, before.scope, CauseKind.PROVIDER, Cause(withdrawn=ref))


def _digest(recipient: str) -> int:
    return int.from_bytes(blake2b(recipient.encode(), digest_size=8).digest())
