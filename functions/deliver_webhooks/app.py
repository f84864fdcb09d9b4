"""One batch of the queue of webhooks to `aftersend.outgoing.sender`."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability
from aftersend.outgoing.sender import send_batch
from aftersend.sources.lambda_event import LambdaContext, make_countdown

logger, metrics = observability.make_logger(), observability.make_metrics()
ports = bootstrap.deliver_webhooks()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver one batch; hand back what must come again."""
    done = send_batch(event, ports, make_countdown(context))
    return observability.report_webhooks(done, logger, metrics)
