"""One request to `aftersend.webhooks.receive`."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability
from aftersend.webhooks.receive import receive

logger, metrics = observability.make_logger(), observability.make_metrics()
ports = bootstrap.receive()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take one push."""
    response = receive(event, ports)
    observability.report_push(response, logger, metrics)
    return response.to_http()
