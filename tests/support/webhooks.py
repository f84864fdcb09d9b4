"""The webhooks as they are deployed, on moto's server: the real handler, the queue, the secrets, and what is pushed."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from aftersend import bootstrap
from aftersend.core.errors import HostUnavailable
from aftersend.http.http1 import HttpResponse
from aftersend.sources.message import unpack
from local.environment import environment, false_account
from local.serve_routes import Request, Route, event
from local.signing import ACCOUNT, TOPIC, Authority, Push
from tests.support.cloud import Cloud, serving
from tests.support.template import ROOT, variables

NOW: Final = datetime(2026, 3, 2, 10, 11, 15, tzinfo=UTC)
HOST: Final = "abc123.execute-api.eu-west-1.amazonaws.com"
PATH: Final = "a-secret-in-the-path-of-it"
BEARER: Final = "a-secret-for-the-bearer"
# Keys are slow to make, and these are nobody's.
PROVIDER: Final = Authority()
STRANGER: Final = Authority()


def _weak() -> Authority:
    """A key of 512 bits, which nothing makes any more, and an expired certificate: as MNS has them."""
    p = 0xE8F6E3A7B278468D2F454534D37844190E99D486A3665D5AC2534B0D838B95D9
    q = 0xDC7DA797CC2C54109B7F5C079609D767CB552C4DC5284550041A74B42AB2BE7F
    e = 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    numbers = rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, p * q))
    return Authority(numbers.private_key(), datetime(2015, 7, 2, tzinfo=UTC))


WEAK: Final = _weak()


def url(source: str, secret: str = PATH) -> str:
    """Where a provider pushes to."""
    return f"https://{HOST}/feedback/{source}" + (f"/{secret}" if secret else "")


def http_event(push: Push, method: str = "POST") -> dict[str, Any]:
    """The event that API Gateway makes of a push."""
    target = push.url.removeprefix(f"https://{HOST}")
    path = target.partition("?")[0]
    routes = [Route("ANY", "/feedback/{source}", "Receive"), Route("ANY", "/feedback/{source}/{secret}", "Receive")]
    for route in routes:
        if (parameters := route.match(path)) is not None:
            return event(Request(method, target, push.headers, push.body), HOST, route, parameters)
    raise AssertionError(f"no route for {path}")


def altered(
    push: Push, headers: Mapping[str, str | None] | None = None, body: bytes | None = None, url: str = ""
) -> Push:
    """A push with other headers (None takes one away), another body, another address."""
    changed = {name: value for name, value in {**push.headers, **(headers or {})}.items() if value is not None}
    return Push(url or push.url, changed, push.body if body is None else body)


class Queued(NamedTuple):
    """What lies in a queue."""

    source: str
    body: bytes
    headers: dict[str, str]


class WebhookBench:
    """The handler and all around it: `fetched` is what it has asked the world for, `logs` what it has written."""

    def __init__(self, cloud: Cloud, queue: str, secret: str) -> None:
        self.logs = io.StringIO()
        with redirect_stdout(self.logs):
            self.app = _loaded()
        self.app.logger.registered_handler.setStream(self.logs)  # loggers of one service share theirs
        self.secret = secret
        self._sqs, self._secrets = cloud.client("sqs"), cloud.client("secretsmanager")
        self._queue = queue
        self.fetched: list[str] = []
        self.reset()

    def reset(self) -> None:
        """As at the beginning: empty queues, the usual secrets, nothing kept."""
        self.now = NOW
        self.world: Callable[[str], HttpResponse] = PROVIDER.fetch
        self.fetched.clear()
        self.restart()
        self.logs.seek(0)
        self.logs.truncate()
        self.put_secrets({"path": PATH, "sources": {"mailerq": {"bearer": BEARER}}})
        self.queued()

    def restart(self) -> None:
        """A new execution environment."""
        self.ports = bootstrap.receive()
        self.app.ports = self.ports  # type: ignore[attr-defined]  # a module that is a function's own
        self.ports.clock = lambda: self.now
        self.ports.fetch = self._fetch

    def put_secrets(self, document: Any) -> None:
        """What Secrets Manager holds from now on."""
        text = document if isinstance(document, str) else json.dumps(document)
        self._secrets.put_secret_value(SecretId=self.secret, SecretString=text)

    def post(self, push: Push, method: str = "POST") -> int:
        """The status of the answer."""
        return int(self.answer(push, method)["statusCode"])

    def answer(self, push: Push, method: str = "POST") -> dict[str, Any]:
        """The answer."""
        with redirect_stdout(self.logs):
            answer: dict[str, Any] = self.app.handler(http_event(push, method), None)
        return answer

    def lines(self) -> list[dict[str, Any]]:
        """What it has written since the beginning: logs and metrics."""
        return [json.loads(line) for line in self.logs.getvalue().splitlines()]

    def queued(self) -> list[Queued]:
        """Everything that was queued since last asked."""
        return list(self._drain())

    def _drain(self) -> Iterator[Queued]:
        while found := self._sqs.receive_message(
            QueueUrl=self._queue,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            for each in found:
                attributes = {name: value["StringValue"] for name, value in each["MessageAttributes"].items()}
                assert each["Attributes"]["MessageGroupId"] == attributes["source"]
                yield Queued(attributes["source"], *unpack(each["Body"], attributes))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])

    def _fetch(self, url: str) -> HttpResponse:
        self.fetched.append(url)
        return self.world(url)


def nowhere(_url: str) -> HttpResponse:
    """A world that does not answer."""
    raise HostUnavailable("nobody answers")


@contextmanager
def webhook_bench() -> Iterator[WebhookBench]:
    """The bench, as long as the context lasts; the environment points to it meanwhile."""
    with serving() as cloud:
        queue = cloud.client("sqs").create_queue(QueueName="webhooks-feedback")["QueueUrl"]
        manager = cloud.client("secretsmanager")
        secret = manager.create_secret(Name="webhooks", SecretString="{}")["ARN"]
        made = {"WebhookSecrets": secret, "FeedbackQueue": queue}
        given = false_account(cloud.endpoint) | variables("Receive", made)
        with environment(given | {"SNS_TOPICS": TOPIC, "ALIBABA_ACCOUNTS": ACCOUNT}):
            yield WebhookBench(cloud, queue, secret)
        manager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        cloud.client("sqs").delete_queue(QueueUrl=queue)


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("receive_app", ROOT / "functions" / "receive" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
