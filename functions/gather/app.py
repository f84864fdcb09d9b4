"""Objects that Amazon Data Firehose has put into the archive to `aftersend.jobs.gather`, and what is left back."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability, settings
from aftersend.ports import BatchReport
from aftersend.sources.lambda_event import LambdaContext, make_countdown

logger, metrics = observability.make_logger(), observability.make_metrics()
(gatherer, digest_key), graphs = bootstrap.gather(), settings.load_graphs()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work the objects of one event; hand back the notices of those that our side could not do."""

    def note(report: BatchReport) -> None:
        observability.report_batch(report, digest_key, logger, metrics, graphs=graphs)

    return observability.report_jobs(gatherer.run(event, make_countdown(context), note), logger)
