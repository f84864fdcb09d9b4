"""Wiring: one batch of records to `aftersend.ingest`, and its report to logs, metrics and the answer.

Deployed once for each source, which the SOURCE variable names.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from aftersend import assemble, settings
from aftersend.digest import digest
from aftersend.errors import StoreUnavailable
from aftersend.ingest import Ports, Report, ingest
from aftersend.lambda_event import answers_by_item, messages

logger = Logger()
metrics = Metrics()

# Short waits: a service that does not answer must leave time to hand the batch back before the function is stopped.
CLIENT = Config(
    user_agent="aftersend",  # else it is put together anew for every call
    tcp_keepalive=True,
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=64,
    parameter_validation=False,
    retries={"mode": "standard", "max_attempts": 3},
)


@lru_cache(maxsize=1)
def _ports() -> tuple[Ports, bytes]:
    """Clients and settings, made once for each execution environment."""
    config = settings.load()
    return assemble.ports(config, partial(boto3.client, config=CLIENT)), config.digest_key


_ports()  # at start, where it costs no message any time


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the messages that our side could not store."""
    ports, key = _ports()
    report = ingest(messages(event), ports)
    _tell(report, ports.source, key)
    if report.failed and not answers_by_item(event):
        raise StoreUnavailable("not stored: the whole event must come again")
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in report.failed]}


def _tell(report: Report, source: str, key: bytes) -> None:
    """One line of log and one set of metrics a batch; addresses appear only as keyed digests."""
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
