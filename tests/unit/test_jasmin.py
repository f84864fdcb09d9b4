"""Jasmin: receipts by GET and by POST, what `/send` answered, and the answer that Jasmin wants."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from aftersend import classify, settings
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Class, Kind, Reason
from aftersend.ingest import ingest
from aftersend.sources import configure, read
from aftersend.sources.message import Message, unpack
from aftersend.webhooks.receive import PushResult, WebhookPorts, receive
from aftersend.webhooks.secrets import WebhookSecrets
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore, ports

ID: Final = "07033084-5cfd-4812-90a4-e4d24ffb6e3d"
RECEIPT: Final = {
    "id": ID,
    "message_status": "UNDELIV",
    "level": "2",
    "connector": "acme",
    "id_smsc": "2567",
    "sub": "001",
    "dlvrd": "000",
    "subdate": "2603021011",
    "donedate": "2603021115",
    "err": "001",
    "text": "secret words",
}
SENT: Final = json.dumps({"recipient": "+4915550100", "message": ID, "at": "2026-03-02T10:11:12Z"}).encode()
SECRET: Final = "a-secret-in-the-path-of-it"


def form(**others: str) -> bytes:
    return urlencode(RECEIPT | others).encode()


class Outside:
    """Secrets Manager and SQS."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": json.dumps({"path": SECRET, "sources": {"jasmin": {}}})}

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)

    def send_message_batch(self, **_: Any) -> None:
        raise AssertionError("a push is one message")


def _push(method: str) -> dict[str, Any]:
    by_get = method == "GET"
    return {
        "rawPath": f"/feedback/jasmin/{SECRET}",
        "pathParameters": {"source": "jasmin", "secret": SECRET},
        "rawQueryString": form().decode() if by_get else "",
        "headers": {} if by_get else {"content-type": "application/x-www-form-urlencoded"},
        "body": None if by_get else form().decode(),
        "isBase64Encoded": False,
        "requestContext": {"http": {"method": method}, "domainName": "abc.example"},
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_receipt_comes_by_get_and_by_post_and_jasmin_hears_that_it_came(method: str) -> None:
    """Source: Jasmin's documentation, "Receiving DLR": "ACK/Jasmin", exactly; else the same comes again."""
    outside = Outside()
    config = settings.load_webhooks({"WEBHOOK_SECRETS": "arn", "FEEDBACK_QUEUE": "https://queue"})
    response = receive(_push(method), WebhookPorts(config, WebhookSecrets(lambda: outside, config), outside))
    assert (response.status, response.body, response.result) == (200, "ACK/Jasmin", PushResult.ACCEPTED)
    (message,) = outside.sent
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    body, headers = unpack(message["MessageBody"], attributes)
    assert read("jasmin", body, headers) == read("jasmin", form())


def test_a_receipt_names_no_recipient_and_keeps_no_text() -> None:
    (found,) = read("jasmin", form())
    assert (found.kind, found.message, found.recipient) == (Kind.BOUNCED, f"jasmin:{ID}", UNNAMED)
    assert found.occurred_at == datetime(2026, 3, 2, 11, 15, tzinfo=UTC)
    assert found.evidence is not None and found.evidence.text == "SR acme UNDELIV 001|#MESSAGE#"
    assert found.context is not None
    assert found.context.correlation == {
        "jasmin.id_smsc": "2567",
        "jasmin.level": "2",
        "jasmin.sub": "001",
        "jasmin.dlvrd": "000",
    }
    assert "secret" not in repr(found)


def test_its_connector_is_the_smsc_that_a_user_says_something_of() -> None:
    document = "[smsc.ACME]\nerrors = 'gsm-map'\nzone = 'Europe/Berlin'\n"
    (found,) = read("jasmin", form(), {}, configure(classify.read_settings(document)))
    verdict = classify.load(document)(found)
    assert verdict is not None
    assert (verdict.klass, verdict.reason) == (Class.HARD, Reason.USER_UNKNOWN)
    assert found.occurred_at == datetime(2026, 3, 2, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("DELIVRD", Kind.DELIVERED),
        ("ESME_ROK", Kind.SENT),
        ("ESME_RINVNUMDESTS", Kind.REJECTED),
        ("REJECTD", Kind.BOUNCED),
        ("EXPIRED", Kind.BOUNCED),
        ("ACCEPTD", Kind.SENT),
        ("UNKNOWN", Kind.UNKNOWN),
    ],
)
def test_what_a_status_says(status: str, kind: Kind) -> None:
    (found,) = read("jasmin", form(message_status=status))
    assert found.kind is kind


@pytest.mark.parametrize(
    "sent", [SENT, json.dumps({"recipient": "+4915550100", "body": f'Success "{ID}"', "status": 200}).encode()]
)
def test_a_receipt_is_joined_to_whom_the_message_went_to(sent: bytes) -> None:
    store = MemoryStore()
    receipt = Message("r", form(message_status="DELIVRD"), NOW, "jasmin")
    assert ingest([receipt], ports(store)).unfinished == ["r"]
    ingest([Message("s", sent, NOW, "jasmin")], ports(store))
    assert ingest([receipt], ports(store)).unfinished == []
    (outcome,) = stored(store).outcomes.values()
    assert (outcome.recipient, outcome.status) == ("sms:+4915550100", "delivered")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "id or message_status is missing"),
        (b"id=1", "id or message_status is missing"),
        (b"message_status=DELIVRD", "id or message_status is missing"),
        (b"&" * 100 + b"a=1&" * 100, "too many fields"),
        (b"id=" + b"1" * 20_000, "too long"),
        (b'{"message": "1"}', "recipient: is missing"),
        (b'{"recipient": "+4915550100"}', "message: is missing"),
        (b'{"recipient": "+4915550100", "body": "Error \\"No route\\""}', "message: is missing"),
    ],
)
def test_what_is_no_receipt_is_refused_for_a_reason(body: bytes, why: str) -> None:
    with pytest.raises(MalformedFeedback, match=why):
        read("jasmin", body)
