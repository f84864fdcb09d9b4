"""`connect` with either client: the same work against the same services, with the same results and the same errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import boto3
import pytest
from msgspec.structs import replace

from aftersend import aws
from aftersend.aws.errors import CallFailed
from aftersend.aws.json_service import JsonService
from aftersend.aws.tasks import run_calls
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Suppression
from aftersend.core.outcome import merge
from aftersend.core.writes import Refused
from aftersend.storage.archive import Archive
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.queue import OutgoingMessage, QueueSender
from aftersend.storage.store import Store, TableNames
from local.environment import environment, false_account
from tests.engines import Engine
from tests.support import cloud as clouds
from tests.support.cloud import BUCKET, Cloud
from tests.support.facts import ANN, bounce, classify, message
from tests.support.ports import NOW

CLIENTS: Final = {"lean": JsonService, "boto3": SimpleNamespace}
OUTCOME: Final = replace(merge(None, [bounce(day) for day in range(1, 30)], classify), version=1)  # packed: bytes


@pytest.fixture(params=sorted(CLIENTS))
def chosen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which client the operator wants. boto3 must not remember the account of another test."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Cloud]:
    with clouds.serving() as cloud:
        yield cloud


@pytest.fixture
def cloud(server: Cloud, chosen: str) -> Iterator[Cloud]:
    server.create()
    with environment(false_account(server.endpoint) | {"AWS_CLIENT": chosen}):
        yield server
    server.clear()


def test_the_client_is_the_one_that_was_chosen(cloud: Cloud, chosen: str) -> None:
    assert type(aws.connect("dynamodb")) is CLIENTS[chosen]


def test_bodies_are_archived_parked_and_sent_on(cloud: Cloud) -> None:
    letters = [message([bounce(1)], "m1"), message([bounce(2)], "m2")]
    run_calls(Archive(BUCKET).put(letters), {"s3": aws.connect("s3")})
    assert [body.encode() for body in cloud.archived()] == [each.body for each in letters]
    DeadLetters(partial(aws.connect, "sqs"), cloud.parking()).put(letters[0], "no JSON")
    results = QueueSender(aws.connect("sqs"), cloud.parking()).send([OutgoingMessage("ses", letters[1].body)])
    assert results.accepted == {0}
    waiting = cloud.client("sqs").receive_message(QueueUrl=cloud.parking(), MaxNumberOfMessages=10)["Messages"]
    assert sorted(each["Body"].encode() for each in waiting) == sorted(each.body for each in letters)


def test_a_secret_and_a_parameter_are_read(cloud: Cloud) -> None:
    cloud.client("secretsmanager").create_secret(Name="secret-of-a-test", SecretString=json.dumps({"a": 1}))
    cloud.client("ssm").put_parameter(Name="rules-of-a-test", Value="[[rule]]", Type="String")
    try:
        assert aws.connect("secretsmanager").get_secret_value(SecretId="secret-of-a-test")["SecretString"] == '{"a": 1}'
        assert aws.connect("ssm").get_parameter(Name="rules-of-a-test")["Parameter"]["Value"] == "[[rule]]"
    finally:
        cloud.client("ssm").delete_parameter(Name="rules-of-a-test")
        cloud.client("secretsmanager").delete_secret(SecretId="secret-of-a-test", ForceDeleteWithoutRecovery=True)


def test_what_a_service_refuses_is_ours_under_the_same_name(cloud: Cloud) -> None:
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB: PutItem failed: ResourceNotFoundException$"):
        Store(aws.connect("dynamodb"), TableNames(outcomes="Nowhere", suppressions="Nowhere")).put(OUTCOME)
    with pytest.raises(StoreUnavailable, match=r"^S3: PutObject failed: NoSuchBucket$"):
        run_calls(Archive("there-is-no-such-bucket").put([message([bounce(1)])]), {"s3": aws.connect("s3")})


def test_a_service_that_does_not_answer_is_ours(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with environment(false_account("http://127.0.0.1:1") | {"AWS_CLIENT": chosen}):
        client = aws.connect("dynamodb")
        with pytest.raises(CallFailed, match=r"ConnectionRefusedError|EndpointConnectionError"):
            client.get_item(TableName="T", Key={})


def test_conditional_writes_agree(concurrent_engine: Engine, chosen: str) -> None:
    """The same protocol of writes with either client, refusals and packed facts included."""
    assert concurrent_engine.endpoint is not None
    names = concurrent_engine.tables()
    account = false_account(concurrent_engine.endpoint) | {"AWS_ACCESS_KEY_ID": "test", "AWS_CLIENT": chosen}
    with environment(account):
        store = Store(aws.connect("dynamodb"), names, clock=lambda: NOW)
        first: Any
        for first in (OUTCOME, Suppression(recipient=ANN, version=1)):
            assert store.put(first) is None
            assert store.put(replace(first, version=3)) == Refused(first)
            assert store.put(replace(first, version=2)) is None
        assert store.get_outcomes([OUTCOME.key]) == {OUTCOME.key: replace(OUTCOME, version=2)}
        assert store.find_outcomes_of(ANN) == [replace(OUTCOME, version=2)]
