"""An address is planted by every way in, as a recipient and as somebody whom others' feedback names, and erased then.

Whatever is stored is looked at: every table, every bucket, every queue. Where it is still found, docs/lists.md says so.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, Final

import pytest

from aftersend.storage import items
from local.lambdas import Lambdas
from local.pushes import serving
from local.server import Server, Site
from local.signing import Authority
from local.stack import Stack, running
from tests.support.template import ROOT

NAME: Final = "canary.bird"
CANARY: Final = f"{NAME}@planted.example"
# As it may stand in what is stored: as it is, in a link, in a bounce address, in base64.
SPELLINGS: Final = re.compile(
    rf"{re.escape(NAME)}(?:@|%40|=)planted\.example|{base64.b64encode(CANARY.encode())[:24].decode()}", re.IGNORECASE
)
# What the page says is left, by the resources of the template.
DOCUMENTED: Final = {
    "raw bodies in the archive": {"Archive"},
    "received mails": {"InboundMail"},
    "files of imports and exports": {"ListFiles"},
    "queues and dead letters": {"UnreadableBodies"},
}


class Planted:
    """The embedded stack, and what lies in it."""

    def __init__(self, stack: Stack, server: Server, lambdas: Lambdas) -> None:
        self.stack, self.server, self.lambdas = stack, server, lambdas
        self.topics = stack.physical_ids("AWS::SNS::Topic")
        self.buckets = stack.physical_ids("AWS::S3::Bucket")
        self.queues = stack.physical_ids("AWS::SQS::Queue")

    def publish(self, topic: str, body: Any) -> None:
        message = body if isinstance(body, str) else json.dumps(body)
        self.stack.client("sns").publish(TopicArn=self.topics[topic], Message=message)
        self.lambdas.drain()

    def receive_mail(self, name: str, mail: str) -> None:
        bucket = self.buckets["InboundMail"]
        self.stack.client("s3").put_object(Bucket=bucket, Key=f"mail/{name}", Body=mail.encode())
        action = {"type": "S3", "bucketName": bucket, "objectKey": f"mail/{name}"}
        notice = {"notificationType": "Received", "mail": {"messageId": name}, "receipt": {"action": action}}
        self.publish("ReportTopic", notice)

    def ask(self, method: str, path: str, body: str | None = None, kind: str = "application/json") -> Any:
        connection = HTTPConnection(self.server.host, timeout=60)
        try:
            connection.request(method, path, body, {"content-type": kind} if body else {})
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status < 300, (method, answer.status, text)
            self.lambdas.drain()
            return text
        finally:
            connection.close()

    def look(self) -> set[str]:
        """Every table, bucket and queue in which the address stands, by its name in the template."""
        found = {name for name, texts in self._everything() for text in texts if SPELLINGS.search(text)}
        return {"UnreadableBodies" if "Dead" in name or "Unreadable" in name else name for name in found}

    def _everything(self) -> Iterator[tuple[str, Iterator[str]]]:
        for name, table in self.stack.physical_ids("AWS::DynamoDB::Table").items():
            yield name, self._rows(name, table)
        for name, bucket in self.buckets.items():
            yield name, self._objects(bucket)
        for name, url in self.queues.items():
            yield name, self._messages(url)

    def _rows(self, name: str, table: str) -> Iterator[str]:
        for page in self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                yield repr(item)
                if name == "Outcomes":  # facts may be packed
                    yield repr(items.decode_outcome(item))

    def _objects(self, bucket: str) -> Iterator[str]:
        s3 = self.stack.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", ()):
                body = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
                yield each["Key"]
                yield (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode(errors="replace")

    def _messages(self, url: str) -> Iterator[str]:
        sqs = self.stack.client("sqs")
        seen: list[Any] = []
        while found := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
        ).get("Messages"):
            seen += found
        for each in seen:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"], VisibilityTimeout=0)
            yield repr(each)


@pytest.fixture(scope="module")
def planted() -> Iterator[Planted]:
    with running() as stack:
        lambdas = Lambdas(stack)
        site = Site(stack, lambdas.functions, lambdas.functions["ProcessSes"].variables, Authority())
        with serving(Server(site, 0)) as server:
            yield Planted(stack, server, lambdas)


def _bounce(recipient: str, text: str, message: str) -> dict[str, Any]:
    at = "2026-03-30T09:00:00.000Z"
    return {
        "notificationType": "Bounce",
        "mail": {
            "timestamp": at,
            "messageId": message,
            "source": "news@example.com",
            "destination": [recipient, CANARY],
            "commonHeaders": {"subject": f"For {CANARY}", "to": [recipient, CANARY]},
            "tags": {"referred-by": [CANARY]},
        },
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "timestamp": at,
            "feedbackId": f"f-{message}",
            "bouncedRecipients": [
                {"emailAddress": recipient, "action": "failed", "status": "5.1.1", "diagnosticCode": f"smtp; {text}"}
            ],
        },
    }


DSN: Final = """\
From: MAILER-DAEMON@mx.example.net
To: bounce+canary.bird=planted.example@bounce.example.com
Subject: Undelivered
Date: Mon, 30 Mar 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

