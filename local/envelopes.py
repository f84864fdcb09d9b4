"""Lambda's envelopes around a source's bodies, as AWS hands them to a function. Pure: the same in, the same out.

    SQS holding the raw body · SQS holding an SNS notification · SQS holding an EventBridge event · SQS holding a job
    SNS to the function directly · EventBridge to the function directly · a schedule of EventBridge
    a batch of RabbitMQ · a request of an HTTP API · a change in a table · records of a log

`python -m local.envelopes` writes those in `events/invoke/`, for `sam local invoke -e`; a test says when they are old.
A file is named after the function of the template that takes it, and every function has one.

Sources: AWS Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "… with Amazon MQ", "… with
DynamoDB"; SNS developer guide, message and JSON formats; EventBridge reference, event structure; API Gateway developer
guide, "AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aftersend.core.model import Cause, CauseKind, EvidenceRef, Reason, Suppression
from aftersend.core.policy import load
from aftersend.core.spike_guard import Traffic, find_window, merge_traffic, report_refusal
from aftersend.sources.message import SOURCE
from aftersend.storage import schema, spike_windows
from aftersend.storage.items import encode_suppression
from local.samples import EVENTS

Event = dict[str, Any]

REGION: Final = "eu-west-1"
ACCOUNT: Final = "111122223333"
HOST: Final = "local.execute-api.eu-west-1.amazonaws.com"
TAKEN_AT: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)  # when a queue, a topic or a bus took the body

# SES's event type -> EventBridge's detail-type.
DETAIL_TYPES: Final = {
    "Send": "Email Sent",
    "Delivery": "Email Delivered",
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Reject": "Email Rejected",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "Rendering Failure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}


def sqs(
    bodies: Iterable[str],
    at: datetime = TAKEN_AT,
    queue: str = "aftersend-SesEventsQueue",
    attributes: Mapping[str, str] | None = None,
) -> Event:
    """A batch of a queue that holds `bodies`; the same body in another place has another id."""
    named = {name: _attribute(value) for name, value in (attributes or {}).items()}
    records = [_sqs_record(body, place, at, queue) for place, body in enumerate(bodies)]
    return {"Records": [record | {"messageAttributes": named} for record in records]}


def _attribute(value: str) -> Event:
    return {"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"}


def sqs_of_sns(bodies: Iterable[str], at: datetime = TAKEN_AT) -> Event:
    """A batch of a queue that subscribes to a topic without raw delivery."""
    return sqs((json.dumps(notification(body, at)) for body in bodies), at)


def sqs_of_eventbridge(bodies: Iterable[str], at: datetime = TAKEN_AT) -> Event:
    """A batch of a queue that is the target of an EventBridge rule."""
    return sqs((json.dumps(eventbridge(body, at)) for body in bodies), at)


def sns(body: str, at: datetime = TAKEN_AT) -> Event:
    """What a function gets that subscribes to a topic: always one notification."""
    notice = notification(body, at)
    notice["SigningCertUrl"] = notice.pop("SigningCertURL")  # Lambda spells these two in its own way
    notice["UnsubscribeUrl"] = notice.pop("UnsubscribeURL")
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{notice['TopicArn']}:{_id('subscription')}",
        "Sns": notice | {"MessageAttributes": {}},
    }
    return {"Records": [record]}


def eventbridge(body: str, at: datetime = TAKEN_AT) -> Event:
    """The event around a body of SES event publishing; this is also what a function gets that is a rule's target."""
    detail = json.loads(body)
    return {
        "version": "0",
        "id": _id(body),
        "detail-type": DETAIL_TYPES[detail["eventType"]],
        "source": "aws.ses",
        "account": ACCOUNT,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/letters"],
        "detail": detail,
    }


