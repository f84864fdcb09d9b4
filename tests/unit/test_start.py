"""What a function imports when it starts: a start is paid for before the first message is worked."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest

from local.environment import false_account
from tests.support.template import ROOT, variables

SCRIPT: Final = "import sys, app; print(*sys.modules)"
# Each takes longer to import than all that is ours, and nothing that a batch needs.
DEAR: Final = {
    "boto3",
    "botocore.session",
    "botocore.client",
    "urllib3",
    "http.client",
    "email.parser",
    "asyncio",
    "pydantic",
}


def _imported(more: dict[str, str]) -> set[str]:
    """Every module that `process` has imported once it stands ready, in an environment like Lambda's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("functions/process", "layers/aftersend"))
    environment = (
        inherited | false_account("http://127.0.0.1:9") | variables("ProcessSes") | {"PYTHONPATH": path} | more
    )
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_process_starts_without_what_is_dear() -> None:
    found = _imported({})
    assert "aftersend.http.transport" in found
    assert not found & DEAR


@pytest.mark.parametrize("name", ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "HTTPS_PROXY"])
def test_process_starts_with_boto3_where_only_that_will_do(name: str) -> None:
    assert "boto3" in _imported({name: "http://127.0.0.1:9/credentials"})
