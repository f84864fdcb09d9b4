"""The streak that stands in outcomes which are all at hand: the very steps that are carried out on an index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from aftersend.core.causes import find_life
from aftersend.core.model import Cause, Outcome, Reverted, Suppression
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.streaks import read_row, read_streak, select_bounces


def find_streak(
    outcomes: Iterable[Outcome],
    policy: Policy,
    released_at: datetime | None = None,
    reverted: Sequence[Reverted] = (),
) -> Cause | None:
    """Find the streak of soft bounces that stands in all outcomes of one recipient, or None.

    Bounces up to `released_at` (UTC), up to the last sign of life, and in `reverted` windows do not count. A sign of
    life that came by mail ends nothing but what came by mail.
    """
    known = list(outcomes)
    if not known:
        return None
    stored = Suppression(recipient=known[0].recipient, released_at=released_at, reverted=tuple(reverted))
    row = run_steps(read_row(stored, policy), lambda wanted: select_bounces(known, wanted))
    steps = read_streak(row, find_life(known, policy), stored, policy)
    return run_steps(steps, lambda wanted: select_bounces(known, wanted))
