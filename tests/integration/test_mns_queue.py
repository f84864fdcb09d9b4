"""The function `poll` against a server that speaks MNS's protocol, over TLS; Alibaba's own client against it too."""

from __future__ import annotations

import importlib.util
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from types import ModuleType
from typing import Any, Final

import pytest
from mns.account import Account  # type: ignore[import-untyped]
from mns.mns_exception import MNSServerException  # type: ignore[import-untyped]

from aftersend.core.errors import ConfigurationError, StoreUnavailable
from aftersend.http import trust
from aftersend.jobs.mns_queue import AT_ONCE, AlibabaCredentials, ReceivedMessage
from aftersend.jobs.mns_queue import MnsQueue as Client
from local.environment import false_account
from tests.support import cloud as clouds
from tests.support import wire as wires
from tests.support.cloud import Cloud
from tests.support.mns_server import KEY_ID, QUEUE, SECRET, Queue, serving
from tests.support.template import ROOT
from tests.support.tls import Certificates
from tests.support.wire import Reply, make_reply

HOST: Final = "1234567890123456.mns.eu-central-1.aliyuncs.com"
ENDPOINT: Final = f"https://{HOST}"
KEY: Final = AlibabaCredentials(KEY_ID, SECRET)
DELIVERED: Final = "X-Notify-Message-ID=&env_id=60001&event=deliver&status=0&err_code=250&err_msg=250 <ok> & done"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), HOST)


