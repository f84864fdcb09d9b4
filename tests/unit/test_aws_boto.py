"""boto3 behind our seam: its answers pass, its errors become ours, and nothing else is swallowed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from aftersend.aws.boto import adapt_client, make_client
from aftersend.aws.errors import CallFailed, NoAnswer, Refusal


class _Client:
    """A client of boto3's of which every operation ends in the same way."""

    def __init__(self, error: BaseException | None = None, answer: Any = None) -> None:
        self._error, self._answer = error, answer

    def __getattr__(self, _name: str) -> Any:
        return self._call

    def _call(self, **_request: Any) -> Any:
        if self._error is not None:
            raise self._error
        return self._answer


def test_an_answer_passes_as_it_is() -> None:
    answer = {"Item": {"S": "x"}}
    assert adapt_client(_Client(answer=answer), "dynamodb").get_item(TableName="T") is answer


def test_a_refusal_keeps_its_code_and_what_came_with_it() -> None:
    """`ReturnValuesOnConditionCheckFailure`: the item that is stored comes through."""
    said: Any = {
        "Error": {"Code": "ConditionalCheckFailedException", "Message": "for ann@example.com"},
        "Item": {"version": {"N": "7"}},
    }
    error = ClientError(said, "PutItem")
    with pytest.raises(Refusal) as raised:
        adapt_client(_Client(error), "dynamodb").put_item(TableName="T")
    assert raised.value.code == str(raised.value) == "ConditionalCheckFailedException"
    assert raised.value.answer["Item"] == {"version": {"N": "7"}}
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://ann@example.com"),
        ConnectTimeoutError(endpoint_url="http://ann@example.com"),
        ReadTimeoutError(endpoint_url="http://ann@example.com"),
        NoCredentialsError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_says_what_kind_it_was_and_no_more(error: Exception) -> None:
    with pytest.raises(NoAnswer) as raised:
        adapt_client(_Client(error), "dynamodb").query(TableName="T")
    assert str(raised.value) == type(error).__name__
    assert raised.value.__cause__ is error


def test_what_is_nobodys_error_is_not_translated() -> None:
    with pytest.raises(ZeroDivisionError):
        adapt_client(_Client(ZeroDivisionError()), "dynamodb").query(TableName="T")


def test_an_object_that_breaks_off_while_it_is_read_is_no_answer() -> None:
    def read(_amount: int) -> bytes:
        raise ReadTimeoutError(endpoint_url="http://x")

    body = adapt_client(_Client(answer={"Body": SimpleNamespace(read=read)}), "s3").get_object(Bucket="b", Key="k")[
        "Body"
    ]
    with pytest.raises(CallFailed, match="ReadTimeoutError"):
        body.read(10)


@pytest.mark.parametrize("region", ["eu-west-1", "eu-south-1", "cn-north-1"])
def test_presigned_addresses_lead_to_the_region_of_the_bucket(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of all regions redirects for the first hours of a bucket, and its signature is for another host."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    url = make_client("s3").generate_presigned_url(
        "put_object", Params={"Bucket": "aftersend-bulk-1abc", "Key": "jobs/1"}
    )
    assert url.startswith(f"https://aftersend-bulk-1abc.s3.{region}.amazonaws.com")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
