"""The template and the API agree: nobody reaches a function without a name, and it may do what it does and no more."""

from __future__ import annotations

from typing import Any, Final

import pytest

from aftersend.api import erasure, list_jobs, operations, rules
from aftersend.api.routes import load_all
from aftersend.core.streaks import ReadBounces
from aftersend.storage.queries import Queries
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import Store
from tests.support.api import TABLES, api_context
from tests.support.clients import FakeDynamoDB
from tests.support.template import FUNCTIONS, RESOURCES, TEMPLATE, mentioned, nodes, one

API: Final = RESOURCES["Api"]["Properties"]
ROUTES: Final = {
    (event["Properties"]["Method"], event["Properties"]["Path"]): name
    for name, function in FUNCTIONS.items()
    for event in function.get("Events", {}).values()
    if event["Type"] == "HttpApi" and one(event["Properties"]["ApiId"]) == "Api"
}

FILES: Final = ("/console", "/console/{path+}")  # for everybody: they hold nothing of anybody


def defined() -> dict[tuple[str, str], Any]:
    """What the definition of the API says of each method and path."""
    found = {}
    for path, methods in API["DefinitionBody"]["paths"].items():
        for method, each in methods.get("Fn::If", [None, methods])[1].items():
            found["ANY" if method == "x-amazon-apigateway-any-method" else method.upper(), path] = each
    return found


def test_every_route_asks_for_a_name() -> None:
    """Without its line in the definition, a route would be open to everybody."""
    assert defined().keys() == ROUTES.keys()
    for (_, path), each in defined().items():
        if path in FILES:
            assert each["security"] == []
            continue
        condition, with_token, without = each["security"]["Fn::If"]
        assert (condition, without, [*with_token[0]], len(with_token)) == ("HasJwt", [{"Iam": []}], ["Jwt"], 1)


def test_the_gateway_asks_for_the_scopes_that_the_routes_behind_it_need() -> None:
    """Of what one route of the gateway takes, the function asks each for its own."""
    needed: dict[tuple[str, str], set[str]] = {key: set() for key in defined()}
    for route in load_all().routes:
        fitting = [
            key
            for key in needed.keys() - {("GET", path) for path in FILES}
            if key[0] in ("ANY", route.method) and _takes(key[1], route.path)
        ]
        needed[max(fitting, key=lambda key: ("{" not in key[1], len(key[1])))].add(f"aftersend/{route.needs}")
    for key, each in defined().items():
        assert key[1] in FILES or set(each["security"]["Fn::If"][1][0]["Jwt"]) == needed[key] | (
            {"aftersend/bulk"} if key == ("ANY", "/{path+}") else set()
        )


def _takes(pattern: str, path: str) -> bool:
    """Whether a route of the gateway takes a path; a whole path comes before all that only begin so."""
    return pattern == path or (pattern.endswith("+}") and path.startswith(pattern.partition("{")[0]))


def test_everything_that_no_other_function_answers_is_answered_by_this_one() -> None:
    assert ROUTES["ANY", "/{path+}"] == ROUTES["POST", "/suppressions/check"] == "Query"
    elsewhere = [*list_jobs.route.routes, *erasure.route.routes, *operations.route.routes, *rules.route.routes]
    for each in [each for each in load_all().routes if each not in elsewhere]:
        fitting = [
            name
            for (method, path), name in ROUTES.items()
            if path != "/{path+}"
            and (path == each.path or (path.endswith("+}") and each.path.startswith(path.partition("{")[0])))
            and method in ("ANY", each.method)
        ]
        assert fitting in ([], ["Query"]), (each.method, each.path)


@pytest.mark.parametrize(("issuer", "scheme"), [("Iam", "awsSigv4"), ("Jwt", "jwt")])
def test_names_are_those_of_aws_or_of_the_issuer(issuer: str, scheme: str) -> None:
    documented = API["DefinitionBody"]["components"]["securitySchemes"][issuer]
    if issuer == "Iam":
        assert documented["x-amazon-apigateway-authtype"] == scheme
        return
    condition, given, otherwise = documented["Fn::If"]
    assert (condition, otherwise) == ("HasJwt", {"Ref": "AWS::NoValue"})
    authorizer = given["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == scheme
    own = {"UserPool", "ConsoleClient"}  # of a console that signs in with Cognito
    assert mentioned(authorizer["jwtConfiguration"]) - own == {"JwtIssuer", "JwtAudience"}


def test_an_issuer_needs_an_audience() -> None:
    rule = TEMPLATE["Rules"]["JwtIsWhole"]
    assert mentioned(rule["RuleCondition"]) == {"JwtIssuer"}
    assert mentioned(rule["Assertions"]) == {"JwtAudience"}


def statements() -> dict[str, Any]:
    role = RESOURCES[one(FUNCTIONS["Query"]["Role"])]["Properties"]["Policies"]
    return {node["Sid"]: node for node in nodes(role) if isinstance(node, dict) and "Sid" in node}


def test_the_function_reads_and_puts_and_nothing_else() -> None:
    granted = statements()
    actions = {
        action
        for each in granted.values()
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert {action for action in actions if action.startswith("dynamodb:")} == {
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    }
    assert {action.partition(":")[0] for action in actions} == {"dynamodb", "logs", "ssm", "kms"}


def test_the_function_may_use_every_index_that_it_asks() -> None:
    asked: set[str] = set()

    class Recording(FakeDynamoDB):
        def query(self, **request: Any) -> Any:
            asked.add(f"${{{request['TableName']}.Arn}}/index/{request['IndexName']}")
            return {"Items": []}

    lookups = Queries(Recording(), TABLES)
    lookups.find_suppressed_on("2026-03-01", 1)
    lookups.find_suppressions_at("example.com", 1)
    lookups.find_recipients_of("test:1", 1)
    lookups.find_outcomes_by_identifier("order:42", 1)
    lookups.find_listed("2026-03-01/bounced/0", "", "~", 1)
    lookups.find_outcomes_to_review("content", 1)
    lookups.find_suppressions_to_review("contradicted", 1)
    Store(Recording(), TABLES).find_bounces(ReadBounces("email:ann@example.com", ("soft",), limit=1))
    SpikeWindows(Recording(), "SpikeWindows", api_context().policy.guard).find_incidents()
    assert {each["Fn::Sub"] for each in statements()["LookUp"]["Resource"]} == asked


def test_the_log_of_the_gateway_has_no_path() -> None:
    text = API["AccessLogSettings"]["Format"]
    assert "$context.requestId" in text
    assert not [word for word in ("path", "$context.identity", "authorizer", "routeKey") if word in text]
