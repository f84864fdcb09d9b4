"""The OpenAPI document and docs/api.md are true: of every route, of its parameters, its answers and its problems."""

from __future__ import annotations

import json
import re
from typing import Any, Final, get_args, get_type_hints

import msgspec
import pytest
from openapi_spec_validator import validate

from aftersend.api.document import FILE
from aftersend.api.openapi import list_problems, make_document, operation_id
from aftersend.api.problems import TYPES
from aftersend.api.request import PlainRequest
from aftersend.api.responses import ApiResponse, empty_response
from aftersend.api.routes import load_all
from aftersend.api.routing import Route, Router
from tests.support.api import Answer, Api, api_context
from tests.support.api_document import PAGE, openapi, page, shown
from tests.support.api_world import EXAMPLES, played, world

COMMITTED: Final[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
OPERATIONS: Final = {
    each["operationId"]: (method, path, each)
    for path, methods in COMMITTED["paths"].items()
    for method, each in methods.items()
}
REFRESH: Final = "PYTHONPATH=layers/aftersend python -m tests.support.api_document"


def test_the_committed_document_is_what_the_code_says() -> None:
    assert FILE.read_text("utf-8") == openapi(), f"make it anew: {REFRESH}"


def test_it_is_an_openapi_document() -> None:
    validate(COMMITTED)
    assert COMMITTED["openapi"].startswith("3.")


def test_it_is_served_as_it_is_committed() -> None:
    answer = Api(api_context())("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == FILE.read_text("utf-8")


def test_every_route_is_in_it_and_nothing_else() -> None:
    documented = {(method.upper(), path) for method, path, _ in OPERATIONS.values()}
    assert documented == {(each.method, each.path) for each in load_all().routes}
    assert OPERATIONS.keys() == {operation_id(each) for each in load_all().routes}
    assert len(documented) == len(OPERATIONS) == len(load_all().routes)


def ask(name: str, query: str = "") -> Answer:
    """An operation about somebody, with an empty body where it has one."""
    method, path, operation = OPERATIONS[name]
    target = path.replace("{job}", "0" * 32).replace("{recipient}", "a@example.com").replace("{message}", "test:1")
    target = target.replace("{incident}", "0" * 20).replace("{queue}", "UnreadableBodies")
    kinds = list(operation.get("requestBody", {}).get("content", ()))
    body: Any = None if not kinds else {} if kinds == ["application/json"] else "-"
    return world()(method.upper(), target + query, body, {"content-type": kinds[0]} if kinds else None)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"checkRecipient"}))  # whose answers have no body
def test_every_parameter_is_heard_and_no_other_one(name: str) -> None:
    """A parameter that is documented is not refused as unknown; one that is not is."""
    parameters = OPERATIONS[name][2].get("parameters", [])
    for parameter in [*[each["name"] for each in parameters if each["in"] == "query"], "nonsense"]:
        text = ask(name, f"?{parameter}=").text
        assert ("unknown field `nonsense`" in text) == (parameter == "nonsense"), text


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_required_is_required(name: str) -> None:
    operation = OPERATIONS[name][2]
    required = [each for each in operation.get("parameters", []) if each["in"] == "query" and each["required"]]
    bodies = "application/json" in operation.get("requestBody", {}).get("content", {})
    answer = ask(name)
    assert (answer.status == 422 and "missing required field" in answer.text) == bool(required or bodies)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_names_the_problems_that_may_come_of_it(name: str) -> None:
    method, _, operation = OPERATIONS[name]
    for status in ("400", "401", "422", "500", "503"):
        content = operation["responses"][status].get("content", {})
        assert list(content) == ([] if method == "head" else ["application/problem+json"])
    assert ("415" in operation["responses"]) == ("413" in operation["responses"]) == ("requestBody" in operation)


def test_every_problem_may_come_of_some_operation() -> None:
    assert {name for each in load_all().routes for name in list_problems(each)} == TYPES.keys()


def test_values_of_the_vocabulary_come_with_their_meanings() -> None:
    meaning = COMMITTED["components"]["schemas"]["CauseKind"]["description"]
    assert "`streak`: soft bounces in a row" in meaning
    until = COMMITTED["components"]["schemas"]["CheckResult"]["properties"]["until"]
    assert until == {
        "description": "When it ends as far as is known; missing if it has no end.",
        "type": "string",
        "format": "date-time",
    }


def test_two_types_of_one_name_are_a_mistake() -> None:
    route = Router(tag="Twice")
    for module in ("one", "other"):
        same = msgspec.defstruct("Same", [("field", int)], module=module)

        @route("GET", f"/{module}", needs="ask", answer=same)
        def get(_request: PlainRequest) -> ApiResponse:
            return empty_response(200)

    with pytest.raises(AssertionError, match="two types are called Same"):
        make_document(route.routes, {})


def test_every_operation_has_a_summary() -> None:
    for _, _, operation in OPERATIONS.values():
        assert operation["summary"][0].isupper()
        assert not operation["summary"].endswith(".")


# ---- Handlers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", load_all().routes, ids=operation_id)
def test_what_a_handler_expects_is_what_its_route_decodes(route: Route) -> None:
    """mypy compares what a route names; this finds what it leaves out, too."""
    expected = next(hint for name, hint in get_type_hints(route.handler).items() if name != "return")
    assert get_args(expected) == (route.query, type(None) if route.body is None else route.body)


# ---- Examples -------------------------------------------------------------------------------------------------------


def test_every_operation_has_an_example_that_succeeds() -> None:
    """But for those about jobs, whose ids are different each time."""
    good = {operation_id(route) for route, _, answer in played() if answer.status < 300}
    jobs = {operation_id(each) for each in load_all().routes if "Location" in each.headers}
    assert OPERATIONS.keys() - jobs - good == {"getDocument"}


def test_answers_are_as_the_document_says() -> None:
    """Every answer of the script has a documented status, type and shape."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    assert len(played()) == len(EXAMPLES) >= 12
    for route, _, answer in played():
        method, path, operation = OPERATIONS[operation_id(route)]
        assert (method.upper(), path) == (route.method, route.path)
        documented = operation["responses"][str(answer.status)]
        if not answer.text:
            assert "content" not in documented
            continue
        kind = answer.headers["content-type"].partition(";")[0]
        schema = documented["content"][kind]["schema"]
        body = answer.json if "json" in kind else answer.text
        Draft202012Validator({**schema, "components": COMMITTED["components"]}).validate(body)
        assert ("etag" in answer.headers) == ("ETag" in documented.get("headers", {}))


# ---- The page -------------------------------------------------------------------------------------------------------


def test_the_examples_of_the_page_are_real_answers() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text, f"make them anew: {REFRESH}"
    assert len(shown(text)) == len(re.findall(r"<!-- example: ", text)) >= 10


def test_the_page_names_every_route_and_every_problem() -> None:
    text = PAGE.read_text("utf-8")
    for method, path, _ in OPERATIONS.values():
        assert f"`{method.upper()} {path}`" in text
    for name, each in TYPES.items():
        assert f"| {each.status} |" in text
        if each.own:
            assert f"`urn:aftersend:problem:{name}`" in text
