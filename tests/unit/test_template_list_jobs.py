"""The template and list jobs: routes, rights, settings and times agree."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from aftersend.api import erasure, list_jobs
from aftersend.aws.boto import make_client
from aftersend.lists.files import ListFiles
from aftersend.lists.job import LEASE
from aftersend.lists.service import FIRST_RUN
from tests.support.template import FUNCTIONS, RESOURCES, ROOT, TEMPLATE, many, mentioned, nodes, one

WORK = FUNCTIONS["RunListJobs"]


def rights(function: str) -> list[tuple[set[str], set[str]]]:
    """What the role of a function allows: actions, and on what."""
    role = RESOURCES[one(FUNCTIONS[function]["Role"])]
    allowed = [node for node in nodes(role) if isinstance(node, dict) and "Action" in node and "Resource" in node]
    return [(set(many(each["Action"])), mentioned(each["Resource"])) for each in allowed]


def test_every_route_of_list_jobs_leads_to_its_function() -> None:
    """Whatever has none goes to Query, which has neither the rights nor the service for it."""
    events = [each["Properties"] for each in WORK["Events"].values() if each["Type"] == "HttpApi"]
    given = [(each["Method"], _pattern(each["Path"])) for each in events]
    routes = [*list_jobs.route.routes, *erasure.route.routes]
    assert routes
    for method, path in ((each.method, each.path.replace("{", "").replace("}", "")) for each in routes):
        assert [1 for verb, pattern in given if verb in (method, "ANY") and pattern.fullmatch(path)], (method, path)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{path\\\+\\\}", ".+", re.escape(path)))


def test_every_route_asks_who_it_is() -> None:
    paths = RESOURCES["Api"]["Properties"]["DefinitionBody"]["paths"]
    for event in WORK["Events"].values():
        if event["Type"] == "HttpApi":
            method = event["Properties"]["Method"].lower()
            operation = paths[event["Properties"]["Path"]][
                "x-amazon-apigateway-any-method" if method == "any" else method
            ]
            assert operation["security"] == {"Fn::If": ["HasJwt", [{"Jwt": ["aftersend/bulk"]}], [{"Iam": []}]]}


@pytest.mark.parametrize("action", ["dynamodb:DeleteItem", "dynamodb:Scan"])
def test_what_answers_questions_may_neither_delete_nor_read_whole_tables(action: str) -> None:
    assert not [actions for actions, _ in rights("Query") if action in actions]
    assert [actions for actions, on in rights("RunListJobs") if action in actions and on == {"Suppressions"}]


def test_outcomes_are_forgotten_and_exported_and_never_written() -> None:
    actions: set[str] = set().union(*(actions for actions, on in rights("RunListJobs") if "Outcomes" in on))
    assert actions == {"dynamodb:DeleteItem", "dynamodb:Query", "dynamodb:Scan"}


def test_nobody_has_a_job_for_longer_than_it_is_held() -> None:
    source = (ROOT / WORK["CodeUri"] / "app.py").read_text()
    (seconds,) = re.findall(r"^AT_A_TIME: Final = ([\d.]+)", source, re.MULTILINE)
    assert float(seconds) < WORK["Timeout"] < LEASE.total_seconds()
    assert FIRST_RUN < 20  # API Gateway waits for 30 seconds, and a chunk may be under way


def test_a_delayed_message_can_wait_for_a_job_that_is_held() -> None:
    """SQS delays a message by 15 minutes at most."""
    assert LEASE.total_seconds() + 10 <= 900


def test_files_are_private_encrypted_and_go_after_a_week() -> None:
    bucket: dict[str, Any] = RESOURCES["ListFiles"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_a_page_may_put_a_list_and_the_console_alone_and_only_where_its_origin_is_known() -> None:
    condition, configuration, without = RESOURCES["ListFiles"]["Properties"]["CorsConfiguration"]["Fn::If"]
    assert without == {"Ref": "AWS::NoValue"}
    (rule,) = configuration["CorsRules"]
    assert rule == {"AllowedMethods": ["PUT"], "AllowedOrigins": [{"Ref": "ConsoleOrigin"}], "MaxAge": 3000}
    hosted = FUNCTIONS["ServeConsole"]["Environment"]["Variables"]["CONSOLE_UPLOADS"]
    assert hosted == {"Fn::If": [condition, {"Fn::Sub": "https://${ListFiles.RegionalDomainName}"}, ""]}
    unknown = TEMPLATE["Parameters"]["ConsoleOrigin"]["Default"]
    assert TEMPLATE["Conditions"][condition] == {
        "Fn::And": [
            {"Condition": "HasConsole"},
            {"Fn::Not": [{"Fn::Equals": [{"Ref": "ConsoleOrigin"}, unknown]}]},
        ]
    }


@pytest.mark.parametrize(
    ("region", "suffix"),
    [("eu-west-1", "com"), ("us-east-1", "com"), ("cn-north-1", "com.cn"), ("il-central-1", "com")],
)
def test_a_list_goes_to_the_address_that_the_page_may_ask(
    region: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The regional domain name of the bucket; in the oldest region S3 has a shorter one, too."""
    for name, value in (("AWS_DEFAULT_REGION", region), ("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    files = ListFiles(make_client("s3"), "bucket", lambda: make_client("s3"))
    place = urlsplit(files.presign_put("jobs/1/list", 7))
    assert (place.scheme, place.netloc) == ("https", f"bucket.s3.{region}.amazonaws.{suffix}")
    assert parse_qs(place.query)["X-Amz-SignedHeaders"] == ["content-length;host"]  # and no type of the file
