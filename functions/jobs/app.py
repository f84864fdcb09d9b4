"""Wiring: list jobs, asked for over HTTP or by a message about a job, to `aftersend.api` and `aftersend.lists`.

Both come to one function, so that one role alone may read whole tables and delete.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from msgspec.structs import replace

from aftersend import bootstrap, settings
from aftersend.api import desk, front
from aftersend.api.bulk_views import summary
from aftersend.aws import connect
from aftersend.core.errors import ServiceError
from aftersend.lists.service import ListJobService

AT_A_TIME = 60.0  # seconds that a job is worked before the next message goes on with it

logger = Logger()


@lru_cache(maxsize=1)
def _desk() -> desk.Desk:
    """Clients and settings, made once for each execution environment."""
    made = desk.build(settings.load_api(), connect)
    service = bootstrap.build_list_jobs(
        settings.load_list_jobs(),
        connect,
        tables=made.tables,
        store=made.store,
        policy=made.policy,
        classify=made.classify,
        pool=made.pool,
        clock=made.clock,
        find_reverts=lambda recipient: list(made.pending(recipient)),
    )
    return replace(made, list_jobs=service)


def _service() -> ListJobService:
    service = _desk().list_jobs
    assert service is not None
    return service


_desk(), front.front()  # at start, where it costs nobody any time


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request, or work the jobs of some messages. The log names no path: addresses stand in paths."""
    if "Records" in event:
        return _work(event)
    answer, told = front.answer(event, context, _desk())
    told.write(logger)
    return answer


def _work(event: dict[str, Any]) -> dict[str, Any]:
    """Work each job for some time; hand back the messages of those that our side could not."""
    failed = []
    for record in event["Records"]:
        try:
            job = _service().resume(record["body"], AT_A_TIME)
        except ServiceError as error:
            failed.append(record["messageId"])
            logger.error("not worked", extra={"message_id": record["messageId"], "why": str(error)})
        else:
            if job is not None:
                logged = msgspec.to_builtins(summary(job))
                del logged["by"]  # the name of a session is often somebody's address; the job itself has it
                logger.info("worked", extra=logged)
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}
