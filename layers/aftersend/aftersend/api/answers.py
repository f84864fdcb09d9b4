"""Answers of the API: JSON of a Struct, with the version as an entity tag (RFC 9110, 8.8.3) where there is one."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aws_lambda_powertools.event_handler import Response

CONTENT_TYPE: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode


def json(body: Any, status: int = 200, *, etag: int | None = None) -> Response[str]:
    """`body` is a Struct, or anything else that msgspec knows."""
    headers = {"Cache-Control": "no-store"}  # it is of people, and of this moment
    if etag is not None:
        headers["ETag"] = f'"{etag}"'
    return Response(status, CONTENT_TYPE, _encode(body).decode(), headers)


def nothing(status: int) -> Response[str]:
    """An answer that is its status."""
    return Response(status, None, None, {"Cache-Control": "no-store"})
