"""Amazon S3: whole objects in and out.

Sources: S3 API reference, PutObject, GetObject and "Error responses"; user guide, "Virtual hosting of buckets".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final
from zlib import crc32

from aftersend.aws import sigv4
from aftersend.aws.account import Account
from aftersend.aws.client import Client, Headers
from aftersend.aws.errors import Refusal
from aftersend.http.http1 import HttpResponse
from aftersend.http.multiplexer import Waits, run_alone

_METHODS: Final = {"get_object": "GET", "put_object": "PUT"}
_HEADERS: Final = {"ContentType": "content-type", "ContentEncoding": "content-encoding", "Range": "range"}


class S3:
    """A client with boto3's arguments and answers. Objects come whole: what is read from `Body` cannot fail."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._places: dict[str, tuple[Client, str]] = {}  # by bucket: its client, and how its paths begin

    def put_object(self, **request: Any) -> dict[str, Any]:
        """Store an object. Its checksum is what a bucket with locked objects asks for."""
        return run_alone(self.call("put_object", request))

    def get_object(self, **request: Any) -> dict[str, Any]:
        """Read an object, or the `Range` of it."""
        return run_alone(self.call("get_object", request))

    def call(self, operation: str, request: Mapping[str, Any]) -> Waits[dict[str, Any]]:
        """Call one of the operations by its method's name: many of these can be under way in one thread."""
        described = dict(request)
        bucket, key, body = described.pop("Bucket"), described.pop("Key"), described.pop("Body", b"")
        if not key:
            raise ValueError("an object has a key")  # without one, the request is about the bucket
        headers: Headers = tuple((_HEADERS[name], value) for name, value in described.items())
        if operation == "put_object":
            headers = (*headers, ("x-amz-checksum-crc32", b64encode(crc32(body).to_bytes(4)).decode()))
        place = self._places.get(bucket)
        if place is None:
            place = self._places.setdefault(bucket, self._locate(bucket))
        client, start = place
        return client.call(_METHODS[operation], sigv4.encode_path(start + key), headers, body, _read)

    def _locate(self, bucket: str) -> tuple[Client, str]:
        """Return the client of a bucket, and how paths begin there.

        The bucket is part of the host's name, unless no certificate would fit that.
        """
        endpoint = self._account.endpoint("s3")
        if self._account.find_endpoint("s3") or "." in bucket:
            return Client(self._account, "s3", endpoint), f"/{bucket}/"
        return Client(self._account, "s3", endpoint.replace("://", f"://{bucket}.", 1)), "/"


def _read(response: HttpResponse) -> dict[str, Any]:
    if response.status in {200, 206}:
        return {"ETag": response.headers.get("etag"), "Body": BytesIO(response.content)}
    code = response.content.partition(b"<Code>")[2].partition(b"</Code>")[0]
    known = code.isalnum() and len(code) <= 64
    raise Refusal(code.decode() if known else str(response.status), {})
