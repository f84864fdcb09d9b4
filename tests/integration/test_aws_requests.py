"""Our clients beside boto3's, on one server: a call sends the same request, and an answer means the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from aftersend.aws import boto, services
from aftersend.aws.account import Account
from aftersend.aws.errors import Refusal
from aftersend.core.model import Evidence, Suppression
from aftersend.core.outcome import merge
from aftersend.core.statistics import Cell, CounterRow, Dimension, Measure
from aftersend.sources.message import Message
from aftersend.storage import items
from aftersend.storage.archive import build_put as build_object
from aftersend.storage.dead_letters import build_send
from aftersend.storage.statistics import build_row_update
from aftersend.storage.store import build_batch_get, build_query
from aftersend.storage.unmatched import build_count
from aftersend.storage.versioned import build_get, build_put
from tests.support.cloud import BUCKET, Cloud, serving
from tests.support.facts import ANN, bounce, classify
from tests.support.ports import NOW, RETENTION
from tests.support.wire import OK, Heard, Reply, Wire, make_reply, refusal, table, wire

REGION = "eu-west-1"
FACT = bounce(1, evidence=Evidence(text='é "quoted" \u2028 🎉', code=550))
OUTCOME = items.encode_outcome(merge(None, [FACT, bounce(2, "hard")], classify), RETENTION)
SUPPRESSION = items.encode_suppression(Suppression(recipient=ANN, version=7), RETENTION, NOW)
KEY = items.build_outcome_key((ANN, "test:1"))
LETTER = Message("1", "é\n{".encode(), NOW, "ses", {"content-type": "text/plain"})
OBJECT = build_object("archive", [Message("1", b"{}", NOW, "ses")])
EVERYTHING = {
    "s": {"S": 'é "\n\u2028🎉'},
    "n": {"N": "-1.5E-10"},
    "yes": {"BOOL": True},
    "none": {"NULL": True},
    "m": {"M": {"S": {"S": "B"}, "": {"L": []}}},
    "l": {"L": [{"S": ""}, {"M": {}}]},
    "ss": {"SS": ["a", "b"]},
}


def account(endpoint: str) -> Account:
    return Account(
        key_id="AKID", secret="secret", token="token", region=REGION, endpoints={"AWS_ENDPOINT_URL": endpoint}
    )


def ours(service: str, endpoint: str) -> Any:
    return services.make_client(service, account(endpoint))


def theirs(service: str, endpoint: str) -> Any:
    config = Config(retries={"mode": "standard", "max_attempts": 1}, s3={"addressing_style": "path"})
    made = boto3.client(
        service,  # type: ignore[call-overload]  # any service
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        aws_session_token="token",
        config=config,
    )
    return boto.adapt_client(made, service)


def both(service: str, operation: str, request: dict[str, Any], answer: Reply) -> tuple[Heard, Heard, Any, Any]:
    """What both sent, and what both made of the answer."""
    with wire(answer) as server:
        answers = [getattr(make(service, server.endpoint), operation)(**request) for make in (ours, theirs)]
    one, other = server.heard
    return one, other, *answers


CELL = Cell("2026-03-01", Dimension.SENDER, "é.example", Measure.SENT)
UPDATE = build_row_update("T", CounterRow(CELL.day, CELL.dimension), {CELL: 1}, 1)
REQUESTS = [
    ("dynamodb", "put_item", build_put("T", KEY, OUTCOME)),
    ("dynamodb", "put_item", build_put("T", KEY, SUPPRESSION)),
    ("dynamodb", "put_item", {"TableName": "T", "Item": EVERYTHING, "ReturnConsumedCapacity": "TOTAL"}),
    ("dynamodb", "put_item", {"TableName": "T", "Item": {"b": {"B": b"\x00\xff"}}}),
    ("dynamodb", "get_item", build_get("T", KEY)),
    ("dynamodb", "batch_get_item", build_batch_get("T", [KEY, items.build_outcome_key((ANN, "é"))])),
    ("dynamodb", "query", build_query("T", ANN) | {"ExclusiveStartKey": KEY}),
    ("dynamodb", "update_item", build_count("T", FACT, NOW, timedelta(days=1))),
    ("dynamodb", "transact_write_items", {"TransactItems": [{"Update": UPDATE}], "ClientRequestToken": "t"}),
    ("sqs", "send_message", build_send("https://sqs.example.com/1/letters", LETTER, "no JSON")),
    ("dynamodb", "scan", {"TableName": "T", "ExclusiveStartKey": KEY, "Segment": 0, "TotalSegments": 2}),
    ("dynamodb", "delete_item", {"TableName": "T", "Key": KEY, "ConditionExpression": "attribute_exists(recipient)"}),
    ("secretsmanager", "get_secret_value", {"SecretId": "arn:aws:secretsmanager:eu-west-1:1:secret:a"}),
    (
        "sqs",
        "send_message_batch",
        {"QueueUrl": "https://sqs.example.com/1/q", "Entries": [{"Id": "0", "MessageBody": "é"}]},
    ),
    (
        "events",
        "put_events",
        {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": "c", "Time": 1772323200}]},
    ),
    (
        "sqs",
        "change_message_visibility",
        {"QueueUrl": "https://sqs.example.com/1/q", "ReceiptHandle": "a", "VisibilityTimeout": 30},
    ),
    ("sqs", "receive_message", {"QueueUrl": "https://sqs.example.com/1/q", "MaxNumberOfMessages": 10}),
    ("sqs", "delete_message", {"QueueUrl": "https://sqs.example.com/1/q", "ReceiptHandle": "a"}),
    (
        "sqs",
        "change_message_visibility_batch",
        {
            "QueueUrl": "https://sqs.example.com/1/q",
            "Entries": [{"Id": "0", "ReceiptHandle": "a", "VisibilityTimeout": 0}],
        },
    ),
    (
        "sqs",
        "get_queue_attributes",
        {"QueueUrl": "https://sqs.example.com/1/q", "AttributeNames": ["ApproximateNumberOfMessagesNotVisible"]},
    ),
    (
        "sqs",
        "send_message",
        {
            "QueueUrl": "https://sqs.example.com/1/q.fifo",
            "MessageBody": "a",
            "MessageGroupId": "b",
            "MessageDeduplicationId": "c",
        },
    ),
    ("ssm", "get_parameter", {"Name": "/rules", "WithDecryption": True}),
    ("ssm", "get_parameters_by_path", {"Path": "/rules", "NextToken": "more"}),
]


@pytest.mark.parametrize(
    ("service", "operation", "request_"), REQUESTS, ids=[f"{each[1]}-{at}" for at, each in enumerate(REQUESTS)]
)
def test_a_json_request_is_that_of_botocores_serializer(service: str, operation: str, request_: dict[str, Any]) -> None:
    one, other, _, _ = both(service, operation, request_, OK)
    assert (one.method, one.target) == (other.method, other.target) == ("POST", "/")
    for name in ("content-type", "x-amz-target", "x-amz-security-token", "host"):
        assert one.headers[name] == other.headers[name], name
    assert json.loads(one.body) == json.loads(other.body)


def test_every_operation_is_compared() -> None:
    compared = {operation for _, operation, _ in REQUESTS}
    assert compared == {
        name for service in services.OPERATIONS if service != "s3" for name in services.OPERATIONS[service]
    }


@pytest.mark.parametrize(
    "answer",
    [
        {"Item": EVERYTHING},
        {},
        {"ConsumedCapacity": {"TableName": "T", "CapacityUnits": 1.5}},
    ],
    ids=["item", "none", "capacity"],
)
def test_an_answer_means_what_it_means_to_boto3(answer: dict[str, Any]) -> None:
    *_, mine, other = both("dynamodb", "get_item", build_get("T", KEY), table(answer))
    del other["ResponseMetadata"]
    assert mine == other == answer


def test_a_batch_and_what_was_left_of_it_mean_the_same() -> None:
    request = build_batch_get("T", [KEY])
    answer = {"Responses": {"T": [EVERYTHING]}, "UnprocessedKeys": {"T": {"Keys": [KEY], "ConsistentRead": True}}}
    *_, mine, other = both("dynamodb", "batch_get_item", request, table(answer))
    assert mine == {name: other[name] for name in answer} == answer


@pytest.mark.parametrize(
    "answer",
    [
        refusal("ConditionalCheckFailedException", Item=EVERYTHING),
        refusal("ConditionalCheckFailedException"),
        refusal("ValidationException"),
        table({"__type": "com.amazon.coral.service#ExpiredTokenException", "message": "for ann"}, 400),
        table({"__type": "com.amazon.coral.service#UnrecognizedClientException", "Message": "for ann"}, 400),
        refusal("InternalServerError", 500),
    ],
    ids=["stored", "refused", "invalid", "expired", "unknown", "fault"],
)
def test_a_refusal_means_what_it_means_to_boto3(answer: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aftersend.aws.client.PAUSE", 0)
    refusals = []
    with wire(answer) as server:
        for make in (ours, theirs):
            with pytest.raises(Refusal) as raised:
                make("dynamodb", server.endpoint).put_item(**build_put("T", KEY, OUTCOME))
            refusals.append(raised.value)
    mine, other = refusals
    assert mine.code == other.code == str(mine) == str(other)
    assert mine.answer.get("Item") == other.answer.get("Item")


KEYS = [
    OBJECT["Key"],
    "a b+c&d=e?f#g%h~i",
    "é/ü/漢字/🎉",
    "a//b/./c/../d/",
    "/begins with a slash",
    'quoted"\\\x01\r\n\x7f',
    "x" * 1024,
]


@pytest.mark.parametrize("key", KEYS)
def test_an_object_is_put_where_boto3_puts_it(key: str) -> None:
    one, other, _, _ = both("s3", "put_object", OBJECT | {"Key": key}, make_reply(200, b"", 'ETag: "e"'))
    assert (one.method, one.target) == (other.method, other.target)
    assert one.body == other.body == OBJECT["Body"]
    for name in ("content-type", "content-encoding", "x-amz-checksum-crc32", "x-amz-content-sha256", "host"):
        assert one.headers[name] == other.headers[name], name


def test_an_object_is_read_as_boto3_reads_it() -> None:
    request = {"Bucket": "inbound", "Key": "mail/é", "Range": "bytes=0-99"}
    answer = make_reply(206, b"Subject: 1\r\n", 'ETag: "e"', "Content-Range: bytes 0-11/12")
    one, other, mine, its = both("s3", "get_object", request, answer)
    assert (one.method, one.target, one.headers["range"]) == (other.method, other.target, other.headers["range"])
    assert one.headers["x-amz-content-sha256"] == other.headers["x-amz-content-sha256"]
    assert mine["ETag"] == its["ETag"]
    assert (mine["Body"].read(7), mine["Body"].read(99)) == (its["Body"].read(7), its["Body"].read(99))


NO_SUCH_KEY = b"<?xml version='1.0'?>\n<Error><Code>NoSuchKey</Code><Message>of ann</Message></Error>"


@pytest.mark.parametrize(
    "answer",
    [
        make_reply(404, NO_SUCH_KEY),
        Reply(
            b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(NO_SUCH_KEY), NO_SUCH_KEY)
        ),
        make_reply(403, b"<Error><Code>AccessDenied</Code></Error>"),
        make_reply(404, b""),
    ],
    ids=["gone", "in chunks", "denied", "bare"],
)
def test_a_refusal_of_s3_means_what_it_means_to_boto3(answer: Reply) -> None:
    codes = []
    with wire(answer) as server:
        for make in (ours, theirs):
            with pytest.raises(Refusal) as raised:
                make("s3", server.endpoint).get_object(Bucket="inbound", Key="k")
            codes.append(raised.value.code)
    assert codes[0] == codes[1]


@pytest.mark.parametrize(
    ("service", "operation", "request_"), [*REQUESTS, ("s3", "put_object", OBJECT | {"Key": KEYS[1]})]
)
def test_what_goes_over_the_wire_is_what_was_signed(service: str, operation: str, request_: dict[str, Any]) -> None:
    """botocore's signer, given the request as it was heard, comes to the same signature."""
    with wire(OK) as server:
        getattr(ours(service, server.endpoint), operation)(**request_)
    (heard,) = server.heard
    assert heard.headers["authorization"] == _signed(service, heard, server)


