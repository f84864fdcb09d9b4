"""The use case of a revert: what one domain reported for one reason in a window of time counts no more.

A provider that fails for some hours refuses good addresses. Their evidence stays where it is, but the window is stored
beside it and it does not count, whether it came before the revert or comes after. What counts besides goes on to hold.

Whoever has evidence in the window is found by the day of their newest cause, from the window's first day on: new
evidence moves them to a later day, which is still to come. An address of which the first evidence arrives after the
revert is not found; the same revert again finds it, and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from msgspec.structs import replace

from aftersend.core.model import Act, CauseKind, Decision, Key, Reverted, Suppression
from aftersend.core.spike_guard import find_group
from aftersend.core.suppression import apply_reverts, find_active_causes
from aftersend.core.writes import SuppressionUpdate
from aftersend.lists.context import JobContext, read_suppressions, write_suppression
from aftersend.lists.job import ListJob, RevertProgress, RevertRequest
from aftersend.storage.dry_run import DryRunStore

CHUNK: Final = 50  # pages without evidence in the window, at most
PAGE_SIZE: Final = 500  # suppressions
_DAY: Final = timedelta(days=1)


def revert(job: ListJob, context: JobContext) -> Iterator[RevertProgress]:
    """Revert a window, or say what that would change, and yield the progress after each chunk.

    Raises StoreUnavailable and ContentionExhausted.
    """
    request, progress = job.request, job.progress
    assert isinstance(request, RevertRequest) and isinstance(progress, RevertProgress)
    while progress.day is None or progress.day <= _last_day(request, context).isoformat():
        progress = _revert_chunk(job, request, progress, context)
        yield progress


def _revert_chunk(
    job: ListJob, request: RevertRequest, progress: RevertProgress, context: JobContext
) -> RevertProgress:
    """Revert the next page of suppressions with evidence in the window, or pass over some pages without."""
    day, after = date.fromisoformat(progress.day or request.since.date().isoformat()), progress.after
    changes: list[tuple[bool, bool]] = []
    for _ in range(CHUNK):
        page = context.queries.find_suppressed_on(day.isoformat(), PAGE_SIZE, after, oldest_first=True)
        selected = [each.key for each in page.found if _is_selected(each, request)]
        changes = list(_revert_keys(selected, job, request, context))
        day, after = (day, page.last) if page.last else (day + _DAY, None)
        if changes or day > _last_day(request, context):
            break
    return RevertProgress(
        day=day.isoformat(),
        after=after,
        found=progress.found + len(changes),
        changed=progress.changed + sum(changed for changed, _ in changes),
        freed=progress.freed + sum(freed for _, freed in changes),
    )


def _last_day(request: RevertRequest, context: JobContext) -> date:
    """Return the last day to look at: today, or where the window ends of a source whose clock is ahead of ours."""
    return max(context.clock().date(), request.until.date())


def _is_selected(suppression: Suppression, request: RevertRequest) -> bool:
    """Whether it is of the domain, and has evidence in the window for the reason, or may have counted some in a row."""
    if find_group(suppression.recipient) != request.domain:
        return False
    row = suppression.causes.get(CauseKind.STREAK)
    if (
        row is not None
        and row.first
        and row.latest
        and row.first.at <= request.until
        and request.since <= row.latest.at
    ):
        return True
    evidence = (
        each for cause in suppression.causes.values() for each in (cause.first, *cause.between, cause.latest) if each
    )
    return any(request.since <= each.at <= request.until and each.reason == request.reason for each in evidence)


def _revert_keys(
    keys: list[Key], job: ListJob, request: RevertRequest, context: JobContext
) -> Iterator[tuple[bool, bool]]:
    """Yield of each suppression, as it is now, whether it changes, and whether it holds no more then."""
    window = Reverted(request.since, request.until, request.reason)
    decision = Decision(at=job.created_at, by=job.by, act=Act.REVERTED, note=request.note)
    known = read_suppressions(keys, context.store, context.pool)
    now = context.clock()

    def write(key: Key) -> tuple[bool, bool]:
        def decide(before: Suppression) -> tuple[bool, SuppressionUpdate | None]:
            changed = apply_reverts(before, [window]) is not before
            update = SuppressionUpdate(key, decisions=(decision,), windows=(window,), expect=before.version)
            return changed, update if changed else None

        # A row of soft bounces is counted anew, so what is left is known only when it is written, or would be.
        used = replace(context, store=DryRunStore(context.store)) if request.dry_run else context
        written = write_suppression(key, known.get(key), decide, used)
        held, holds = (bool(each and find_active_causes(each, now)) for each in (written.before, written.after))
        return written.result, held and not holds

    return iter(context.pool.map(write, [key for key in keys if key in known]))
