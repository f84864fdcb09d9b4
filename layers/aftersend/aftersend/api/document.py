"""What can be asked here: the OpenAPI document, as it is committed beside this file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from aws_lambda_powertools.event_handler import Response

from aftersend.api import answers, request
from aftersend.api.routing import Router
from aftersend.api.shapes import Nothing

router: Final = Router()

FILE: Final = Path(__file__).with_name("openapi.json")


@router.get("/openapi.json")
def document() -> Response[str]:
    """The document itself."""
    request.read(router).parameters(Nothing)
    return Response(200, answers.CONTENT_TYPE, _text(), {"Cache-Control": "no-store"})


@lru_cache(maxsize=1)
def _text() -> str:
    return FILE.read_text("utf-8")
