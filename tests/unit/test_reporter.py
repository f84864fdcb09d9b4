"""The reporter for senders in Python: what a library gave becomes the envelope, and none of it gets lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import requests

from aftersend.aws.errors import NoAnswer
from aftersend.client import Reporter
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Feedback, Kind
from aftersend.core.times import format_time
from aftersend.reporter import MAX_ENTRIES, WAITS, describe_answer
from aftersend.sources import read
from aftersend.sources.message import unpack
from tests.support.clients import service_error
from tests.support.ports import NOW


class Handler(BaseHTTPRequestHandler):
    """A webhook that answers what is next in `statuses`, and then 204."""

    statuses: ClassVar[list[int]] = []
    bodies: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.statuses.pop(0) if self.statuses else 204
        if status < 300:
            self.bodies.append((self.path, body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def webhook(address: str) -> Iterator[str]:
    Handler.statuses.clear()
    Handler.bodies.clear()
    yield f"{address}/feedback/apns/secret"


class Queue:
    """SQS as far as it is used."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.sent: list[dict[str, Any]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        if self.faults:
            raise self.faults.pop(0)
        self.sent += Entries
        return {"Successful": [{"Id": each["Id"]} for each in Entries]}

    def __getattr__(self, name: str) -> Any:
        """All other operations, which nobody calls."""
        return lambda **_: None


def by_webhook(address: str) -> Reporter:
    waits: list[float] = []
    return Reporter(webhook=address, clock=lambda: NOW, sleep=waits.append)


def taken(source: str = "apns") -> list[Feedback]:
    return [fact for _, body in Handler.bodies for fact in read(source, body)]


def respond(status: int, body: str, **headers: str) -> requests.Response:
    found = requests.Response()
    found.status_code, found._content = status, body.encode()
    found.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return found


def test_one_line_hands_an_answer_on(webhook: str) -> None:
    by_webhook(webhook).report("0a0b", respond(410, '{"reason": "Unregistered"}', APNS_ID="ID", Set_Cookie="x"))
    ((path, body),) = Handler.bodies
    assert path == "/feedback/apns/secret"
    assert json.loads(body) == {
        "recipient": "0a0b",
        "at": format_time(NOW),
        "status": 410,
        "headers": {"apns-id": "ID"},
        "body": '{"reason": "Unregistered"}',
    }
    (fact,) = taken()
    assert (fact.kind, fact.recipient, fact.message, fact.occurred_at) == (
        Kind.BOUNCED,
        "push:apns:0a0b",
        "apns:ID",
        NOW,
    )


def test_fields_go_before_what_is_found(webhook: str) -> None:
    by_webhook(webhook).report(
        "0a0b", respond(503, ""), message="m", retry=False, at="2026-03-02T10:00:00Z", correlation={"c": 1}, status=500
    )
    (fact,) = taken()
    assert (fact.kind, fact.message, fact.occurred_at.hour) == (Kind.BOUNCED, "apns:m", 10)
    assert fact.evidence is not None and fact.evidence.code == 500


def test_a_registered_token_is_reported(webhook: str) -> None:
    by_webhook(webhook).register("0a0b")
    assert [each.kind for each in taken()] == [Kind.SUBSCRIBED]


def test_many_answers_are_one_request(webhook: str) -> None:
    with by_webhook(webhook) as reporter:
        for number in range(MAX_ENTRIES + 1):
            reporter.add(f"{number:04x}", {"status": 200}, message=str(number))
        assert len(Handler.bodies) == 1
    assert len(Handler.bodies) == 2
    assert len({fact.message for fact in taken()}) == MAX_ENTRIES + 1


def test_bodies_are_bounded(webhook: str) -> None:
    by_webhook(webhook).report_many({"recipient": "a", "message": "m", "x": "y" * 90_000} for _ in range(4))
    assert [len(body) < 200_000 for _, body in Handler.bodies] == [True, True]


@pytest.mark.parametrize("statuses", [[503], [500, 429]])
def test_what_is_not_taken_now_is_tried_again(webhook: str, statuses: list[int]) -> None:
    waits: list[float] = []
    Handler.statuses[:] = statuses
    Reporter(webhook=webhook, sleep=waits.append).report("0a0b", {"status": 200}, message="m")
    assert len(taken()) == 1
    assert waits == [*WAITS[: len(statuses)]]


