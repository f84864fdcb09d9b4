"""Functions do what their roles allow; those that the embedded stack leaves out are run here with its resources."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from aftersend.api.routes import load_all
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Suppression
from local.lambdas import Function, Lambdas
from local.serve_routes import Gateway, Request
from local.stack import Stack, running
from tests.support import roles
from tests.support.account_list import image, record
from tests.support.facts import START
from tests.support.mailerq import ACCEPTED, FAILURES, attempt, message, raw
from tests.support.template import FUNCTIONS, ROOT, variables


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as made:
        yield made


def function(stack: Stack, name: str, **others: str) -> Function:
    """A function of the template with this stack's resources, whether or not its condition holds."""
    made = stack.physical_ids("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue") | {"DigestKey": "k" * 64}
    given = variables(name, made) | others
    return Function(name, {
        "Environment": {"Variables": given}, "Handler": FUNCTIONS[name].get("Handler", "app.handler"),
        "Code": {"S3Key": FUNCTIONS[name]["CodeUri"]},
    })  # fmt: skip


def test_consume_may_do_what_it_does(stack: Stack) -> None:
    bodies = [raw(message(attempt(*ACCEPTED), number=1)), raw(message(attempt(*FAILURES[0]), number=2)), b"{"]
    deliveries = [
        {"basicProperties": {}, "redelivered": False, "data": base64.b64encode(each).decode()} for each in bodies
    ]
    event = {"eventSource": "aws:rmq", "eventSourceArn": "arn", "rmqMessagesByQueue": {"results::/": deliveries}}
    consume = function(stack, "Consume", MAILERQ_QUEUES="results=results")
    assert consume(event) == {"unreadable": 1}
    done = {(action, name) for of, action, name, _ in roles.CALLS if of == "Consume"}
    assert done >= {
        ("dynamodb:PutItem", "Outcomes"),
        ("s3:PutObject", "Archive"),
        ("sqs:SendMessage", "UnreadableBodies"),
    }


def test_sync_ses_list_may_do_what_it_does(stack: Stack) -> None:
    ref = EvidenceRef(at=START, feedback="f", message="ses:1", source="ses")
    row = Suppression(
        recipient="email:ann@example.com", scope="*", causes={CauseKind.HARD: Cause(first=ref, latest=ref)}
    )
    sync = function(stack, "SyncSesList")
    try:
        sync({"Records": [record(None, image(row), 1), record(image(row), None, 2)]})
    finally:
        done = {action for of, action, _, _ in roles.CALLS if of == "SyncSesList"}
        assert done & {"ses:PutSuppressedDestination", "ses:DeleteSuppressedDestination"}


def test_poll_may_read_its_key(stack: Stack) -> None:
    """What it sends then, it sends by the same permission as Receive and Replay."""
    key = stack.client("secretsmanager").create_secret(Name="mns", SecretString=json.dumps({}))["ARN"]
    poll: Any = None
    with pytest.raises(Exception, match="access_key_id"):
        poll = function(stack, "Poll", MNS_ENDPOINT="https://1.mns.eu-central-1.aliyuncs.com", MNS_SECRET=key)
        poll({})
    assert ("Poll", "secretsmanager:GetSecretValue", "MnsSecretArn", "") in roles.CALLS


def test_every_question_is_one_that_the_role_lets_be_answered(stack: Stack) -> None:
    """Whatever it is answered: that the tables are asked is what counts here."""
    policy = '[identifiers]\nfind_by = ["X-Order"]\n'
    functions = Lambdas(stack).functions
    functions["ProcessFeedback"](json.loads((ROOT / "events" / "invoke" / "ProcessFeedback-mailerq.json").read_text()))
    table = stack.physical_ids("AWS::DynamoDB::Table")["Suppressions"]
    rows = stack.client("dynamodb").scan(TableName=table)["Items"]
    suppressed = sorted(each["recipient"]["S"].removeprefix("email:") for each in rows if each["scope"]["S"] == "*")
    assert suppressed, "whoever is released has bounced"
    gateway = Gateway(stack, functions | {"Query": function(stack, "Query", POLICY=policy)})
    for route in load_all().routes:
        path = route.path.format(
            recipient="ann@example.com", message="ses:1", incident="0123456789abcdef0123", job="j", queue="Q"
        )
        for query in (
            "",
            "?cause=hard&active=true",
            "?why=contradicted",
            "?day=2026-03-02",
            "?status=bounced",
            "?identifier=X-Order:1",
            "?domain=example.com",
        ):
            if route.method == "GET":
                gateway.answer(Request("GET", path + query, {}), "localhost")
    body = b'{"note":"by hand"}'
    put = Request("PUT", "/suppressions/ann@example.com", {"content-type": "application/json"}, body)
    assert gateway.answer(put, "host").status == 201
    for recipient in ("ann@example.com", *suppressed):
        release = f"/suppressions/{recipient}?scope=*&note=asked&force=true"
        assert gateway.answer(Request("DELETE", release, {}), "host").status == 200
    decision = b'{"decision":"confirm","note":"seen"}'
    put = Request("PUT", "/incidents/0123456789abcdef0123/decision", {"content-type": "application/json"}, decision)
    assert gateway.answer(put, "host").status == 404, "understood, and there is no such incident"
    asked = {(action, name + part) for of, action, name, part in roles.CALLS if of == "Query"}
    assert asked >= {
        (action, name + part) for of, action, name, part in roles.granted() if of == "Query" and "/index/" in part
    }