def _signed(service: str, heard: Heard, server: Wire) -> str:
    names = heard.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    request = AWSRequest(
        heard.method, server.endpoint + heard.target, {name: heard.headers[name] for name in names}, heard.body
    )
    with pytest.MonkeyPatch.context() as patch:
        moment = datetime.strptime(heard.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        patch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
        kind(Credentials("AKID", "secret", "token"), service, REGION).add_auth(request)
    return str(request.headers["Authorization"])


# -- against moto, which knows what S3 and SQS do --


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with serving() as cloud:
        cloud.create()
        yield cloud
        cloud.clear()


@pytest.mark.parametrize("key", [key for key in KEYS if key.isprintable() and len(key) < 1000])  # moto's own bounds
def test_an_object_comes_back_whole_and_in_part(cloud: Cloud, key: str) -> None:
    s3, body = ours("s3", cloud.endpoint), gzip.compress(bytes(range(256)) * 1000)
    s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="application/x-ndjson", ContentEncoding="gzip")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    assert s3.get_object(Bucket=BUCKET, Key=key, Range="bytes=0-9")["Body"].read(1 << 20) == body[:10]
    found = cloud.client("s3").get_object(Bucket=BUCKET, Key=key)
    assert (found["ContentType"], found["ContentEncoding"]) == ("application/x-ndjson", "gzip")
    assert found["Body"].read() == body
    cloud.client("s3").delete_object(Bucket=BUCKET, Key=key)