def notification(body: str, at: datetime = TAKEN_AT, topic: str = "aftersend-SesEventsTopic") -> Event:
    """What SNS puts around a body where raw delivery is off."""
    host = f"https://sns.{REGION}.amazonaws.com"
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}"
    return {
        "Type": "Notification",
        "MessageId": _id(body),
        "TopicArn": arn,
        "Subject": "Amazon SES Email Event Notification",
        "Message": body,
        "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
        "Signature": "c2lnbmF0dXJlIG9mIGEgc2FtcGxl",
        "SigningCertURL": f"{host}/SimpleNotificationService-{hashlib.sha256(b'sample').hexdigest()[:32]}.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={arn}:{_id('subscription')}",
    }


def schedule(rule: str, at: datetime = TAKEN_AT) -> Event:
    """What a schedule of EventBridge hands over."""
    return {
        "version": "0",
        "id": _id(rule),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"],
        "detail": {},
    }


def rabbitmq(bodies: Iterable[bytes], queue: str) -> Event:
    """A batch that Lambda took from a queue of Amazon MQ."""
    deliveries = [
        {
            "basicProperties": {"contentType": None, "contentEncoding": None, "headers": {}, "bodySize": len(body)},
            "redelivered": False,
            "data": base64.b64encode(body).decode(),
        }
        for body in bodies
    ]
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": f"arn:aws:mq:{REGION}:{ACCOUNT}:broker:mail:b-00000000-0000-4000-8000-000000000000",
        "rmqMessagesByQueue": {f"{queue}::/": deliveries},
    }


def http(method: str, path: str, body: str | None = None, **others: Any) -> Event:
    """A request of an HTTP API, in payload format version 2.0."""
    given = {"content-type": "application/json"} if body is not None else {}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": given | {"host": HOST},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": HOST,
            "stage": "$default",
            "requestId": _id(path),
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "authorizer": {"iam": {"userArn": f"arn:aws:iam::{ACCOUNT}:user/local"}},
        },
        **({} if body is None else {"body": body}),
        "isBase64Encoded": False,
        **others,
    }


def _write_binary(row: Event) -> Event:
    """A row with its sets of bytes as Lambda's JSON has them: in base64."""
    coded = {
        name: {"BS": [base64.b64encode(each).decode() for each in held["BS"]]}
        for name, held in row.items()
        if "BS" in held
    }
    return row | coded


