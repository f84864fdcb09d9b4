"""`poll` as it is deployed starts, reads its settings and asks for its key. What it does then: test_mns_queue.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.emulator import Build, Emulator

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize(
    ("secret", "error", "message"),
    [
        (None, "StoreUnavailable", "Secrets Manager: GetSecretValue failed: ResourceNotFoundException"),
        ("{}", "ConfigurationError", "the secret of MNS holds no access_key_id and access_key_secret"),
    ],
)
def test_it_starts(build: Build, cloud: Cloud, tmp_path: Path, secret: str | None, error: str, message: str) -> None:
    environment = cloud.environment("Poll") | {
        "MNS_ENDPOINT": "https://1.mns.eu-central-1.aliyuncs.com",
        "MNS_SECRET": f"mns-{error}",
    }
    if secret is not None:
        cloud.client("secretsmanager").create_secret(Name=f"mns-{error}", SecretString=secret)
    path = [build.function.parent / "Poll", *build.path[1:]]
    with Emulator(path, environment, tmp_path / "log", "app.handler") as function:
        answer = function.invoke({"source": "aws.events"})
    assert (answer["errorType"], answer["errorMessage"]) == (error, message), json.dumps(answer)
