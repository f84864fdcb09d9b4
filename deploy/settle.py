"""Settles parameters in a template: each Ref becomes its value, so that nobody is asked and nothing can undo it.

`sam deploy --guided` asks for every parameter of a template, and saves the answers. What the owner of a stack has
written down in `deploy.toml` is therefore no parameter of what `make build` builds, and neither is what hardly anybody
changes. Both stand in the template's metadata, so that a later deployment can say what it changes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from deploy.declared import Json, Wrong, find_asked, read_defaults, walk

NOTES: Final = "Aftersend"  # the entry of the template's metadata with what was settled


def settle(template: Json, given: Mapping[str, str]) -> Json:
    """Return `template` with everything settled but for what is asked for; `given` are values by name, checked."""
    defaults = read_defaults(template)
    asked = find_asked(template) - given.keys()
    settled = {name: value for name, value in [*defaults.items(), *given.items()] if name not in asked}
    values = {name: _typed(template["Parameters"][name]["Type"], value) for name, value in settled.items()}
    conditions = _Conditions(template["Conditions"], settled)
    result: Json = {
        name: _replace(_without(part, conditions) if name in ("Resources", "Outputs") else part, values, conditions)
        for name, part in template.items()
        if name not in ("Parameters", "Rules", "Conditions")
    }
    result["Conditions"] = conditions.left()
    result["Parameters"] = {name: each for name, each in template["Parameters"].items() if name in asked}
    # Rules about settled parameters alone were checked; CloudFormation keeps those about what it is told.
    rules = {
        name: _replace(rule, values, conditions)
        for name, rule in template.get("Rules", {}).items()
        if _names(rule) & asked
    }
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


def _mentioned(tree: Any) -> set[str]:
    """The same, and of which resources an attribute is asked for."""
    asked = [node["Fn::GetAtt"] for node in walk(tree) if isinstance(node, dict) and "Fn::GetAtt" in node]
    return _names(tree) | {(each if isinstance(each, str) else str(each[0])).partition(".")[0] for each in asked}


def cut(template: Json, names: Collection[str]) -> Json:
    """Return of a settled template only the resources of these names, for an import, which may make nothing else.

    What one of them has to do with others, such as the queue that a bucket notifies, comes with the next deployment.

    Raise `Wrong` for a name that is none, or one of what CloudFormation cannot import because SAM makes it.
    """
    resources = template["Resources"]
    for name in names:
        if name not in resources:
            raise Wrong(f"{name}: the built template has no such resource")
        if resources[name]["Type"].startswith("AWS::Serverless::"):
            raise Wrong(f"{name}: a function is made anew, and not imported")
    others = resources.keys() - names
    chosen = {name: _stand_alone(resources[name], others) for name in names}
    conditions = _find_conditions(chosen, template["Conditions"])
    used = _names(chosen) | _names(conditions)
    return {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Metadata": {NOTES: template["Metadata"][NOTES]},
        "Parameters": {name: each for name, each in template["Parameters"].items() if name in used},
        "Conditions": conditions,
        "Resources": chosen,
    }


def _stand_alone(resource: Json, others: Collection[str]) -> Json:
    """`resource` without what names one of these others."""
    kept = {name: each for name, each in resource["Properties"].items() if _mentioned(each).isdisjoint(others)}
    return {name: each for name, each in resource.items() if name != "DependsOn"} | {"Properties": kept}


def _find_conditions(tree: Any, declared: Json) -> Json:
    """The conditions that `tree` names, and those that they name."""
    found: Json = {}
    for node in walk(tree):
        if isinstance(node, dict):
            named = {node.get("Condition"), *node.get("Fn::If", ())[:1]}
            for name in {each for each in named if isinstance(each, str)} - found.keys():
                found |= {name: declared[name]} | _find_conditions(declared[name], declared)
    return found


class _Conditions:
    """What is known of the template's conditions once parameters are settled: true, false, or what is left of them."""

    def __init__(self, declared: Json, settled: Mapping[str, str]) -> None:
        self._settled = settled
        self._declared = declared
        self._known = {name: self._simplify(each) for name, each in declared.items()}

    def decide(self, name: str) -> bool | None:
        """Return whether the condition of this name holds; None where that depends on what is asked for."""
        known = self._known[name]
        return known if isinstance(known, bool) else None

    def left(self) -> Json:
        """Return the conditions that still are ones."""
        return {name: each for name, each in self._known.items() if not isinstance(each, bool)}

    def _simplify(self, condition: Any) -> Any:
        match condition:
            case {"Condition": str(name)}:
                known = self._simplify(self._declared[name])
                condition = known if isinstance(known, bool) else condition
            case {"Fn::Equals": [{"Ref": str(name)}, value]} if name in self._settled:
                condition = self._settled[name] == str(value)
            case {"Fn::Not": [inner]}:
                known = self._simplify(inner)
                condition = {"Fn::Not": [known]} if not isinstance(known, bool) else not known
            case {"Fn::And": _} | {"Fn::Or": _}:
                condition = self._join(condition)
        return condition

    def _join(self, condition: Json) -> Any:
        """Both functions take two conditions at least, and one that is left stands for itself."""
        [(function, parts)] = condition.items()
        decides = function == "Fn::Or"
        simple = [self._simplify(part) for part in parts]
        if decides in simple:
            return decides
        rest = [part for part in simple if not isinstance(part, bool)]
        return (rest[0] if len(rest) == 1 else {function: rest}) if rest else not decides


def _without(section: Json, conditions: _Conditions) -> Json:
    """Leave out what is not made, and the conditions of what always is."""
    found = {}
    for name, each in section.items():
        made = conditions.decide(each["Condition"]) if "Condition" in each else None
        if made is not False:
            found[name] = {key: part for key, part in each.items() if key != "Condition" or made is None}
    return found


def _replace(tree: Any, values: Mapping[str, Any], conditions: _Conditions) -> Any:
    match tree:
        case {"Fn::If": [str(name), then, otherwise]} if (holds := conditions.decide(name)) is not None:
            return _replace(then if holds else otherwise, values, conditions)
        case {"Ref": str(name)} if name in values and len(tree) == 1:
            return values[name]
        case {"Fn::Sub": [str(text), dict(own)]}:
            outside = {name: value for name, value in values.items() if name not in own}
            return {"Fn::Sub": [_fill(text, outside), _replace(own, values, conditions)]}
        case {"Fn::Sub": str(text)}:
            tree = {"Fn::Sub": _fill(text, values)}
        case dict():
            return {name: _replace(each, values, conditions) for name, each in tree.items()}
        case list():
            return [_replace(each, values, conditions) for each in tree]
    return tree


def _fill(text: str, values: Mapping[str, Any]) -> str:
    """`text` of a Sub with the settled names replaced; what looks like a name in a value is none."""

    def fill(match: re.Match[str]) -> str:
        return str(values[match[1]]).replace("${", "${!") if match[1] in values else match[0]

    return re.sub(r"\$\{(\w+)\}", fill, text)
