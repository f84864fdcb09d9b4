"""Turns a row of a list into claims, and says what they change. Pure.

A row becomes a claim like that of any feedback: evidence with a time, a source and an identity, which is a digest of
what the row says. So the same row again changes nothing, and rows in any order, in any split, give the same tables.
One decision of the person who imports stands beside it in every suppression that the import changes, and in no other.

Law 5: what a list says of the sender says nothing of the address. Such rows are counted and left alone, and so are
those whose text shows a refusal of the sender, whatever list they are on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aftersend.classify.evidence import evidence_from
from aftersend.core.causes import Claim, compute_end
from aftersend.core.model import (
    IMPORTED,
    Cause,
    CauseKind,
    Class,
    EvidenceRef,
    Feedback,
    Kind,
    Reason,
    Suppression,
    Verdict,
)
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.suppression import merge_claims
from aftersend.lists.entries import InvalidRow, ListEntry, read_entry
from aftersend.lists.formats import OWN_FORMAT, ListFormat
from aftersend.lists.rows import Row
from aftersend.lists.summary import RowResult

_CLOCK_SKEW: Final = timedelta(days=1)  # clocks may differ, but nobody reports what has not happened
_LAW_5: Final = frozenset({Class.BLOCK, Class.IGNORE})
_JUDGED: Final = frozenset({CauseKind.HARD, CauseKind.PROVIDER})  # where the list has what was refused
_STREAMED_KINDS: Final = frozenset(
    {CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED, CauseKind.MANUAL}
)  # may mean one stream

_encode: Final = msgspec.json.Encoder().encode


class ImportTerms(Struct, frozen=True, kw_only=True):
    """What the person who imports has said beside the file, and when the import began."""

    format: ListFormat
    policy: Policy
    classify: Classify
    began_at: datetime
    scope: str = "*"  # of complaints and unsubscriptions in a list that names no stream
    at: datetime | None = None  # of rows that have no time


def make_claims(row: Row, terms: ImportTerms) -> list[Claim]:
    """Return the claims that a row makes; none where it says nothing against the address. Raises InvalidRow."""
    if row.error:
        raise InvalidRow(row.error)
    entry = read_entry(row.fields, terms.format)
    if entry.at is None:
        if terms.at is None:
            raise InvalidRow("no time of its own, and the import names none")
        entry = replace(entry, at=terms.at)
    if max(entry.at or terms.began_at, entry.since or terms.began_at) > terms.began_at + _CLOCK_SKEW:
        raise InvalidRow("a time that has not come yet")
    return list(_make_claims(entry, terms))


def _make_claims(entry: ListEntry, terms: ImportTerms) -> Iterator[Claim]:
    kind, verdict = _judge(entry, terms)
    if kind is None:
        return
    for scope in _find_scopes(kind, entry, terms):
        latest = _make_evidence(entry, scope, kind, verdict, terms)
        first = replace(latest, at=min(entry.since, latest.at)) if entry.since else latest
        until = entry.until or _find_end(latest, kind, entry.recipient, scope, terms)
        yield Claim(entry.recipient, scope, kind, Cause(first=first, latest=latest, until=until))


def _find_end(latest: EvidenceRef, kind: CauseKind, recipient: str, scope: str, terms: ImportTerms) -> datetime | None:
    """Return when a cause ends by the policy, as if the provider had reported it; our own lists say so themselves."""
    if terms.format.name == OWN_FORMAT or kind is CauseKind.MANUAL:
        return None
    return compute_end(latest, kind, terms.policy.select(recipient, scope))


def _judge(entry: ListEntry, terms: ImportTerms) -> tuple[CauseKind | None, Verdict | None]:
    """Return the kind of cause, after a look at the text of the refusal, where the list has one."""
    if entry.kind not in _JUDGED or not (entry.text or entry.status or entry.code):
        return entry.kind, None
    verdict = terms.classify(_make_feedback(entry, terms.format))
    if verdict is None:
        return entry.kind, None
    klass = terms.policy.select(entry.recipient).find_class(verdict)
    if klass in _LAW_5 and verdict.reason is not Reason.SUPPRESSED:
        return None, verdict
    if entry.kind is CauseKind.PROVIDER:  # whatever was refused: they do not try any more
        return CauseKind.PROVIDER, verdict
    # We would not suppress for a soft bounce once, but the provider does not even try any more.
    found = {Class.HARD: CauseKind.HARD, Class.SOFT: CauseKind.PROVIDER}.get(klass)
    return (found, verdict) if found else (CauseKind.HARD, None)


def _make_feedback(entry: ListEntry, format_: ListFormat) -> Feedback:
    """Return the refusal that a row reports, as if a source had reported it."""
    assert entry.at is not None
    return Feedback(
        source=format_.words_of,
        kind=Kind.BOUNCED,
        message="import",
        recipient=entry.recipient,
        occurred_at=entry.at,
        evidence=evidence_from(
            code=None if format_.name_failure else entry.code,
            status=entry.status,
            text=entry.text,
            provider_code=format_.name_failure(entry.code or "") if format_.name_failure else None,
        ),
    )


def _find_scopes(kind: CauseKind, entry: ListEntry, terms: ImportTerms) -> tuple[str, ...]:
    """Return the scopes that a row is about: a bounce is about the address, whatever was sent there."""
    if terms.format.name == OWN_FORMAT:
        return entry.scopes or (terms.scope,)
    if kind not in _STREAMED_KINDS:
        return ("*",)
    scopes = entry.scopes or (terms.scope,)
    rules = terms.policy.select(entry.recipient, scopes[0])
    everywhere = {
        CauseKind.COMPLAINT: rules.complaint.everywhere,
        CauseKind.UNSUBSCRIBED: rules.unsubscribed.everywhere,
    }
    return ("*",) if everywhere.get(kind) else scopes


def _make_evidence(
    entry: ListEntry, scope: str, kind: CauseKind, verdict: Verdict | None, terms: ImportTerms
) -> EvidenceRef:
    assert entry.at is not None
    source = f"{IMPORTED}{terms.format.name}"
    return EvidenceRef(
        at=entry.at,
        feedback=blake2b(_encode((source, scope, entry)), digest_size=10).hexdigest(),  # whatever rules made of it
        message=source,
        source=source,
        reason=_find_reason(entry, kind, verdict),
        rule=verdict.rule if verdict else None,
        provider_code=entry.provider_code,
    )


def _find_reason(entry: ListEntry, kind: CauseKind, verdict: Verdict | None) -> Reason | None:
    if verdict is not None:
        return verdict.reason
    return entry.reason or (Reason.COMPLAINT if kind is CauseKind.COMPLAINT else None)


def add_claims(stored: Suppression, wanted: Iterable[Claim]) -> tuple[Suppression, list[RowResult]]:
    """Return `stored` with these claims, which are of its key, one after another, and what came of each."""
    results = []
    for claim in wanted:
        after = merge_claims(stored, [claim])
        results.append(_compare(stored, after, claim))
        stored = after
    return stored, results


def _compare(before: Suppression, after: Suppression, claim: Claim) -> RowResult:
    if after is before:
        return RowResult.UNCHANGED
    known = before.causes.get(claim.kind)
    return RowResult.UPDATED if known and known.latest else RowResult.NEW
