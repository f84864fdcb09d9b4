"""One part of a replay to `aftersend.jobs.replay`, and what is left of it back into its queue.

A message `{"source": "ses", "folder": "date=2026-03-02/"}` begins one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from aftersend import bootstrap, observability
from aftersend.jobs.replay import ReplayJob
from aftersend.sources.lambda_event import LambdaContext, make_countdown

logger = observability.make_logger()
runner, replay = bootstrap.replay()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work one part; hand back what our side could not do."""

    def work(job: ReplayJob, message_id: str) -> Sequence[ReplayJob]:
        begun = job if job.run else replace(job, run=message_id)
        job, ended = replay.run_slice(begun, make_countdown(context))
        observability.report_replay(job, ended, logger)
        return [] if ended else [job]

    return observability.report_jobs(runner.run(event, work), logger)
