"""Powertools' router, with types."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import api_gateway


class Router(api_gateway.Router):
    """Where a module registers its handlers."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def event(self) -> dict[str, Any]:
        """The event of API Gateway that is being answered."""
        return self.current_event.raw_event
