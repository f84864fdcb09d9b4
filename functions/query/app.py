"""Wiring: one request of the HTTP API to `aftersend.api`, and a line of log about it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger

from aftersend import settings
from aftersend.api import desk, front
from aftersend.aws import connect

logger = Logger()


@lru_cache(maxsize=1)
def _desk() -> desk.Desk:
    """Clients and settings, made once for each execution environment."""
    return desk.build(settings.load_api(), connect)


_desk(), front.front()  # at start, where it costs nobody any time


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one request. The log names the route and no path: addresses stand in paths."""
    answer, told = front.answer(event, context, _desk())
    told.write(logger)
    return answer
