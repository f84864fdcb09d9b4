"""The bodies in a batch that Lambda took from RabbitMQ, and the words by which its queues are known."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.core.errors import ConfigurationError
from aftersend.settings import load_broker_queues
from aftersend.sources.lambda_event import read_rabbitmq, takes_item_failures

NOW = datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)

# Everything that Lambda documents to be in such an event: most of it says nothing to us.
PROPERTIES: dict[str, Any] = {
    "contentType": None,
    "contentEncoding": None,
    "headers": {"x-source": {"bytes": [109, 113]}, "n": 10},
    "deliveryMode": 1,
    "priority": 0,
    "correlationId": None,
    "replyTo": None,
    "expiration": None,
    "messageId": None,
    "timestamp": "Jan 1, 1970, 12:33:41 AM",
    "type": None,
    "userId": None,
    "appId": None,
    "clusterId": None,
    "bodySize": 2,
}


def delivery(body: bytes = b"{}", **properties: Any) -> dict[str, Any]:
    given = PROPERTIES | properties
    return {"basicProperties": given, "redelivered": False, "data": base64.b64encode(body).decode()}


def event(**queues: list[dict[str, Any]]) -> dict[str, Any]:
    arn = "arn:aws:mq:eu-west-1:111122223333:broker:mq:b-00000000-0000-4000-8000-000000000001"
    return {"eventSource": "aws:rmq", "eventSourceArn": arn, "rmqMessagesByQueue": queues}


def test_every_body_of_every_queue_with_the_kind_of_its_queue() -> None:
    batch = event(**{"done::/": [delivery(b"1"), delivery(b"\xff\x00")], "later::mail/er": [delivery(b"3")]})
    found = read_rabbitmq(batch, "mailerq", {"done": "results", "later": "retry"}, NOW)
    assert [(each.body, each.headers) for each in found] == [
        (b"1", {"x-queue": "results"}),
        (b"\xff\x00", {"x-queue": "results"}),
        (b"3", {"x-queue": "retry"}),
    ]
    assert {each.received_at for each in found} == {NOW}
    assert not takes_item_failures(batch)


@pytest.mark.parametrize(("place", "kind"), [("q::/", "q"), ("q", "q"), ("a::b::/", "a::b"), ("a,b=c::x", "a,b=c")])
def test_a_queue_without_a_kind_goes_by_its_own_name(place: str, kind: str) -> None:
    (found,) = read_rabbitmq(event(**{place: [delivery()]}), "mailerq", {}, NOW)
    assert found.headers["x-queue"] == kind


def test_what_the_properties_say_of_the_body_is_kept() -> None:
    (found,) = read_rabbitmq(
        event(q=[delivery(contentEncoding="gzip", contentType="application/json")]), "mailerq", {}, NOW
    )
    assert found.headers == {"content-encoding": "gzip", "content-type": "application/json", "x-queue": "q"}


def test_properties_may_be_missing() -> None:
    (found,) = read_rabbitmq(event(q=[{"data": "e30="}]), "mailerq", {}, NOW)
    assert (found.body, found.headers) == (b"{}", {"x-queue": "q"})


def ids(*deliveries: dict[str, Any], queue: str = "q::/") -> list[str]:
    return [each.id for each in read_rabbitmq(event(**{queue: list(deliveries)}), "mailerq", {}, NOW)]


def test_a_message_that_comes_again_has_the_same_id() -> None:
    again = delivery() | {"redelivered": True}
    assert ids(delivery()) == ids(again) == ids(delivery(), queue="q::other")


def test_messages_that_differ_in_anything_have_ids_of_their_own() -> None:
    """Also where a publisher gives every message the same id: their archive objects must not overwrite each other."""
    several = ids(delivery(), delivery(b"[]"), delivery(messageId="1"), delivery(b"[]", messageId="1"))
    assert len({*several, *ids(delivery(), queue="other::/")}) == 5


def test_an_id_says_nothing_of_anybody() -> None:
    (found,) = ids(delivery(b"ann@example.com", messageId="<ann@example.com>"))
    assert "ann" not in found
    assert len(found) == 32


def test_an_empty_batch_is_empty() -> None:
    assert read_rabbitmq(event(), "mailerq", {}, NOW) == []


@pytest.mark.parametrize("other", [{"eventSource": "aws:mq", "messages": []}, {"Records": []}])
def test_any_other_service_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected RabbitMQ"):
        read_rabbitmq(other, "mailerq", {}, NOW)


def test_the_event_survives_json() -> None:
    """Nothing in it is of a type that Lambda could not hand over."""
    batch = event(**{"q::/": [delivery(b"\xff")]})
    assert read_rabbitmq(json.loads(json.dumps(batch)), "mailerq", {}, NOW) == read_rabbitmq(batch, "mailerq", {}, NOW)


# ---- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("completed=results,delayed=retry", {"completed": "results", "delayed": "retry"}),
        ("=results,=success, a = failure ,=retry,r=reports", {"a": "failure", "r": "reports"}),
        ("failed_deliveries=failures", {"failed_deliveries": "failure"}),
        ("a=b=results", {"a=b": "results"}),
        ("", {}),
    ],
)
def test_the_template_names_the_queues(text: str, kinds: dict[str, str]) -> None:
    assert load_broker_queues({"MAILERQ_QUEUES": text}) == kinds


@pytest.mark.parametrize("text", ["a=result", "a=", "a=results,b=outbox"])
def test_an_unknown_kind_of_queue_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"MAILERQ_QUEUES.*failure, failures, reports, results, retry"):
        load_broker_queues({"MAILERQ_QUEUES": text})