def test_dead_letters_of_every_queue_are_seen_and_put_back(stack: Stack) -> None:
    gateway = Gateway(stack, Lambdas(stack).functions)

    def ask(method: str, path: str, body: bytes = b"") -> Any:
        answer = gateway.answer(Request(method, path, {"content-type": "application/json"}, body), "localhost")
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    made, sqs = stack.physical_ids("AWS::SQS::Queue"), stack.client("sqs")
    queues = [each["name"] for each in ask("GET", "/dead-letters")["queues"] if "goes_back_to" in each]
    assert {each for each in made if each.endswith("DeadLetters")} - {*queues} <= {"SyncSesListDeadLetters"}
    for name in queues:
        sqs.purge_queue(QueueUrl=made[name])  # others of this module leave bodies in some
        sqs.send_message(QueueUrl=made[name], MessageBody="{}")
        assert ask("GET", f"/dead-letters/{name}?limit=1")["shown"]
        assert ask("POST", f"/dead-letters/{name}/redrive", b'{"messages":"all"}')["moved"] == 1
    status = ask("GET", "/status")
    assert status["unreadable"] == 0 and status["sources"] is not None
    assert ask("GET", "/unmatched")["complete"]
    assert ask("GET", "/jobs") == {"jobs": []}


# ---- The check itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "action", "on", "part", "allowed"),
    [
        ("ProcessSes", "dynamodb:PutItem", "Outcomes", "", True),
        ("ProcessSes", "dynamodb:Scan", "Outcomes", "", False),
        ("ProcessSes", "s3:PutObject", "Archive", "/source=ses/a", True),
        ("ProcessSes", "s3:PutObject", "Archive", "/source=report/a", False),
        ("ProcessFeedback", "s3:PutObject", "Archive", "/source=report/a", True),
        ("Query", "dynamodb:Query", "Outcomes", "/index/by_message", True),
        ("Query", "dynamodb:Query", "Outcomes", "/index/by_other", False),
        ("Query", "dynamodb:DeleteItem", "Outcomes", "", False),
        ("SyncSesList", "ses:PutSuppressedDestination", "", "", True),
        ("Receive", "ses:PutSuppressedDestination", "", "", False),
        *((name, "events:PutEvents", "EventBus", "", True) for name in ("Streams", "PublishIncidents")),
        *((name, "sqs:SendMessage", "WebhookQueue", "", True) for name in ("Streams", "PublishIncidents")),
        *(
            (name, "dynamodb:Query", "SpikeWindows", "/index/by_state", True)
            for name in ("Streams", "PublishIncidents")
        ),
        ("DeliverWebhooks", "sqs:ChangeMessageVisibility", "WebhookQueue", "", True),
        ("ProcessSes", "sqs:ChangeMessageVisibility", "SesEventsQueue", "", True),
        ("ProcessSes", "sqs:ChangeMessageVisibility", "FeedbackQueue", "", False),
        ("DeliverWebhooks", "sqs:GetQueueAttributes", "WebhookQueue", "", True),
        ("DeliverWebhooks", "sqs:SendMessage", "WebhookDeadLetters", "", True),
        ("DeliverWebhooks", "sqs:SendMessage", "WebhookQueue", "", False),
        ("DeliverWebhooks", "dynamodb:UpdateItem", "EndpointStates", "", True),
        ("DeliverWebhooks", "dynamodb:GetItem", "Suppressions", "", False),
    ],
)
def test_roles_are_read_as_aws_reads_them(name: str, action: str, on: str, part: str, allowed: bool) -> None:
    assert roles.is_allowed(name, action, on, part) is allowed


def test_a_call_that_is_not_allowed_is_denied(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles._Running, "name", "Receive")
    monkeypatch.setattr(roles._Running, "variables", {"OUTCOMES_TABLE": "t"})
    with pytest.raises(roles.Denied, match="Receive calls dynamodb:PutItem on Outcomes"):
        roles.check("dynamodb", "PutItem", {"TableName": "t", "Item": {}})
    roles.CALLS.pop(("Receive", "dynamodb:PutItem", "Outcomes", ""))
