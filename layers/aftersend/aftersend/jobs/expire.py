"""Writes down what has expired: outcomes of which nothing was heard for longer than their validity (`core.validity`).

On a schedule, what is due is looked up in an index that holds nothing but outcomes that wait, and sent on in slices. A
slice names its outcomes, so one that is stopped anywhere and comes again finds them, also where they have left the
index by then. Two sweeps at once do no harm, and what was heard of in between is left alone: it is no longer waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from aftersend.core.errors import ServiceError, Unreadable
from aftersend.core.model import Key, Kind, Outcome, Status
from aftersend.core.plan import plan_updates
from aftersend.core.steps import run_steps
from aftersend.core.validity import LAG, VERDICT, WAITING
from aftersend.core.writes import update_suppression
from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts, refold
from aftersend.ports import BatchReport
from aftersend.storage.items import WAITING_SHARDS

SLICE: Final = 200  # outcomes of one message
MARGIN: Final = 20.0  # seconds that must be left to look up more of them


def send_due(
    ports: ReevaluationPorts, send: Callable[[Sequence[ReevaluationJob]], None], seconds_left: Callable[[], float]
) -> int:
    """Look up what is due, and `send` it on in slices until no time is left; returns how many outcomes.

    What is left is found again the next time. Where the policy has no validity, nothing is looked up. Raises
    StoreUnavailable.
    """
    found, by = 0, ports.clock() - LAG
    for shard in WAITING_SHARDS if ports.policy.validity else "":
        after = None
        while seconds_left() > MARGIN:
            page = ports.queries.find_due_outcomes(shard, by, SLICE, after)
            if page.found:
                send([ReevaluationJob(due=tuple(page.found))])
            found, after = found + len(page.found), page.last
            if after is None:
                break
    return found


def expire_outcomes(keys: Sequence[Key], ports: ReevaluationPorts) -> BatchReport:
    """Expire those of these outcomes that are due, update the suppressions of their recipients, and report both.

    Raises the ServiceError of one that failed after all others were worked: done again, they give the same.
    """
    report, failed = BatchReport(), list[ServiceError]()
    for result in ports.pool.map(partial(_attempt, ports=ports), keys):
        if isinstance(result, ServiceError):
            failed.append(result)
            continue
        report.counts.update(result.counts)
        report.suppressed += result.suppressed
    if failed:
        raise failed[0]
    return report


def _attempt(key: Key, ports: ReevaluationPorts) -> BatchReport | ServiceError:
    try:
        return expire_outcome(key, ports)
    except Unreadable:  # it would hold up its slice, and the next version that knows it finds it again
        return BatchReport(counts=Counter({("unknown", "Skipped", ""): 1}))
    except ServiceError as error:
        return error


def expire_outcome(key: Key, ports: ReevaluationPorts) -> BatchReport:
    """Expire one outcome, if it is due, and update the suppression; raises a ServiceError."""
    report = BatchReport()
    stored = ports.store.get_outcomes([key]).get(key)
    outcome: Outcome | None = stored
    if stored is not None and stored.status in WAITING:
        now = ports.clock() - LAG
        outcome = run_steps(refold(stored, ports.classify, ports.policy, now), ports.store.answer)
    if outcome is None or outcome.status is not Status.EXPIRED:
        return report
    source = next(fact.source for fact in outcome.feedback if fact.kind is Kind.EXPIRED)
    if outcome is not stored:
        for what, which in (("Feedback", Kind.EXPIRED), ("Verdict", VERDICT.klass), ("Reason", VERDICT.reason)):
            report.counts[source, what, which] += 1
    updates = plan_updates({key: outcome}, {key: ()}, ports.classify, ports.policy).updates
    known = ports.store.get_suppressions(list(updates)) if updates else {}
    for name, update in updates.items():
        before = known.get(name)
        after = run_steps(update_suppression(update, before, ports.policy), ports.store.answer)
        new = [cause for cause in (after.causes if after else ()) if before is None or cause not in before.causes]
        report.counts.update((source, "Suppressed", cause.value) for cause in new)
        report.suppressed += [(name[0], cause) for cause in new]
    return report
