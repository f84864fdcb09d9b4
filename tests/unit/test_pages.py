"""Whatever a page tells somebody to type is a command, with arguments that it takes."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

from aftersend_cli.__main__ import make_parser
from deploy.__main__ import _parse
from local.__main__ import _parser
from tests.support.template import ALARMS, ROOT

PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PARSERS: Final[dict[str, Callable[[Sequence[str]], argparse.Namespace]]] = {
    "aftersend": make_parser().parse_args,
    "python -m local": _parser().parse_args,
    "python -m deploy": _parse,
}
TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
BENCHES: Final = {path.stem for path in (ROOT / "tests" / "bench").glob("*.py")}
_PROGRAM: Final = "|".join(PARSERS)
_BLOCK: Final = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_BEFORE: Final = r"(?:\$ |\S*/)?"  # a prompt, or a folder


def find_typed(text: str) -> Iterator[tuple[str, list[str]]]:
    """Program and arguments of what stands in the blocks of a page."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split(" | "):
                if found := re.fullmatch(rf"\s*{_BEFORE}({_PROGRAM})( .*)?", part):
                    words = shlex.split(found[2] or "", comments=True)
                    yield found[1], list(takewhile(lambda word: word not in (">", "<"), words))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_has_typed_is_a_command(page: Path) -> None:
    for program, words in find_typed(page.read_text()):
        try:
            PARSERS[program](words)
        except SystemExit as ended:
            assert ended.code == 0, (program, words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_between_the_lines_is_there(page: Path) -> None:
    """In backticks: commands, targets of make, benchmarks."""
    prose = re.sub(_BLOCK, "", page.read_text())
    for code in re.findall(r"`([^`]+)`", prose):
        if found := re.match(rf"({_PROGRAM}) ([a-z]+)", code):
            with pytest.raises(SystemExit) as ended:
                PARSERS[found[1]]([found[2], "--help"])
            assert ended.value.code == 0, code
        if found := re.match(r"make ([a-z-]+)", code):
            assert found[1] in TARGETS, code
        if found := re.match(r"python -m tests\.bench ([a-z_]+)", code):
            assert found[1] in BENCHES, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_alarm_that_a_page_names_is_one_of_the_template(page: Path) -> None:
    assert set(re.findall(r"\b\w+Alarm\b", page.read_text())) <= ALARMS.keys()


def test_pages_have_commands_of_all_programs() -> None:
    typed = [program for page in PAGES for program, _ in find_typed(page.read_text())]
    assert set(typed) == PARSERS.keys()
