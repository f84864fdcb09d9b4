"""What of bulk work is pure reads no environment, opens nothing and asks no clock; what heavy it needs comes late."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.template import ROOT
from tests.unit.test_core_is_pure import PACKAGE, _faults

PURE = ("records", "columns", "formats", "entries", "plan", "tally", "export", "job")
# These are handed what is not pure: ports come as arguments.
CASES = ("importing", "exporting", "reverting", "erasing", "shop", "work")


@pytest.mark.parametrize("name", [*PURE, *CASES])
def test_it_is_pure(name: str) -> None:
    assert not list(_faults(PACKAGE / "bulk" / f"{name}.py"))


def test_erasure_is_pure() -> None:
    assert not list(_faults(PACKAGE / "erasure.py"))


def test_routes_bring_neither_the_classifier_nor_boto3() -> None:
    """They are part of the function that answers questions, which starts often."""
    told = "import sys, aftersend.api.bulk; print(*sys.modules)"
    command = [sys.executable, "-c", told]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "layers" / "aftersend"), "PATH": ""},
    )
    loaded = set(done.stdout.split())
    assert "aftersend.lists.job" in loaded
    assert not loaded & {"boto3", "aftersend.classify", "aftersend.lists.runner", "aftersend.lists.claims"}
