"""docs/Containerfile: what it says, and the image that it makes, at work.

To build it takes a Docker daemon that answers (DOCKER_HOST is honoured), its program, and the base image: none is
pulled. Packages come by the pip of this machine, however that is set up; the build itself has no network.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from aftersend.classify.shipped import load_shipped
from aftersend.core import policy
from aftersend.version import VERSION
from local.environment import false_account
from tests.support import cloud as clouds
from tests.support.package import LAYER
from tests.support.rabbitmq import Broker
from tests.support.template import ROOT

PAGE: Final = (ROOT / "docs" / "package.md").read_text()
PYPROJECT: Final = tomllib.loads((LAYER / "pyproject.toml").read_text())
PROJECT: Final = PYPROJECT["project"]
RECIPE: Final = re.sub(r"\\\n", " ", (ROOT / "docs" / "Containerfile").read_text())
STEPS: Final = [line.partition(" ")[::2] for line in RECIPE.splitlines() if line and not line.startswith("#")]
INSTRUCTIONS: Final = dict(STEPS)
BASE: Final = INSTRUCTIONS["ARG"].removeprefix("BASE=")
BRIDGE: Final = ["rabbitmq", "--yes", "--json", "--queue", "results=image"]
# Nothing may be written, nobody asked, and no right is left.
LOCKED: Final = ["--read-only", "--network", "none", "--cap-drop", "ALL"]


def test_the_recipe_is_sound() -> None:
    """Looked at: what it copies and installs is there, it is pinned to a version, and runs as nobody, by number."""
    words = ["ARG", "FROM", "COPY", "RUN", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"]
    assert [word for word, _ in STEPS] == words and INSTRUCTIONS["FROM"] == "${BASE}"
    tag = re.fullmatch(r"docker\.io/library/python:3\.(\d+)-slim", BASE)
    assert tag and int(tag[1]) >= int(PROJECT["requires-python"].rpartition(".")[2])
    source, target = INSTRUCTIONS["COPY"].split()
    assert (ROOT / source / "pyproject.toml").is_file()
    assert f"!{source}" in (ROOT / ".dockerignore").read_text().splitlines()
    extras = re.search(rf"pip install --no-cache-dir '{target}\[(.*?)\]'", INSTRUCTIONS["RUN"])
    assert extras and set(extras[1].split(",")) <= PROJECT["optional-dependencies"].keys()
    assert (
        f"useradd --create-home --uid {INSTRUCTIONS['USER']} " in INSTRUCTIONS["RUN"] and int(INSTRUCTIONS["USER"]) > 0
    )
    assert json.loads(INSTRUCTIONS["ENTRYPOINT"])[0] in PROJECT["scripts"] and json.loads(INSTRUCTIONS["CMD"]) == [
        "--help"
    ]


def docker(
    *arguments: str, given: str = "", check: bool = True, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Docker's program to its end."""
    return subprocess.run(
        ["docker", *arguments], check=check, cwd=ROOT, env=os.environ | (variables or {}), input=given,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def base() -> str:
    """The base image; skips where none can be built on."""
    if shutil.which("docker") is None:
        pytest.skip("no program docker on this machine")
    answer = docker("version", check=False)
    if answer.returncode:
        pytest.skip(f"no Docker daemon answers: {answer.stderr.strip()}")
    if docker("image", "inspect", BASE, check=False).returncode:
        pytest.skip(f"the image {BASE} is not here: docker pull {BASE}")
    return BASE


def download_wheels(folder: Path) -> None:
    """Have the pip of this machine fetch what the package may need, as the base image's Python takes it."""
    version = re.findall(r"\d+\.\d+", BASE)[0]
    extras = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), "--only-binary", ":all:"]
    command += ["--implementation", "cp", "--python-version", version]
    for level in ("manylinux2014", "manylinux_2_28"):
        command += ["--platform", f"{level}_{platform.machine()}"]
    command += [*PYPROJECT["build-system"]["requires"], *PROJECT["dependencies"], *extras]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"pip finds no packages: {done.stderr.strip()[-300:]}")


