"""Streaks of soft bounces: which bounces count, and how few of them have to be read to find one. Pure.

Five soft bounces in a row are a streak when each of them is at least a day after the one before, no silence between
bounces is longer than ten days, and nothing was delivered or engaged with after the first of them. One that was once
long enough stands until it lapses, also when a lone bounce follows later.

Bounces are read newest first, from an index that holds nothing else, and only until the answer is known. Of bounces
without a longer silence between them, whoever takes the latest, then the latest that is a day before it, and so on,
takes as many as anybody could: so a day with ten thousand bounces is passed over in one step.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from aftersend.core.causes import is_vouched, make_ref
from aftersend.core.model import (
    BY_MAIL,
    Cause,
    Class,
    EvidenceRef,
    Life,
    Outcome,
    Reason,
    Status,
    Suppression,
    Verdict,
)
from aftersend.core.policy import Policy, Streak
from aftersend.core.times import LATEST_TIME, UNKNOWN_TIME

Order = tuple[datetime, str]  # of facts: when, and which

NOBODY: Final = Life()  # is known to be alive
PAGE: Final = 16  # bounces that are read at first: of most recipients all that there are
JUMP: Final = 4  # that are read where some were passed over
_MOMENT: Final = timedelta(milliseconds=1)
_AFTER_ALL: Final = "~"  # no id is greater
_LATEST: Final[Order] = (LATEST_TIME, _AFTER_ALL)
BOUNCES: Final = frozenset({Status.BOUNCED, Status.EXPIRED})  # that a message was not taken, or ran out on its way
_COUNTABLE: Final = frozenset({Class.HARD, Class.SOFT})  # a policy may call a hard one soft


class Bounce(Struct, frozen=True, gc=False):
    """A bounce that may count, as the index has it: what decided an outcome, and how it was judged."""

    ref: EvidenceRef
    verdict: Verdict
    proven: bool

    @property
    def group(self) -> str:
        """Which of those that a policy counts or does not count together: soft or hard, and either without a proof."""
        return self.verdict.klass.value if self.proven else f"{self.verdict.klass.value}?"


class ReadBounces(Struct, frozen=True):
    """Read up to `limit` bounces of one recipient in these groups, the newest first; both ends are included."""

    recipient: str
    groups: tuple[str, ...]
    limit: int
    oldest: Order = (UNKNOWN_TIME, "")
    newest: Order = _LATEST
    oldest_first: bool = False


Reading = Generator[ReadBounces, list[Bounce], EvidenceRef | None]


def find_bounce(outcome: Outcome) -> Bounce | None:
    """Find the bounce of an outcome that some policy may count, whichever it is."""
    verdict = outcome.verdict
    if outcome.status not in BOUNCES or verdict is None or verdict.klass not in _COUNTABLE:
        return None
    decider = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    return Bounce(make_ref(decider, verdict), verdict, outcome.proven)


def select_bounces(outcomes: Iterable[Outcome], wanted: ReadBounces) -> list[Bounce]:
    """Select from outcomes what `wanted` reads from their index."""
    found = (find_bounce(each) for each in outcomes if each.recipient == wanted.recipient)
    inside = [
        each
        for each in found
        if each is not None and each.group in wanted.groups and wanted.oldest <= each.ref.order <= wanted.newest
    ]
    return sorted(inside, key=lambda each: each.ref.order, reverse=not wanted.oldest_first)[: wanted.limit]


def counts_for_streak(outcome: Outcome, policy: Policy) -> bool:
    """Return whether this outcome is a soft bounce that a streak counts."""
    vouched = outcome.status in BOUNCES and is_vouched(outcome, policy)
    return vouched and is_soft(outcome.verdict, outcome.recipient, policy)


def list_counted_bounces(outcomes: Iterable[Outcome], policy: Policy) -> list[EvidenceRef]:
    """List the soft bounces of these outcomes that a streak is made of, in no order."""
    counted = (each for each in outcomes if counts_for_streak(each, policy))
    return [each.ref for each in map(find_bounce, counted) if each is not None]


def read_row(
    stored: Suppression, policy: Policy, life: Life = NOBODY
) -> Generator[ReadBounces, list[Bounce], Cause | None]:
    """Read no more bounces of a recipient than it takes to find the row that is long enough, the latest one.

    `stored` says up to when and in which windows they do not count, `life` which signs of life end them. The row is
    made of its latest bounces, as many as the policy asks for. One that had lapsed before the newest bounce came holds
    no more whatever the time is, and is none.
    """
    rules = policy.select(stored.recipient).streak
    if not rules.suppress:
        return None
    reader = _Reader(stored, policy, life)
    newest = latest = yield from reader.find(_LATEST)
    longest = timedelta(days=max(rules.lapse_days, rules.full_lapse_days))
    while newest is not None and latest is not None and latest.at + longest > newest.at:
        first, before = yield from _read_enough(latest, reader, rules)
        if first is not None:
            until = _compute_end(latest, rules)
            return Cause(first=first, latest=latest, count=rules.bounces, until=until) if until > newest.at else None
        latest = before
    return None


def read_streak(
    row: Cause | None, life: Life, stored: Suppression, policy: Policy
) -> Generator[ReadBounces, list[Bounce], Cause | None]:
    """Find what is left of a row after the last signs of life, mostly without a read: all of it, or none.

    It is made of the latest bounces, so where its first one no longer counts, too few do. Only a sign of life that came
    by mail takes some and leaves others.
    """
    if row is None or row.first is None or life.last is None or life.last.at < row.first.at:
        return row
    if life.firsthand is not None and life.firsthand.at >= row.first.at:
        return None
    return (yield from read_row(stored, policy, life))


def _compute_end(latest: EvidenceRef, rules: Streak) -> datetime:
    days = rules.full_lapse_days if latest.reason is Reason.MAILBOX_FULL else rules.lapse_days
    return latest.at + timedelta(days=days)


def _read_enough(
    latest: EvidenceRef, reader: _Reader, rules: Streak
) -> Generator[ReadBounces, list[Bounce], tuple[EvidenceRef | None, EvidenceRef | None]]:
    """The first of the latest bounces that are enough together; where they are too few, the one before the silence."""
    ref = latest
    for _ in range(rules.bounces - 1):
        before, broken = yield from _step_back(ref, reader, rules)
        if before is None or broken:
            return None, before
        ref = before
    return ref, None


def _step_back(
    ref: EvidenceRef, reader: _Reader, rules: Streak
) -> Generator[ReadBounces, list[Bounce], tuple[EvidenceRef | None, bool]]:
    """The latest bounce that is far enough before `ref`, and whether a silence lies between them."""
    apart, gap = timedelta(hours=rules.apart_hours), timedelta(days=rules.gap_days)
    before = yield from reader.find((ref.at - apart, _AFTER_ALL) if apart else ref.order, without=ref)
    if before is None or ref.at - before.at <= gap:
        return before, False
    if ref.at - before.at > gap + apart:
        return before, True
    following = yield from reader.find_after(before)
    return before, following is None or following.at - before.at > gap


class _Reader:
    """Reads the bounces of one recipient that count, and passes over those that do not."""

    def __init__(self, stored: Suppression, policy: Policy, life: Life) -> None:
        self._recipient, self._policy, self._reverted = stored.recipient, policy, stored.reverted
        self._groups = _list_groups(stored.recipient, policy)
        ended = [stored.released_at, life.firsthand.at if life.firsthand else None]
        self._oldest: Order = (max((each + _MOMENT for each in ended if each), default=UNKNOWN_TIME), "")
        self._ended_by_mail = life.last.at if life.last else None
        self._page: list[Bounce] = []
        self._ended = False

    def find(self, newest: Order, without: EvidenceRef | None = None) -> Reading:
        """The newest bounce that is not after `newest`; whoever asks again asks for an older one."""
        while True:
            for bounce in self._page:
                if bounce.ref.order <= newest and bounce.ref != without and self._counts(bounce):
                    return bounce.ref
            if self._ended:
                return None
            last = self._page[-1].ref.order if self._page else None
            jumps = last is not None and newest < last
            limit = JUMP if jumps else PAGE
            page = yield self._build_read(limit, newest=newest if last is None else min(newest, last))
            self._ended = len(page) < limit
            self._page = [each for each in page if each.ref.order != last]

    def find_after(self, ref: EvidenceRef) -> Reading:
        """The oldest bounce after `ref`."""
        last = ref.order
        while True:
            page = yield self._build_read(PAGE, oldest=last, oldest_first=True)
            for bounce in page:
                if bounce.ref.order > ref.order and self._counts(bounce):
                    return bounce.ref
            if len(page) < PAGE:
                return None
            last = page[-1].ref.order

    def _build_read(
        self, limit: int, *, oldest: Order | None = None, newest: Order = _LATEST, oldest_first: bool = False
    ) -> ReadBounces:
        return ReadBounces(self._recipient, self._groups, limit, oldest or self._oldest, newest, oldest_first)

    def _counts(self, bounce: Bounce) -> bool:
        ref = bounce.ref
        if self._ended_by_mail is not None and ref.source == BY_MAIL and ref.at <= self._ended_by_mail:
            return False
        return is_soft(bounce.verdict, self._recipient, self._policy) and not any(map(ref.is_inside, self._reverted))


def is_soft(verdict: Verdict | None, recipient: str, policy: Policy) -> bool:
    """Return whether a bounce with this verdict counts for a streak."""
    return verdict is not None and policy.select(recipient).find_class(verdict) is Class.SOFT


def _list_groups(recipient: str, policy: Policy) -> tuple[str, ...]:
    """The groups in which there may be bounces that count. Strangers' reports and hard bounces are not even read."""
    classes = [Class.SOFT, *([Class.HARD] if Class.SOFT in policy.select(recipient).classes.values() else [])]
    proofs = ["", *([] if policy.report.require_proof else ["?"])]
    return tuple(f"{klass.value}{proof}" for klass in classes for proof in proofs)
