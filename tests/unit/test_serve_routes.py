"""API Gateway, as far as this machine plays it: which function answers, what it is handed, what goes back."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from local.lambdas import FunctionFailed, Invocation
from local.serve_routes import Gateway, Request, Response, Route, event, find_reason

ONE = Route("POST", "/feedback/{source}", "Receive")
TWO = Route("POST", "/feedback/{source}/{secret}", "Receive")
ALL = Route("ANY", "/files/{path+}", "Other")


@pytest.mark.parametrize(
    ("route", "path", "found"),
    [
        (ONE, "/feedback/ses", {"source": "ses"}),
        (ONE, "/feedback/a%2Fb%20c", {"source": "a/b c"}),
        (ONE, "/feedback/ses/", None),
        (ONE, "/feedback/", None),
        (ONE, "/feedback", None),
        (ONE, "/feedback/ses/word", None),
        (ONE, "/in/feedback/ses", None),
        (TWO, "/feedback/ses/word", {"source": "ses", "secret": "word"}),
        (TWO, "/feedback/ses/word/x", None),
        (TWO, "/feedback//word", None),
        (ALL, "/files/a/b.c", {"path": "a/b.c"}),
        (ALL, "/files/", None),
        (Route("GET", "/a.b", "F"), "/a.b", {}),
        (Route("GET", "/a.b", "F"), "/aXb", None),
    ],
)
def test_a_path_and_its_parameters(route: Route, path: str, found: dict[str, str] | None) -> None:
    assert route.match(path) == found


class StackOf:
    """A stack with these HTTP APIs, of which only some functions exist."""

    def __init__(self, paths: dict[str, Any], functions: tuple[str, ...]) -> None:
        self._resources: dict[str, Any] = {
            "AWS::ApiGatewayV2::Api": {
                "Api": {"Body": {"paths": paths}},
                "Wide": {"Body": {"paths": {"/{rest+}": {"x-amazon-apigateway-any-method": operation("Wide")}}}},
            },
            "AWS::Lambda::Function": {name: {} for name in functions},
        }

    def resources(self, kind: str) -> Any:
        return self._resources[kind]


LOGS = (
    '{"level":"INFO","message":"other"}\n{"level":"WARNING","message":"Refused","code":"signature","reason":"forged"}'
)


class LambdasOf:
    """Functions that answer as given, and remember what they got."""

    def __init__(self, **answers: Any) -> None:
        self.got: list[Any] = []
        self.functions = {name: self._function(answer) for name, answer in answers.items()}

    def _function(self, answer: Any) -> Any:
        def invoke(asked: Any) -> Invocation:
            self.got.append(asked)
            return Invocation(answer, LOGS)

        return SimpleNamespace(invoke=invoke)


def operation(name: str) -> Any:
    return {
        "x-amazon-apigateway-integration": {"uri": {"Fn::Sub": f"arn:…:path/functions/${{{name}.Arn}}/invocations"}}
    }


def chosen(value: Any) -> Any:
    return {"Fn::If": ["HasIt", value, {"Ref": "AWS::NoValue"}]}


PATHS = {
    "/feedback/{source}": chosen({"post": chosen(operation("Receive"))}),
    "/feedback/known": {"get": operation("Query")},
    "/gone": {"post": operation("Gone")},
    "/any": {"x-amazon-apigateway-any-method": operation("Query")},
}


def gateway(functions: tuple[str, ...] = ("Receive", "Query"), **answers: Any) -> tuple[Gateway, LambdasOf]:
    lambdas = LambdasOf(
        **{"Receive": {"statusCode": 204}, "Query": {"statusCode": 200, "body": "x"}, "Wide": {}, **answers}
    )
    return Gateway(StackOf(PATHS, functions), lambdas.functions), lambdas  # type: ignore[arg-type]


def test_routes_are_those_of_the_template_whose_functions_exist() -> None:
    made, _ = gateway()
    assert sorted(made.routes) == [
        Route("ANY", "/any", "Query", "Api"),
        Route("GET", "/feedback/known", "Query", "Api"),
        Route("POST", "/feedback/{source}", "Receive", "Api"),
    ]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/feedback/ses?a=b", 204),
        ("GET", "/feedback/known", 200),
        ("POST", "/feedback/known", 204),
        ("DELETE", "/any", 200),
        ("GET", "/feedback/ses", 405),
        ("POST", "/gone", 404),
        ("POST", "/feedback", 404),
    ],
)
def test_who_answers(method: str, target: str, status: int) -> None:
    made, _ = gateway()
    assert made.answer(Request(method, target, {}), "h").status == status


def test_an_api_that_answers_everything_answers_what_no_other_has() -> None:
    made, lambdas = gateway(("Receive", "Query", "Wide"))
    statuses = [made.answer(Request(*asked, {}), "h").status for asked in (("GET", "/feedback/ses"), ("GET", "/x/y"))]
    assert statuses == [405, 200]
    assert [each["pathParameters"] for each in lambdas.got] == [{"rest": "x/y"}]


def test_another_method_gets_those_that_there_are() -> None:
    made, lambdas = gateway()
    assert made.answer(Request("PUT", "/feedback/known", {}), "h").headers == {"allow": "GET, POST"}
    assert lambdas.got == []


@pytest.mark.parametrize(
    ("answer", "status", "headers", "body"),
    [
        ({"statusCode": 201, "headers": {"a": "b"}, "body": "ü"}, 201, {"a": "b"}, "ü".encode()),
        ({"statusCode": "204"}, 204, {}, b""),
        ({"statusCode": 200, "body": "/wA=", "isBase64Encoded": True}, 200, {}, b"\xff\x00"),
        ({"a": 1}, 200, {"content-type": "application/json"}, b'{"a": 1}'),
    ],
)
def test_what_goes_back(answer: Any, status: int, headers: Any, body: bytes) -> None:
    made, _ = gateway(Query=answer)
    assert made.answer(Request("GET", "/any", {}), "h") == (status, headers, body, "")


PROBLEM = b'{"type":"about:blank","title":"Not Found","status":404,"detail":"nobody of this name"}'


@pytest.mark.parametrize(
    ("body", "logs", "reason"),
    [
        (PROBLEM, LOGS, "Not Found: nobody of this name"),
        (b"", LOGS, "signature: forged"),
        (b"[]", "no JSON\n" + LOGS, "signature: forged"),
        (b"\xff", '{"level":"ERROR","message":"not stored"}', "not stored"),
        (b"", '{"level":"INFO","message":"fine"}', ""),
        (b"", "", ""),
    ],
)
def test_why_it_is_a_refusal(body: bytes, logs: str, reason: str) -> None:
    assert find_reason(Response(400, {}, body), logs) == reason


def test_every_refusal_has_its_reason() -> None:
    made, _ = gateway(Query={"statusCode": 403, "body": ""})
    asked = [Request(*each, {}) for each in (("GET", "/any"), ("GET", "/feedback/ses"), ("GET", "/nowhere"))]
    assert [made.answer(each, "h").reason for each in asked] == [
        "signature: forged",
        "this path takes POST",
        "no route has this path",
    ]


def test_a_function_that_fails_is_answered_as_api_gateway_does() -> None:
    def fail(_: Any) -> Invocation:
        raise FunctionFailed("Query: KeyError: 'x'")

    made = Gateway(StackOf(PATHS, ("Query",)), {"Query": SimpleNamespace(invoke=fail)})  # type: ignore[arg-type]
    answer = made.answer(Request("GET", "/any", {}), "h")
    assert (answer.status, answer.reason) == (500, "Query: KeyError: 'x'")
    assert b"KeyError" not in answer.body


def handed(headers: dict[str, str], body: bytes, target: str = "/feedback/ses") -> Any:
    return event(Request("POST", target, headers, body), "h:1", ONE, {"source": "ses"})


def test_what_a_function_is_handed() -> None:
    got = handed(
        {"Content-Type": "text/plain", "X-Amz-Sns-Topic-Arn": "T"}, "ü".encode(), "/feedback/ses?a=1&b=&a=%202"
    )
    assert got["headers"] == {"content-type": "text/plain", "x-amz-sns-topic-arn": "T"}
    assert (got["body"], got["isBase64Encoded"]) == ("ü", False)
    assert (got["rawPath"], got["rawQueryString"]) == ("/feedback/ses", "a=1&b=&a=%202")
    assert got["queryStringParameters"] == {"a": "1, 2", "b": ""}
    assert got["pathParameters"] == {"source": "ses"}
    assert got["requestContext"]["domainName"] == "h:1"
    assert got["requestContext"]["http"]["method"] == "POST"
    assert (got["version"], got["routeKey"]) == ("2.0", "POST /feedback/{source}")
    assert json.dumps(got)


@pytest.mark.parametrize(
    ("headers", "body", "is_base64"),
    [
        ({"content-type": "application/json"}, b"{}", False),
        ({"content-type": "application/cloudevents+json; charset=utf-8"}, b"{}", False),
        ({"content-type": "TEXT/XML"}, b"<a/>", False),
        ({"content-type": "application/json"}, b"\xff", True),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"{}", True),
        ({"content-type": "application/octet-stream"}, b"{}", True),
        ({}, b"{}", True),
    ],
)
def test_bytes_survive(headers: dict[str, str], body: bytes, is_base64: bool) -> None:
    got = handed(headers, body)
    assert got["isBase64Encoded"] is is_base64
    assert (base64.b64decode(got["body"]) if is_base64 else got["body"].encode()) == body


def test_nothing_is_no_body() -> None:
    got = handed({}, b"")
    assert "body" not in got
    assert got["isBase64Encoded"] is False
