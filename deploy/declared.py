"""What may be set: the parameters of `template.yaml`, their bounds, and which of them `sam deploy --guided` asks for.

The template is the only place where a parameter is declared. Pure: the template comes as data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

Json = dict[str, Any]

ASKED: Final = "What most stacks say"  # the label of the group of parameters that are asked for


class Wrong(Exception):
    """What the owner of the stack wants cannot be; the text is for them."""


def find_asked(template: Json) -> frozenset[str]:
    """Return the names of the parameters that `sam deploy --guided` shall ask for: those of the first group."""
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    return frozenset(name for group in groups if group["Label"]["default"] == ASKED for name in group["Parameters"])


def read_defaults(template: Json) -> dict[str, str]:
    """Return every parameter with its default, as text."""
    return {name: str(each["Default"]) for name, each in template["Parameters"].items()}


def check_values(template: Json, values: Mapping[str, str]) -> None:
    """Raise `Wrong` unless CloudFormation would take these parameters, and name all of those that it would not."""
    mistakes = [*_find_mistakes(template["Parameters"], values), *_find_broken_rules(template, values)]
    if mistakes:
        raise Wrong("\n".join(mistakes))


def _find_mistakes(declared: Json, values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        if name not in declared:
            close = get_close_matches(name, declared, n=1)
            yield f"{name}: no such parameter{f'; is {close[0]} meant?' if close else ''}"
        elif (why := _find_mistake(declared[name], value)) is not None:
            yield f"{name}: {value[:60]!r} {why}"


def _find_mistake(parameter: Json, value: str) -> str | None:
    """What is wrong with a value, by the words of the CloudFormation user guide, "Parameters"."""
    if parameter["Type"] == "Number":
        if not re.fullmatch(r"-?\d+", value):
            return "is no number"
        low, high = parameter.get("MinValue", int(value)), parameter.get("MaxValue", int(value))
        if not low <= int(value) <= high:
            return f"is not from {low} to {high}"
    allowed = [str(each) for each in parameter.get("AllowedValues", ())]
    each_value = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    if allowed and not {*each_value} <= {*allowed}:
        return f"is none of {', '.join(allowed)}"
    if not re.fullmatch(parameter.get("AllowedPattern", r"[\s\S]*"), value):
        return f"is not {parameter['ConstraintDescription']}"
    if len(value) > parameter.get("MaxLength", len(value)):
        return f"has {len(value)} characters, which is more than {parameter['MaxLength']}"
    return None


def _find_broken_rules(template: Json, values: Mapping[str, str]) -> Iterator[str]:
    """The template's own rules, such as that one parameter needs another."""
    known = {**read_defaults(template), **values}
    for rule in template.get("Rules", {}).values():
        if "RuleCondition" not in rule or decide(rule["RuleCondition"], known):
            for assertion in rule["Assertions"]:
                if not decide(assertion["Assert"], known):
                    yield str(assertion["AssertDescription"])


def decide(condition: Any, values: Mapping[str, str], named: Mapping[str, Any] | None = None) -> bool:
    """Return whether a condition holds for these parameters; `named` are the conditions that it may refer to."""
    match condition:
        case {"Fn::Equals": [left, right]}:
            return _text(left, values) == _text(right, values)
        case {"Fn::Not": [inner]}:
            return not decide(inner, values, named)
        case {"Fn::And": parts}:
            return all(decide(part, values, named) for part in parts)
        case {"Fn::Or": parts}:
            return any(decide(part, values, named) for part in parts)
        case {"Condition": str(name)} if named is not None:
            return decide(named[name], values, named)
    raise ValueError(f"no condition: {condition}")


def _text(value: Any, values: Mapping[str, str]) -> str:
    return values[value["Ref"]] if isinstance(value, dict) else str(value)


def walk(tree: Any) -> Iterator[Any]:
    """Yield every mapping, list and scalar in `tree`, itself included."""
    yield tree
    if isinstance(tree, dict | list):
        children: Iterable[Any] = tree.values() if isinstance(tree, dict) else tree
        for child in children:
            yield from walk(child)
