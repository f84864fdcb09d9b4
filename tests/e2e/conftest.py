"""What the tests through Lambda's runtime share. They run in one process: one build, one server, one warm function."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cloud as clouds
from tests.support import emulator as emulators
from tests.support.cloud import Cloud
from tests.support.emulator import Build, Emulator


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """What `sam build` makes of this checkout."""
    try:
        emulators.runtime_python()
    except emulators.Unavailable as lack:
        pytest.skip(str(lack))
    return emulators.build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def server() -> Iterator[Cloud]:
    with clouds.serving() as cloud:
        yield cloud


@pytest.fixture
def cloud(server: Cloud) -> Iterator[Cloud]:
    """Empty tables, an empty archive, an empty queue."""
    server.create()
    yield server
    server.clear()


@pytest.fixture(scope="session")
def warm(build: Build, server: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The function `process`, with the settings of the template."""
    server.create()
    environment = server.environment("ProcessSes")
    server.clear()
    with Emulator(build.path, environment, tmp_path_factory.mktemp("log") / "log", "app.handler") as started:
        yield started


@pytest.fixture
def process(warm: Emulator, cloud: Cloud) -> Emulator:
    """The same, with nothing in its tables and its log."""
    warm.log.write_text("")
    return warm


@pytest.fixture
def cold(build: Build, cloud: Cloud, tmp_path: Path) -> Emulator:
    """The function `process`, not started yet: for tests of the start itself."""
    environment = cloud.environment("ProcessSes") | {"PYTHONWARNINGS": "always"}
    return Emulator(build.path, environment, tmp_path / "log", "app.handler")
