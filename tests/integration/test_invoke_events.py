"""Every event in `events/invoke` is worked by its function as it is deployed, in the embedded stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from aftersend.jobs.ses_sync import SesSync
from local.envelopes import INVOCATIONS, NOBODY, PUSH_PATH
from local.firehose import pack_file
from local.lambdas import Function, Lambdas
from local.samples import EVENTS, ROOT
from local.stack import Stack, running
from local.tables import Tables
from tests.integration.test_mns_queue import ENDPOINT, certificates, queue
from tests.support.account_list import AccountList
from tests.support.mns_server import KEY_ID, SECRET, Queue
from tests.support.template import FUNCTIONS

__all__ = ["certificates", "queue"]  # fixtures: a queue of MNS

FOLDER: Final = EVENTS / "invoke"
SECRET_ARN: Final = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:{}"
EVERYTHING: Final = {
    "BrokerArn": "arn:aws:mq:eu-west-1:111122223333:broker:mail:b-00000000",
    "BrokerSecretArn": SECRET_ARN.format("broker"),
    "MnsEndpoint": ENDPOINT,
    "MnsSecretArn": "mns",
    "SyncSesSuppressions": "true",
    "Statistics": "true",
    "SendWebhooks": "true",
    "Console": "issuer",
    "ConsoleClientId": "console",
    "JwtIssuer": "https://login.example.com",
    "JwtAudience": "aftersend",
}
DONE: Final[dict[str, Any]] = {"batchItemFailures": []}


def name_function(file: str) -> str:
    return file.partition("-")[0]


class World:
    """The stack with everything switched on, and all its functions."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.functions: dict[str, Function] = Lambdas(stack).functions
        self.tables = Tables(stack, self.functions["ProcessSes"].variables)
        self.listed = AccountList()
        manager = stack.client("secretsmanager")
        webhooks = {"path": PUSH_PATH, "sources": {"mailerq": {}}}
        name = self.functions["Receive"].variables["WEBHOOK_SECRETS"]
        manager.put_secret_value(SecretId=name, SecretString=json.dumps(webhooks))
        key = {"access_key_id": KEY_ID, "access_key_secret": SECRET}
        manager.create_secret(Name="mns", SecretString=json.dumps(key))
        packed = pack_file([(EVENTS / "ses" / "delivery.json").read_bytes().replace(b"\n", b" ")])
        (job,) = json.loads((FOLDER / "Gather-part.json").read_bytes())["Records"]
        place = {"Bucket": self.functions["Gather"].variables["ARCHIVE_BUCKET"], "Key": json.loads(job["body"])["key"]}
        stack.client("s3").put_object(**place, Body=packed)
        # Moto knows no list of suppressions of Amazon SES.
        self.functions["SyncSesList"].module.__dict__["sync"] = SesSync(self.listed.client(), lambda _seconds: None)

    def invoke(self, file: str) -> Any:
        return self.functions[name_function(file)](json.loads((FOLDER / file).read_bytes()))

    def clear(self) -> None:
        """Empty the tables."""
        tables, variables = self.stack.client("dynamodb"), self.functions["ProcessSes"].variables
        for table, key in (("OUTCOMES_TABLE", "message"), ("SUPPRESSIONS_TABLE", "scope")):
            for row in tables.scan(TableName=variables[table])["Items"]:
                names = ("recipient", key)
                tables.delete_item(TableName=variables[table], Key={name: row[name] for name in names})

    def statuses(self, source: str) -> set[str]:
        outcomes = self.tables.contents().outcomes
        return {outcome.status.value for outcome in outcomes if outcome.feedback[0].source == source}

    def count(self, queue: str) -> int:
        """How many messages a queue has."""
        name = "ApproximateNumberOfMessages"
        url = self.stack.physical_ids("AWS::SQS::Queue")[queue]
        return int(
            self.stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        )

    def queued(self) -> set[str]:
        """The sources of what waits in the feedback queue."""
        url = self.functions["Receive"].variables["FEEDBACK_QUEUE"]
        found = self.stack.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        return {each["MessageAttributes"]["source"]["StringValue"] for each in found.get("Messages", ())}


