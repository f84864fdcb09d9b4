"""Settles parameters in a template: each Ref becomes its value, so that nobody is asked and nothing can undo it.

`sam deploy --guided` asks for every parameter of a template, and saves the answers. What the owner of a stack has
written down in `deploy.toml` is therefore no parameter of what `make build` builds, and neither is what hardly anybody
changes. Both stand in the template's metadata, so that a later deployment can say what it changes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from deploy.declared import Json, find_asked, read_defaults, walk

NOTES: Final = "Aftersend"  # the entry of the template's metadata with what was settled


def settle(template: Json, given: Mapping[str, str]) -> Json:
    """Return `template` with everything settled but for what is asked for; `given` are values by name, checked."""
    defaults = read_defaults(template)
    asked = find_asked(template) - given.keys()
    settled = {name: value for name, value in (defaults | given).items() if name not in asked}
    values = {name: _typed(template["Parameters"][name]["Type"], value) for name, value in settled.items()}
    result: Json = {
        name: _replace(part, values) for name, part in template.items() if name not in ("Parameters", "Rules")
    }
    result["Parameters"] = {name: each for name, each in template["Parameters"].items() if name in asked}
    # Rules about settled parameters alone were checked; CloudFormation keeps those about what it is told.
    rules = {name: _replace(rule, values) for name, rule in template.get("Rules", {}).items() if _names(rule) & asked}
    if rules:
        result["Rules"] = rules
    groups = result["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    kept = [group | {"Parameters": [name for name in group["Parameters"] if name in asked]} for group in groups]
    noted = {name: value for name, value in given.items() if value != defaults[name]}
    result["Metadata"] = {
        "AWS::CloudFormation::Interface": {"ParameterGroups": [group for group in kept if group["Parameters"]]},
        NOTES: {"Settings": noted},
    }
    return result


def _typed(kind: str, value: str) -> Any:
    if kind == "Number":
        return int(value)
    return value.split(",") if kind == "CommaDelimitedList" else value


def _names(tree: Any) -> set[str]:
    return {str(node["Ref"]) for node in walk(tree) if isinstance(node, dict) and isinstance(node.get("Ref"), str)}


def _replace(tree: Any, values: Mapping[str, Any]) -> Any:
    match tree:
        case {"Ref": str(name)} if name in values and len(tree) == 1:
            return values[name]
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": _fill(text, values)}
        case {"Fn::Sub": [str(text), dict(own)]}:
            outside = {name: value for name, value in values.items() if name not in own}
            return {"Fn::Sub": [_fill(text, outside), _replace(own, values)]}
        case dict():
            return {name: _replace(each, values) for name, each in tree.items()}
        case list():
            return [_replace(each, values) for each in tree]
    return tree


def _fill(text: str, values: Mapping[str, Any]) -> str:
    """`text` of a Sub with the settled names replaced; what looks like a name in a value is none."""

    def fill(match: re.Match[str]) -> str:
        return str(values[match[1]]).replace("${", "${!") if match[1] in values else match[0]

    return re.sub(r"\$\{(\w+)\}", fill, text)
