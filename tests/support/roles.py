"""Roles as AWS enforces them, over the functions of the embedded stack: what a role does not allow fails the test.

Moto asks nobody for permission. Here every call that a function makes, by our client or by boto3, is compared with what
the template allows the function's role, before it is sent. What is allowed and never called is listed at the end.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

import pytest

from tests.support.template import FUNCTIONS, SHARED, mentioned, statements

# function, action, what it is about by the template's name, and what of it: "/index/by_day", "/source=ses/…" or ""
CALLS: Final[Counter[tuple[str, str, str, str]]] = Counter()

# What Lambda and its pollers do in a function's name, and what KMS is asked by those who are asked here.
NOT_BY_OUR_CODE: Final = ("ec2:", "kms:", "logs:", "mq:", "dynamodb:DescribeStream", "dynamodb:GetRecords")
BY_POLLERS: Final = frozenset(
    {
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *("dynamodb:GetShardIterator", "dynamodb:ListStreams"),
    }
)
# Operations that are allowed under another name (service authorization reference).
_NAMED: Final = {
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:UploadPart": "s3:PutObject",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
_SERVICES: Final = {"sesv2": "ses"}


class Denied(AssertionError):
    """A call that the role of the function does not allow."""


class _Running:
    """The function that runs, if one does: they run one at a time here."""

    name = ""
    variables: Mapping[str, str] = MappingProxyType({})


def check(service: str, operation: str, request: dict[str, Any]) -> None:
    """Raise `Denied` unless the role of the running function allows the call; without one, anything goes."""
    function = _Running.name
    if not function:
        return
    if operation == "TransactWriteItems":  # is allowed by what each of its parts needs
        for part in request["TransactItems"]:
            [(kind, of_one)] = part.items()
            check(service, f"{kind}Item", of_one)
        return
    action = f"{_SERVICES.get(service, service)}:{operation}"
    action = _NAMED.get(action, action)
    for physical, part in _resources(request):
        name = _logical(function, physical)
        CALLS[function, action, name, part] += 1
        if not is_allowed(function, action, name, part):
            raise Denied(f"{function} calls {action} on {name or physical}{part}, and its role does not allow that")


def _resources(request: dict[str, Any]) -> list[tuple[str, str]]:
    """What a call is about: the name that AWS gave it, and which part of it."""
    match request:
        case {"TableName": str(table), **others}:
            return [(table, f"/index/{others['IndexName']}" if "IndexName" in others else "")]
        case {"RequestItems": dict(tables)}:
            return [(table, "") for table in tables]
        case {"QueueUrl": str(name)} | {"SecretId": str(name)} | {"Name": str(name)}:
            return [(name, "")]
        case {"Bucket": str(bucket), "Key": str(key)}:
            return [(bucket, f"/{key}")]
        case {"Bucket": str(bucket)}:
            return [(bucket, "")]
    return [("", "")]  # of nothing that has a name: "*"


def _logical(function: str, physical: str) -> str:
    """What the template calls it: a function knows what it works on by its variables."""
    given = SHARED["Environment"]["Variables"] | FUNCTIONS[function]["Environment"]["Variables"]
    for variable, value in _Running.variables.items():
        if physical and value == physical and variable in given:
            (name,) = mentioned(given[variable]) - {"AWS::NoValue"}
            return name
    pairs = [each.partition("=") for name in given if name.endswith("QUEUES") for each in _read(name).split()]
    return next((name for name, _, queue in pairs if queue and physical.endswith(f"/{queue}")), "")


def _read(variable: str) -> str:
    return _Running.variables.get(variable, "")


def is_allowed(function: str, action: str, name: str, part: str) -> bool:
    """Return whether a statement of the role allows the action on that resource of the template, or part of it."""
    for statement in statements(function):
        if action in statement.actions:
            for resource in statement.resources:
                if not name and (resource == "*" or _names_none(resource)):
                    return True
                if name in mentioned(resource) and fnmatchcase(part, _suffix(resource)):
                    return True
    return False


def _names_none(resource: Any) -> bool:
    """Whether it is all of one type in the account, such as its alarms."""
    return isinstance(resource, dict) and all(each.startswith("AWS::") for each in mentioned(resource))


def _suffix(resource: Any) -> str:
    """What follows the ARN in a resource: "/index/by_day", "/source=ses/*", or nothing."""
    text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else ""
    return str(text).rpartition("}")[2]


def granted() -> set[tuple[str, str, str, str]]:
    """All that roles allow what our code might call."""
    return {
        (function, action, name, _suffix(resource))
        for function in FUNCTIONS
        for statement in statements(function)
        for action in statement.actions - BY_POLLERS
        if not action.startswith(NOT_BY_OUR_CODE)
        for resource in statement.resources
        for name in (mentioned(resource) if isinstance(resource, dict) else {""})
        if not name.startswith("AWS::")
    }


def unused(calls: set[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """What is allowed and was not called."""
    return sorted(
        right
        for right in granted()
        if not any(right[:3] == call[:3] and fnmatchcase(call[3], right[3]) for call in calls)
    )


@contextmanager
def enforced() -> Iterator[None]:
    """As long as the context lasts, functions of the embedded stack may do what their roles allow and no more."""
    from botocore.client import BaseClient
    from botocore.signers import generate_presigned_url

    from aftersend.aws.client import Client
    from local.lambdas import Function

    surroundings, ours, botos = Function._surroundings, Client.call, BaseClient._make_api_call  # type: ignore[attr-defined]

    @contextmanager
    def watched(function: Any) -> Iterator[None]:
        before = _Running.name, _Running.variables
        _Running.name, _Running.variables = function.name, function.variables
        try:
            with surroundings(function):
                yield
        finally:
            _Running.name, _Running.variables = before

    def call(self: Any, method: str, path: str, headers: Any, body: bytes, read: Any) -> Any:
        target = dict(headers).get("x-amz-target")
        if target:
            check(self._service, target.rpartition(".")[2], json.loads(body))
        else:
            bucket, _, key = unquote(path.removeprefix("/")).partition("/")
            check(self._service, {"PUT": "PutObject", "GET": "GetObject"}[method], {"Bucket": bucket, "Key": key})
        return ours(self, method, path, headers, body, read)

    def make(self: Any, operation: str, request: dict[str, Any]) -> Any:
        check(self.meta.service_model.service_name, operation, request)
        return botos(self, operation, request)

    def presign(self: Any, ClientMethod: str, Params: Any = None, **others: Any) -> Any:  # noqa: N803
        """An address is worth what the role that signs it may do."""
        check(self.meta.service_model.service_name, ClientMethod.title().replace("_", ""), Params or {})
        return generate_presigned_url(self, ClientMethod, Params, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Function, "_surroundings", watched)
        patch.setattr(Client, "call", call)
        patch.setattr(BaseClient, "_make_api_call", make)
        patch.setattr(BaseClient, "generate_presigned_url", presign, raising=False)
        yield
