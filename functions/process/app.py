"""One batch of messages to `aftersend.ingest`; what our side could not store, or had no time for, is handed back."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability, settings
from aftersend.core.errors import StoreUnavailable
from aftersend.ingest import ingest
from aftersend.sources.lambda_event import LambdaContext, make_countdown, read_messages, takes_item_failures

logger, metrics = observability.make_logger(), observability.make_metrics()
made, graphs = bootstrap.process(), settings.load_graphs()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work one batch; raises StoreUnavailable where only the whole event can come again."""
    report = ingest(read_messages(event, made.source), made.ports, make_countdown(context))
    observability.report_batch(report, made.digest_key, logger, metrics, graphs=graphs)
    if report.unfinished and not takes_item_failures(event):
        raise StoreUnavailable("not stored: the whole event must come again")
    if why := made.early_retry.call_back(event, report.failed):
        logger.warning("not called back", extra={"why": why})
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in report.unfinished]}
