"""The use case of a revert: takes back what one domain said for one reason in a window of time.

A provider that fails for some hours refuses good addresses. Their evidence stays where it is, but the window is written
beside it and it does not count, whether it came before the revert or comes after. What counts besides goes on to hold.

Whoever has evidence in the window is found by the day of their newest cause, from the window's first day on: new
evidence moves them to a later day, which is still to come. An address of which the first evidence arrives after the
revert is not found; the same revert again finds it, and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from aftersend.core.model import Act, Decision, Key, Reverted, Suppression
from aftersend.core.spike_guard import find_group
from aftersend.core.suppression import apply_reverts, find_active_causes
from aftersend.core.writes import SuppressionUpdate
from aftersend.lists.job import Job, Revert, Undone
from aftersend.lists.shop import Shop, stored, written

PAGES: Final = 50  # that a bite passes over at most
_DAY: Final = timedelta(days=1)


def undone(job: Job, shop: Shop) -> Iterator[Undone]:
    """How far it is, after each bite."""
    request, progress = job.request, job.progress
    assert isinstance(request, Revert) and isinstance(progress, Undone)
    while progress.day is None or progress.day <= _last(request, shop).isoformat():
        progress = _bite(job, request, progress, shop)
        yield progress


def _bite(job: Job, request: Revert, progress: Undone, shop: Shop) -> Undone:
    """The next page of suppressions with evidence in the window, or some pages without."""
    day, after = date.fromisoformat(progress.day or request.since.date().isoformat()), progress.after
    changes: list[tuple[bool, bool]] = []
    for _ in range(PAGES):
        page = shop.reader.on_day(day.isoformat(), after)
        changes = list(_changes([each.key for each in page.found if _is_meant(each, request)], job, request, shop))
        day, after = (day, page.last) if page.last else (day + _DAY, None)
        if changes or day > _last(request, shop):
            break
    return Undone(
        day=day.isoformat(),
        after=after,
        found=progress.found + len(changes),
        changed=progress.changed + sum(changed for changed, _ in changes),
        freed=progress.freed + sum(freed for _, freed in changes),
    )


def _last(request: Revert, shop: Shop) -> date:
    """The last day to look at: today, or where the window ends of a source whose clock is ahead of ours."""
    return max(shop.clock().date(), request.until.date())


def _is_meant(suppression: Suppression, request: Revert) -> bool:
    """Whether it is of the domain, and has evidence in the window for the reason."""
    if find_group(suppression.recipient) != request.domain:
        return False
    marks = (mark for cause in suppression.causes.values() for mark in (cause.first, cause.latest) if mark)
    return any(request.since <= mark.at <= request.until and mark.reason == request.reason for mark in marks)


def _changes(keys: list[Key], job: Job, request: Revert, shop: Shop) -> Iterator[tuple[bool, bool]]:
    """Of each suppression, as it is now: whether it changes, and whether it holds no more then."""
    window = Reverted(request.since, request.until, request.reason)
    decision = Decision(at=job.created_at, by=job.by, act=Act.REVERTED, note=request.note)
    known = stored(keys, shop)

    def one(key: Key) -> tuple[bool, bool]:
        def plan(before: Suppression) -> tuple[tuple[bool, bool], SuppressionUpdate | None]:
            after = apply_reverts(before, [window])
            changed = after is not before
            freed = bool(find_active_causes(before, now)) and not find_active_causes(after, now)
            errand = SuppressionUpdate(key, decisions=(decision,), windows=(window,), expect=before.version)
            return (changed, freed), errand if changed and not request.dry_run else None

        return written(key, known.get(key), plan, shop)

    now = shop.clock()
    return iter(shop.pool.map(one, [key for key in keys if key in known]))
