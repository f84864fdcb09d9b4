"""Wiring: one batch of the stream of suppressions to `aftersend.jobs.ses_sync`, and its report to logs and metrics."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from aftersend.aws import connect
from aftersend.jobs.ses_sync import SesSync

logger = Logger()
metrics = Metrics()


@lru_cache(maxsize=1)
def _sync() -> SesSync:
    """The client, made once for each execution environment."""
    return SesSync(connect("sesv2"), time.sleep)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the place from which it must come again."""
    result = _sync().run(event)
    for name, number in (result.counts | {"Failed": int(result.failed is not None)}).items():
        metrics.add_metric(f"Listing{name}", MetricUnit.Count, number)
    metrics.flush_metrics()
    log = logger.error if result.failed else logger.info
    log("synced", extra={**result.counts, "failed": result.failed, "why": result.why})
    return {"batchItemFailures": [{"itemIdentifier": result.failed}] if result.failed else []}
