"""`aftersend webhooks`, against queues, a secret and a table that moto has."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from aftersend.aws.boto import adapt_client
from aftersend.core.errors import ConfigurationError
from aftersend.outgoing.outbox import Webhook
from aftersend.outgoing.states import EndpointStates
from aftersend_cli import webhooks
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output
from aftersend_cli.stack import DeployedStack, StackResource
from tests.support.events_out import SECRET

DOCUMENT = {
    "endpoints": {
        "crm": {"url": "https://crm.example.com/hooks/1234", "secret": SECRET},
        "bi": {"url": "https://bi.example.com/", "secret": SECRET, "events": ["outcome.*"]},
    }
}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeployedStack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        sqs: Any = boto3.client("sqs")
        fifo = {"FifoQueue": "true"}
        made = {
            "WebhookQueue": sqs.create_queue(QueueName="queue.fifo", Attributes=fifo)["QueueUrl"],
            "WebhookDeadLetters": sqs.create_queue(QueueName="parked.fifo", Attributes=fifo)["QueueUrl"],
            "WebhookEndpoints": boto3.client("secretsmanager").create_secret(
                Name="endpoints", SecretString=json.dumps(DOCUMENT)
            )["ARN"],
            "EndpointStates": "states",
            "Outcomes": "outcomes",
        }
        boto3.client("dynamodb").create_table(
            TableName="states",
            AttributeDefinitions=[{"AttributeName": "endpoint", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "endpoint", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield DeployedStack(
            name="aftersend",
            arn="arn:aws:cloudformation:eu-west-1:111122223333:stack/aftersend/1",
            status="CREATE_COMPLETE",
            parameters={},
            outputs={},
            resources={name: StackResource(id_, "any") for name, id_ in made.items()},
        )


def _run(stack: DeployedStack, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--yes", action="store_true")
    webhooks.arguments(parser)
    return webhooks.run(parser.parse_args([*arguments, "--yes"]), stack, Output())


def _park(stack: DeployedStack, endpoint: str, count: int) -> None:
    for number in range(count):
        webhook = Webhook(endpoint=endpoint, id=f"evt_{number}", type="suppression.added", body="{}")
        boto3.client("sqs").send_message(
            QueueUrl=stack.find("WebhookDeadLetters"),
            MessageBody=msgspec.json.encode(webhook).decode(),
            MessageAttributes={"reason": {"DataType": "String", "StringValue": "it was not taken for a day: HTTP 500"}},
            MessageGroupId=f"{endpoint}-{number % 2}",
            MessageDeduplicationId=f"{endpoint}-{number}",
        )


def _take(stack: DeployedStack) -> list[str]:
    sqs, found = boto3.client("sqs"), list[str]()
    while batch := sqs.receive_message(QueueUrl=stack.find("WebhookQueue"), MaxNumberOfMessages=10).get("Messages"):
        for each in batch:
            found.append(json.loads(each["Body"])["id"])
            sqs.delete_message(QueueUrl=stack.find("WebhookQueue"), ReceiptHandle=each["ReceiptHandle"])
    return found


def test_what_was_given_up_is_shown_and_sent_again_in_its_order(
    stack: DeployedStack, capsys: pytest.CaptureFixture[str]
) -> None:
    states = EndpointStates(adapt_client(boto3.client("dynamodb"), "dynamodb"), "states", lambda: 1e9)
    states.disable("crm", "https://crm.example.com/hooks/1234", "HTTP 410")
    states.fail("bi", "https://bi.example.com/", "TimeoutError")
    _park(stack, "crm", 5)
    _park(stack, "bi", 1)
    assert _run(stack) == 0
    shown = capsys.readouterr().out
    assert "crm at crm.example.com: what is rare\n    wants nothing any more (HTTP 410)" in shown
    assert "bi at bi.example.com: outcome.*\n    failed 1 times in a row: TimeoutError" in shown
    assert "     6  were given up" in shown and "it was not taken for a day: HTTP 500" in shown
    assert "1234" not in shown and SECRET not in shown, "an address may hold a secret"
    _wait_until_shown(stack)
    assert _run(stack, "resend", "crm") == 0
    assert "     5  crm" in capsys.readouterr().out
    assert sorted(_take(stack)) == [f"evt_{number}" for number in range(5)]
    _run(stack)
    assert "wants nothing any more" not in capsys.readouterr().out


def _wait_until_shown(stack: DeployedStack) -> None:
    """Let what was looked at show again, as time does."""
    sqs, parked = boto3.client("sqs"), stack.find("WebhookDeadLetters")
    while (
        int(
            sqs.get_queue_attributes(QueueUrl=parked, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"][
                "ApproximateNumberOfMessages"
            ]
        )
        < 6
    ):
        continue


def test_endpoints_are_written_once_they_make_sense(
    stack: DeployedStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text(json.dumps({"endpoints": {"crm": {"url": "http://crm.example.com", "secret": SECRET}}}))
    with pytest.raises(ConfigurationError, match="https"):
        _run(stack, "configure", str(path))
    path.write_text(json.dumps({"endpoints": {"new": {"url": "https://new.example.com/", "secret": SECRET}}}))
    assert _run(stack, "configure", str(path)) == 0
    assert "send webhooks to new at new.example.com" in capsys.readouterr().err
    _run(stack)
    assert "new at new.example.com" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("resend", "nobody"), ("configure",), ("configure", "/does/not/exist")])
def test_what_makes_no_sense_is_refused(stack: DeployedStack, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        _run(stack, *arguments)


def test_a_stack_without_webhooks_is_told_apart(stack: DeployedStack) -> None:
    with pytest.raises(UsageError, match="SendWebhooks=true"):
        _run(msgspec.structs.replace(stack, resources={"Outcomes": StackResource("outcomes", "any")}))


def test_whom_nobody_asked_about_keeps_what_was_given_up(stack: DeployedStack) -> None:
    _park(stack, "gone", 3)
    _run(stack, "resend")
    assert _take(stack) == []
