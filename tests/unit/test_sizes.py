"""CONTRIBUTING.md: modules have at most 250 lines and functions at most 40; tests are exempt."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.support.template import ROOT

MODULES: Final = sorted(path for place in ("layers", "functions", "local") for path in (ROOT / place).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_and_its_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 250
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert not {each.name for each in functions if (each.end_lineno or 0) - each.lineno >= 40}


def test_the_page_says_the_same() -> None:
    assert "Modules have at most 250 lines and functions at most 40" in (ROOT / "CONTRIBUTING.md").read_text()
