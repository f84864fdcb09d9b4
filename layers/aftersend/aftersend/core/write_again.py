"""When a recipient may be written to again, after a refusal that is for a while. Pure.

Suppressions have an end of their own and hold besides. Here is the answer for a single message that was given up: it
follows from the reason and the policy (`[write_again]`), and nobody is kept from writing by it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from aftersend.core.model import Class, Outcome, Reason, Status
from aftersend.core.outcome import select_counting
from aftersend.core.policy import FOR_A_WHILE, Policy

_GIVEN_UP: Final = frozenset({Status.BOUNCED, Status.REJECTED, Status.EXPIRED})


def compute_write_again(
    status: Status, klass: Class | None, reason: Reason | None, at: datetime, policy: Policy
) -> datetime | None:
    """Return from when on (UTC) a new message may be tried, after one that was refused at `at` and given up.

    `policy` is the recipient's own (`Policy.select`). None where there is nothing to wait for: the message arrived or
    is still on its way, the refusal is for good, or the sender has something to mend first.
    """
    if status not in _GIVEN_UP or klass not in FOR_A_WHILE or reason not in policy.write_again:
        return None
    return at + timedelta(hours=policy.write_again[reason])


def find_write_again(outcome: Outcome, policy: Policy) -> datetime | None:
    """Return the same of an outcome, by the refusal that decided it, and not before a pause that it asked for ends.

    For what nothing proves nobody has to wait.
    """
    verdict = outcome.verdict
    if verdict is None or not select_counting(outcome.feedback, policy.report):
        return None
    rules = policy.select(outcome.recipient)
    refusal = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    found = compute_write_again(outcome.status, verdict.klass, verdict.reason, refusal.occurred_at, rules)
    code = refusal.evidence.provider_code if refusal.evidence else None
    if code in rules.pause.provider_codes and rules.pause.suppress and outcome.status in _GIVEN_UP:
        paused = refusal.occurred_at + timedelta(hours=rules.pause.hours)
        return max(found or paused, paused)
    return found
