"""Wiring: one request to `aftersend.webhooks.receive`, and its answer to logs, metrics and the provider."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from aftersend import settings
from aftersend.aws import connect
from aftersend.webhooks.receive import PushResponse, PushResult, WebhookPorts, receive
from aftersend.webhooks.schemes import SOURCES
from aftersend.webhooks.secrets import WebhookSecrets

logger = Logger()
metrics = Metrics()


@lru_cache(maxsize=1)
def ports() -> WebhookPorts:
    """Clients and settings, made once for each execution environment."""
    config = settings.load_webhooks(SOURCES)
    return WebhookPorts(config, WebhookSecrets(partial(connect, "secretsmanager"), config), connect("sqs"))


ports()  # at start, where it costs no provider any time


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take one push."""
    answer = receive(event, ports())
    _tell(answer)
    return answer.response()


def _tell(answer: PushResponse) -> None:
    """Count every push, and log those that were not just taken. Neither holds the path, which may hold a secret."""
    if answer.source:
        metrics.add_dimension("source", answer.source)
    if answer.flaw:
        metrics.add_dimensions(service=metrics.service, source=answer.source, reason=answer.flaw)
    metrics.add_metric(answer.what, MetricUnit.Count, 1)
    metrics.flush_metrics()
    if answer.what is not PushResult.ACCEPTED:
        told = {"source": answer.source, "scheme": answer.scheme, "flaw": answer.flaw, "why": answer.why}
        log = logger.error if answer.status >= 500 else logger.info if answer.status < 300 else logger.warning
        log(answer.what, extra={name: text for name, text in told.items() if text})
