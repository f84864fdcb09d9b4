"""One batch of the stream of a table to `aftersend.jobs.streams`."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability

logger = observability.make_logger()
worker = bootstrap.streams()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the place from which it must come again."""
    done = worker.run(event)
    observability.report_streams(done, logger)
    return done.answer()
