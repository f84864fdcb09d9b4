"""List jobs, asked for over HTTP, on a schedule, by a message about a job or by a dropped file, to `api` and `lists`.

All come to one function, so that one role alone may read whole tables and delete.
"""

from __future__ import annotations

from typing import Any, Final

from aftersend import bootstrap, observability
from aftersend.api import app
from aftersend.jobs.runner import run_each

AT_A_TIME: Final = 60.0  # seconds that a job is worked before the next message goes on with it

logger = observability.make_logger()
made = bootstrap.list_jobs()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request, or work the jobs of some messages. The log names no path: addresses stand in paths."""
    scheduled = event.get("scheduled")
    if "Records" not in event and scheduled is None:
        answer, log = app.answer(event, made)
        log.write(logger)
        return answer
    service = made.list_jobs
    assert service is not None
    if "Records" not in event:
        begin = service.export_outcomes if scheduled == "outcomes" else service.export_all
        return observability.report_list_jobs(begin("schedule"), {}, logger)
    jobs, failed = run_each(event, lambda text: service.work(text, AT_A_TIME))
    return observability.report_list_jobs(jobs, failed, logger)
