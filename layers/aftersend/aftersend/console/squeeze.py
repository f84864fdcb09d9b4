"""Takes out of a module what only people who work on it read: comments, and blanks that separate nothing. Pure.

Strings and regular expressions stay as they are, and line ends that may end a statement. In templates, lines lose what
they are indented by, and line ends between elements go: htm takes no notice of either. Source: ECMAScript 2025, 12
(Lexical Grammar).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from aftersend.console.tokens import BLANK, COMMENT, TEMPLATE, Token

_SEPARATED: Final = re.compile(r"[\w$] [\w$]|\+ \+|- -|/ .|. /", re.DOTALL).fullmatch
_GOES_ON: Final = (*"{;,([:?&|=<>\n", "")  # behind these a line end says nothing
_ENDS: Final = (*"})],", "")  # before these, neither
_INDENTED: Final = re.compile(r"(?<=>)\n\s*(?=<)|(?<=\n)[ \t]+")


def squeeze(tokens: Sequence[Token]) -> list[Token]:
    """Return the pieces of a module without its comments and needless blanks."""
    kept = [each for each in tokens if each[0] != COMMENT]
    found = []
    before = ""
    for (kind, text), (_, behind) in pairwise([*kept, ("", "")]):
        short = _INDENTED.sub("", text) if kind == TEMPLATE else text
        if kind == BLANK:
            short = _shorten(text, before, behind[:1])
        if short:
            found.append((kind, short))
            before = short[-1:]
    return found


def _shorten(blank: str, before: str, behind: str) -> str:
    if "\n" in blank:
        return "" if before in _GOES_ON or behind in _ENDS else "\n"
    return " " if _SEPARATED(f"{before} {behind}") else ""