@pytest.fixture(scope="module")
def started() -> Iterator[World]:
    with running(parameters=EVERYTHING) as stack:
        yield World(stack)


@pytest.fixture
def world(started: World) -> World:
    started.clear()
    return started


def test_every_function_has_an_event_and_every_event_a_function() -> None:
    """Nothing is listed by hand: the files, the template's functions, and the folders of code."""
    named = {name_function(path.name) for path in FOLDER.iterdir()}
    assert named == FUNCTIONS.keys() == {name_function(file) for file in INVOCATIONS}
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {function["CodeUri"].rpartition("/")[2] for function in FUNCTIONS.values()} == folders


def stored(source: str, *statuses: str) -> Callable[[World, Any], bool]:
    """The batch was worked whole, and outcomes of these statuses are there."""
    return lambda world, answer: answer in (DONE, {"unreadable": 0}) and set(statuses) == world.statuses(source)


def answered(status: int, held: str = "") -> Callable[[World, Any], bool]:
    return lambda _, answer: answer["statusCode"] == status and held in answer.get("body", "")


def forwarded(source: str) -> Callable[[World, Any], bool]:
    return lambda world, _: source in world.queued()


# What each event comes to. Those of one function are alike unless something else is said here.
ENDS: Final[dict[str, Callable[[World, Any], bool]]] = {
    "ProcessSes-sns": stored("ses", "complained"),
    "ProcessSes-eventbridge": stored("ses", "bounced"),
    "ProcessSes-sqs": stored("ses", "complained"),
    "ProcessSes-sqs-raw": stored("ses", "delivered"),
    "ProcessSes-sqs-malformed": stored("ses", "delivered", "bounced"),
    "ProcessReport": stored("report", "bounced"),
    "ProcessFeedback-directmail": stored("directmail", "bounced"),
    "ProcessFeedback-mailerq": stored("mailerq", "bounced"),
    "ProcessFeedback-text-message": stored("aws_sms", "sent"),
    "ProcessFeedback-logs": stored("sns_push", "bounced", "delivered"),
    "Consume": stored("mailerq", "delivered"),
    "Poll": lambda world, answer: answer == {"forwarded": 1} and forwarded("directmail")(world, answer),
    "Receive": lambda world, answer: answered(204)(world, answer) and forwarded("mailerq")(world, answer),
    "Operate-status": answered(200, '"dead_letters"'),
    "Operate-look": lambda _, answer: answer.keys() == {"lying"},
    "ServeConsole": lambda _, answer: answer["statusCode"] == 302,
    "Query": answered(200, f'"recipient":"email:{NOBODY}"'),
    "RunListJobs-import": answered(200, '"invalid":0'),
    "RunListJobs-exports": lambda _, answer: answer == DONE,
    "RunListJobs-outcomes": lambda _, answer: answer == DONE,
    "RunListJobs-dropped": lambda _, answer: answer == DONE,
    "RunListJobs-job": lambda _, answer: answer == DONE,
    "Reevaluate-schedule": lambda _, answer: answer == {"due": 0},
    "Reevaluate": lambda _, answer: answer == DONE,
    "TryRules-check": answered(200, '"rules":1'),
    "TryRules-trial": answered(200, '"state":"done"'),
    "TryRules-job": lambda _, answer: answer == DONE,
    "Gather": stored("ses", "delivered"),
    "Replay": lambda _, answer: answer == DONE,
    "DeliverWebhooks": lambda world, answer: answer == DONE and world.count("WebhookDeadLetters") == 1,  # to nowhere
    "PublishIncidents": lambda _, answer: answer == DONE,
    "Streams": lambda _, answer: answer == DONE | {"state": {}},
    "SyncSesList": lambda world, answer: answer == DONE and world.listed.listed == {NOBODY: "BOUNCE"},
}


@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.iterdir()))
def test_an_event_is_worked(file: str, world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aftersend.jobs.poll_mns.WAIT", 0)
    queue.put("env_id=60001&event=deliver&rcpt=ann@example.net&status=0&err_code=250")
    holds = ENDS[max((name for name in ENDS if file.startswith(name)), key=len)]
    answer = world.invoke(file)
    assert holds(world, answer), answer
