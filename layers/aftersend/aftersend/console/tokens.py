"""Takes a module of JavaScript apart into what it is written of: words, strings, templates, signs, blanks. Pure.

Nothing is lost: put together again, the pieces are the module. Source: ECMAScript 2025, 12 (Lexical Grammar).
"""

from __future__ import annotations

import re
from typing import Final

BLANK: Final = "blank"
COMMENT: Final = "comment"
TEMPLATE: Final = "template"  # what stands in one, up to an expression or to its end
WORD: Final = "word"
_PIECE: Final = re.compile(
    r"""
      (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<comment>[ \t]*(?://[^\n]*|/\*.*?\*/))
    | (?P<expression>/(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*)
    | (?P<blank>\s+)
    | (?P<number>\d[\w.]*)
    | (?P<word>(?:[^\W\d]|\$)[\w$]*)
    | (?P<sign>\.\.\.|[^\s\w"'`/{}()\[\].,;$]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_TEXT: Final = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)", re.DOTALL)
_BEFORE_EXPRESSION: Final = tuple("(,=:[!&|?{};>")


Token = tuple[str, str]  # what it is, and how it is written


def read_tokens(code: str) -> list[Token]:
    """Return the pieces of a module; raises ValueError where a template or a brace has no end."""
    found: list[Token] = []
    open_: list[str] = []  # templates and braces
    last, at = "", 0  # the last piece that says something, and where the next one begins
    while at < len(code):
        if open_ and open_[-1] == "`":
            kind, text = TEMPLATE, _take_text(code, at)
            open_[-1:] = [] if text.endswith("`") else ["`", "{"]
        else:
            kind, text = _take_piece(code, at, last)
            if text in ("{", "`"):
                open_.append(text)
            elif text == "}":
                if not open_:
                    raise ValueError("no beginning of }")
                open_.pop()
        if kind not in (BLANK, COMMENT):
            last = text
        found.append((kind, text))
        at += len(text)
    if open_:
        raise ValueError(f"no end of {open_[-1]}")
    return found


def _take_text(code: str, at: int) -> str:
    match = _TEXT.match(code, at)
    if match is None:
        raise ValueError("no end of `")
    return match[0]


def _take_piece(code: str, at: int, last: str) -> Token:
    """The next piece; a slash begins a regular expression only where no value stands before it."""
    match = _PIECE.match(code, at)
    assert match is not None  # any sign is a piece
    kind = match.lastgroup or ""
    if kind == "expression" and last not in ("", "return") and not last.endswith(_BEFORE_EXPRESSION):
        return "sign", "/"
    return kind, match[0]