def test_an_object_that_is_not_there_is_gone(cloud: Cloud) -> None:
    with pytest.raises(Refusal, match="NoSuchKey"):
        ours("s3", cloud.endpoint).get_object(Bucket=BUCKET, Key="elsewhere")
    with pytest.raises(Refusal, match="NoSuchBucket"):
        ours("s3", cloud.endpoint).put_object(Bucket="elsewhere", Key="k", Body=b"")


def test_an_object_needs_a_key() -> None:
    with pytest.raises(ValueError, match="key"):
        ours("s3", "http://127.0.0.1:9").get_object(Bucket=BUCKET, Key="")


def test_a_message_arrives(cloud: Cloud) -> None:
    ours("sqs", cloud.endpoint).send_message(**build_send(cloud.parking(), LETTER, "why"))
    ((body, attributes),) = cloud.parked()
    assert body == LETTER.body.decode()
    assert attributes["reason"] == "why"


def test_a_parameter_is_read(cloud: Cloud) -> None:
    cloud.client("ssm").put_parameter(Name="/rules", Value="[[rule]]\né", Type="String")
    assert ours("ssm", cloud.endpoint).get_parameter(Name="/rules")["Parameter"]["Value"] == "[[rule]]\né"
    with pytest.raises(Refusal, match="ParameterNotFound"):
        ours("ssm", cloud.endpoint).get_parameter(Name="/others")
