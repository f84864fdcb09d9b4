"""The function behind the API as the template starts it: its settings, what it imports, its tables, its log."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from types import ModuleType
from typing import Any, Final

import pytest

from aftersend import settings
from aftersend.api.context import build
from aftersend.aws import connect
from aftersend.core.errors import ConfigurationError
from aftersend.ingest import ingest
from aftersend.storage.store import Store, TableNames
from local.environment import environment, false_account
from tests.support.api import ARN, event
from tests.support.cloud import Cloud, serving
from tests.support.facts import bounce, fake_source, message
from tests.support.ports import ports
from tests.support.template import FUNCTIONS, ROOT, variables

FUNCTION: Final = "Query"
SCRIPT: Final = "import sys, app; print(*sys.modules)"
# What a question does not need: AWS's own client, what brings feedback in, and the document's workshop.
NEEDLESS: Final = {
    "boto3",
    "botocore.session",
    "urllib3",
    "pydantic",
    "aws_lambda_powertools.event_handler",
    "aftersend.storage.archive",
    "aftersend.classify",
    "aftersend.storage.dead_letters",
    "aftersend.ingest",
    "aftersend.sources",
    "aftersend.webhooks.schemes",
    "aftersend.api.openapi",
}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with serving() as cloud:
        cloud.create()
        yield cloud
        cloud.clear()


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> ModuleType:
    """The function, started in the environment of the template."""
    with environment(cloud.environment(FUNCTION)):
        spec = importlib.util.spec_from_file_location("query_app", ROOT / "functions" / "query" / "app.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    store = Store(module.made.store._client, TableNames(outcomes="Outcomes", suppressions="Suppressions"))
    with fake_source():
        assert not ingest([message([bounce(1, "hard")])], ports(store)).failed
    return module


@pytest.fixture
def log(app: ModuleType) -> Iterator[StringIO]:
    """What the function writes."""
    written = StringIO()
    before = app.logger.registered_handler.setStream(written)
    yield written
    app.logger.registered_handler.setStream(before)


def ask(app: ModuleType, method: str, target: str, body: Any = None) -> dict[str, Any]:
    answer: dict[str, Any] = app.handler(event(method, target, body, by={"iam": {"userArn": ARN}}), None)
    return answer


def test_it_answers_from_the_tables_of_the_template(app: ModuleType) -> None:
    found = ask(app, "POST", "/suppressions/check", {"recipients": ["Ann@example.com", "bob@example.org"]})
    assert [each["suppressed"] for each in json.loads(found["body"])["results"]] == [True, False]
    assert json.loads(ask(app, "GET", "/messages/test:1")["body"])["outcomes"][0]["status"] == "bounced"
    assert len(json.loads(ask(app, "GET", "/suppressions?from=2026-03-01&to=2026-03-31")["body"])["suppressions"]) == 1
    assert ask(app, "GET", "/incidents")["statusCode"] == 200


def test_it_judges_by_the_shipped_rules(app: ModuleType) -> None:
    """A word that no source has means nothing to them."""
    (outcome,) = json.loads(ask(app, "GET", "/messages/test:1")["body"])["outcomes"]
    assert outcome["verdict"]["rule"] == "test.hard"
    assert not outcome["feedback"][0].get("verdict", {}).get("rule", "").startswith("test.")


def test_the_log_has_the_route_and_no_address(app: ModuleType, log: StringIO) -> None:
    ask(app, "DELETE", "/suppressions/ann@example.com?note=for+ann@example.com")
    ask(app, "GET", "/ann@example.com")
    out = log.getvalue()
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["method"], first["route"], first["status"]) == ("DELETE", "/suppressions/{recipient}", 200)
    assert second["status"] == 404
    assert "ann" not in out


def test_a_fault_is_logged_with_its_place_and_without_its_text(
    app: ModuleType, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("ann@example.com")

    monkeypatch.setattr("aftersend.api.checks.find_suppressed", broken)
    answer = ask(app, "HEAD", "/suppressions/ann@example.com")
    assert (answer["statusCode"], answer["body"]) == (500, "")
    out = log.getvalue()
    line = json.loads(out)
    assert (line["level"], line["fault"][0]) == ("ERROR", "KeyError")
    assert "ann" not in out


def test_it_imports_nothing_that_no_question_needs() -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("functions/query", "layers/aftersend"))
    environment = inherited | false_account("http://127.0.0.1:9") | variables(FUNCTION) | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert {"aftersend.http.transport", "aftersend.api.routes"} <= found
    assert not found & NEEDLESS
    of_one_question = {"aftersend.api.suppressions", "aftersend.api.list_jobs", "aftersend.storage.statistics"}
    assert not found & of_one_question, "they come with the first one"


@pytest.mark.parametrize("name", ["OUTCOMES_TABLE", "SUPPRESSIONS_TABLE", "SPIKE_WINDOWS_TABLE", "DIGEST_KEY"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    given = variables(FUNCTION)
    assert settings.load_api(given).digest_key == b"DigestKey"
    for wrong in ({}, {name: " "}):
        with pytest.raises(ConfigurationError, match=name):
            settings.load_api({key: each for key, each in given.items() if key != name} | wrong)


def test_rules_of_ones_own_are_read_when_they_are_first_needed(cloud: Cloud) -> None:
    parameters = cloud.client("ssm")
    parameters.put_parameter(Name="/rules", Value="nonsense", Type="String")
    with environment(cloud.environment(FUNCTION) | {"RULES_PARAMETER": "/rules"}):
        made = build(settings.load_api(), connect, str)
        with pytest.raises(ConfigurationError):
            made.classify(bounce(1, "hard"))
    parameters.delete_parameter(Name="/rules")


def test_the_template_gives_the_function_time_to_answer() -> None:
    """API Gateway waits for 30 seconds."""
    assert FUNCTIONS[FUNCTION]["Timeout"] < 30
