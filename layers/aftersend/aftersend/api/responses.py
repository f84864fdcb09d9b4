"""Responses of the API: JSON with the version as an entity tag (RFC 9110, 8.8.3) where there is one."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct, field

CONTENT_TYPE: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode


class ApiResponse(Struct, kw_only=True):
    """A response, and how API Gateway takes it. None may be cached: they are of people, and of this moment."""

    status: int
    content_type: str | None = None  # None has no body
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def to_event(self) -> dict[str, Any]:
        """Return the result of a Lambda function behind an HTTP API (payload format 2.0)."""
        headers = {"Cache-Control": "no-store", **self.headers}
        if self.content_type is not None:
            headers["Content-Type"] = self.content_type
        return {"statusCode": self.status, "headers": headers, "body": self.body, "isBase64Encoded": False}


def json_response(body: Any, status: int = 200, *, version: int | None = None) -> ApiResponse:
    """Return `body`, a Struct or anything else that msgspec encodes, with `version` as its entity tag."""
    headers = {} if version is None else {"ETag": f'"{version}"'}
    return ApiResponse(status=status, content_type=CONTENT_TYPE, body=_encode(body).decode(), headers=headers)


def empty_response(status: int) -> ApiResponse:
    """Return a response that is its status and nothing else."""
    return ApiResponse(status=status)
