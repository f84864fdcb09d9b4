"""Finds the names of variables in a module, and gives them others. Pure.

A name is changed wherever it stands for a variable: where it is declared, where it is used, and in every function that
has a variable of its own of this name. So nobody has to know which of them is meant, as long as the new name is one
that the module has nowhere. What only looks like a name is left: `it.name`, `{ name: it }`, methods of classes, the
text of templates. `{ name }` is a key and a variable, and becomes `{ name: other }`.

Refused is what would take more understanding: `switch`, `var`, methods of objects, accessors, and at the top level
generators, patterns, and what declares several at once. Source: ECMAScript 2025, 13 (Expressions) to 16 (Modules).
"""

from __future__ import annotations

import string
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, product
from typing import Final, NamedTuple

from aftersend.console.tokens import BLANK, COMMENT, TEMPLATE, WORD, Token

_BLOCK, _OBJECT, _CLASS, _OTHER = "block", "object", "class", "other"  # what brackets hold
_BEFORE_BLOCK: Final = frozenset((")", "=>", ";", "{", "}", "", "else", "try", "finally", "do", "catch"))
_DECLARES: Final = frozenset(("function", "class", "const", "let"))
_REFUSED: Final = frozenset(("switch", "var"))


class Name(NamedTuple):
    """A word that stands for a variable, or a keyword."""

    at: int  # which of the tokens
    text: str
    is_key: bool = False  # `{ name }`
    is_declared: bool = False  # here, at the top level


def find_names(tokens: Sequence[Token]) -> Iterator[Name]:
    """Find all names in a module; raises ValueError where it is written in a way that is not understood."""
    places = [at for at, each in enumerate(tokens) if each[0] not in (BLANK, COMMENT)]
    texts = ["", *(tokens[at][1] for at in places), ""]
    inside: list[str] = []
    holds_class = False  # the next braces
    for at, before, behind in zip(places, texts, texts[2:], strict=False):
        kind, text = tokens[at]
        if not inside:
            _check_top(kind, text, before)
        if kind == WORD and before not in (".", "#"):
            is_member = _is_member(inside, before)
            if is_member and not _is_both(text, inside[-1], behind):
                continue
            if text in _REFUSED:
                raise ValueError(f"not understood: {text}")
            holds_class = holds_class or text == "class"
            yield Name(at, text, is_member, not inside and before in _DECLARES)
        elif text == "{" and kind != TEMPLATE:
            inside.append(_CLASS if holds_class else _BLOCK if before in _BEFORE_BLOCK else _OBJECT)
            holds_class = False
        elif text in ("(", "[") or (kind == TEMPLATE and text.endswith("{")):
            inside.append(_OTHER)
        elif text in (")", "]", "}"):
            inside.pop()


def rename(tokens: Sequence[Token], names: Iterable[Name], called: Mapping[str, str]) -> str:
    """Return the module with other names; `called` are the new ones by the old ones."""
    texts = [text for _, text in tokens]
    for name in names:
        if name.text in called:
            texts[name.at] = f"{name.text}:{called[name.text]}" if name.is_key else called[name.text]
    return "".join(texts)


def make_names(taken: Container[str]) -> Iterator[str]:
    """Make short names, the shortest first, without those that are taken; none is a word of the language."""
    longer = map("".join, product(string.ascii_uppercase, string.ascii_letters + string.digits))
    return (each for each in chain(string.ascii_letters, longer) if each not in taken)


def _check_top(kind: str, text: str, before: str) -> None:
    is_several = text == "," or (before in ("const", "let") and kind != WORD)
    if is_several or (text == "*" and before == "function"):
        raise ValueError(f"not understood: {before} {text}")


def _is_member(inside: Sequence[str], before: str) -> bool:
    """Whether a word names a part of an object or of a class."""
    return bool(inside) and before in {_OBJECT: ("{", ","), _CLASS: ("{", "}", ";")}.get(inside[-1], ())


def _is_both(text: str, inside: str, behind: str) -> bool:
    """Whether the name of a part is the one of a variable, too."""
    if inside == _OBJECT and (behind in (",", "}") or behind.startswith("=")):
        return True
    if behind != "(" if inside == _CLASS else not behind.startswith(":"):
        raise ValueError(f"not understood: {text} {behind}")
    return False
