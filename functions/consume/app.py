"""One batch of a RabbitMQ queue to `aftersend.ingest`.

RabbitMQ takes no single messages back: what cannot be read is parked and lets the others pass, and only what our side
could not store fails the batch, which then comes again whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aftersend import bootstrap, observability, settings
from aftersend.core.errors import StoreUnavailable
from aftersend.ingest import ingest
from aftersend.sources.lambda_event import LambdaContext, make_countdown, read_rabbitmq

logger, metrics = observability.make_logger(), observability.make_metrics()
made, graphs = bootstrap.consume(), settings.load_graphs()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Work one batch; raises StoreUnavailable where it must come again."""
    messages = read_rabbitmq(event, made.source, made.broker_queues, datetime.now(UTC))
    report = ingest(messages, made.ports, make_countdown(context))
    observability.report_batch(report, made.digest_key, logger, metrics, graphs=graphs)
    if report.unfinished:
        raise StoreUnavailable("not stored: the whole batch must come again")
    return {"unreadable": len(report.unreadable)}
