"""What a function tells of a batch: one line of log and one set of metrics; addresses appear only as keyed digests."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from aftersend.core.digest import digest
from aftersend.ports import BatchReport


def report_batch(report: BatchReport, source: str, key: bytes, logger: Logger, metrics: Metrics) -> None:
    """Write both; `key` is that of the digests."""
    numbers = report.numbers()
    metrics.add_dimension("source", source)
    for name, number in numbers.items():
        metrics.add_metric(name, MetricUnit.Count, number)
    if report.ages:
        metrics.add_metric("FeedbackAge", MetricUnit.Seconds, max(report.ages))
    metrics.flush_metrics()
    logger.info(
        "batch",
        extra={
            **numbers,
            "suppressed": [f"{digest(who, key)} {cause}" for who, cause in report.suppressed[:50]],
            "malformed": dict(list(report.malformed.items())[:10]),
            "failed": dict(list(report.failed.items())[:10]),
        },
    )
