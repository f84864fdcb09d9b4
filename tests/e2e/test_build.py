"""What SAM builds, and how it starts: only what is needed, compiled, without a word of complaint."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from local import envelopes
from local.wordings import list_files
from tests.support.cloud import Cloud
from tests.support.emulator import VERSION, Build, Crashed, Emulator
from tests.support.template import ROOT

pytestmark = pytest.mark.emulator

PACKAGE: Final = ROOT / "layers" / "aftersend" / "aftersend"
SET_UP: Final = "Successfully validated SNS topic for Amazon SES event publishing."


def test_the_function_is_one_file(build: Build) -> None:
    assert [path.name for path in build.function.iterdir()] == ["app.py"]


def test_the_layer_has_the_package_and_the_pinned_requirements(build: Build) -> None:
    pins = re.findall(r"^([a-z-]+)==([\w.]+)", (ROOT / "layers/aftersend/requirements.txt").read_text(), re.MULTILINE)
    infos = {path.name for path in (build.layer / "python").glob("*.dist-info")}
    assert infos == {f"{name.replace('-', '_')}-{pin}.dist-info" for name, pin in pins}
    assert dict(pins).items() <= {name: version(name) for name, _ in pins}.items()
    assert [path.name for path in build.layer.iterdir()] == ["python"]


def test_the_layer_has_the_whole_package_and_nothing_else_of_it(build: Build) -> None:
    def files(folder: Path) -> set[str]:
        return {
            str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and "pyc" not in path.name
        }

    developed = {str(path.relative_to(PACKAGE)) for path in list_files()}  # with the wordings, not run with them
    assert developed < files(PACKAGE)
    expected = files(PACKAGE) - developed | {"classify/rules/compiled.json", "core/policy.json"}
    assert files(build.layer / "python" / "aftersend") == expected


def test_every_module_is_compiled_for_lambdas_python_and_is_not_checked_again(build: Build) -> None:
    tag = f"cpython-{VERSION.replace('.', '')}"
    for source in (build.layer / "python").rglob("*.py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
        assert flags == 0b01, source  # by hash, and unchecked


def test_the_layer_for_other_processors_differs_in_what_is_compiled_for_them_alone(
    build: Build, tmp_path: Path
) -> None:
    """Whatever this machine is: wheels are picked by name, and rules are compiled by whoever builds."""
    make = ["make", "-s", "-C", str(ROOT / "layers" / "aftersend"), "build-AftersendLayer", f"PYTHON={sys.executable}"]
    subprocess.run([*make, f"ARTIFACTS_DIR={tmp_path}", "ARCHITECTURE=arm64"], check=True, capture_output=True)

    def files(folder: Path) -> dict[str, bytes]:
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".so", ".pyc"))
        return {str(path.relative_to(folder)): path.read_bytes() for path in found if ".dist-info" not in str(path)}

    assert files(tmp_path) == files(build.layer)
    machines = {path.read_bytes()[18:20] for path in tmp_path.rglob("*.so")}
    assert machines == {(183).to_bytes(2, "little")}, "ELF specification, e_machine: AArch64"


def test_it_starts_without_warnings_and_says_one_line_of_each_kind(cold: Emulator, cloud: Cloud) -> None:
    with cold:
        sample = (ROOT / "events" / "ses" / "delivery.json").read_text()
        assert cold.invoke(envelopes.sqs([SET_UP, sample])) == {"batchItemFailures": []}
        lines = [line for line in cold.log.read_text().splitlines() if line]
    assert not [line for line in lines if "warning" in line.lower() or "error" in line.lower()]
    written = [json.loads(line) for line in lines if line.startswith("{")]
    assert [sorted({"_aws", "message"} & line.keys()) for line in written] == [["_aws"], ["message"]]


def test_a_setting_that_is_missing_is_named(build: Build, cloud: Cloud, tmp_path: Path) -> None:
    environment = cloud.environment("ProcessSes")
    del environment["OUTCOMES_TABLE"]
    emulator = Emulator(build.path, environment, tmp_path / "log", "app.handler")
    with emulator, pytest.raises(Crashed, match="the environment variable OUTCOMES_TABLE is missing"):
        emulator.invoke(envelopes.sqs([SET_UP]))
