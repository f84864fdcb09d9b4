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
_VALUES: Final = frozenset(("string", "expression", "number", WORD))
_ENDS_VALUE: Final = frozenset((")", "]", "++", "--"))
_BEFORE_VALUE: Final = frozenset(
    (
        "await",
        "case",
        "delete",
        "do",
        "else",
        "in",
        "instanceof",
        "new",
        "of",
        "return",
        "throw",
        "typeof",
        "void",
        "yield",
    )
)

Token = tuple[str, str]  # what it is, and how it is written


def read_tokens(code: str) -> list[Token]:
    """Return the pieces of a module; raises ValueError where a template or a brace has no end."""
    found: list[Token] = []
    open_: list[str] = []  # templates and braces
    at = 0
    is_value = False  # what stands before
    while at < len(code):
        if open_ and open_[-1] == "`":
            kind, text = TEMPLATE, _take_text(code, at)
            open_[-1:] = [] if text.endswith("`") else ["`", "{"]
        else:
            kind, text = _take_piece(code, at, is_value)
            if text in ("{", "`"):
                open_.append(text)
            elif text == "}":
                if not open_:
                    raise ValueError("no beginning of }")
                open_.pop()
        if kind not in (BLANK, COMMENT):
            is_value = text in _ENDS_VALUE or text.endswith("`") or (kind in _VALUES and text not in _BEFORE_VALUE)
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


def _take_piece(code: str, at: int, is_value: bool) -> Token:
    """The next piece; a slash behind a value divides it, and begins a regular expression elsewhere."""
    match = _PIECE.match(code, at)
    assert match is not None  # any sign is a piece
    if match.lastgroup == "expression" and is_value:
        return "sign", "/"
    return match.lastgroup or "", match[0]
