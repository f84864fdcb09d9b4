"""Wiring: one batch of records to `aftersend.ingest`, and its report to logs, metrics and the answer.

Deployed once for each source, which the SOURCE variable names.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics

from aftersend import bootstrap, settings
from aftersend.aws import connect
from aftersend.core.errors import StoreUnavailable
from aftersend.ingest import Ports, ingest
from aftersend.observability import report_batch
from aftersend.sources.lambda_event import answers_by_item, messages

logger = Logger()
metrics = Metrics()


@lru_cache(maxsize=1)
def _ports() -> tuple[Ports, bytes]:
    """Clients and settings, made once for each execution environment."""
    config = settings.load_ingest()
    return bootstrap.ports(config, connect), config.digest_key


_ports()  # at start, where it costs no message any time


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the messages that our side could not store."""
    ports, key = _ports()
    report = ingest(messages(event), ports)
    report_batch(report, ports.source, key, logger, metrics)
    if report.failed and not answers_by_item(event):
        raise StoreUnavailable("not stored: the whole event must come again")
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in report.failed]}
