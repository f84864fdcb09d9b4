"""Which version this is."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).resolve().parent.parent / "pyproject.toml"


def find_version() -> str:
    """Return the version of the package, be it installed or run from its folder."""
    if _PROJECT.exists():
        return str(tomllib.loads(_PROJECT.read_text("utf-8"))["project"]["version"])
    try:
        return version("aftersend")
    except PackageNotFoundError:  # a copy of its modules, and no more
        return "unknown"