@pytest.fixture(scope="module")
def image(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built by the command of its page, on a base in which pip finds its packages."""
    folder = tmp_path_factory.mktemp("image")
    download_wheels(folder / "wheels")
    (folder / "Dockerfile").write_text(
        f"FROM {base}\nCOPY wheels /wheels\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1\n"
    )
    name = f"aftersend-test:{uuid4().hex}"
    (command,) = re.findall(r"^docker (build .*) -t aftersend \.$", PAGE, re.MULTILINE)
    try:
        docker("build", "--tag", f"{name}-base", str(folder))
        docker(*command.split(), "--network", "none", "--build-arg", f"BASE={name}-base", "--tag", name, ".")
        yield name
    finally:
        docker("image", "rm", "--force", name, f"{name}-base", check=False)


def run(image: str, *arguments: str, given: str = "", options: Sequence[str] = LOCKED) -> str:
    """What the command writes, run in a container without a terminal."""
    done = docker("run", "--rm", "--interactive", *options, image, *arguments, given=given, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextmanager
def left_running(image: str, *arguments: str, options: Sequence[str] = (), **variables: str) -> Iterator[str]:
    """A container that goes on while the context lasts; its variables are in no command line."""
    named = [part for name in variables for part in ("--env", name)]
    command = ["run", "--detach", "--interactive", *named, *options, image, *arguments]
    container = docker(*command, variables=variables).stdout.strip()
    try:
        yield container
    finally:
        docker("rm", "--force", container)


def stop(container: str) -> int:
    """Stop a container as Docker does, and return the code that it has ended with: 137 where it had to be killed."""
    docker("stop", "--time", "20", container)
    state: Any = json.loads(docker("inspect", "--format", "{{json .State}}", container).stdout)
    return int(state["ExitCode"])


@pytest.mark.docker
def test_the_image_says_what_it_is_and_how_it_is_used(image: str) -> None:
    assert run(image, "--version") == f"aftersend {VERSION}\n"
    assert run(image) == run(image, "--help") and "rabbitmq" in run(image)
    assert run(image, "rabbitmq", "--help").startswith("usage: aftersend rabbitmq")


@pytest.mark.docker
@pytest.mark.parametrize("user", [INSTRUCTIONS["USER"], "4321:4321"])
def test_it_judges_and_parses_what_it_is_given(image: str, user: str) -> None:
    """As its own user, and as any other, as some platforms have it."""
    options = [*LOCKED, "--user", user]
    judged = json.loads(run(image, "classify", given="550 5.1.1 User unknown\n", options=options))
    assert (judged["class"], judged["reason"]) == ("hard", "user_unknown")
    event = (ROOT / "events" / "ses" / "bounce-idn-recipient.json").read_text()
    parsed = json.loads(run(image, "parse", "ses", "-", given=event, options=options))
    assert (parsed["kind"], parsed["recipient"]) == ("bounced", "email:info@xn--bcher-kva.example")
    assert parsed["received_as"] == "info@bücher.example"


@pytest.mark.docker
def test_it_has_no_rights_and_keeps_nothing_of_its_build(image: str) -> None:
    script = (
        "import os, pathlib; from aftersend.classify import shipped; "
        "print(os.getuid(), os.path.expanduser('~'), os.listdir('/tmp'), "
        "os.access(shipped.__file__, os.W_OK), list(pathlib.Path('/').rglob('wordings')))"
    )
    printed = run(image, "-c", script, options=[*LOCKED, "--entrypoint", "python"])
    assert printed == f"{INSTRUCTIONS['USER']} /home/aftersend [] False []\n"


@pytest.mark.docker
def test_its_rules_and_policy_are_compiled(image: str) -> None:
    """They are read though nothing could compile them."""
    script = (
        "import msgspec; from aftersend.classify import shipped; from aftersend.core import policy; "
        "shipped._compile = msgspec.toml.decode = None; print(len(shipped.load_shipped().rules), policy.load().streak)"
    )
    expected = f"{len(load_shipped().rules)} {policy.load().streak}\n"
    assert run(image, "-c", script, options=[*LOCKED, "--entrypoint", "python"]) == expected


@pytest.mark.docker
def test_whatever_it_does_is_stopped_by_a_signal(image: str) -> None:
    """Waiting for what it is to judge; the first process of a container is not ended by every signal."""
    with left_running(image, "classify", options=LOCKED) as container:
        assert stop(container) != 137


@pytest.mark.docker
@pytest.mark.rabbitmq
def test_the_bridge_hands_on_what_lies_in_a_real_broker(image: str, broker: Broker) -> None:
    """From RabbitMQ to SQS, both on this machine, and it ends well when it is stopped."""
    if not os.environ.get("DOCKER_HOST", "unix://").startswith("unix://"):
        pytest.skip("containers of a daemon elsewhere do not reach the broker of this machine")
    with clouds.serving() as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="image")["QueueUrl"]
        broker.declare("image")
        try:
            broker.publish("image", [b'{"recipient": "ann@example.net"}'])
            variables = false_account(cloud.endpoint) | {"RABBITMQ_URL": broker.url}
            options = ["--read-only", "--cap-drop", "ALL", "--network", "host"]
            with left_running(image, *BRIDGE, "--to", url, options=options, **variables) as container:
                _until(lambda: _count(sqs, url) == 1)
                _until(lambda: broker.ready("image") == 0)
                assert stop(container) == 0, docker("logs", container).stderr
                assert json.loads(docker("logs", container).stdout) == {"messages": 1}
        finally:
            broker.delete("image")


def _count(sqs: Any, url: str) -> int:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)
