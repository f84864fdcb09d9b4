"""The package as `pip install` lays it out, and an environment that has nothing but what the small one needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from tests.support.template import ROOT

LAYER = ROOT / "layers" / "aftersend"


def unpack_wheel(place: Path) -> Path:
    """Build the wheel in `place`, from a copy, which building leaves traces in; the folder of what it installs."""
    shutil.copytree(LAYER, place / "layer", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(place), str(place / "layer")], check=True, capture_output=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def install_wheel(wheel: Path, needed: list[str], place: Path) -> Path:
    """Install the wheel by pip in an environment of its own, made in `place`, and return the folder of its programs.

    Nothing comes over the network: what it needs is copied there first, and pip finds it satisfied, or refuses.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, capture_output=True)
    (packages,) = place.glob("lib/python*/site-packages")
    copy_requirements(needed, packages)
    pip = [sys.executable, "-m", "pip", "--python", str(place), "install", "--quiet", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    return place / "bin"


def copy_requirements(names: list[str], target: Path) -> Path:
    """Copy installed distributions into a folder of their own, and return it."""
    for name in names:
        found = metadata.distribution(name)
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                path = target / str(file)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(found.locate_file(file)), path)
    return target


def run_isolated(script: str, *folders: Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the standard library and these folders alone."""
    return subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", script], check=check, capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": os.pathsep.join(map(str, folders)), "PATH": "", **variables},
    )  # fmt: skip
