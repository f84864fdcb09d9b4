"""What Aftersend is measured against: other ways to do the same work, written as people usually write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

Call = Callable[[bytes], object]


def json_twice(raw: bytes) -> Any:
    """(a) Envelope and body as dictionaries, and nothing made of them."""
    return json.loads(json.loads(raw)["Message"])


class _Envelope(Struct, rename="pascal"):
    type: str
    message: str


class _Header(Struct):
    name: str
    value: str


class _CommonHeaders(Struct):
    subject: str | None = None


class _Mail(Struct, rename="camel"):
    message_id: str
    timestamp: datetime
    source: str
    destination: list[str]
    headers: list[_Header] = []
    common_headers: _CommonHeaders | None = None
    tags: dict[str, list[str]] = {}


class _Recipient(Struct, rename="camel"):
    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class _Bounce(Struct, rename="camel"):
    bounce_type: str
    bounce_sub_type: str
    bounced_recipients: list[_Recipient]
    timestamp: datetime
    feedback_id: str


class _Complaint(Struct, rename="camel"):
    complained_recipients: list[_Recipient]
    timestamp: datetime
    feedback_id: str
    complaint_feedback_type: str | None = None


class _Delivery(Struct, rename="camel"):
    timestamp: datetime
    recipients: list[str]
    smtp_response: str
    reporting_mta: str | None = msgspec.field(name="reportingMTA", default=None)
    remote_mta_ip: str | None = None


class _Delay(Struct, rename="camel"):
    timestamp: datetime
    delay_type: str
    delayed_recipients: list[_Recipient]


class _Seen(Struct, rename="camel"):
    timestamp: datetime
    ip_address: str
    user_agent: str
    link: str | None = None


class _Event(Struct, rename="camel"):
    mail: _Mail
    event_type: str | None = None
    notification_type: str | None = None
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    delivery: _Delivery | None = None
    delivery_delay: _Delay | None = None
    open: _Seen | None = None
    click: _Seen | None = None


_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_event: Final = msgspec.json.Decoder(_Event).decode


def bare_typed(raw: bytes) -> _Event:
    """(b) The same fields as we read, typed and checked, and nothing made of them."""
    return _event(_envelope(raw).message)


def anymail() -> Call:
    """(c) django-anymail's webhook view for Amazon SES, from the moment on when it has the body of a request."""
    from django.conf import settings  # type: ignore[import-untyped]

    if not settings.configured:
        settings.configure(USE_TZ=True, ANYMAIL={"WEBHOOK_SECRET": "bench:bench"})
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView  # type: ignore[import-untyped]

    view = AmazonSESTrackingWebhookView()
    return lambda raw: view.parse_events(_Request(raw))


class _Request:
    """What the view looks at; it keeps the parsed body in here."""

    encoding = None

    def __init__(self, body: bytes) -> None:
        self.body = body


class Transactions:
    """One transaction for each event: the event if it is new, and the status of its message.

    No order is kept, no body is archived, and nothing is logged.
    """

    def __init__(self, client: Any, events: str, statuses: str, pool: Executor) -> None:
        self._client, self._events, self._statuses, self._pool = client, events, statuses, pool

    def batch(self, bodies: Iterable[bytes]) -> None:
        """Work one batch, as concurrently as ours is worked."""
        for _ in self._pool.map(self._store, bodies):
            pass

    def _store(self, body: bytes) -> None:
        event = json.loads(body)
        kind = event.get("eventType") or event["notificationType"]
        about = event.get({"DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower())) or {}
        mail = event["mail"]
        at = {"S": about.get("timestamp") or mail["timestamp"]}
        key = {"recipient": {"S": mail["destination"][0]}, "message": {"S": mail["messageId"]}}
        row = key | {"id": {"S": f"{mail['messageId']}#{kind}#{at['S']}"}, "kind": {"S": kind}, "at": at}
        put = {
            "TableName": self._events,
            "Item": row | {"detail": {"S": json.dumps(about)}},
            "ConditionExpression": "attribute_not_exists(id)",
        }
        update = {
            "TableName": self._statuses,
            "Key": key,
            "UpdateExpression": "SET #status = :status, last_at = :at ADD feedback :one",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":status": {"S": kind}, ":at": at, ":one": {"N": "1"}},
        }
        try:
            self._client.transact_write_items(TransactItems=[{"Put": put}, {"Update": update}])
        except self._client.exceptions.TransactionCanceledException as error:
            if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
                raise  # only a repeat may be refused


def create_tables(client: Any, suffix: str) -> tuple[str, str]:
    """The two tables of `Transactions`, with the same index by message as ours."""
    events, statuses = f"Events-{suffix}", f"Statuses-{suffix}"
    keys = [{"AttributeName": "recipient", "KeyType": "HASH"}, {"AttributeName": "message", "KeyType": "RANGE"}]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("recipient", "message")]
    turned = [{"AttributeName": "message", "KeyType": "HASH"}, {"AttributeName": "recipient", "KeyType": "RANGE"}]
    index = {"IndexName": "by_message", "KeySchema": turned, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    client.create_table(
        TableName=events,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.create_table(
        TableName=statuses,
        KeySchema=keys,
        AttributeDefinitions=types,
        GlobalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
    )
    return events, statuses
