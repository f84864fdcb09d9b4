"""CONTRIBUTING.md: functions have at most 40 lines; tests are exempt."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.support.template import ROOT

MODULES: Final = sorted(path for place in ("layers", "functions", "local") for path in (ROOT / place).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_functions_are_short(path: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert not {each.name for each in functions if (each.end_lineno or 0) - each.lineno >= 40}