def stream(row: Event, table: str = "aftersend-Suppressions", at: datetime = TAKEN_AT) -> Event:
    """What the stream of a table hands over when `row` was added, in DynamoDB's own types."""
    record = {
        "ApproximateCreationDateTime": int(at.timestamp()),
        "Keys": {name: row[name] for name in (("domain", "window") if "window" in row else ("recipient", "scope"))},
        "NewImage": row,
        "SequenceNumber": "100000000000000000001",
        "SizeBytes": len(json.dumps(row)),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    return {
        "Records": [
            {
                "eventID": _id(table).replace("-", ""),
                "eventName": "INSERT",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": REGION,
                "dynamodb": record,
                "eventSourceARN": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/2026-03-01T00:00:00.000",
            }
        ]
    }


def _in_window(event: Event) -> Event:
    """The same as a mapping with a tumbling window has it (Lambda developer guide, "Tumbling windows")."""
    return event | {
        "shardId": "shardId-00000001772443500000-1f0a9b3c",
        "eventSourceARN": event["Records"][0]["eventSourceARN"],
        "window": {"start": "2026-03-02T09:30:00Z", "end": "2026-03-02T09:45:00Z"},
        "state": {},
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def _sqs_record(body: str, place: int, at: datetime, queue: str) -> Event:
    sent = str(int(at.timestamp() * 1000) + place)
    return {
        "messageId": _id(f"{place} {body}"),
        "receiptHandle": hashlib.sha256(body.encode()).hexdigest(),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDAISENDEROFASAMPLE",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "awsRegion": REGION,
    }


def _id(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))


# ---- The files in events/invoke --------------------------------------------------------------------------------------

OOTO: Final = ("story-ooto.1-delivery.json", "story-ooto.2-bounce.json")
LIFE: Final = ("story-life.1-send.json", "story-life.3-delivery.json", "story-life.7-complaint.json")
MALFORMED: Final = ("delivery.json", "malformed-truncated.txt", "bounce-permanent-noemail.json")
NOBODY: Final = "nobody-home@example.net"  # whom the events about no sample are about
PUSH_PATH: Final = "nobody-may-know-this-path"  # what a provider must know to push


def _text(source: str, case: str) -> str:
    return (EVENTS / source / case).read_text()


def _texts(source: str, *cases: str) -> list[str]:
    return [_text(source, case) for case in cases]


def _hard_bounce() -> Event:
    """A row of the table of suppressions."""
    ref = EvidenceRef(at=TAKEN_AT, feedback="0" * 20, message="ses:1", source="ses", reason=Reason.USER_UNKNOWN)
    causes = {CauseKind.HARD: Cause(first=ref, latest=ref)}
    row = Suppression(recipient=f"email:{NOBODY}", causes=causes, version=1)
    return dict(encode_suppression(row, timedelta(days=180), TAKEN_AT))


def _incident() -> Event:
    """A window in which a domain refuses everybody, as the table of the spike guard has it."""
    window = find_window(f"email:{NOBODY}", TAKEN_AT, load().guard)
    traffic = Traffic(window=window)
    for number in range(60):
        refusal = report_refusal(window, f"email:u{number}@example.com", Reason.USER_UNKNOWN)
        traffic = merge_traffic(traffic, refusal)
    known = schema.encode_schema(spike_windows.SCHEMA) | {"version": {"N": "60"}}
    row = spike_windows.build_window_key(window) | known | spike_windows.encode_sets(traffic)
    return _write_binary(dict(row | spike_windows.encode_state(traffic, load().guard)))


def _webhook() -> str:
    """What an endpoint would be told, which nobody has configured."""
    event = {"id": "evt_0", "type": "suppression.released", "timestamp": "2026-03-02T08:00:00.000Z"}
    released = {"recipient": f"email:{NOBODY}", "scope": "*", "causes": ["hard"], "version": 2}
    body = json.dumps(event | {"data": released})
    return json.dumps({"endpoint": "crm", "id": event["id"], "type": event["type"], "body": body})


def _in_group(event: Event) -> Event:
    """As a FIFO queue gives its messages out."""
    for record in event["Records"]:
        record["attributes"] |= {"MessageGroupId": "crm", "MessageDeduplicationId": "crm"}
    return event


def _push(source: str, case: str) -> Event:
    known = {"source": source, "secret": PUSH_PATH}
    return http("POST", f"/feedback/{source}/{PUSH_PATH}", _text(source, case), pathParameters=known)


# File -> the event in it. What stands before the hyphen is the function's name in the template.
# S3 user guide, "Event message structure", as far as anything of it is read.
_NOTICE: Final = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": "2026-03-02T12:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "feedback",
                "bucket": {"name": "aftersend-listfiles", "arn": "arn:aws:s3:::aftersend-listfiles"},
                "object": {
                    "key": "drop/mailerq/2026-03-02.jsonl",
                    "size": 1024,
                    "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                    "sequencer": "0055AED6DCD90281E5",
                },
            },
        }
    ]
}

_RULE: Final = '[[rule]]\nid = "parked"\nwhen.text = ["mailbox * parked"]\nthen.reason = "mailbox_disabled"\n'

