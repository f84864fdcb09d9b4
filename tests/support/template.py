"""The template as plain data, and what it is made of; short forms (!Ref, !Sub …) are written out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.text import read_template

ROOT: Final = Path(__file__).resolve().parents[2]
TEMPLATE: Final[dict[str, Any]] = read_template((ROOT / "template.yaml").read_text())
SHARED: Final[dict[str, Any]] = TEMPLATE["Globals"]["Function"]
RESOURCES: Final[dict[str, Any]] = TEMPLATE["Resources"]
FORTNIGHT: Final = 14 * 24 * 3600  # seconds; SQS keeps nothing longer


def properties(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each.get("Properties", {}) for name, each in RESOURCES.items() if each["Type"] == kind}


def nodes(tree: Any) -> Iterator[Any]:
    """Every mapping, list and scalar in `tree`, itself included."""
    yield tree
    if isinstance(tree, dict | list):
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from nodes(child)


def mentioned(tree: Any) -> set[str]:
    """Every name that `tree` refers to, by Ref, GetAtt or Sub."""
    found: set[str] = set()
    for node in nodes(tree):
        match node:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
                found.add(name)
            case {"Fn::Sub": [str(text), dict(own)]}:  # what `own` holds is a node by itself
                found |= {name.split(".")[0] for name in re.findall(r"\$\{([\w:.]+)\}", text)} - own.keys()
            case {"Fn::Sub": str(text)}:
                found |= {name.split(".")[0] for name in re.findall(r"\$\{([\w:.]+)\}", text)}
    return found


def one(tree: Any) -> str:
    """The one resource that `tree` refers to."""
    (name,) = mentioned(tree)
    return name


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _with_metrics(alarm: dict[str, Any]) -> dict[str, Any]:
    """An alarm with the list of its metrics, also where the short form names the only one."""
    if "Metrics" in alarm:
        return alarm
    metric = {
        "Namespace": alarm["Namespace"],
        "MetricName": alarm["MetricName"],
        "Dimensions": alarm.get("Dimensions", []),
    }
    stat = {"Stat": alarm["Statistic"], "Period": alarm["Period"], "Metric": metric}
    return alarm | {"Metrics": [{"Id": "watched", "MetricStat": stat}]}


QUEUES: Final = properties("AWS::SQS::Queue")
FUNCTIONS: Final = {
    name: {"Environment": {"Variables": {}}, "Handler": SHARED["Handler"]} | each
    for name, each in properties("AWS::Serverless::Function").items()
}
LAYERS: Final = properties("AWS::Serverless::LayerVersion")
# Those that bring feedback into the tables; the others know the tables too, but have nothing to do with them. Who parks
# bodies and sends others on is none of them.
_PARKS: Final = "UNREADABLE_BODIES_QUEUE"
INGESTING: Final = {
    name: each
    for name, each in FUNCTIONS.items()
    if {_PARKS, "FEEDBACK_QUEUE"} & {*each["Environment"]["Variables"]} == {_PARKS}
}
POLICIES: Final = properties("AWS::IAM::ManagedPolicy")
ALARMS: Final = {name: _with_metrics(each) for name, each in properties("AWS::CloudWatch::Alarm").items()}
TABLES: Final = properties("AWS::DynamoDB::Table")
RULES: Final = properties("AWS::Events::Rule")
SUBSCRIPTIONS: Final = {
    name: each for name, each in properties("AWS::SNS::Subscription").items() if each["Protocol"] == "sqs"
}


class Statement(NamedTuple):
    """What a role allows."""

    sid: str
    actions: set[str]
    on: set[str]  # names of the template
    resources: list[Any]


def statements(function: str) -> list[Statement]:
    """All that the role of a function allows, by policies of its own and by those that it shares."""
    role = RESOURCES[one(FUNCTIONS[function]["Role"])]["Properties"]
    shared = [POLICIES[name] for name in mentioned(role.get("ManagedPolicyArns", [])) if name in POLICIES]
    return [
        Statement(each.get("Sid", ""), set(many(each["Action"])), mentioned(each["Resource"]), many(each["Resource"]))
        for each in nodes([role["Policies"], shared])
        if isinstance(each, dict) and "Action" in each and "Resource" in each
    ]


def resource(value: Any) -> str:
    """The one resource that a variable names, whether or not a condition may leave it out."""
    (name,) = (name for name in mentioned(value) if name in RESOURCES)
    return name


def _mappings(kind: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """What feeds functions: the function, and the properties of the event."""
    return {
        f"{function}.{name}": (function, event["Properties"])
        for function, each in FUNCTIONS.items()
        for name, event in each.get("Events", {}).items()
        if event["Type"] == kind
    }


MAPPINGS: Final = _mappings("SQS")
STREAMS: Final = _mappings("DynamoDB")
GIVEN_UP: Final = {  # where batches of streams go that were given up: a queue or a bucket
    name: one(each["DestinationConfig"]["OnFailure"]["Destination"]) for name, (_, each) in STREAMS.items()
}
DEAD_LETTERS: Final = {
    one(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in QUEUES.values() if "RedrivePolicy" in each
} | {place for place in GIVEN_UP.values() if place in QUEUES}


def variables(function: str, values: dict[str, str] | None = None) -> dict[str, str]:
    """The environment that the template gives to `function`: parameters by their defaults, resources by `values`.

    A resource that is not in there is called by its logical id, as `sam local` does it. What a condition may leave out
    altogether is left out; what it may leave empty is not empty.
    """
    given = SHARED["Environment"]["Variables"] | FUNCTIONS[function]["Environment"]["Variables"]
    return {name: _value(value, values or {}) for name, value in given.items() if _NOTHING not in nodes(value)}


_NOTHING: Final = {"Ref": "AWS::NoValue"}


def _value(value: Any, values: dict[str, str]) -> str:
    match value:
        case str(text):
            return text
        case {"Ref": str(name)} if name in TEMPLATE["Parameters"]:
            return str(TEMPLATE["Parameters"][name]["Default"])
        case {"Fn::Sub": str(text)} if mentioned(value) <= TEMPLATE["Parameters"].keys():
            return re.sub(r"\$\{(\w+)\}", lambda name: str(TEMPLATE["Parameters"][name[1]]["Default"]), text)
        case {"Fn::Sub": str(text)} | {"Fn::If": [_, {"Fn::Sub": str(text)}, ""]} if len(mentioned(value)) > 1:
            return re.sub(r"\$\{(\w+)\.\w+\}", lambda name: values.get(name[1], name[1]), text)
        case {"Fn::If": [_, _, otherwise]} if len(mentioned(value)) != 1:
            return _value(otherwise, values)
    return ({"AWS::StackName": "aftersend"} | values).get(one(value), one(value))
