"""One batch of the stream of the spike guard's table to `aftersend.outgoing.incidents`."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability

logger = observability.make_logger()
incidents = bootstrap.publish_incidents()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the place from which it must come again."""
    return observability.report_incidents(incidents.run(event), logger)
