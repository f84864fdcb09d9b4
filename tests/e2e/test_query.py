"""`query` as it is deployed: what SAM builds, with the template's settings, behind Lambda's Runtime API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from aftersend.api.document import FILE
from local import envelopes
from tests.e2e.test_process import LIFE, body
from tests.support.api import ARN, event
from tests.support.cloud import Cloud
from tests.support.emulator import Build, Emulator

pytestmark = pytest.mark.emulator

COMPLAINT: Final = "urn:aftersend:problem:release-requires-force"


@pytest.fixture
def query(build: Build, cloud: Cloud, tmp_path: Path) -> Iterator[Emulator]:
    environment = cloud.environment("Query")
    path = [build.function.parent / "Query", *build.path[1:]]
    with Emulator(path, environment, tmp_path / "log", "app.handler") as started:
        yield started


def ask(query: Emulator, method: str, target: str, asked: Any = None, headers: Any = None) -> tuple[int, Any]:
    answer = query.invoke(event(method, target, asked, headers, {"iam": {"userArn": ARN}}))
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None


def test_a_story_is_reported_and_decided(process: Emulator, query: Emulator, cloud: Cloud) -> None:
    process.invoke(envelopes.sqs([body(case) for case in LIFE]))
    mail = json.loads(body(LIFE[0]))["mail"]
    address, message = mail["destination"][0], f"ses:{mail['messageId']}"
    status, checked = ask(query, "POST", "/suppressions/check", {"recipients": [address.upper()]})
    assert (status, checked["results"][0]["why"][0]["cause"]) == (200, "complaint")
    status, answer = ask(query, "GET", f"/messages/{message}")
    assert [each["kind"] for each in answer["outcomes"][0]["feedback"]] == ["sent", "delivered", "complained"]
    one = f"/suppressions/{address}"
    assert ask(query, "DELETE", f"{one}?note=x")[1]["type"] == COMPLAINT
    assert ask(query, "DELETE", f"{one}?note=x&force=true", headers={"if-match": '"1"'})[0] == 200
    assert ask(query, "HEAD", one) == (404, None)
    (row,) = cloud.rows("Suppressions")
    assert (row["version"], row["released_by"]) == ("2", ARN)
    log = query.log.read_text()
    assert address not in log and len(query.lines()) == 5


def test_the_document_is_shipped(query: Emulator) -> None:
    assert ask(query, "GET", "/openapi.json") == (200, json.loads(FILE.read_text()))
