"""The template as SAM expands it, in every combination of its conditions: nothing names what is not there.

CloudFormation would say so at the first deployment with these parameters, and nobody tries them all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV30SpecValidator

from deploy.settle import settle
from deploy.text import write_template
from local.environment import REGION, environment
from local.template import translated
from tests.support.conditions import EVERYWHERE, Space
from tests.support.template import TEMPLATE, many, nodes

PSEUDO: Final = {
    "AWS::Region",
    "AWS::AccountId",
    "AWS::Partition",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
    "AWS::NoValue",
}


@cache
def space() -> Space:
    with environment({"AWS_DEFAULT_REGION": REGION}):
        return Space(translated())


@cache
def rows() -> list[int]:
    return space().pairs()


def test_all_combinations_are_looked_at() -> None:
    """Each condition holds in some of them and not in others."""
    found = space()
    assert {name for name, _ in found.switches} <= TEMPLATE["Parameters"].keys()
    assert found.size == 2 ** len(found.switches)
    for name in found.template["Conditions"]:
        assert found.of(name) and ~found.of(name)
    by_hand = [each for each in rows() if found.of("HasBrokerRetry").holds(each)]
    assert by_hand
    assert all(found.of("HasBroker").holds(each) for each in by_hand)


def test_nothing_refers_to_what_is_not_made_in_any_combination() -> None:
    found = space()
    resources, parameters = found.template["Resources"], found.template["Parameters"]
    wrong, seen = [], 0
    for section in ("Resources", "Outputs"):
        for name, each in found.template[section].items():
            for other, where in found.references({**each, "Condition": None}, found.made(each)):
                seen += 1
                if other in parameters or other in PSEUDO:
                    continue
                if other not in resources or where & ~found.made(resources[other]):
                    wrong.append((name, other))
    assert wrong == []
    assert seen > 500


def test_what_is_named_by_a_word_is_there() -> None:
    """Conditions of resources and of Fn::If, and what a resource waits for."""
    template = space().template
    for node in nodes([template["Resources"], template["Outputs"]]):
        if isinstance(node, dict):
            if isinstance(node.get("Condition"), str):
                assert node["Condition"] in template["Conditions"]
            if "Fn::If" in node:
                assert node["Fn::If"][0] in template["Conditions"]
            for name in many(node.get("DependsOn", [])):
                assert name in template["Resources"]


def test_no_parameter_is_left_that_nothing_uses() -> None:
    found = space()
    used = {name for name, _ in found.references([found.template["Resources"], found.template["Outputs"]], EVERYWHERE)}
    assert found.template["Parameters"].keys() - used - {name for name, _ in found.switches} == set()


# ---- In combinations of each two -------------------------------------------------------------------------------------


def resolved(combination: int) -> dict[str, Any]:
    """The resources that are made in a combination, without conditions."""
    found = space()
    return {
        name: found.resolve({key: part for key, part in each.items() if key != "Condition"}, combination)
        for name, each in found.template["Resources"].items()
        if found.made(each).holds(combination)
    }


def test_what_is_made_is_whole() -> None:
    """Without Fn::If and AWS::NoValue: no list that CloudFormation needs is empty, and policies are policies."""
    for row in rows():
        resources = resolved(row)
        for name, each in resources.items():
            assert not [node for node in nodes(each) if isinstance(node, dict) and "Fn::If" in node], name
            assert {"Ref": "AWS::NoValue"} not in [*nodes(each)], name
        for statement in _statements(resources):
            assert statement["Effect"] in ("Allow", "Deny")
            assert many(statement["Action"])
            assert statement.get("Resource") or "Principal" in statement
        sizes = [
            len(json.dumps(each["Properties"]["PolicyDocument"]))
            for each in resources.values()
            if each["Type"] == "AWS::IAM::ManagedPolicy"
        ]
        assert max(sizes) < 6144 / 2, "IAM quotas: 6,144 characters, names of resources filled in"


def _statements(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for node in nodes(resources):
        if isinstance(node, dict) and "Statement" in node:
            assert node["Version"] == "2012-10-17"
            assert node["Statement"]
            yield from node["Statement"]


# ---- OpenAPI ---------------------------------------------------------------------------------------------------------


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every definition of an API, in each combination in which it differs."""
    seen = set()
    for row in rows():
        for name, each in resolved(row).items():
            if each["Type"] == "AWS::ApiGatewayV2::Api":
                text = json.dumps(each["Properties"]["Body"])
                if text not in seen:
                    seen.add(text)
                    yield name, json.loads(text)


