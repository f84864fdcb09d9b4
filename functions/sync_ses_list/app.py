"""One batch of the stream of suppressions to `aftersend.jobs.ses_sync`."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability

logger = observability.make_logger()
sync = bootstrap.sync_ses_list()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Work one batch; hand back the place from which it must come again."""
    done = sync.run(event)
    observability.report_sync(done, logger)
    return {"batchItemFailures": [{"itemIdentifier": done.failed}] if done.failed else []}
