"""What a function imports when it starts: a start is paid for before the first message is worked."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Final

import pytest

from aftersend.sources import SOURCES
from local.environment import false_account
from tests.support.template import FUNCTIONS, ROOT, variables

SCRIPT: Final = "import sys, app; print(*sys.modules)"
# Each takes longer to import than most of what is ours, and is needed for seldom work only, or by nobody.
DEAR: Final = {
    "boto3",
    "botocore.session",
    "botocore.client",
    "urllib3",
    "http.client",
    "email.parser",
    "email.utils",
    "asyncio",
    "pydantic",
    "cryptography",
    "defusedxml",
    "xml.etree.ElementTree",
    "zoneinfo",
    "csv",
    "idna",
    "importlib.metadata",
    "importlib.resources",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.batch",
    "aws_lambda_powertools.utilities.parser",
}
RULES: Final = {"aftersend.classify.engine", "aftersend.classify.pattern", "aftersend.classify.shipped"}
JOBS: Final = {
    "aftersend.jobs.reevaluate",
    "aftersend.jobs.replay",
    "aftersend.jobs.ses_sync",
    "aftersend.lists.service",
}
API: Final = {"aftersend.api.app", "aftersend.api.context"}
WEBHOOKS: Final = {"aftersend.webhooks.receive", "aftersend.webhooks.schemes"}
THREADS: Final = {"concurrent.futures"}
# What each function has no use for before, or whatever, it is asked; and of which sources it has the parsers.
STARTS: Final = {
    "ProcessSes": (THREADS | RULES | JOBS | API | WEBHOOKS, {"ses"}),
    "ProcessFeedback": (THREADS | RULES | JOBS | API | WEBHOOKS, set()),
    "Consume": (THREADS | RULES | JOBS | API | WEBHOOKS, {"mailerq"}),
    "Query": (RULES | JOBS | WEBHOOKS | {"aftersend.ingest", "aftersend.sources"}, set()),
    "Receive": (RULES | JOBS | API | {"aftersend.ingest", "aftersend.storage.store"}, set()),
}


def _imported(function: str, more: dict[str, str]) -> set[str]:
    """Every module that a function has imported once it stands ready, in an environment like Lambda's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    code = str(FUNCTIONS[function]["CodeUri"])
    path = os.pathsep.join(str(ROOT / folder) for folder in (code, "layers/aftersend"))
    environment = inherited | false_account("http://127.0.0.1:9") | variables(function) | {"PYTHONPATH": path} | more
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("function", STARTS)
def test_a_function_starts_without_what_is_dear(function: str) -> None:
    useless, parsers = STARTS[function]
    found = _imported(function, {})
    assert "aftersend.http.transport" in found
    assert found & (DEAR | useless) == set()
    modules = {str(row.parser): name for name, row in SOURCES.items() if isinstance(row.parser, str)}
    assert {modules[each] for each in found if each in modules} == parsers


def test_what_is_left_out_has_its_name_still() -> None:
    """A module that was renamed would never be found, and the test above would pass for nothing."""
    for module in set[str]().union(DEAR, *(useless for useless, _ in STARTS.values())):
        assert find_spec(module) is not None, module


@pytest.mark.parametrize("name", ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "HTTPS_PROXY"])
def test_process_starts_with_boto3_where_only_that_will_do(name: str) -> None:
    assert "boto3" in _imported("ProcessSes", {name: "http://127.0.0.1:9/credentials"})