@pytest.mark.parametrize("statuses", [[403], [404], [503, 503, 503]])
def test_what_is_not_taken_at_all_is_kept_and_said(webhook: str, statuses: list[int]) -> None:
    Handler.statuses[:] = statuses
    reporter = by_webhook(webhook)
    reporter.add("0a0b", {"status": 200}, message="m")
    with pytest.raises(StoreUnavailable, match=str(statuses[0])):
        reporter.flush()
    assert not Handler.bodies
    reporter.flush()
    assert len(taken()) == 1
    reporter.flush()
    assert len(Handler.bodies) == 1


def test_a_webhook_that_is_not_there_is_said_without_its_address() -> None:
    with pytest.raises(StoreUnavailable) as raised:
        Reporter(webhook="http://127.0.0.1:1/feedback/apns/secret", sleep=lambda _: None).report("a", {"status": 200})
    assert "secret" not in str(raised.value)


def test_the_queue_takes_it_with_its_source() -> None:
    queue = Queue(service_error("ThrottlingException"))
    waits: list[float] = []
    reporter = Reporter(queue="https://queue", source="fcm", client=queue, clock=lambda: NOW, sleep=waits.append)
    reporter.report("a:b", TimeoutError(), message="m")
    (sent,) = queue.sent
    attributes = {name: each["StringValue"] for name, each in sent["MessageAttributes"].items()}
    body, _ = unpack(sent["MessageBody"], attributes)
    assert (attributes["source"], len(waits)) == ("fcm", 1)
    assert [(each.kind, each.message) for each in read("fcm", body)] == [(Kind.DEFERRED, "fcm:m")]


def test_a_queue_that_does_not_answer_raises() -> None:
    queue = Queue(*[service_error("ThrottlingException")] * 3)
    reporter = Reporter(queue="https://queue", source="fcm", client=queue, sleep=lambda _: None)
    with pytest.raises(StoreUnavailable, match="did not take it"):
        reporter.report("a:b", {"status": 200})


@pytest.mark.parametrize("given", [{}, {"webhook": "https://a", "queue": "https://b"}, {"queue": "https://b"}])
def test_a_reporter_has_one_place_and_knows_whose_answers_they_are(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"webhook|queue"):
        Reporter(**given)  # type: ignore[arg-type]


def test_a_secret_does_not_travel_in_the_clear() -> None:
    with pytest.raises(ValueError, match="https"):
        Reporter(webhook="http://api.example.com/feedback/apns/secret").report("a", {"status": 200})


class WebPushException(Exception):
    """As `pywebpush` raises it."""

    def __init__(self, message: str, response: Any = None) -> None:
        super().__init__(message)
        self.response = response


class UnregisteredError(Exception):
    """As `firebase_admin` raises it where it has no answer."""

    http_response = None


@pytest.mark.parametrize(
    ("answer", "entry"),
    [
        (None, {}),
        ({"status": 1, "x": 2}, {"status": 1, "x": 2}),
        (respond(201, "", Location="https://p/m"), {"status": 201, "headers": {"location": "https://p/m"}}),
        (SimpleNamespace(status=404, data=b"gone", headers=None), {"status": 404, "body": "gone"}),
        (WebPushException("x", respond(410, "gone")), {"status": 410, "body": "gone"}),
        (WebPushException("x"), {"error": "WebPushException"}),
        (UnregisteredError(), {"error": "UnregisteredError"}),
        (requests.ConnectTimeout(), {"error": "timeout"}),
        (NoAnswer("x"), {"error": "NoAnswer"}),
        (SimpleNamespace(message_id="projects/s/messages/1", exception=None),
         {"status": 200, "body": {"name": "projects/s/messages/1"}}),
        (SimpleNamespace(message_id=None, exception=UnregisteredError()), {"error": "UnregisteredError"}),
        (SimpleNamespace(status="410", notification_id="ID", description="Unregistered", timestamp=1772446275123),
         {"status": 410, "headers": {"apns-id": "ID"}, "body": {"reason": "Unregistered", "timestamp": 1772446275123}}),
        (SimpleNamespace(status="200", notification_id="ID", description=None),
         {"status": 200, "headers": {"apns-id": "ID"}}),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_libraries_give_is_understood(answer: Any, entry: dict[str, Any]) -> None:
    assert describe_answer(answer) == entry
