"""List jobs through the whole stack on this machine: the function of the template, its bucket, its queue, its table."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import pytest

from aftersend.lists.drop import make_drop_id
from aftersend.storage import items
from local.lambdas import Lambdas
from local.samples import EVENTS
from local.serve_routes import Gateway
from local.stack import Stack, running
from local.tables import Tables
from tests.support.api import ARN, event

LIST = b"".join(b"%d@example.com,BOUNCE,2026-03-01T00:00:00Z\n" % number for number in range(40))


class Site:
    """A stack and its functions; requests go to the one that works list jobs."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.lambdas = stack, Lambdas(stack)
        self.work = self.lambdas.functions["RunListJobs"]

    def __call__(self, method: str, target: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        asked = event(method, target, by={"iam": {"userArn": ARN}})
        if body is not None:
            raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
            asked |= {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
            asked["headers"]["content-type"] = kind
        return self.work(asked)

    def done(self, method: str, target: str, body: Any, kind: str = "application/json") -> Any:
        """The job that a request begins, once it is over: on a busy machine some of it may be left to the queue."""
        job = read(self(method, target, body, kind))
        self.lambdas.drain()
        return read(self("GET", f"/jobs/{job['id']}"))

    def suppressions(self) -> list[Any]:
        table = self.work.variables["SUPPRESSIONS_TABLE"]
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [items.decode_suppression(item) for page in pages for item in page["Items"]]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running() as stack:
        yield Site(stack)


def read(answer: dict[str, Any]) -> Any:
    return msgspec.json.decode(answer["body"])


def test_a_list_is_uploaded_imported_exported_and_somebody_is_forgotten(site: Site) -> None:
    shown = read(site("POST", f"/suppressions/import/uploads?dry_run=false&format=ses&bytes={len(LIST)}"))
    with urlopen(Request(shown["upload"]["url"], LIST, {"content-type": "text/csv"}, method="PUT")) as answer:
        assert answer.status == 200
    assert read(site("POST", f"/jobs/{shown['id']}/start"))["state"] == "queued"
    site.lambdas.drain()
    done = read(site("GET", f"/jobs/{shown['id']}"))
    assert (done.get("why"), done["state"], done["imported"]["new"]) == (None, "done", 40)
    assert len(site.suppressions()) == 40

    again = site.done("POST", "/suppressions/import?dry_run=true&format=ses", LIST, "text/csv")
    assert (again["state"], again["imported"]["unchanged"]) == ("done", 40)

    made = site.done("POST", "/suppressions/export", {"format": "addresses", "channel": "email"})
    assert (made["state"], made["exported"]["rows"]) == ("done", 40)
    with urlopen(made["download"]["url"]) as answer:
        lines = answer.read().decode().splitlines()
        assert answer.headers["content-disposition"].startswith("attachment")
    assert len(lines) == 41
    assert "7@example.com,hard,,2026-03-01T00:00:00.000Z,2026-03-01T00:00:00.000Z," in lines

    assert read(site("DELETE", "/recipients/7@example.com")) == {"outcomes": 0, "suppressions": 1, "suppressed": True}
    page = site("GET", "/suppressions/export?limit=30")
    assert page["headers"]["Content-Type"].startswith("text/csv")
    rest = site("GET", f"/suppressions/export?limit=30&cursor={page['headers']['Next-Cursor']}")
    assert (page["body"] + rest["body"]).count("\r\n") == 40
    assert "email:7@example.com" not in page["body"] + rest["body"]


def test_who_is_forgotten_is_asked_of_the_function_that_may(site: Site) -> None:
    """Its route has a longer beginning than the one that takes everything."""
    routes = Gateway(site.stack, site.lambdas.functions).routes
    to_erase = [route for route in routes if route.match("/recipients/ann@example.com") is not None]
    assert next(route.function for route in to_erase if route.method in ("DELETE", "ANY")) == "RunListJobs"
    assert next(route.function for route in to_erase if route.method in ("GET", "ANY")) == "Query"


def test_logs_hold_no_address_and_no_name(site: Site) -> None:
    """Nobody's: neither a recipient's nor that of whoever asked."""
    shown = read(site("POST", f"/suppressions/import/uploads?dry_run=true&format=ses&bytes={len(LIST)}"))
    with urlopen(Request(shown["upload"]["url"], LIST, {"content-type": "text/csv"}, method="PUT")):
        site("POST", f"/jobs/{shown['id']}/start")
    site.lambdas.drain()
    site("GET", "/suppressions/export")
    logs = site.work.logs.getvalue()
    assert shown["id"] in logs
    assert "example" not in logs
    assert ARN not in logs


def test_a_message_about_nothing_is_done_with(site: Site) -> None:
    answer = site.work({"Records": [{"messageId": "1", "body": "no such job"}]})
    assert answer == {"batchItemFailures": []}


def test_a_dropped_file_becomes_feedback_and_a_line_that_nobody_can_read_is_parked_with_its_number(site: Site) -> None:
    """The way of a file in the stack: bucket, notice, job, feedback queue, tables; all that is not local is moto's."""
    samples = [path for path in sorted((EVENTS / "ses").glob("bounce-*.json")) if ".expected" not in path.name]
    lines = [msgspec.json.encode(msgspec.json.decode(path.read_bytes())) for path in samples]
    lines.insert(2, b"no feedback at all")
    bucket = site.work.variables["LIST_FILES_BUCKET"]
    key = "drop/ses/2026-03-02 a+b.jsonl"
    site.stack.client("s3").put_object(Bucket=bucket, Key=key, Body=b"\n".join(lines))
    while site.lambdas.drain():
        pass
    job = read(site("GET", f"/jobs/{make_drop_id(key)}"))
    assert (job["job"], job["state"]) == ("drop", "done")
    assert job["dropped"] == {
        "file": "ses/2026-03-02 a+b.jsonl",
        "size": len(b"\n".join(lines)),
        "read": len(b"\n".join(lines)),
        "sent": len(lines),
        "parked": 0,
    }
    found = Tables(site.stack, site.lambdas.functions["ProcessFeedback"].variables)
    assert {outcome.feedback[0].source for outcome in found.contents().outcomes} == {"ses"}
    queue = site.lambdas.functions["ProcessFeedback"].variables["UNREADABLE_BODIES_QUEUE"]
    answer = site.stack.client("sqs").receive_message(QueueUrl=queue, MessageAttributeNames=["All"])
    (parked,) = answer["Messages"]
    attributes = {name: each["StringValue"] for name, each in parked["MessageAttributes"].items()}
    assert (parked["Body"], attributes["source"], attributes["header.x-file"]) == (
        "no feedback at all",
        "ses",
        "ses/2026-03-02 a+b.jsonl:3",
    )
