"""One request of the HTTP API to `aftersend.api`; else it is the schedule, and dead letters are counted for alarms."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability
from aftersend.api import app

logger, metrics = observability.make_logger(), observability.make_metrics()
made, queues = bootstrap.operate()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request. The log names the route and no path: addresses stand in paths."""
    if "requestContext" not in event:
        lying = queues.count_lying()
        observability.report_lying(
            lying.queues, logger, metrics, dead_letters=lying.dead_letters, dead_jobs=lying.dead_jobs
        )
        return {"lying": lying.queues}
    answer, log = app.answer(event, made)
    log.write(logger)
    return answer
