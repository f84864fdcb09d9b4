"""The bodies in a Lambda event."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.core.errors import MalformedFeedback
from aftersend.sources import SOURCES, read
from aftersend.sources.lambda_event import read_messages, takes_item_failures
from aftersend.sources.message import UNKNOWN, Message, pack
from local import envelopes
from local.samples import EVENTS

AT = datetime(2026, 3, 2, 10, 11, 12, 345_000, tzinfo=UTC)
SENT = str(int(AT.timestamp() * 1000))


def _sqs(body: str, name: str = "m1") -> dict[str, Any]:
    return {"eventSource": "aws:sqs", "messageId": name, "body": body, "attributes": {"SentTimestamp": SENT}}


def _pack(body: bytes) -> str:
    return base64.b64encode(gzip.compress(body, mtime=0)).decode()


SNS = {
    "EventSource": "aws:sns",
    "Sns": {"MessageId": "n1", "Message": '{"eventType":"Send"}', "Timestamp": "2026-03-02T10:11:12.345Z"},
}
EVENTBRIDGE = {"id": "e1", "detail-type": "Email Sent", "time": "2026-03-02T10:11:12Z", "detail": {"eventType": "Send"}}


def test_a_batch_of_sqs_is_its_bodies_with_the_time_of_their_sending() -> None:
    event = {"Records": [_sqs("é", "m1"), _sqs("two", "m2")]}
    assert read_messages(event, "ses") == [Message("m1", "é".encode(), AT, "ses"), Message("m2", b"two", AT, "ses")]
    assert takes_item_failures(event)


def test_what_was_packed_for_the_queue_is_unpacked() -> None:
    text, attributes = pack(b"\xff", "mailerq", {"x-queue": "retry"})
    record = _sqs(text) | {"messageAttributes": {name: {"stringValue": value} for name, value in attributes.items()}}
    assert read_messages({"Records": [record]}) == [Message("m1", b"\xff", AT, "mailerq", {"x-queue": "retry"})]


@pytest.mark.parametrize("named", ["", "../ses", "SES", "s" * 41, "ses/date=2026-03-02", "é"])
def test_a_source_that_is_no_name_of_one_is_not_believed(named: str) -> None:
    """It becomes part of the archive's keys. The body is kept all the same, under the function's own source or none."""
    record = _sqs("{}") | {"messageAttributes": {"source": {"stringValue": named}}}
    assert [each.source for each in read_messages({"Records": [record]}, "mailerq")] == ["mailerq"]
    assert [each.source for each in read_messages({"Records": [record]})] == [UNKNOWN]
    assert UNKNOWN not in SOURCES


def test_a_batch_holds_bodies_of_several_sources() -> None:
    sources = ["directmail", "ses", "mailerq"]
    records = [_sqs("{}", each) | {"messageAttributes": {"source": {"stringValue": each}}} for each in sources]
    assert [each.source for each in read_messages({"Records": records}, "report")] == sources


def test_a_notice_of_sns_is_what_it_holds() -> None:
    event = {"Records": [SNS]}
    assert read_messages(event, "ses") == [Message("n1", b'{"eventType":"Send"}', AT, "ses")]
    assert not takes_item_failures(event)


def test_an_event_of_eventbridge_is_itself() -> None:
    [found] = read_messages(EVENTBRIDGE)
    assert (found.id, found.received_at) == ("e1", AT.replace(microsecond=0))
    assert json.loads(found.body) == EVENTBRIDGE
    assert not takes_item_failures(EVENTBRIDGE)


@pytest.mark.parametrize(
    ("case", "source"),
    [
        ("aws_sms/eventbridge-successful", "aws_sms"),
        ("aws_sms/logs-packed", "aws_sms"),
        ("sns_push/logs-packed", "sns_push"),
        ("apns/taken", UNKNOWN),
    ],
)
def test_what_aws_puts_into_a_queue_shows_whose_it_is(case: str, source: str) -> None:
    """EventBridge gives no attributes; and what Lambda gave up of a log lies among the dead letters as it came."""
    body = (EVENTS / f"{case}.json").read_text()
    [found] = read_messages(envelopes.sqs([body]))
    assert (found.source, found.body) == (source, body.encode())
    [named] = read_messages(envelopes.sqs([body], attributes={"source": "apns"}))
    assert named.source == "apns"
    [default] = read_messages(envelopes.sqs([body]), "ses")
    assert default.source == "ses"


def test_a_log_is_a_body_as_it_came_and_taken_when_it_ends() -> None:
    event = json.loads((EVENTS / "sns_push/logs-packed.json").read_text())
    [found] = read_messages(event)
    assert found.received_at == datetime(2026, 3, 2, 10, 11, 16, 1000, UTC)
    assert (found.source, len(read(found.source, found.body))) == ("sns_push", 2)
    assert [found] == read_messages(event) == read_messages(event, "")
    assert not takes_item_failures(event)


@pytest.mark.parametrize(
    "logs",
    [5, {}, {"data": ""}, {"data": "***"}, {"data": "eyJ4IjoxfQ=="}, {"data": _pack(b"[" * 9_000)}]
    + [{"data": _pack(each)} for each in (b"", b"{}", b'{"logGroup":"other"}', b'{"logEvents":[{"timestamp":1e99}]}')]
    + [{"data": _pack(b'{"logGroup":"sns/x/1/y","logEvents":[{"timestamp":%d}]}' % 10**30)}],
    ids=lambda each: str(each)[:40],
)
def test_a_log_of_nobody_is_kept_and_parked(logs: Any) -> None:
    [found] = read_messages({"awslogs": logs})
    assert found.source == UNKNOWN
    with pytest.raises(MalformedFeedback):
        read(found.source, found.body)


def test_a_little_gzip_that_holds_a_lot_is_refused() -> None:
    bomb = json.dumps({"awslogs": {"data": _pack(b" " * 50_000_000)}}).encode()
    assert len(bomb) < 100_000
    with pytest.raises(MalformedFeedback, match="more than"):
        read("aws_sms", bomb)


def test_an_empty_batch_is_empty() -> None:
    assert read_messages({"Records": []}) == []


@pytest.mark.parametrize("record", [{"eventSource": "aws:kinesis"}, {}])
def test_any_other_service_is_refused(record: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected SQS or SNS"):
        read_messages({"Records": [record]})


@pytest.mark.parametrize(
    "event",
    [
        {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"results::/": [{"data": "e30="}]}},
        {"version": "2.0", "routeKey": "POST /feedback/{source}", "body": "{}"},
        {},
    ],
)
def test_an_event_without_records_is_no_empty_batch(event: dict[str, Any]) -> None:
    """Law 4: "No body disappears." A batch of RabbitMQ that is wired to the wrong function must come again."""
    with pytest.raises(ValueError, match="expected SQS, SNS or EventBridge"):
        read_messages(event)
