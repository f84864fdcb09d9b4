"""What can be asked here: the OpenAPI document, as it is committed beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from aftersend.api.request import PlainRequest
from aftersend.api.responses import CONTENT_TYPE, ApiResponse
from aftersend.api.routing import Router

route: Final = Router(tag="About this API")

FILE: Final = Path(__file__).with_name("openapi.json")


@route("GET", "/openapi.json", needs="ask", statuses={200: "An OpenAPI document."})
def get_document(_request: PlainRequest) -> ApiResponse:
    """Get this document."""
    return ApiResponse(status=200, content_type=CONTENT_TYPE, body=_read())


@cache
def _read() -> str:
    return FILE.read_text("utf-8")
