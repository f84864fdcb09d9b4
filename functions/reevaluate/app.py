"""One part of a re-evaluation to `aftersend.jobs.reevaluate`, and what is left of it back into its queue.

A message `{}` begins one, `{"dry_run": true}` only looks; each segment that has ended is one line of log. Anything else
than messages is the schedule: what is due to expire is sent into the same queue, to `aftersend.jobs.expire`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aftersend import bootstrap, observability, settings
from aftersend.jobs.expire import expire_outcomes, send_due
from aftersend.jobs.reevaluate import ReevaluationJob, run_slice, split
from aftersend.sources.lambda_event import LambdaContext, make_countdown

logger, metrics = observability.make_logger(), observability.make_metrics()
(runner, make_ports), graphs = bootstrap.reevaluate(), settings.load_graphs()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work one part; hand back what our side could not do."""
    if "Records" not in event:
        return {"due": send_due(make_ports(), runner.send, make_countdown(context))}

    def work(job: ReevaluationJob, message_id: str) -> Sequence[ReevaluationJob]:
        if job.due:
            ports = make_ports()
            report = expire_outcomes(job.due, ports)
            observability.report_batch(report, ports.digest_key, logger, metrics, graphs=graphs)
            return []
        if job.segment is None:
            return split(job, message_id)
        job = run_slice(job, make_ports(), make_countdown(context))
        observability.report_reevaluation(job, logger)
        return [job] if job.after else []

    return observability.report_jobs(runner.run(event, work), logger)