<forwarded@example.net>, which {canary} forwards to, is unknown.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Mon, 30 Mar 2026 08:59:00 +0000

Original-Recipient: rfc822; {canary}
Final-Recipient: rfc822; forwarded@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <forwarded@example.net> (alias of <{canary}>): user unknown

--b
Content-Type: text/rfc822-headers

Message-ID: <told-1@mail.example.com>
From: news@example.com
To: {canary}
Subject: For {canary}
X-Customer: {canary}

--b--
"""


def plant(planted: Planted) -> None:
    """By every way in: as a recipient, beside another, in texts that no rule knows, in lists, in what is broken."""
    for number, text in enumerate((f"550 5.1.1 <{CANARY}>: unknown", f"554 zorp quux <{CANARY}> flimflam")):
        planted.publish("SesBouncesTopic", _bounce(CANARY, text, f"own-{number}"))
    for number, text in enumerate(
        (
            f"550 5.1.1 <bob@planted.example>, <{CANARY}>: users unknown",
            f"554 zorp quux for {CANARY} and others",
            f"550 see https://mx.example.net/why?rcpt={NAME}%40planted.example",
            f"550 srs0=ab=cd={CANARY.replace('@', '=')}@relay.example is unknown",
        )
    ):
        planted.publish("SesBouncesTopic", _bounce("bob@planted.example", text, f"beside-{number}"))
    planted.publish("SesBouncesTopic", f"{{{CANARY}: this is no feedback")
    planted.receive_mail("forwarded", DSN.format(canary=CANARY))
    row = f"recipient,kind,at,note\n{CANARY},manual,2026-03-01T00:00:00Z,asked by {CANARY}\n{CANARY} x,manual,,\n"
    planted.ask("POST", "/suppressions/import?dry_run=false", row, "text/csv")
    planted.ask("POST", "/suppressions/export", json.dumps({"format": "csv"}))
    planted.ask("PUT", f"/suppressions/{CANARY}?scope=news", json.dumps({"note": f"{CANARY} rang us"}))


def test_after_an_erasure_the_address_is_found_where_the_page_says_and_nowhere_else(planted: Planted) -> None:
    plant(planted)
    before = planted.look()
    assert {"Outcomes", "Suppressions", "Archive", "InboundMail", "ListFiles"} <= before
    shown = json.loads(planted.ask("GET", f"/recipients/{CANARY}"))
    assert len(shown["outcomes"]) == 2
    erased = json.loads(planted.ask("DELETE", f"/recipients/{CANARY}"))
    assert (erased["outcomes"], erased["suppressed"]) == (2, True)
    left = planted.look()
    text = (ROOT / "docs" / "lists.md").read_text("utf-8")
    named = {name for words, places in DOCUMENTED.items() if f"| {words}" in text for name in places}
    assert not left & set(planted.stack.physical_ids("AWS::DynamoDB::Table"))
    assert left == named  # what is left is named, and what is named would be found
    others = json.loads(planted.ask("GET", "/recipients/bob@planted.example"))
    assert len(others["outcomes"]) == 4  # nothing of theirs is lost
