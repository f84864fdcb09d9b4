"""On a schedule, what waits in a queue of Alibaba Cloud MNS to the feedback queue."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap, observability
from aftersend.core.errors import StoreUnavailable
from aftersend.sources.lambda_event import LambdaContext, make_countdown

logger = observability.make_logger()
drain = bootstrap.poll()


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Drain the queue; raises StoreUnavailable where something was left that should have been taken."""
    done = drain(make_countdown(context))
    observability.report_poll(done, logger)
    if done.problems:
        raise StoreUnavailable("; ".join(done.problems[:3]))
    return {"forwarded": done.forwarded}
