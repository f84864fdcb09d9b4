"""The archive: one object a batch, under a key that depends on the batch alone, every body whole."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from aftersend.aws.boto import adapt_client
from aftersend.aws.errors import NoAnswer
from aftersend.aws.tasks import run_calls
from aftersend.core.errors import StoreUnavailable
from aftersend.sources.message import Message
from aftersend.storage.archive import PARTS, Archive, build_put, list_prefixes
from tests.support.clients import FakeS3, service_error

AT = datetime(2026, 3, 2, 10, 59, 59, 250_000, tzinfo=UTC)
BATCH = [Message("b", '{"é": 1}'.encode(), AT, "ses"), Message("a", b"\xff\x00", AT + timedelta(seconds=1), "ses")]


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_bucket(Bucket="archive")
        yield client


def _put(client: Any, bucket: str, messages: list[Message]) -> None:
    run_calls(Archive(bucket).put(messages), {"s3": client})


def _lines(body: bytes) -> list[dict[str, str]]:
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def test_the_key_is_partitioned_for_athena_and_depends_on_the_batch_alone() -> None:
    """Issue: "one compressed JSON Lines object (source, received time, message ids), partitioned for Athena"."""
    put = build_put("archive", BATCH)
    folder, _, name = put["Key"].rpartition("/")
    assert folder == "source=ses/date=2026-03-02/hour=10"
    assert name.endswith(".jsonl.gz")
    assert put == build_put("archive", BATCH), "what comes again is the same object, byte by byte"
    assert build_put("archive", BATCH[::-1])["Key"] == put["Key"]
    assert build_put("archive", BATCH[:1])["Key"] != put["Key"]


def test_keys_are_spread_over_all_that_a_replay_lists() -> None:
    batches = [[Message(str(number), b"{}", AT, "ses")] for number in range(200)]
    keys = [build_put("archive", batch, spread=True)["Key"] for batch in batches]
    prefixes = list_prefixes("ses", "date=2026-03-02/")
    used = {prefix for prefix in prefixes for key in keys if key.startswith(prefix)}
    assert used == {prefix for prefix in prefixes if "/part=" in prefix}
    assert len(used) == len(PARTS)
    plain = build_put("archive", BATCH)["Key"]
    assert [prefix for prefix in prefixes if plain.startswith(prefix)] == ["source=ses/date=2026-03-02/"]
    assert build_put("archive", BATCH[::-1], spread=True)["Key"] == build_put("archive", BATCH, spread=True)["Key"]


def test_every_body_is_a_line_as_it_came() -> None:
    put = build_put("archive", BATCH)
    assert _lines(put["Body"]) == [
        {"source": "ses", "message_id": "b", "received_at": "2026-03-02T10:59:59.250Z", "body": '{"é": 1}'},
        {
            "source": "ses",
            "message_id": "a",
            "received_at": "2026-03-02T11:00:00.250Z",
            "body_base64": base64.b64encode(b"\xff\x00").decode(),
        },
    ]
    assert (put["ContentType"], put["ContentEncoding"]) == ("application/x-ndjson", "gzip")


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_any_bytes_come_back(bodies: list[bytes]) -> None:
    put = build_put("archive", [Message(str(number), body, AT, "ses") for number, body in enumerate(bodies)])
    back = [
        line["body"].encode() if "body" in line else base64.b64decode(line["body_base64"])
        for line in _lines(put["Body"])
    ]
    assert back == bodies


def test_a_batch_that_comes_again_is_the_same_object_again(s3: Any) -> None:
    for _ in range(2):
        _put(adapt_client(s3, "s3"), "archive", BATCH)
    [found] = s3.list_objects_v2(Bucket="archive")["Contents"]
    body = s3.get_object(Bucket="archive", Key=found["Key"])["Body"].read()
    assert [line["message_id"] for line in _lines(body)] == ["b", "a"]


def test_nothing_is_no_object(s3: Any) -> None:
    _put(adapt_client(s3, "s3"), "archive", [])
    assert "Contents" not in s3.list_objects_v2(Bucket="archive")


def test_a_bucket_that_is_not_there_is_ours(s3: Any) -> None:
    with pytest.raises(StoreUnavailable):
        _put(adapt_client(s3, "s3"), "elsewhere", BATCH)


@pytest.mark.parametrize("error", [service_error("SlowDown"), NoAnswer("TimeoutError")])
def test_a_bucket_that_does_not_answer_is_ours(error: Exception) -> None:
    class Broken(FakeS3):
        def put_object(self, **_request: Any) -> Any:
            raise error

    with pytest.raises(StoreUnavailable) as raised:
        _put(Broken(), "archive", BATCH)
    assert "ann" not in str(raised.value)