def test_the_definitions_of_the_apis_are_openapi_to_a_strict_reader() -> None:
    """API Gateway's import hands on what its parser says, and FailOnWarnings makes failures of that.

    Two things are written otherwise for this: `x-amazon-apigateway-any-method`, which a reader of OpenAPI skips, is
    made a method, so that it is read; and SAM's empty `responses`, which API Gateway takes without a word, get one.
    """
    names = []
    for name, body in bodies():
        names.append(name)
        for path in body["paths"].values():
            if "x-amazon-apigateway-any-method" in path:
                path["get"] = path.pop("x-amazon-apigateway-any-method")
            for operation in path.values():
                operation["responses"] = operation["responses"] or {"default": {"description": "any"}}
        body["info"]["title"] = str(body["info"]["title"])
        assert [error.message for error in OpenAPIV30SpecValidator(_plain(body)).iter_errors()] == [], name
        assert all("schema" in each for each in nodes(body) if isinstance(each, dict) and each.get("in") == "path")
    assert {*names} == {"Api", "WebhooksApi"}
    assert len(names) > 2, "callers with tokens, and callers that sign"


def _plain(body: Any) -> Any:
    """Functions of CloudFormation as texts."""
    match body:
        case dict() if len(body) == 1 and next(iter(body)).startswith(("Ref", "Fn::")):
            return "https://example.com/" + "x"
        case dict():
            return {name: _plain(each) for name, each in body.items()}
        case list():
            return [_plain(each) for each in body]
    return body


def test_the_strict_reader_is_strict() -> None:
    """It says of SAM's own parameters what API Gateway's parser says of them."""
    (body, *_) = (body for name, body in bodies() if name == "Api")
    operation = body["paths"]["/recipients/{path+}"]["delete"]
    del operation["parameters"][0]["schema"]
    operation["responses"] = {"default": {"description": "any"}}
    body["info"]["title"] = "t"
    assert any("path+" in str(error.message) for error in OpenAPIV30SpecValidator(_plain(body)).iter_errors())


# ---- What is built ---------------------------------------------------------------------------------------------------

ARN: Final = "arn:aws:{}:eu-west-1:111122223333:{}"
EVERYTHING: Final = {
    "MailDomain": "bounce.example.com",
    "VerpTemplate": "b-{token}@bounce.example.com",
    "Webhooks": "true",
    "PublicUrl": "https://hooks.example.com",
    "SyncSesSuppressions": "true",
    "ExportSchedule": "cron(30 2 * * ? *)",
    "OutcomesSchedule": "cron(30 3 * * ? *)",
    "RulesParameter": "/aftersend/rules",
    "JwtIssuer": "https://login.example.com",
    "JwtAudience": "aftersend",
    "BrokerArn": ARN.format("mq", "broker:mail:b-00000000-0000-4000-8000-000000000001"),
    "BrokerSecretArn": ARN.format("secretsmanager", "secret:broker-abcdef"),
    **{f"Broker{kind}Queue": kind.lower() for kind in ("Results", "Success", "Failure", "Retry", "Reports")},
    "MnsEndpoint": "https://1.mns.eu-central-1.aliyuncs.com",
    "MnsSecretArn": ARN.format("secretsmanager", "secret:mns-abcdef"),
    "PublishEvents": "all",
    "SendWebhooks": "true",
    "AlarmEmail": "ops@example.com",
    "Architecture": "arm64",
}
OWN: Final = EVERYTHING | {
    "KmsKeyArn": ARN.format("kms", "key/00000000-0000-4000-8000-000000000000"),
    "AlarmTopicArn": ARN.format("sns", "alarms"),
    "SesConfigurationSet": "letters",
}


@pytest.mark.parametrize("given", [{}, EVERYTHING, OWN], ids=["nothing", "everything", "everything of one's own"])
def test_what_is_built_is_linted(given: dict[str, str]) -> None:
    """With what `deploy.toml` says settled, and what nobody asked for left out."""
    assert given.keys() <= TEMPLATE["Parameters"].keys()
    text = write_template(settle(TEMPLATE, given))
    found = lint(text, config=ManualArgs(regions=[REGION]))
    assert [f"{each.rule.id} {each.message}" for each in found] == []
