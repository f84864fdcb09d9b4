"""Wiring: one leg of a replay to `aftersend.jobs.replay`, and what is left of it back into its queue.

A message `{"source": "ses", "folder": "date=2026-03-02/"}` begins one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Protocol

from aws_lambda_powertools import Logger
from msgspec.structs import replace

from aftersend import settings
from aftersend.aws import boto, connect
from aftersend.jobs.replay import Replay, ReplayJob
from aftersend.jobs.runner import JobRunner
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.queue import QueueSender

logger = Logger()


class Context(Protocol):
    """What is needed of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int: ...  # noqa: D102


@lru_cache(maxsize=1)
def _made() -> tuple[Replay, JobRunner[ReplayJob]]:
    """Clients and settings, made once for each execution environment."""
    config, jobs, sqs = settings.load_replay(), settings.load_jobs(), connect("sqs")
    targets = {source: QueueSender(sqs, url) for source, url in config.queues.items()}
    legs = JobRunner("replay", ReplayJob, sqs, jobs.queue, DeadLetters(partial(connect, "sqs"), jobs.dead_letter_queue))
    return Replay(boto.client("s3"), config.bucket, targets), legs


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Work one leg; hand back what our side could not do."""
    replay, legs = _made()

    def work(job: ReplayJob, message_id: str) -> Sequence[ReplayJob]:
        begun = job if job.run else replace(job, run=message_id)
        job, ended = replay.leg(begun, lambda: context.get_remaining_time_in_millis() / 1000)
        told = {"run": job.run, "replayed": job.source, "folder": job.folder, "counts": job.counts}
        logger.info("replayed" if ended else "replaying", extra=told)
        return [] if ended else [job]

    done = legs.run(event, work)
    for what, why in (done.failed | done.parked).items():
        logger.error("not done", extra={"message_id": what, "why": why})
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in done.failed]}
