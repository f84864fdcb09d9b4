"""The account-level suppression list of SES behind boto3's own client: requests are made and answers read as ever.

Source: SES API v2 reference, PutSuppressedDestination and DeleteSuppressedDestination.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config

from aftersend.aws import boto
from aftersend.core.model import Suppression
from aftersend.storage.items import Item, encode_suppression
from tests.support.ports import NOW, RETENTION

_PATH = "/v2/email/suppression/addresses"


class AccountList:
    """What is on the list. `failing` are answers to come before it works: an HTTP status and the name of the error."""

    def __init__(self) -> None:
        self.listed: dict[str, str] = {}
        self.failing: list[tuple[int, str]] = []
        self.calls: list[str] = []

    def client(self) -> Any:
        theirs = boto3.client(
            "sesv2",
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}),
        )
        theirs.meta.events.register("before-send.sesv2", self._answer)
        return boto.adapt_client(theirs, "sesv2")

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        path = unquote(urlsplit(request.url).path)
        self.calls.append(request.method)
        status, name = self.failing.pop(0) if self.failing else self._done(request.method, path, request.body)
        headers = HeadersDict({"x-amzn-errortype": name} if name else {})
        return AWSResponse(request.url, status, headers, _Raw(b"{}"))  # type: ignore[arg-type]  # as botocore does

    def _done(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        if method == "PUT" and path == _PATH:
            record = json.loads(body)
            address, reason = record["EmailAddress"], record["Reason"]
            if reason not in ("BOUNCE", "COMPLAINT") or not address.isascii() or address.count("@") != 1:
                return 400, "BadRequestException"
            self.listed[address] = reason
            return 200, ""
        address = path.removeprefix(f"{_PATH}/")
        if method != "DELETE" or address == path:
            return 400, "BadRequestException"
        return (404, "NotFoundException") if self.listed.pop(address, None) is None else (200, "")


class _Raw(io.BytesIO):
    """As much of urllib3's answer as botocore reads."""

    def stream(self, **_: Any) -> Any:
        yield self.read()


def image(suppression: Suppression | None) -> Item | None:
    return encode_suppression(suppression, RETENTION, NOW) if suppression else None


def record(old: Item | None, new: Item | None, number: int = 1) -> dict[str, Any]:
    """A record of the stream, as Lambda hands it over (Lambda developer guide, "Using Lambda with DynamoDB")."""
    row: Mapping[str, Any] = new or old or {}
    record: dict[str, Any] = {
        "ApproximateCreationDateTime": 1_772_700_000,
        "Keys": {"recipient": row["recipient"], "scope": row["scope"]},
        "SequenceNumber": f"{number:021}",
        "SizeBytes": 1,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    record |= {"OldImage": old} if old else {}
    record |= {"NewImage": new} if new else {}
    name = "INSERT" if not old else "MODIFY" if new else "REMOVE"
    return {"eventID": str(number), "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": record}
