"""Wiring: one batch of a RabbitMQ queue to `aftersend.ingest`, and its report to logs and metrics.

RabbitMQ takes no single messages back: what cannot be read is parked and lets the others pass, and only what our side
could not store fails the batch, which then comes again whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from aftersend import bootstrap, settings
from aftersend.aws import connect
from aftersend.core.errors import StoreUnavailable
from aftersend.ingest import Ports, ingest
from aftersend.observability import report_batch
from aftersend.sources.lambda_event import from_rabbitmq

logger = Logger()
metrics = Metrics()


@lru_cache(maxsize=1)
def _ports() -> tuple[Ports, bytes, dict[str, str]]:
    """Clients and settings, made once for each execution environment."""
    config = settings.load_ingest()
    return bootstrap.ports(config, connect), config.digest_key, settings.queue_words()


_ports()  # at start, where it costs no message any time


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Work one batch; an error is raised where it must come again."""
    ports, key, words = _ports()
    report = ingest(from_rabbitmq(event, words, datetime.now(UTC)), ports)
    report_batch(report, ports.source, key, logger, metrics)
    if report.failed:
        raise StoreUnavailable("not stored: the whole batch must come again")
    return {"malformed": len(report.malformed)}
