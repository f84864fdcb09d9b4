"""Rules that somebody tries, over HTTP or by a message about a trial that goes on, to `aftersend.api` and `lists`."""

from __future__ import annotations

from typing import Any, Final

from aftersend import bootstrap, observability
from aftersend.api import app
from aftersend.jobs.runner import run_each

AT_A_TIME: Final = 60.0  # seconds that a trial is worked before the next message goes on with it

logger = observability.make_logger()
made = bootstrap.try_rules()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request, or work the trials of some messages. The log names no path, and no text of a refusal."""
    if "Records" not in event:
        answer, log = app.answer(event, made)
        log.write(logger)
        return answer
    trials = made.rule_trials
    assert trials is not None
    trial, failed = run_each(event, lambda id_: trials.service.resume(id_, AT_A_TIME))
    return observability.report_list_jobs(trial, failed, logger)
