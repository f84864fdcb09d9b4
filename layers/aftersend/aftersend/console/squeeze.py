"""Takes out of a module what only people who work on it read: comments, and blanks that separate nothing. Pure.

Strings and regular expressions stay as they are, and line ends that may end a statement. In templates, lines lose what
they are indented by, and line ends between elements go: htm takes no notice of either. Source: ECMAScript 2025, 12
(Lexical Grammar).
"""

from __future__ import annotations

import re
from typing import Final

_PIECE: Final = re.compile(
    r"""
      (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<comment>[ \t]*(?://[^\n]*|/\*.*?\*/))
    | (?P<expression>/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*)
    | (?P<blank>\s+)
    | (?P<plain>[^\s"'`/{}]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TEXT: Final = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.DOTALL)  # of a template, up to its end or to an expression
_BEFORE_EXPRESSION: Final = re.compile(r"(?:^|[(,=:\[!&|?{};>\n]|\breturn) ?$").search
_SEPARATED: Final = re.compile(r"[\w$] [\w$]|\+ \+|- -|/ .|. /", re.DOTALL).fullmatch
_GOES_ON: Final = (*"{;,([:?&|=<>\n", "")  # behind these a line end says nothing
_INDENTED: Final = re.compile(r"(?<=>)\n\s*(?=<)|(?<=\n)[ \t]+")


def squeeze(code: str) -> str:
    """Return the module without its comments and needless blanks; raises ValueError where a template has no end."""
    found: list[str] = []
    open_: list[str] = []  # templates and braces
    at = 0
    while at < len(code):
        if open_ and open_[-1] == "`":
            text = _take_text(code, at)
            at += len(text)
            found.append(_INDENTED.sub("", text))
            if text.endswith("`"):
                open_.pop()
            else:
                open_.append("{")
            continue
        kind, piece = _take_piece(code, at, found)
        at += len(piece)
        if piece in ("{", "`"):
            open_.append(piece)
        elif piece == "}" and open_:
            open_.pop()
        if kind == "blank":
            piece = _shorten(piece, found[-1][-1:] if found else "", code[at : at + 1])
        if kind != "comment":
            found.append(piece)
    if open_:
        raise ValueError(f"no end of {open_[-1]}")
    return "".join(found).strip()


def _take_text(code: str, at: int) -> str:
    match = _TEXT.match(code, at)
    assert match is not None  # it may be empty
    end = match.end()
    if end == len(code):
        raise ValueError("a template has no end")
    return code[at : end + (1 if code[end] == "`" else 2)]


def _take_piece(code: str, at: int, found: list[str]) -> tuple[str, str]:
    """The next piece; a slash begins a regular expression only where no value stands before it."""
    match = _PIECE.match(code, at)
    assert match is not None  # any sign is a piece
    if match.lastgroup == "expression" and not _BEFORE_EXPRESSION("".join(found[-2:])):
        return "plain", "/"
    return match.lastgroup or "", match[0]


def _shorten(blank: str, before: str, behind: str) -> str:
    if "\n" in blank:
        return "" if before in _GOES_ON else "\n"
    return " " if _SEPARATED(f"{before} {behind}") else ""
