"""Credentials as the runtime hands them out to a function of a snapshot, by the emulator that has Lambda's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from local import envelopes
from tests.support.cloud import Cloud
from tests.support.emulator import Build, Emulator
from tests.support.template import ROOT

# The emulator passes on its own variables, where a function of a snapshot has no credentials.
HANDLER: Final = """import os, sys

for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
    del os.environ[name]

import app


def handler(event, context):
    return app.handler(event, context) | {"boto3": "boto3" in sys.modules}
"""


def test_a_function_without_credentials_of_its_own_works_on_those_of_its_runtime(
    build: Build, cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "snapshot.py").write_text(HANDLER)
    started = Emulator(
        [tmp_path, *build.path],
        cloud.environment("ProcessSes"),
        tmp_path / "log",
        "snapshot.handler",
        ["--enable-init-caching"],
    )
    sample = (ROOT / "events" / "ses" / "delivery.json").read_text()
    with started:
        assert started.invoke(envelopes.sqs([sample])) == {"batchItemFailures": [], "boto3": False}
    (stored,) = cloud.rows("Outcomes")
    assert stored["status"] == "delivered"
