"""One request of the HTTP API to `aftersend.api`."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability
from aftersend.api import app

logger = observability.make_logger()
made = bootstrap.query()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request. The log names the route and no path: addresses stand in paths."""
    answer, log = app.answer(event, made)
    log.write(logger)
    return answer
