"""`sam local invoke` in a container of Lambda's image: the one test of what SAM itself makes of template and build.

Needs a Docker daemon that answers (DOCKER_HOST is honoured), and the image, already there: nothing is pulled.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from local.environment import false_account
from local.samples import EVENTS
from tests.support.cloud import Cloud, serving
from tests.support.emulator import VERSION, Build
from tests.support.template import ROOT

pytestmark = pytest.mark.docker

IMAGE: Final = f"public.ecr.aws/lambda/python:{VERSION}-x86_64"


@pytest.fixture(scope="module")
def gateway() -> str:
    """The address at which a container finds this machine: by custom the first one of the bridge's network."""
    try:
        _knock()
        client = docker.from_env(timeout=10)
    except (OSError, DockerException) as trouble:
        pytest.skip(f"no Docker daemon answers: {trouble}")
    try:
        client.images.get(IMAGE)
        config = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    except ImageNotFound:
        pytest.skip(f"the image {IMAGE} is not here: docker pull {IMAGE}")
    finally:
        client.close()
    return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts()))


def _knock() -> None:
    """Raise OSError where nobody listens: docker's client would leave a socket open."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as unix:
            unix.connect(host.removeprefix("unix://"))


@pytest.fixture
def template(gateway: str, request: pytest.FixtureRequest) -> Path:
    """The template that `sam build` leaves; nothing is built where nothing can be run."""
    build: Build = request.getfixturevalue("build")
    return build.function.parent / "template.yaml"


@pytest.fixture
def cloud(gateway: str) -> Iterator[Cloud]:
    """A cloud where containers reach it, and nobody else does."""
    with serving(gateway) as cloud:
        cloud.create()
        yield cloud
        cloud.clear()


@pytest.fixture
def settings(cloud: Cloud, tmp_path: Path) -> Path:
    """`--env-vars`: on its own, SAM would call a bucket and a queue by their logical ids."""
    variables = cloud.environment("ProcessSes")
    path = tmp_path / "env.json"
    path.write_text(
        json.dumps({"ProcessSes": {name: variables[name] for name in ("ARCHIVE_BUCKET", "UNREADABLE_BODIES_QUEUE")}})
    )
    return path


def invoke(event: str, template: Path, cloud: Cloud, settings: Path) -> Any:
    """The function's answer to a file in `events/invoke`."""
    command = [sys.executable, "-m", "samcli", "local", "invoke", "ProcessSes", "--skip-pull-image"]
    command += ["--template", str(template), "--env-vars", str(settings)]
    command += ["--event", str(EVENTS / "invoke" / event)]
    command += ["--parameter-overrides", f"LocalEndpoint={cloud.endpoint}"]
    environment = os.environ | false_account(cloud.endpoint) | {"SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
    return json.loads(done.stdout)


def test_a_batch_of_sqs(template: Path, cloud: Cloud, settings: Path) -> None:
    assert invoke("ProcessSes-sqs-sns.json", template, cloud, settings) == {"batchItemFailures": []}
    assert [row["status"] for row in cloud.rows("Outcomes")] == ["complained"]
    assert [list(json.loads(row["causes"])) for row in cloud.rows("Suppressions")] == [["complaint"]]
    assert len(cloud.archived()) == 3


def test_a_body_that_nobody_can_read(template: Path, cloud: Cloud, settings: Path) -> None:
    assert invoke("ProcessSes-sqs-malformed.json", template, cloud, settings) == {"batchItemFailures": []}
    assert [attributes["source"] for _, attributes in cloud.parked()] == ["ses"]
    assert sorted(row["status"] for row in cloud.rows("Outcomes")) == ["bounced", "delivered"]
