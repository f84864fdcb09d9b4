"""Wiring: bulk work, asked for over HTTP or by a message about a job, to `aftersend.api` and `aftersend.lists`.

Both come to one function, so that one role alone may read whole tables and delete.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger

from aftersend import settings
from aftersend.api import desk, front
from aftersend.api.bulk_views import summary
from aftersend.aws import connect
from aftersend.core.errors import ServiceError
from aftersend.lists import office

AT_A_TIME = 60.0  # seconds that a job is worked before the next message goes on with it

logger = Logger()


@lru_cache(maxsize=1)
def _desk() -> office.BulkDesk:
    """Clients and settings, made once for each execution environment."""
    return office.build(desk.build(settings.load_api(), connect), settings.load_list_jobs())


_desk(), front.front()  # at start, where it costs nobody any time


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request, or work the jobs of some messages. The log names no path: addresses stand in paths."""
    if "Records" in event:
        return _worked(event)
    answer, told = front.answer(event, context, _desk())
    told.write(logger)
    return answer


def _worked(event: dict[str, Any]) -> dict[str, Any]:
    """Work each job for some time; hand back the messages of those that our side could not."""
    failed = []
    for record in event["Records"]:
        try:
            job = _desk().office.go_on(record["body"], AT_A_TIME)
        except ServiceError as error:
            failed.append(record["messageId"])
            logger.error("not worked", extra={"message_id": record["messageId"], "why": str(error)})
        else:
            if job is not None:
                told = msgspec.to_builtins(summary(job))
                del told["by"]  # the name of a session is often somebody's address; the job itself has it
                logger.info("worked", extra=told)
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}