@pytest.fixture
def queue(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """The queue, under its own name and over TLS; names that are not its lead where they always do."""
    _trust_file(monkeypatch, certificates.authority)
    held, ask = Queue(), socket.getaddrinfo
    with serving(held, certificates) as port:

        def led(host: Any, service: Any, *others: Any, **more: Any) -> Any:
            return ask("127.0.0.1", port, *others, **more) if host == HOST else ask(host, service, *others, **more)

        monkeypatch.setattr(socket, "getaddrinfo", led)
        yield held
    trust.forget()


def _trust_file(monkeypatch: pytest.MonkeyPatch, authority: Path) -> None:
    """Whom this machine trusts, from now on; what was read before is read again."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    trust.forget()


def bodies(held: list[ReceivedMessage]) -> list[str]:
    return [each.body.decode() for each in held]


# ---- The client ------------------------------------------------------------------------------------------------------


def test_messages_are_received_and_deleted(queue: Queue) -> None:
    queue.put(DELIVERED, '{"type": "dm:Deliver:SendFailed", "data": "é<&>"}', "", *map(str, range(30)))
    with Client(ENDPOINT, QUEUE, KEY) as client:
        held = client.receive(0)
        assert bodies(held)[:3] == [DELIVERED, '{"type": "dm:Deliver:SendFailed", "data": "é<&>"}', ""]
        assert len(held) == AT_ONCE
        assert client.delete([each.receipt for each in held]) == {}
    assert len(queue.messages) == 33 - AT_ONCE


def test_an_empty_queue_is_waited_for(queue: Queue) -> None:
    with Client(ENDPOINT, QUEUE, KEY) as client:
        assert client.receive(0) == []
        late = Timer(0.3, queue.put, ["late"])
        late.start()
        started = time.monotonic()
        assert bodies(client.receive(30)) == ["late"]
        assert time.monotonic() - started < 25


def test_what_was_received_is_hidden_until_its_receipt_runs_out(queue: Queue) -> None:
    queue.put("a", "b")
    with Client(ENDPOINT, QUEUE, KEY) as client:
        first = client.receive(0)
        assert client.receive(0) == []
        queue.ahead += 31
        late = {each.receipt: "MessageNotExist" for each in first}
        assert client.delete([each.receipt for each in first]) == late
        again = client.receive(0)
        assert bodies(again) == ["a", "b"]
        assert client.delete([first[0].receipt, again[1].receipt]) == {first[0].receipt: "MessageNotExist"}
    assert [each.text for each in queue.messages] == ["a"]


def test_a_body_that_xml_cannot_carry_holds_up_nothing(queue: Queue) -> None:
    queue.put("before", "after")
    queue.put_raw("550 \x01&#2;\udcff no")
    with Client(ENDPOINT, QUEUE, KEY) as client:
        held = client.receive(0)
        assert bodies(held) == ["before", "after", "550   \ufffd no"]
        assert client.delete([each.receipt for each in held]) == {}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (AlibabaCredentials(KEY_ID, "wrong"), "403 SignatureNotMatch"),
        (AlibabaCredentials("wrong", SECRET), "403 AccessIDAuthError"),
        (AlibabaCredentials(KEY_ID, SECRET, "an old token"), "403 AccessIDAuthError"),
    ],
)
def test_a_wrong_key_is_refused(queue: Queue, key: AlibabaCredentials, why: str) -> None:
    queue.put("a")
    with Client(ENDPOINT, QUEUE, key) as client, pytest.raises(StoreUnavailable, match=why):
        client.receive(0)


def test_a_temporary_key_brings_its_token(queue: Queue) -> None:
    queue.token = "an STS token"
    queue.put("a")
    with Client(ENDPOINT, QUEUE, AlibabaCredentials(KEY_ID, SECRET, "an STS token")) as client:
        assert bodies(client.receive(0)) == ["a"]


def test_a_clock_that_is_wrong_is_named(queue: Queue) -> None:
    queue.ahead = 16 * 60
    with Client(ENDPOINT, QUEUE, KEY) as client, pytest.raises(StoreUnavailable, match="408 TimeExpired"):
        client.receive(0)


@pytest.mark.parametrize("trusted", ["nobody", "another host"])
def test_the_key_is_shown_to_nobody_else(
    queue: Queue, trusted: str, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.put("a")
    other = Certificates(tmp_path, HOST)  # of an authority that the client knows, but the server is not of
    _trust_file(monkeypatch, other.authority if trusted == "nobody" else certificates.authority)
    port = socket.getaddrinfo(HOST, 443)[0][4][1]
    endpoint = ENDPOINT if trusted == "nobody" else f"https://127.0.0.1:{int(port)}"
    with Client(endpoint, QUEUE, KEY) as client, pytest.raises(StoreUnavailable, match="SSLCertVerificationError"):
        client.receive(0)
    assert queue.authorizations == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n", "wait"), "too large"),
        (Reply(make_reply(200, b"<Messages></Messages>").content[:-7], "close"), "IncompleteRead"),
        (Reply(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "close"), "ProtocolError"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "wait"), "ProtocolError"),
        (Reply(b"HTTP/1.1 200 OK\r\n", "wait"), "TimeoutError"),
        (make_reply(302, b"<a>b</a>", "Location: https://evil.example/"), "302"),
        (make_reply(200, b"not XML"), "no XML"),
    ],
    ids=["large", "short", "ssh", "lengths", "silent", "moved", "text"],
)
def test_an_answer_that_is_none_is_ours(
    answer: Reply, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is taken for a message, and nobody waits for more than was allowed."""
    context, certificate = wires.certificate(tmp_path, "localhost")
    _trust_file(monkeypatch, certificate)
    monkeypatch.setattr("aftersend.jobs.mns_queue.PATIENCE", 0.3)
    with wires.wire(answer, tls=context, name="localhost") as server:
        with Client(server.endpoint, QUEUE, KEY) as client, pytest.raises(StoreUnavailable, match=f"^MNS: .*{why}"):
            client.receive(0)
        assert len(server.heard) == 1
    trust.forget()


def test_a_connection_is_used_again_and_replaced_where_it_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = wires.certificate(tmp_path, "localhost")
    _trust_file(monkeypatch, certificate)
    empty = make_reply(404, b"<Error><Code>MessageNotExist</Code></Error>")
    with wires.wire(empty, Reply(b"", "reset"), empty, tls=context, name="localhost") as server:
        with Client(server.endpoint, QUEUE, KEY) as client:
            assert [client.receive(0) for _ in range(3)] == [[], [], []]
        assert [heard.connection for heard in server.heard] == [1, 1, 2, 2]
    trust.forget()


# ---- Alibaba's own client --------------------------------------------------------------------------------------------


def test_the_official_client_works_with_the_same_server() -> None:
    """So that server and client do not share one mistake."""
    held = Queue()
    with serving(held) as port:
        account = Account(f"http://127.0.0.1:{port}", KEY_ID, SECRET)
        theirs = account.get_queue(QUEUE)
        theirs.set_encoding(False)
        held.put(DELIVERED, "second")
        received = theirs.batch_receive_message(AT_ONCE, 0)
        assert [each.message_body for each in received] == [DELIVERED, "second"]
        theirs.batch_delete_message([received[0].receipt_handle])
        with pytest.raises(MNSServerException) as refusal:
            theirs.batch_delete_message([received[0].receipt_handle, received[1].receipt_handle])
        assert [each["ReceiptHandle"] for each in refusal.value.sub_errors] == [received[0].receipt_handle]
        assert held.messages == []
        held.put("third")
        theirs.delete_message(theirs.receive_message(0).receipt_handle.replace("&", "%26"))
        with pytest.raises(MNSServerException, match="MessageNotExist"):
            theirs.receive_message(0)
        account.mns_client.close_connection()


# ---- The function ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Cloud]:
    with clouds.serving() as cloud:
        yield cloud


class Context:
    """Lambda's, with so many seconds left, each time it is asked."""

    def __init__(self, *seconds: float) -> None:
        self._left = list(seconds)

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self._left.pop(0) if len(self._left) > 1 else self._left[0]))


