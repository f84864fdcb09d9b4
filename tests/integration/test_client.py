"""The client for senders with boto3's own client, and installed as a sender installs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aftersend.client import Suppressions
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import CauseKind
from aftersend.storage.store import Store
from tests.engines import Engine
from tests.support.facts import ANN
from tests.support.package import LAYER, unpack_wheel
from tests.support.ports import NOW
from tests.unit.test_client import row


def test_with_a_client_of_boto3s(engine: Engine) -> None:
    names = engine.tables()
    Store(engine.connect(), names, clock=lambda: NOW).put(row(ANN))
    suppressions = Suppressions(names.suppressions, engine.client())
    asked = [f"{number}@example.com" for number in range(150)] + ["Ann <ANN@example.com>"]
    assert suppressions.allowed(asked, "news") == asked[:-1]
    assert [each.cause for each in suppressions.check(asked)["Ann <ANN@example.com>"].why] == [CauseKind.HARD]


def test_a_table_that_is_not_there_allows_nobody(engine: Engine) -> None:
    with pytest.raises(StoreUnavailable, match="ResourceNotFoundException"):
        Suppressions("nowhere", engine.client()).allowed(["ann@example.com"])


def test_a_request_that_boto3_refuses_allows_nobody(engine: Engine) -> None:
    with pytest.raises(StoreUnavailable, match="ParamValidationError"):
        Suppressions("", engine.client()).allowed(["ann@example.com"])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `pip install ./layers/aftersend` lays it out."""
    return unpack_wheel(tmp_path_factory.mktemp("wheel"))


def test_whoever_installs_the_package_has_all_of_it_but_the_wordings(installed: Path) -> None:
    """The wordings are what the rules are tested with: development data beside them."""

    def files(folder: Path) -> set[str]:
        found = (
            path
            for path in (folder / "aftersend").rglob("*")
            if path.is_file() and not {"__pycache__", "wordings"} & {*path.parts}
        )
        return {str(path.relative_to(folder)) for path in found}

    assert files(installed) == files(LAYER)
    assert not list(installed.rglob("wordings"))


def test_the_client_works_where_it_is_installed(installed: Path) -> None:
    script = "from aftersend.client import Suppressions; print(Suppressions('t', digest_key=b'k').allowed([]))"
    account = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    found = [each for each in sys.path if "site-packages" in each]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=installed, capture_output=True, text=True, check=True,
        env=os.environ | account | {"PYTHONPATH": os.pathsep.join([str(installed), *found])},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
