"""What a row of a list means, and what it would change. Pure.

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
from aftersend.core.model import Cause, CauseKind, Class, EvidenceRef, Feedback, Kind, Reason, Suppression, Verdict
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.suppression import merge_claims
from aftersend.lists.columns import Row
from aftersend.lists.entries import Flawed, Listed, listed
from aftersend.lists.formats import OURS, Format
from aftersend.lists.tally import Fate

_EARLY: Final = timedelta(days=1)  # clocks may differ, but nobody reports what has not happened
_LAW_5: Final = frozenset({Class.BLOCK, Class.IGNORE})
_WISHES: Final = frozenset({CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED, CauseKind.MANUAL})  # may mean one stream

_encode: Final = msgspec.json.Encoder().encode


class Terms(Struct, frozen=True, kw_only=True):
    """What the person who imports has said beside the file, and when the import began."""

    format: Format
    policy: Policy
    classify: Classify
    began: datetime
    scope: str = "*"  # of wishes in a list that names no stream
    at: datetime | None = None  # of rows that have no time


def claims(row: Row, terms: Terms) -> list[Claim]:
    """What a row says of suppression; none where it says nothing against the address. Raises Flawed."""
    if row.flaw:
        raise Flawed(row.flaw)
    said = listed(row.fields, terms.format)
    if said.at is None:
        if terms.at is None:
            raise Flawed("no time of its own, and the import names none")
        said = replace(said, at=terms.at)
    if max(said.at or terms.began, said.since or terms.began) > terms.began + _EARLY:
        raise Flawed("a time that has not come yet")
    return list(_claims(said, terms))


def _claims(said: Listed, terms: Terms) -> Iterator[Claim]:
    kind, verdict = _judged(said, terms)
    if kind is None:
        return
    for scope in _scopes(kind, said, terms):
        latest = _mark(said, scope, kind, verdict, terms)
        first = replace(latest, at=min(said.since, latest.at)) if said.since else latest
        until = said.until or _end(latest, kind, said.recipient, scope, terms)
        yield Claim(said.recipient, scope, kind, Cause(first=first, latest=latest, until=until))


def _end(latest: EvidenceRef, kind: CauseKind, recipient: str, scope: str, terms: Terms) -> datetime | None:
    """When it ends by the policy, as if the provider had told us itself; a list of ours says so itself."""
    if terms.format.name == OURS or kind is CauseKind.MANUAL:
        return None
    return compute_end(latest, kind, terms.policy.of(recipient, scope))


def _judged(said: Listed, terms: Terms) -> tuple[CauseKind | None, Verdict | None]:
    """The kind of cause, after a look at the text that the address was refused with, where the list has one."""
    if said.kind is not CauseKind.HARD or not (said.text or said.status or said.code):
        return said.kind, None
    verdict = terms.classify(_refusal(said))
    if verdict is None:
        return CauseKind.HARD, None
    klass = terms.policy.of(said.recipient).class_of(verdict)
    if klass in _LAW_5 and verdict.reason is not Reason.SUPPRESSED:
        return None, verdict
    if klass is Class.HARD:
        return CauseKind.HARD, verdict
    if klass is Class.SOFT:  # we would not suppress for it once, but the provider does not even try any more
        return CauseKind.PROVIDER, verdict
    return CauseKind.HARD, None


def _refusal(said: Listed) -> Feedback:
    """The refusal that a row tells of, as if a source had."""
    assert said.at is not None
    return Feedback(
        source="import",
        kind=Kind.BOUNCED,
        message="import",
        recipient=said.recipient,
        occurred_at=said.at,
        evidence=evidence_from(code=said.code, status=said.status, text=said.text),
    )


def _scopes(kind: CauseKind, said: Listed, terms: Terms) -> tuple[str, ...]:
    """The streams that are meant: a bounce means the address, whatever was sent there."""
    if terms.format.name == OURS:
        return said.scopes or (terms.scope,)
    if kind not in _WISHES:
        return ("*",)
    meant = said.scopes or (terms.scope,)
    rules = terms.policy.of(said.recipient, meant[0])
    everywhere = {
        CauseKind.COMPLAINT: rules.complaint.everywhere,
        CauseKind.UNSUBSCRIBED: rules.unsubscribed.everywhere,
    }
    return ("*",) if everywhere.get(kind) else meant


def _mark(said: Listed, scope: str, kind: CauseKind, verdict: Verdict | None, terms: Terms) -> EvidenceRef:
    assert said.at is not None
    source = f"import:{terms.format.name}"
    return EvidenceRef(
        at=said.at,
        feedback=blake2b(_encode((source, scope, said)), digest_size=10).hexdigest(),  # whatever rules made of it
        message=source,
        source=source,
        reason=_reason(said, kind, verdict),
        rule=verdict.rule if verdict else None,
        provider_code=said.provider_code,
    )


def _reason(said: Listed, kind: CauseKind, verdict: Verdict | None) -> Reason | None:
    if verdict is not None:
        return verdict.reason
    return said.reason or (Reason.COMPLAINT if kind is CauseKind.COMPLAINT else None)


def added(stored: Suppression, wanted: Iterable[Claim]) -> tuple[Suppression, list[Fate]]:
    """`stored` with these claims one after another, which are of its key, and what became of each."""
    fates = []
    for claim in wanted:
        after = merge_claims(stored, [claim])
        known = stored.causes.get(claim.kind)
        fates.append(Fate.KNOWN if after is stored else Fate.WIDENED if known and known.latest else Fate.NEW)
        stored = after
    return stored, fates