class Deployed:
    """The function with the settings of the template, and what it hands over to."""

    def __init__(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sqs, self.secrets = cloud.client("sqs"), cloud.client("secretsmanager")
        self.name = f"DirectMail-{time.time_ns()}"
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.arn = self.secrets.create_secret(Name=self.name, SecretString="{}")["ARN"]
        self.keep(access_key_id=KEY_ID, access_key_secret=SECRET)
        variables = {
            "MNS_ENDPOINT": ENDPOINT,
            "MNS_QUEUES": QUEUE,
            "MNS_SECRET": self.arn,
            "FEEDBACK_QUEUE": self.url,
        }
        powertools = {"POWERTOOLS_SERVICE_NAME": "aftersend"}
        for name, value in (false_account(cloud.endpoint) | variables | powertools).items():
            monkeypatch.setenv(name, value)
        self.app = _loaded()

    def keep(self, **key: str) -> None:
        self.secrets.put_secret_value(SecretId=self.arn, SecretString=json.dumps(key))

    def run(self, *seconds: float) -> Any:
        return self.app.handler({}, Context(*(seconds or (60, 60, 60, 0))))

    def bodies(self) -> list[str]:
        found = []
        while got := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [each["Body"] for each in got]
        return found


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("poll_app", ROOT / "functions" / "poll" / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def deployed(server: Cloud, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    monkeypatch.setattr("aftersend.jobs.poll_mns.WAIT", 0)
    return Deployed(server, monkeypatch)


def test_what_waits_in_mns_waits_in_sqs(deployed: Deployed, queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    sent = [DELIVERED, *map(str, range(40))]
    queue.put(*sent)
    assert deployed.run(60) == {"forwarded": 41}
    assert deployed.bodies() == sent
    assert queue.messages == []
    (line,) = (vars(each) for each in caplog.records if each.getMessage() == "drained")
    assert (line["source"], line["received"], line["forwarded"]) == ("directmail", 41, 41)
    assert line["undeleted"] == 0
    assert deployed.run() == {"forwarded": 0}


def test_without_sqs_nothing_is_deleted_and_the_run_fails(deployed: Deployed, queue: Queue) -> None:
    queue.put(*map(str, range(20)))
    deployed.sqs.delete_queue(QueueUrl=deployed.url)
    with pytest.raises(StoreUnavailable, match="SQS: QueueDoesNotExist"):
        deployed.run()
    assert len(queue.messages) == 20
    assert sum(each.dequeued for each in queue.messages) == 16, "it goes on hiding messages that it cannot hand over"
    deployed.sqs.create_queue(QueueName=deployed.name)
    queue.ahead += 31
    assert deployed.run(60) == {"forwarded": 20}


def test_without_time_nothing_begins(deployed: Deployed, queue: Queue) -> None:
    queue.put(*map(str, range(40)))
    assert deployed.run(60, 3) == {"forwarded": 16}
    assert len(queue.messages) == 24


def test_who_may_not_delete_is_named_and_loses_nothing(deployed: Deployed, queue: Queue) -> None:
    queue.put("a")
    queue.refuse["DELETE"] = "AccessDenied"
    with pytest.raises(StoreUnavailable, match="MNS: 403 AccessDenied"):
        deployed.run()
    assert deployed.bodies() == ["a"]
    assert len(queue.messages) == 1


def test_a_key_is_read_once_and_again_after_it_was_refused(deployed: Deployed, queue: Queue) -> None:
    queue.put("a")
    deployed.run()
    deployed.keep(access_key_id="changed", access_key_secret=SECRET)
    assert deployed.run() == {"forwarded": 0}, "it was read again"
    queue.refuse["GET"] = "InternalError"
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as trouble:
            deployed.run()
        queue.refuse.clear()
    assert "AccessIDAuthError" in str(trouble.value)
    deployed.keep(access_key_id=KEY_ID, access_key_secret=SECRET)
    assert deployed.run() == {"forwarded": 0}


@pytest.mark.parametrize(
    "secret", ["", "{}", '{"access_key_id": "a"}', '{"access_key_id": 1, "access_key_secret": "sss"}']
)
def test_a_secret_that_is_none_is_named_without_its_text(
    deployed: Deployed, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.secrets.put_secret_value(SecretId=deployed.arn, SecretString=secret or "sss")
    with pytest.raises(ConfigurationError, match="holds no access_key_id and access_key_secret") as error:
        deployed.run()
    assert "sss" not in f"{error.value} {capsys.readouterr()}"


def test_a_secret_that_is_away_is_ours(deployed: Deployed) -> None:
    deployed.secrets.delete_secret(SecretId=deployed.arn, ForceDeleteWithoutRecovery=True)
    with pytest.raises(StoreUnavailable, match="Secrets Manager: GetSecretValue failed: ResourceNotFoundException"):
        deployed.run()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MNS_ENDPOINT", "http://1.mns.eu-central-1.aliyuncs.com"),
        ("MNS_ENDPOINT", "https://1.mns.eu-central-1.aliyuncs.com.example.com"),
        ("MNS_ENDPOINT", "https://1.mns.eu-central-1.aliyuncs.com/"),
        ("MNS_ENDPOINT", "https://a@evil.example.com?.mns.eu.aliyuncs.com"),
        ("MNS_QUEUES", "a/b"),
        ("MNS_QUEUES", "a?b"),
        ("MNS_QUEUES", "a, b"),
        ("MNS_QUEUES", "a,"),
        ("MNS_QUEUES", ",".join("abcdefghijk")),
        ("MNS_SECRET", ""),
        ("FEEDBACK_QUEUE", " "),
    ],
)
def test_a_setting_that_is_wrong_is_named_at_start(
    deployed: Deployed, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        _loaded()
