"""The package without a stack: what it needs and offers, what its page says, how others do on the same mails."""

from __future__ import annotations

import importlib
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

import aftersend
from aftersend.console import ConsoleSite
from tests.support.comparison import compare
from tests.support.package import LAYER, copy_requirements, run_isolated, unpack_wheel
from tests.support.template import ROOT

PAGE: Final = (ROOT / "docs" / "package.md").read_text()
PROJECT: Final = tomllib.loads((LAYER / "pyproject.toml").read_text())["project"]
NEEDED: Final = [re.match(r"[\w-]+", each)[0] for each in PROJECT["dependencies"]]  # type: ignore[index]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The installed package, and what it needs, and nothing else."""
    place = tmp_path_factory.mktemp("small")
    return unpack_wheel(place), copy_requirements(NEEDED, place / "needed")


@pytest.mark.parametrize("script", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_of_its_page_runs_with_the_small_package_alone(script: str, small: tuple[Path, Path]) -> None:
    expected = "".join(re.findall(r"print\(.*  # (.*)\n", script))
    assert run_isolated(script, *small).stdout.replace("\n", "") == expected


def test_the_small_package_knows_every_source(small: tuple[Path, Path]) -> None:
    script = (
        "from aftersend.sources import SOURCES, load_parser; print([load_parser(each) and each for each in SOURCES])"
    )
    sources = importlib.import_module("aftersend.sources").SOURCES
    assert run_isolated(script, *small).stdout == f"{list(sources)}\n"


def test_the_small_package_imports_nothing_of_aws(small: tuple[Path, Path]) -> None:
    script = "import sys, aftersend; aftersend.judge_reply('550 user unknown'); print(*sys.modules)"
    assert not [name for name in run_isolated(script, *small).stdout.split() if "aws" in name or "boto" in name]


def test_the_package_brings_the_console_whole(small: tuple[Path, Path]) -> None:
    script = "from aftersend.console import ConsoleSite; print([*ConsoleSite().measure()])"
    assert run_isolated(script, *small).stdout == f"{[*ConsoleSite().measure()]}\n"


def test_the_command_says_what_it_lacks(small: tuple[Path, Path]) -> None:
    done = run_isolated("import sys; from aftersend_cli.entry import main; sys.exit(main())", *small, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'aftersend[cli]'" in done.stderr


def test_its_page_names_all_that_it_offers_and_nothing_else() -> None:
    named = set(re.findall(r"^\| `(\w+)[`(]", PAGE, re.MULTILINE))
    assert named == set(aftersend.__all__)
    for name in aftersend.__all__:
        assert getattr(aftersend, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        aftersend.nothing  # noqa: B018


def test_every_extra_is_explained() -> None:
    for extra in PROJECT["optional-dependencies"]:
        assert f"aftersend[{extra}]" in PAGE


def test_the_comparison_on_its_page_is_what_comes_out() -> None:
    version = metadata.version("flufl.bounce")
    assert f"flufl.bounce {version}" in PAGE
    for line in compare():
        assert line in PAGE
