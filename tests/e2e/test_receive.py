"""`receive` as it is deployed: what SAM builds, with the template's behind Lambda's Runtime API."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pytest

from aftersend.sources import SOURCES
from aftersend.sources.message import unpack
from aftersend.webhooks.request import read_request
from aftersend.webhooks.schemes import Trust, WebhookCredentials, check
from local import signing
from local.environment import false_account
from local.signing import ACCOUNT, TOPIC, Push
from tests.support.cloud import Cloud
from tests.support.emulator import Build, Emulator, runtime_python
from tests.support.template import variables
from tests.support.webhooks import NOW, PATH, PROVIDER, WEAK, http_event, url

pytestmark = pytest.mark.emulator

MESSAGE: Final = '{"eventType":"Send","mail":{"messageId":"m1"},"send":{}}'


class Receiver:
    """The function, the queue that it fills, and the secret that it reads."""

    def __init__(self, emulator: Emulator, queue: str, cloud: Cloud) -> None:
        self.emulator, self._queue, self._sqs = emulator, queue, cloud.client("sqs")

    def post(self, push: Push) -> Any:
        return self.emulator.invoke(http_event(push))

    def queued(self) -> dict[str, tuple[bytes, dict[str, str]]]:
        """Body and headers of what lies in the queue, by its source."""
        answer = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        found = {}
        for each in answer.get("Messages", ()):
            attributes = {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
            found[attributes["source"]] = unpack(each["Body"], attributes)
        return found


@pytest.fixture
def receiver(build: Build, server: Cloud, tmp_path: Any) -> Iterator[Receiver]:
    sqs, manager = server.client("sqs"), server.client("secretsmanager")
    queue = sqs.create_queue(QueueName="receive")["QueueUrl"]
    document = {"path": PATH, "sources": {"mailerq": {}}}
    secret = manager.create_secret(Name="receive", SecretString=json.dumps(document))["ARN"]
    made = {"WebhookSecrets": secret, "FeedbackQueue": queue}
    given = false_account(server.endpoint) | variables("Receive", made)
    given |= {"SNS_TOPICS": TOPIC, "PYTHONWARNINGS": "always"}
    code = [build.function.parent / "Receive", build.layer / "python"]
    with Emulator(code, given, tmp_path / "log", "app.handler") as emulator:
        yield Receiver(emulator, queue, server)
    manager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    sqs.delete_queue(QueueUrl=queue)


def test_what_is_proven_is_queued_as_it_came(receiver: Receiver) -> None:
    assert receiver.post(signing.sns_raw(url("ses"), MESSAGE)) == {"statusCode": 200, "headers": {}, "body": ""}
    packed = gzip.compress(MESSAGE.encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert receiver.post(Push(url("mailerq"), headers, packed))["statusCode"] == 204
    assert receiver.queued() == {
        "ses": (MESSAGE.encode(), {"content-type": "text/plain; charset=UTF-8"}),
        "mailerq": (packed, headers),
    }


def test_what_is_not_proven_is_refused_and_logged(receiver: Receiver) -> None:
    refused = [
        receiver.post(push)["statusCode"]
        for push in (
            signing.sns_raw(url("ses", "another-secret-of-it"), MESSAGE),
            signing.sns(PROVIDER, url("ses"), MESSAGE, NOW),  # signed well, long ago
            signing.sns_raw(url("ses"), MESSAGE, TOPIC + "x"),
            Push(url("mailerq", ""), {}, b"{}"),
        )
    ]
    assert refused == [403] * 4
    assert receiver.post(signing.mns_json(PROVIDER, url("directmail"), "", NOW))["statusCode"] == 404
    assert receiver.queued() == {}
    lines = receiver.emulator.lines()
    assert [line["code"] for line in lines if line.get("message") == "VerificationFailed"] == [
        "credentials",
        "stale",
        "sender",
        "credentials",
    ]
    assert not [line for line in receiver.emulator.log.read_text().splitlines() if "warning:" in line.lower()]


def test_lambdas_python_verifies_signatures_with_what_the_layer_ships(build: Build) -> None:
    """The old key of MNS too: another build of OpenSSL might refuse it."""
    script = (
        "import sys, msgspec, aftersend.webhooks.schemes as v\n"
        "signed, certificate = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[v.Signature, bytes])\n"
        "v.verify_signature(signed, certificate)\n"
        "print('proven')\n"
    )
    now = datetime.now(UTC)
    trust = Trust(
        credentials=WebhookCredentials(path=(PATH,)),
        senders={"topics": frozenset({TOPIC}), "accounts": frozenset({ACCOUNT})},
    )
    for push, authority in (
        (signing.mns_xml(WEAK, url("directmail"), MESSAGE, now), WEAK),
        (signing.sns(PROVIDER, url("ses"), MESSAGE, now), PROVIDER),
    ):
        asked = read_request(http_event(push), "")
        signed = check(asked, SOURCES[asked.source].proofs, trust, now).signature
        done = subprocess.run(
            [runtime_python(), "-W", "error", "-c", script],
            input=msgspec.msgpack.encode((signed, authority.certificate)),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(build.layer / "python")},
            check=False,
            capture_output=True,
        )
        assert (done.stdout, done.stderr) == (b"proven\n", b"")
