"""DynamoDB's expressions, as far as its developer guide goes: conditions, filters, keys, projections and updates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Item = dict[str, Any]

_TOKEN: Final = re.compile(r"\s*(<>|<=|>=|[=<>(),+\-]|[#:]?[A-Za-z_][\w.\-]*)")
_COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def plain(attribute: Mapping[str, Any] | None) -> Any:
    """Return the value of an attribute, in a form that compares; None where there is none."""
    if attribute is None:
        return None
    [(kind, value)] = attribute.items()
    return float(value) if kind == "N" else frozenset(value) if kind in ("SS", "NS", "BS") else value


class Expression:
    """Reads one expression of a request, from its beginning to its end."""

    def __init__(self, text: str, request: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        self._tokens = _split(text)
        self._place = 0
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        self._item = item

    def holds(self) -> bool:
        """Return whether the condition holds for the item."""
        found = self._either()
        assert self._place == len(self._tokens), f"not understood: {self._tokens[self._place :]}"
        return found

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self, *expected: str) -> str:
        token = self._peek()
        assert token and (not expected or token in expected), f"{token!r} instead of {expected}"
        self._place += 1
        return token

    def _word(self, word: str) -> bool:
        if self._peek().upper() == word:
            self._place += 1
            return True
        return False

    def _either(self) -> bool:
        found = self._both()
        while self._word("OR"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._word("AND"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._word("NOT"):
            return not self._one()
        if self._peek() == "(":
            self._take("(")
            found = self._either()
            self._take(")")
            return found
        if self._peek() in _TESTS:
            return _TESTS[self._take()](*self._arguments())
        left = self._operand()
        if self._word("BETWEEN"):
            low = plain(self._operand())
            assert self._word("AND")
            high = plain(self._operand())
            return left is not None and bool(low <= plain(left) <= high)
        if self._word("IN"):
            return plain(left) in [plain(each) for each in self._arguments()]
        compare, right = _COMPARED[self._take(*_COMPARED)], self._operand()
        return left is not None and right is not None and compare(plain(left), plain(right))

    def _arguments(self) -> list[Any]:
        self._take("(")
        found = [self._operand()]
        while self._peek() == ",":
            self._take(",")
            found.append(self._operand())
        self._take(")")
        return found

    def _operand(self) -> Any:
        token = self._take()
        if token == "size":
            [of] = self._arguments()
            return None if of is None else {"N": str(len(next(iter(of.values()))))}
        if token == "if_not_exists":
            stored, given = self._arguments()
            return given if stored is None else stored
        return self._values[token] if token.startswith(":") else self._item.get(self._names.get(token, token))

    def update(self) -> Item:
        """Return the item with the update done: SET, REMOVE, ADD, and DELETE from a set."""
        after = dict(self._item)
        word = ""
        while self._peek():
            if self._peek().upper() in ("SET", "REMOVE", "ADD", "DELETE"):
                word = self._take().upper()
            token = self._take()
            name = self._names.get(token, token)
            if word == "SET":
                self._take("=")
                after[name] = self._operand()
            elif word == "REMOVE":
                after.pop(name, None)
            elif word == "ADD":
                after[name] = _add(after.get(name), self._operand())
            elif (left := _delete(after.pop(name, None), self._operand())) is not None:
                after[name] = left
            if self._peek() == ",":
                self._take(",")
        return after


def _add(stored: Item | None, given: Item) -> Item:
    [(kind, value)] = given.items()
    if kind == "N":
        return {"N": str(int(value) + int(stored["N"] if stored else 0))}
    return {kind: sorted({*value, *(stored[kind] if stored else ())})}


def _delete(stored: Item | None, gone: Item) -> Item | None:
    """A set that nothing is left of is no attribute any more."""
    [(kind, members)] = gone.items()
    left = [each for each in (stored or {kind: []})[kind] if each not in members]
    return {kind: left} if left else None


def _contains(one: Any, other: Any) -> bool:
    return one is not None and plain(other) in plain(one)


_TESTS: Final[dict[str, Callable[..., bool]]] = {
    "attribute_exists": lambda one: one is not None,
    "attribute_not_exists": lambda one: one is None,
    "begins_with": lambda one, other: one is not None and plain(one).startswith(plain(other)),
    "contains": _contains,
}


def _split(text: str) -> list[str]:
    tokens, place = [], 0
    text = text.strip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        assert found is not None, f"not understood: {text[place:]!r}"
        tokens.append(found[1])
        place = found.end()
    return tokens


def project(item: Item, request: Mapping[str, Any]) -> Item:
    """Return the attributes that a request asks for."""
    wanted = request.get("ProjectionExpression")
    if not wanted:
        return dict(item)
    names = request.get("ExpressionAttributeNames", {})
    asked = [names.get(each.strip(), each.strip()) for each in wanted.split(",")]
    return {name: item[name] for name in asked if name in item}