INVOCATIONS: Final[dict[str, Callable[[], Event]]] = {
    "ProcessSes-sqs-raw.json": lambda: sqs(_texts("ses", *OOTO)),
    "ProcessSes-sqs-sns.json": lambda: sqs_of_sns(_texts("ses", *LIFE)),
    "ProcessSes-sqs-eventbridge.json": lambda: sqs_of_eventbridge(_texts("ses", *LIFE)),
    "ProcessSes-sqs-malformed.json": lambda: sqs(_texts("ses", *MALFORMED)),
    "ProcessSes-sns.json": lambda: sns(_text("ses", "complaint-abuse.json")),
    "ProcessSes-eventbridge.json": lambda: eventbridge(_text("ses", "bounce-permanent-noemail.json")),
    "ProcessReport-mail.json": lambda: sqs_of_sns(_texts("report", "inbound-utf8.json")),
    "ProcessFeedback-directmail.json": lambda: sqs(
        _texts("directmail", "document-failed.txt"), queue="aftersend-FeedbackQueue", attributes={SOURCE: "directmail"}
    ),
    "ProcessFeedback-mailerq.json": lambda: sqs(
        _texts("mailerq", "story-retry-refused.3.queue-failure.json"),
        queue="aftersend-FeedbackQueue",
        attributes={SOURCE: "mailerq", "header.x-queue": "failure"},
    ),
    "ProcessFeedback-text-message.json": lambda: sqs(
        _texts("aws_sms", "eventbridge-successful.json"), queue="aftersend-FeedbackQueue"
    ),
    "ProcessFeedback-logs.json": lambda: json.loads(_text("sns_push", "logs-packed.json")),
    "Consume-results.json": lambda: rabbitmq(
        [(EVENTS / "mailerq" / "doc-retry-then-accepted.queue-results.json").read_bytes()], "results"
    ),
    "Poll-schedule.json": lambda: schedule("aftersend-PollSchedule"),
    "Receive-mailerq.json": lambda: _push("mailerq", "doc-extracted.queue-success.json"),
    "Query-check.json": lambda: http("POST", "/suppressions/check", json.dumps({"recipients": [NOBODY]})),
    "Operate-status.json": lambda: http("GET", "/status"),
    "Operate-look.json": lambda: schedule("aftersend-OperateLook"),
    "ServeConsole-begin.json": lambda: http("GET", "/console"),
    "RunListJobs-import.json": lambda: http(
        "POST",
        "/suppressions/import",
        f"recipient,kind,at\n{NOBODY},hard,2026-03-01T00:00:00Z\n",
        rawQueryString="dry_run=true",
        headers={"content-type": "text/csv", "host": HOST},
    ),
    "RunListJobs-outcomes.json": lambda: {"scheduled": "outcomes"},
    "RunListJobs-exports.json": lambda: {"scheduled": "exports"},
    "RunListJobs-dropped.json": lambda: sqs([json.dumps(_NOTICE)], queue="aftersend-ListJobsQueue"),
    "RunListJobs-job.json": lambda: sqs(["0" * 32], queue="aftersend-ListJobsQueue"),
    "Reevaluate-schedule.json": lambda: schedule("aftersend-ReevaluateExpire"),
    "Reevaluate-dry-run.json": lambda: sqs(['{"dry_run": true}'], queue="aftersend-ReevaluateQueue"),
    "TryRules-check.json": lambda: http("POST", "/rules/check", json.dumps({"rules": _RULE})),
    "TryRules-trial.json": lambda: http("POST", "/rules/trials", json.dumps({"rules": _RULE})),
    "TryRules-job.json": lambda: sqs(["0" * 32], queue="aftersend-TryRulesQueue"),
    "Gather-part.json": lambda: sqs(
        ['{"key": "source=ses/firehose/date=2026-03-02/hour=10/mass.gz"}'], queue="aftersend-MassQueue"
    ),
    "Replay-day.json": lambda: sqs(['{"source": "ses", "folder": "date=2026-03-02/"}'], queue="aftersend-ReplayQueue"),
    "SyncSesList-stream.json": lambda: stream(_hard_bounce()),
    "Streams-suppressions.json": lambda: _in_window(stream(_hard_bounce())),
    "PublishIncidents-opened.json": lambda: stream(_incident(), "aftersend-SpikeWindows"),
    "DeliverWebhooks-suppressed.json": lambda: _in_group(sqs([_webhook()], queue="aftersend-WebhookQueue.fifo")),
}


def rendered(name: str) -> str:
    """The text of one file in `events/invoke/`."""
    return json.dumps(INVOCATIONS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in INVOCATIONS:
        (EVENTS / "invoke" / name).write_text(rendered(name))
