"""Why an address must not be written to, as a set of causes that only widens, and whether it holds now. Pure.

Evidence and people's decisions come in any order and give the same: a release names a moment, and evidence up to then
does not count, whenever it arrives. What a person wished themselves, by leaving or by a complaint that names whose it
is, is lifted by a release with force alone. A phone number or a token that is written to again and takes it is alive; a
mailbox that does is put up for a person's look.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from aftersend.core.causes import Claim, find_contradiction
from aftersend.core.model import (
    BY_MAIL,
    IMPORTED,
    Act,
    Cause,
    CauseKind,
    Decision,
    EvidenceRef,
    Life,
    Reverted,
    Suppression,
)
from aftersend.core.recipient import split_channel
from aftersend.core.vocabulary import Channel

HISTORY: Final = 32  # decisions that stay in an item; earlier ones lie in the table's stream and backups
WISHES: Final = frozenset({CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED})  # a person's own
BETWEEN: Final = 8  # hours of which a hard bounce has evidence, for each reason the first and the last; and the latest
REVERTED: Final = 16  # windows that stay in an item: the latest ones
# Where a sign of life ends a hard bounce before it by itself: networks and push services do not take what they discard,
# as mail systems may, and nobody clicks there but the person.
REVIVES: Final = frozenset({Channel.SMS, Channel.PUSH})


def merge_claims(stored: Suppression, claims: Iterable[Claim]) -> Suppression:
    """Return `stored` with what `claims` add to it; they are of its recipient and scope. Any order gives the same."""
    causes = dict(stored.causes)
    for claim in claims:
        known = causes.get(claim.kind)
        causes[claim.kind] = _widen(claim.kind, known, claim.cause) if known else claim.cause
    return stored if causes == stored.causes else replace(stored, causes=_sort(causes))


def apply_decisions(stored: Suppression, decisions: Iterable[Decision]) -> Suppression:
    """Return `stored` with what people decided of it; any order gives the same."""
    for decision in decisions:
        history = {each.id: each for each in (*stored.history, decision)}
        stored = replace(stored, history=tuple(sorted(history.values(), key=_order)[-HISTORY:]))
        if decision.act is Act.RELEASED:
            stored = _release(stored, decision)
    return stored


def _release(stored: Suppression, release: Decision) -> Suppression:
    known = (stored.released_at, stored.released_by or "", stored.note or "")
    if stored.released_at is None or known < (release.at, release.by, release.note or ""):
        stored = replace(stored, released_at=release.at, released_by=release.by, note=release.note)
    if release.force and (stored.forced_at is None or stored.forced_at < release.at):
        stored = replace(stored, forced_at=release.at)
    return stored


def apply_reverts(stored: Suppression, windows: Iterable[Reverted]) -> Suppression:
    """Return `stored` where evidence in these windows does not count; any order gives the same."""
    known = tuple(sorted({*stored.reverted, *windows})[-REVERTED:])
    return stored if known == stored.reverted else replace(stored, reverted=known)


def rebuild(stored: Suppression, claims: Iterable[Claim], known: AbstractSet[str]) -> Suppression:
    """Return `stored` as `claims` alone would make it, which are all that the feedback with the ids in `known` says.

    What rests on feedback that is no longer stored, or not whole, stays, and so does what a person wrote down.
    """
    remaining: dict[CauseKind, Cause] = {}
    for kind, cause in stored.causes.items():
        rest = cause if kind is CauseKind.STREAK else _remove_evidence(cause, known)
        if rest is not None:
            remaining[kind] = rest
    return merge_claims(replace(stored, causes=remaining), claims)


def _remove_evidence(cause: Cause, known: AbstractSet[str]) -> Cause | None:
    """What is left of a cause without the evidence of this feedback."""
    refs = [ref for ref in list_evidence(cause) if ref.feedback not in known]
    withdrawn = cause.withdrawn if cause.withdrawn and cause.withdrawn.feedback not in known else None
    if not refs:
        return Cause(withdrawn=withdrawn) if withdrawn else None
    return Cause(
        first=refs[0],
        latest=refs[-1],
        between=tuple(ref for ref in refs if ref not in (refs[0], refs[-1], cause.named)),
        withdrawn=withdrawn,
        named=_find_named(refs[-1], refs),
        until=_compute_end_after(refs[-1], cause),
    )


def _compute_end_after(ref: EvidenceRef, cause: Cause) -> datetime | None:
    """When a cause ends of which nothing later than `ref` is left: as long after it as after what was the latest."""
    return ref.at + (cause.until - cause.latest.at) if cause.until is not None and cause.latest is not None else None


def replace_cause(stored: Suppression, kind: CauseKind, cause: Cause | None) -> Suppression:
    """Return `stored` with this cause in place of the one it had: of one that is computed afresh, never added to."""
    if stored.causes.get(kind) == cause:
        return stored
    causes = dict(stored.causes)
    causes.pop(kind, None)
    if cause is not None:
        causes[kind] = cause
    return replace(stored, causes=_sort(causes))


def replace_streak(stored: Suppression, streak: Cause | None) -> Suppression:
    """Return `stored` with this streak in place of the one it had."""
    return replace_cause(stored, CauseKind.STREAK, streak)


def replace_life(stored: Suppression, life: Life | None) -> Suppression:
    """Return `stored` with this knowledge of signs of life; the last one contradicts an earlier hard bounce."""
    if stored.life != life:
        stored = replace(stored, life=life)
    hard = stored.causes.get(CauseKind.HARD)
    if hard is None:
        return stored
    sign = find_contradiction(life.last if life else None, hard)
    return replace_cause(stored, CauseKind.HARD, replace(hard, contradicted=sign))


def find_active_causes(
    suppression: Suppression, now: datetime, pending: Iterable[Reverted] = ()
) -> tuple[CauseKind, ...]:
    """Find the causes that hold at `now` (UTC): not lapsed, not withdrawn, with evidence that counts.

    `pending` are windows whose evidence does not count for now: a provider's accident that nobody has confirmed yet.
    """
    windows = (*suppression.reverted, *pending)
    return tuple(kind for kind in suppression.causes if _holds(suppression, kind, windows, now))


def find_contradiction_to_review(suppression: Suppression) -> EvidenceRef | None:
    """Find the sign of life that a person should look at: later than a standing hard bounce and than the last look."""
    hard = suppression.causes.get(CauseKind.HARD)
    if hard is None or hard.contradicted is None or not _stands(suppression, CauseKind.HARD, suppression.reverted):
        return None
    looks = [each.at for each in suppression.history if each.act is Act.RESOLVED]
    return hard.contradicted if not looks or hard.contradicted.at > looks[-1] else None


def compute_lapse(suppression: Suppression) -> datetime | None:
    """Compute when (UTC) nothing in it can hold any more.

    None where a cause has no end and was not released or withdrawn.
    """
    standing = [cause for kind, cause in suppression.causes.items() if _stands(suppression, kind, suppression.reverted)]
    if any(cause.until is None for cause in standing):
        return None
    moments = [ref.at for cause in suppression.causes.values() for ref in _list_refs(cause)]
    moments += [cause.until for cause in standing if cause.until is not None]
    moments += [suppression.released_at] if suppression.released_at else []
    moments += [each.until for each in suppression.reverted]  # evidence in there may still arrive
    return max(moments, default=None)


def _holds(suppression: Suppression, kind: CauseKind, windows: Iterable[Reverted], now: datetime) -> bool:
    until = suppression.causes[kind].until
    return _stands(suppression, kind, windows) and (until is None or now < until)


def _stands(suppression: Suppression, kind: CauseKind, windows: Iterable[Reverted]) -> bool:
    return bool(select_counting_evidence(suppression, kind, windows))


def select_counting_evidence(
    suppression: Suppression, kind: CauseKind, windows: Iterable[Reverted]
) -> list[EvidenceRef]:
    """Select the evidence of a cause that counts, in its order.

    It was not released or withdrawn, no sign of life came after it that ends it, and it lies in none of these windows.
    """
    cause = suppression.causes[kind]
    refs = [
        ref
        for ref in list_evidence(cause)
        if not (is_released(suppression, kind, ref) or is_revived(suppression, kind, ref))
    ]
    return [ref for ref in refs if not _inside(ref, windows) and not is_withdrawn(cause, ref)]


def is_revived(suppression: Suppression, kind: CauseKind, ref: EvidenceRef) -> bool:
    """Return whether a phone number or token has shown a sign of life after this evidence of a hard bounce."""
    last = suppression.life.last if suppression.life is not None else None
    if kind is not CauseKind.HARD or last is None or last.at <= ref.at:
        return False
    return split_channel(suppression.recipient)[0] in REVIVES


def is_withdrawn(cause: Cause, ref: EvidenceRef) -> bool:
    """Return whether this evidence was taken back.

    What came by mail takes back only what came by mail, and a list only what the same list said.
    """
    back = cause.withdrawn
    if back is None or (back.source == BY_MAIL and ref.source != BY_MAIL):
        return False
    if back.source.startswith(IMPORTED) and ref.source != back.source:
        return False
    return ref.order <= back.order


def is_released(suppression: Suppression, kind: CauseKind, ref: EvidenceRef) -> bool:
    """Return whether a person has released this evidence. A wish needs force, unless whose it is was only inferred."""
    moment = find_release(suppression, kind, ref)
    return moment is not None and ref.at <= moment


def find_release(suppression: Suppression, kind: CauseKind, ref: EvidenceRef) -> datetime | None:
    """Find the moment (UTC) up to which evidence like `ref` of this cause no longer counts; None where all counts."""
    forced = kind in WISHES and not ref.derived
    return suppression.forced_at if forced else suppression.released_at


def find_causes_needing_force(suppression: Suppression, now: datetime) -> tuple[CauseKind, ...]:
    """Find the causes that hold at `now` (UTC) and would outlast a release without force."""
    released = replace(suppression, released_at=datetime.max.replace(tzinfo=UTC))
    return find_active_causes(released, now)


def _inside(ref: EvidenceRef, windows: Iterable[Reverted]) -> bool:
    return any(ref.is_inside(each) for each in windows)


def _widen(kind: CauseKind, one: Cause, other: Cause) -> Cause:
    firsts, latests, takebacks = (
        [ref for ref in (getattr(one, name), getattr(other, name)) if ref is not None]
        for name in ("first", "latest", "withdrawn")
    )
    latest = max(latests, key=_least_doubtful, default=None)
    return Cause(
        first=min(firsts, key=lambda ref: (ref.order, ref.derived), default=None),
        latest=latest,
        between=_gather_between(one, other) if kind is CauseKind.HARD else _find_firm(one, other, latest),
        withdrawn=max(takebacks, key=_by_weight, default=None),
        named=_find_named(latest, [*firsts, *latests, one.named, other.named]),
        contradicted=one.contradicted or other.contradicted,
        until=_find_later_end(one, other),
    )


def _find_firm(one: Cause, other: Cause, latest: EvidenceRef | None) -> tuple[EvidenceRef, ...]:
    """The latest evidence that came by no mail, where `latest` did: mail does not take it back."""
    if latest is None or latest.source != BY_MAIL:
        return ()
    refs = [ref for cause in (one, other) for ref in list_evidence(cause) if ref.source != BY_MAIL]
    return (max(refs, key=_least_doubtful),) if refs else ()


def _find_named(latest: EvidenceRef | None, refs: Iterable[EvidenceRef | None]) -> EvidenceRef | None:
    """The latest evidence that is not derived, where `latest` is."""
    if latest is None or not latest.derived:
        return None
    return max((ref for ref in refs if ref is not None and not ref.derived), key=_order, default=None)


def _gather_between(*causes: Cause) -> tuple[EvidenceRef, ...]:
    """The evidence between the first and the latest of all: of the earliest hours, so that any order gives the same.

    Of what could be forged an outcome does not keep all, so it counts only where it is the first or the latest.
    """
    every = sorted((ref for cause in causes for ref in list_evidence(cause)), key=lambda ref: not ref.derived)
    refs = sorted({ref.order: ref for ref in every}.values(), key=_order)  # of two copies the one that is not derived
    if len(refs) <= 2:
        return ()
    hours: dict[tuple[datetime, str], list[EvidenceRef]] = {}
    for ref in (each for each in refs if not each.forgeable):
        hours.setdefault((ref.at.replace(minute=0, second=0, microsecond=0), ref.reason or ""), []).append(ref)
    ends = {ref.order: ref for hour in sorted(hours)[:BETWEEN] for ref in (hours[hour][0], hours[hour][-1])}
    return tuple(ref for ref in sorted(ends.values(), key=_order) if ref.order not in (refs[0].order, refs[-1].order))


def list_evidence(cause: Cause) -> list[EvidenceRef]:
    """List all evidence that a cause has, in its order; not what takes it back."""
    refs = [ref for ref in (cause.first, *cause.between, cause.named, cause.latest) if ref is not None]
    return sorted({(ref.order, ref.derived): ref for ref in refs}.values(), key=_order)


def _find_later_end(one: Cause, other: Cause) -> datetime | None:
    """The end that belongs to the latest evidence; of two ends for the same evidence the later one."""
    if one.latest is None or other.latest is None:
        return one.until or other.until
    if one.latest.order != other.latest.order:
        return max(one, other, key=lambda cause: cause.latest.order if cause.latest else ()).until
    return None if one.until is None or other.until is None else max(one.until, other.until)


def _list_refs(cause: Cause) -> list[EvidenceRef]:
    return [ref for ref in (cause.first, cause.latest, cause.withdrawn, cause.contradicted) if ref is not None]


def _least_doubtful(ref: EvidenceRef) -> tuple[tuple[datetime, str], bool]:
    return ref.order, not ref.derived


def _by_weight(ref: EvidenceRef) -> tuple[bool, tuple[datetime, str], bool]:
    """What takes something back: what came by no mail before all that did, else the latest."""
    return ref.source != BY_MAIL, *_least_doubtful(ref)


def _order(item: EvidenceRef | Decision) -> tuple[datetime, str]:
    return item.order


def _sort(causes: dict[CauseKind, Cause]) -> dict[CauseKind, Cause]:
    return dict(sorted(causes.items()))
