"""All combinations of what a template's conditions look at: whether something holds in any of them, or in all.

Every condition is made of comparisons of a parameter with a value, switches that are on or off. With n of them there
are 2**n combinations, which are too many to walk; but each question is about a few switches. Answered for all of their
ways it is answered for every combination, and none is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final

from deploy.declared import walk

Json = dict[str, Any]
_SWITCH = tuple[str, str]  # a parameter, and the value it is compared with
_NOTHING: Final = {"Ref": "AWS::NoValue"}


class Where:
    """The combinations in which something holds: those of `switches` alone decide it."""

    def __init__(self, switches: frozenset[int], holds: Callable[[int], bool]) -> None:
        self.switches, self.holds = switches, holds

    def __and__(self, other: Where) -> Where:
        return Where(self.switches | other.switches, lambda each: self.holds(each) and other.holds(each))

    def __or__(self, other: Where) -> Where:
        return Where(self.switches | other.switches, lambda each: self.holds(each) or other.holds(each))

    def __invert__(self) -> Where:
        return Where(self.switches, lambda each: not self.holds(each))

    def __bool__(self) -> bool:
        """Whether there is any such combination; of all other switches it does not matter how they stand."""
        bits = [1 << number for number in sorted(self.switches)]
        ways = product((False, True), repeat=len(bits))
        return any(self.holds(sum(bit for bit, on in zip(bits, way, strict=True) if on)) for way in ways)


EVERYWHERE: Final = Where(frozenset(), lambda _: True)


class Space:
    """The combinations of one template."""

    def __init__(self, template: Json) -> None:
        self.template = template
        found = [
            _switch(node) for node in walk(template["Conditions"]) if isinstance(node, dict) and "Fn::Equals" in node
        ]
        self.switches: list[_SWITCH] = sorted({*found})
        self.size = 1 << len(self.switches)

    def of(self, condition: Any) -> Where:
        """The combinations in which a condition, or one of that name, holds."""
        match condition:
            case str(name) | {"Condition": str(name)}:
                return self.of(self.template["Conditions"][name])
            case {"Fn::Equals": _}:
                number = self.switches.index(_switch(condition))
                return Where(frozenset({number}), lambda each: bool(each >> number & 1))
            case {"Fn::Not": [inner]}:
                return ~self.of(inner)
            case {"Fn::And": [first, *others]}:
                return self.of(first) & (self.of({"Fn::And": others}) if others else EVERYWHERE)
            case {"Fn::Or": [first, *others]}:
                return self.of(first) | (self.of({"Fn::Or": others}) if others else ~EVERYWHERE)
        raise ValueError(f"no condition: {condition}")

    def made(self, resource: Json) -> Where:
        """The combinations in which a resource or an output is made."""
        return self.of(resource["Condition"]) if resource.get("Condition") else EVERYWHERE

    def references(self, tree: Any, where: Where) -> Iterator[tuple[str, Where]]:
        """Every name that `tree` refers to, and in which of the combinations `where` it does."""
        match tree:
            case {"Fn::If": [condition, then, otherwise]}:
                holds = self.of(condition)
                yield from self.references(then, where & holds)
                yield from self.references(otherwise, where & ~holds)
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
                yield name, where
            case {"Fn::Sub": text}:
                own = text[1] if isinstance(text, list) else {}
                for name in re.findall(r"\$\{(?!!)([\w:.]+)\}", text[0] if isinstance(text, list) else text):
                    if name not in own:
                        yield name.partition(".")[0] if not name.startswith("AWS::") else name, where
                yield from self.references(own, where)
            case dict():
                for each in tree.values():
                    yield from self.references(each, where)
            case list():
                for each in tree:
                    yield from self.references(each, where)

    def resolve(self, tree: Any, combination: int) -> Any:
        """`tree` as it is in one combination: without conditions, and without what is nothing."""
        match tree:
            case {"Fn::If": [condition, then, otherwise]}:
                return self.resolve(then if self.of(condition).holds(combination) else otherwise, combination)
            case dict():
                found = {name: self.resolve(each, combination) for name, each in tree.items()}
                return {name: each for name, each in found.items() if each != _NOTHING} or (tree and found)
            case list():
                return [each for each in (self.resolve(each, combination) for each in tree) if each != _NOTHING]
        return tree

    def pairs(self) -> list[int]:
        """Some combinations in which each two switches stand in each of their four ways; all off and all on are two."""
        count = len(self.switches)
        missing = {(one, other, ways) for one in range(count) for other in range(one) for ways in range(4)}
        chosen = [0, self.size - 1]
        for combination in chosen:
            missing -= self._covered(combination)
        candidates = [hash_ * 2654435761 % self.size for hash_ in range(1, 2000)]
        while missing:
            best = max(candidates, key=lambda each: len(self._covered(each) & missing))
            chosen.append(best)
            missing -= self._covered(best)
        return chosen

    def _covered(self, combination: int) -> set[tuple[int, int, int]]:
        on = [combination >> at & 1 for at in range(len(self.switches))]
        return {(one, other, 2 * on[one] + on[other]) for one in range(len(on)) for other in range(one)}

    def values(self, combination: int) -> dict[str, bool]:
        """Which parameter is what it is compared with."""
        return {f"{name}={value}": bool(combination >> at & 1) for at, (name, value) in enumerate(self.switches)}


def _switch(comparison: Json) -> _SWITCH:
    (left, right) = comparison["Fn::Equals"]
    return str(left["Ref"]), str(right)
