"""boto3's clients behind our seam: the same operations, our errors. The only module that knows boto3."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aftersend.aws.client import LIMITS, TRIES
from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.aws.services import FOR_BOTO3, OPERATIONS

CONFIG: Final = Config(
    user_agent="aftersend",  # else it is put together anew for every call
    tcp_keepalive=True,
    connect_timeout=LIMITS.connect,
    read_timeout=LIMITS.silence,
    max_pool_connections=64,
    parameter_validation=False,
    retries={"mode": "standard", "total_max_attempts": TRIES},
)

# Presigned addresses are signed in an older way else, and name no region: as long as a bucket is new, S3 redirects
# those to where the signature does not hold, and younger regions do not know them at all. A browser is let go to one
# address of the bucket, the regional one, in the oldest region, too.
_SIGNED: Final = Config(
    signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
)


def make_client(service: str) -> Any:
    """Make a client with boto3's own idea of credentials, region and endpoint."""
    config = CONFIG.merge(_SIGNED) if service == "s3" else CONFIG
    return adapt_client(boto3.client(service, config=config), service)  # type: ignore[call-overload]  # any service


def adapt_client(client: Any, service: str) -> Any:
    """Return a client of boto3's as a client of ours: the operations of the tables, and our errors."""
    operations = (*OPERATIONS.get(service, ()), *FOR_BOTO3.get(service, ()))
    return SimpleNamespace(**{name: _translate_errors(getattr(client, name)) for name in operations})


def _translate_errors(call: Callable[..., Any]) -> Callable[..., Any]:
    def translated(*arguments: Any, **request: Any) -> Any:
        try:
            answer = call(*arguments, **request)
        except ClientError as error:
            raise Refusal(str(error.response.get("Error", {}).get("Code", "")), error.response) from error
        except BotoCoreError as error:
            raise NoAnswer(type(error).__name__) from error
        if isinstance(answer, dict) and "Body" in answer:  # of an object, which is read later and may fail then
            return answer | {"Body": SimpleNamespace(read=_translate_errors(answer["Body"].read))}
        return answer

    return translated
