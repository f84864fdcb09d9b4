"""A request of an HTTP API, as the provider sent it: the very bytes, and the address that the provider called.

Source: API Gateway developer guide, "AWS Lambda proxy integrations for HTTP APIs", payload format version 2.0.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from aftersend.webhooks.schemes import PushRequest

ROUTE: Final = "/feedback/"  # where the routes of the template begin


def read_request(event: Mapping[str, Any], public_url: str) -> PushRequest:
    """Return the request in `event`; `public_url` is what the API is called outside, if not AWS's name for it."""
    parameters = event.get("pathParameters") or {}
    path, url = _rebuild_address(event, public_url)
    return PushRequest(
        source=parameters.get("source", ""),
        secret=parameters.get("secret", ""),
        method=event["requestContext"]["http"]["method"],
        url=url,
        path=path,
        query=event.get("rawQueryString", ""),
        headers=event.get("headers") or {},
        body=_decode_body(event),
    )


def _rebuild_address(event: Mapping[str, Any], public_url: str) -> tuple[str, str]:
    """Return path and address, both with the query: a signature may be about either."""
    path, query = event["rawPath"], event.get("rawQueryString", "")
    base = f"https://{event['requestContext']['domainName']}"
    if public_url:
        base, path = public_url, path[max(path.find(ROUTE), 0) :]
    tail = path + (f"?{query}" if query else "")
    return urlsplit(base).path + tail, base + tail


def _decode_body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return base64.b64decode(text)
    return bytes(text.encode("utf-8", "surrogatepass"))
