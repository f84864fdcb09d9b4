"""Wiring: one batch of the stream of suppressions to `aftersend.jobs.ses_sync`, and its report to logs and metrics."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from aftersend.aws import connect
from aftersend.jobs.ses_sync import Sync

logger = Logger()
metrics = Metrics()


@lru_cache(maxsize=1)
def _sync() -> Sync:
    """The client, made once for each execution environment."""
    return Sync(connect("sesv2"), time.sleep)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the place from which it must come again."""
    done = _sync().run(event)
    for name, number in (done.counts | {"Failed": int(done.failed is not None)}).items():
        metrics.add_metric(f"Listing{name}", MetricUnit.Count, number)
    metrics.flush_metrics()
    log = logger.error if done.failed else logger.info
    log("synced", extra={**done.counts, "failed": done.failed, "why": done.why})
    return {"batchItemFailures": [{"itemIdentifier": done.failed}] if done.failed else []}
