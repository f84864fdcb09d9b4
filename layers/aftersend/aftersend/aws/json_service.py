"""Services that speak JSON: every operation is a POST of its keyword arguments, every answer an object.

Attributes of DynamoDB stay as they are on the wire, `{"S": "text"}`, which is how boto3's low-level client has them.
Only binary ones differ: bytes are sent as they must be, but come back as the base64 text that the wire has.
Sources: AWS JSON 1.0 and 1.1 protocols (Smithy); DynamoDB developer guide, "Low-level API".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from zlib import crc32

import msgspec

from aftersend.aws.account import Account
from aftersend.aws.client import Client, Headers
from aftersend.aws.errors import Refusal
from aftersend.http.http1 import HttpResponse, ProtocolError
from aftersend.http.multiplexer import Waits, run_alone

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class JsonService:
    """A client with one method for each operation: `get_item` sends GetItem."""

    def __init__(self, account: Account, service: str, target: str, version: str, operations: tuple[str, ...]) -> None:
        self._client = Client(account, service, account.endpoint(service))
        self._headers: dict[str, Headers] = {}
        for name in operations:
            operation = f"{target}.{name.title().replace('_', '')}"
            self._headers[name] = (
                ("content-type", f"application/x-amz-json-{version}"),
                ("x-amz-target", operation),
            )
            setattr(self, name, partial(self._call, name))

    def call(self, operation: str, request: Mapping[str, Any]) -> Waits[Mapping[str, Any]]:
        """Call one of the operations by its method's name: many of these can be under way in one thread."""
        return self._client.call("POST", "/", self._headers[operation], _encode(request), _read)

    def _call(self, operation: str, **request: Any) -> Mapping[str, Any]:
        return run_alone(self.call(operation, request))


def _read(response: HttpResponse) -> Mapping[str, Any]:
    """DynamoDB gives every answer a checksum."""
    checksum = response.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(crc32(response.content)):
        raise ProtocolError("checksum mismatch")
    if response.status == 200:
        return _decode(response.content)
    answer = _read_refusal(response.content)
    raise Refusal(str(answer.get("__type", response.status)).rpartition("#")[2], answer)


def _read_refusal(content: bytes) -> Mapping[str, Any]:
    """What the service says about its refusal; nothing, if something on the way speaks in its place."""
    try:
        return _decode(content)
    except msgspec.DecodeError:
        return {}
