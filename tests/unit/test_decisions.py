"""The pages in docs/decisions/ are numbered from 1 without gaps, and the index names each of them."""

from __future__ import annotations

import re
from typing import Final

from tests.support.template import ROOT

FOLDER: Final = ROOT / "docs" / "decisions"
PAGES: Final = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")


def test_numbers_have_no_gaps_and_titles_carry_them() -> None:
    assert [int(path.name[:4]) for path in PAGES] == list(range(1, len(PAGES) + 1))
    titles = [path.read_text().partition("\n")[0] for path in PAGES]
    wrong = [title for number, title in enumerate(titles, 1) if not title.startswith(f"# {number}. ")]
    assert not wrong


def test_the_index_names_every_page_once_by_its_number() -> None:
    named = re.findall(r"^- \[(\d+)\]\(([^)]+)\)", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(named, key=lambda entry: entry[1]) == [(str(int(path.name[:4])), path.name) for path in PAGES]
