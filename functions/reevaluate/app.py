"""Wiring: one slice of a re-evaluation to `aftersend.jobs.reevaluate`, and what is left of it back into its queue.

A message `{}` begins one, `{"dry_run": true}` only looks; each segment that has ended is one line of log.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Protocol

import msgspec
from aws_lambda_powertools import Logger

from aftersend import classify, settings
from aftersend.aws import connect
from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts, run_slice, split
from aftersend.jobs.runner import JobRunner
from aftersend.settings import ApiSettings
from aftersend.storage import user_rules
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.queries import Queries
from aftersend.storage.scan import Walk
from aftersend.storage.store import Store, Tables

logger = Logger()


class Context(Protocol):
    """What is needed of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int: ...  # noqa: D102


@lru_cache(maxsize=1)
def _make() -> tuple[ApiSettings, JobRunner[ReevaluationJob], ThreadPoolExecutor, Any]:
    """Clients and settings, made once for each execution environment."""
    config, jobs = settings.load_api(), settings.load_jobs()
    runner = JobRunner(
        "reevaluate",
        ReevaluationJob,
        connect("sqs"),
        jobs.queue,
        DeadLetters(partial(connect, "sqs"), jobs.dead_letter_queue),
    )
    return config, runner, ThreadPoolExecutor(config.workers), connect("dynamodb")


def _ports() -> ReevaluationPorts:
    """With the rules as they are now: another document may lie in their parameter since the last time."""
    config, _, pool, dynamodb = _make()
    tables = Tables(outcomes=config.outcomes_table, suppressions=config.suppressions_table, retention=config.retention)
    return ReevaluationPorts(
        store=Store(dynamodb, tables),
        scan=Walk(dynamodb, tables),
        queries=Queries(dynamodb, tables),
        policy=config.policy,
        classify=classify.load(user_rules.read_user_rules(config.rules_parameter, connect)),
        pool=pool,
        clock=lambda: datetime.now(UTC),
        digest_key=config.digest_key,
    )


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Work one slice; hand back what our side could not do."""

    def work(job: ReevaluationJob, message_id: str) -> Sequence[ReevaluationJob]:
        if job.segment is None:
            return split(job, message_id)
        job = run_slice(job, _ports(), lambda: context.get_remaining_time_in_millis() / 1000)
        _report(job)
        return [job] if job.after else []

    result = _make()[1].run(event, work)
    for what, why in (result.failed | result.parked).items():
        logger.error("not done", extra={"message_id": what, "why": why})
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in result.failed]}


def _report(job: ReevaluationJob) -> None:
    """Log how far a segment is, and at its end what became, or would become, of it."""
    logged = {"run": job.run, "segment": job.segment, "segments": job.segments, "dry_run": job.dry_run}
    if job.after is not None:
        logger.info("re-evaluating", extra=logged | {"counts": job.changes.counts})
    else:
        logger.info("re-evaluated", extra=logged | msgspec.to_builtins(job.changes))
