"""The expanded stack, created by another engine: moto's CloudFormation, with roles, functions and the dashboard.

It resolves every value by itself, orders resources by what they refer to, and knows IAM's grammar of policies. What
it does not know (alarms, secrets, subscriptions, HTTP APIs, SES) is replaced by names, and only the linter has seen it.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

from local.stack import name_fifo_queues
from tests.support.template import RESOURCES, SHARED
from tests.unit.test_template_combinations import OWN, resolved, space

UNKNOWN = "arn:aws:other:eu-west-1:111122223333:{}"


def _replaced(tree: Any, unknown: set[str]) -> Any:
    """`tree` with names in the place of what the engine does not make."""
    match tree:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]} if name in unknown:
            return UNKNOWN.format(name)
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": _filled(text, unknown)}
        case {"Fn::Sub": [str(text), own]}:
            return {"Fn::Sub": [_filled(text, unknown), _replaced(own, unknown)]}
        case dict():
            return {name: _replaced(each, unknown) for name, each in tree.items() if name != "DependsOn"}
        case list():
            return [_replaced(each, unknown) for each in tree]
    return tree


def _filled(text: str, unknown: set[str]) -> str:
    for name in unknown:
        text = re.sub(rf"\$\{{{name}(\.\w+)?\}}", UNKNOWN.format(name), text)
    return text


def _is_known(resource: dict[str, Any]) -> bool:
    """Whether moto makes such a thing: of what feeds functions, not a broker."""
    return resource["Type"] in get_model_map() and "SourceAccessConfigurations" not in resource["Properties"]


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        place = boto3.client("s3")
        place.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", "")
        place.put_object(Bucket="code", Key="code.zip", Body=packed.getvalue())
        yield boto3.client("cloudformation")


@pytest.mark.filterwarnings("ignore:Tried to parse")
@pytest.mark.parametrize("everything", [True, False], ids=["everything", "nothing"])
def test_another_engine_creates_the_stack(formation: Any, everything: bool) -> None:
    """All switches off is what Enter at every question makes; some of them are on when their parameter is empty."""
    found = space()
    off = sum(1 << at for at, (_, value) in enumerate(found.switches) if value == "")
    resources = resolved(off ^ (found.size - 1) if everything else off)
    known = {name: each for name, each in resources.items() if _is_known(each)}
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": found.template["Parameters"],
        "Resources": _replaced(known, resources.keys() - known.keys()),
    }
    name_fifo_queues(template["Resources"])
    for each in template["Resources"].values():
        if each["Type"] == "AWS::Lambda::Function":
            each["Properties"]["Code"] = {"S3Bucket": "code", "S3Key": "code.zip"}
        if each["Type"] == "AWS::Lambda::LayerVersion":
            each["Properties"]["Content"] = {"S3Bucket": "code", "S3Key": "code.zip"}
    given = OWN if everything else {}
    formation.create_stack(
        StackName="aftersend",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = formation.describe_stacks(StackName="aftersend")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = {
        each["LogicalResourceId"]
        for each in formation.list_stack_resources(StackName="aftersend")["StackResourceSummaries"]
    }
    assert made == known.keys()
    functions = {each["FunctionName"]: each for each in boto3.client("lambda").list_functions()["Functions"]}
    wanted = {
        name for name, each in RESOURCES.items() if each["Type"] == "AWS::Serverless::Function" and name in resources
    }
    assert len(functions) == len(wanted)
    for each in functions.values():
        assert each["Environment"]["Variables"].keys() >= SHARED["Environment"]["Variables"].keys() - {
            "AWS_ENDPOINT_URL"
        }
        assert sum(len(name) + len(str(value)) for name, value in each["Environment"]["Variables"].items()) < 4096
    dashboards = boto3.client("cloudwatch").list_dashboards()["DashboardEntries"]
    assert len(dashboards) == everything
    for dashboard in dashboards:
        body = boto3.client("cloudwatch").get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"]
        assert "${" not in body.replace("${PROP(", "")
        shown = json.dumps(RESOURCES["MainDashboard"]["Properties"]["DashboardBody"])
        assert len(json.loads(body)["widgets"]) == len(re.findall(r'\\"type\\":', shown)) > 5
