"""The OpenAPI document and docs/api.md are true: of every route, of its parameters, its answers and its problems."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from msgspec import Struct
from openapi_spec_validator import validate

from aftersend.api import description
from aftersend.api.description import document
from aftersend.api.description.operations import ALL
from aftersend.api.document import FILE
from aftersend.api.front import ROUTERS, front
from aftersend.api.problems import TYPES
from tests.support.api import Answer, Api, desk
from tests.support.api_document import PAGE, openapi, page, shown
from tests.support.api_world import examples, played, world

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
    answer = Api(desk())("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == FILE.read_text("utf-8")


def test_every_route_is_in_it_and_nothing_else() -> None:
    documented = {(method.upper(), path) for method, path, _ in OPERATIONS.values()}
    assert documented == {(method, re.sub(r"<(\w+)>", r"{\1}", rule)) for method, rule in front().rules()}
    assert len(documented) == len(ALL) == sum(len(router._routes) for router in ROUTERS)


def ask(name: str, query: str = "") -> Answer:
    """An operation about somebody, with an empty body where it has one."""
    method, path, operation = OPERATIONS[name]
    target = path.replace("{job}", "0" * 32).replace("{recipient}", "a@example.com").replace("{message}", "told:1")
    kinds = list(operation.get("requestBody", {}).get("content", ()))
    body: Any = None if not kinds else {} if kinds == ["application/json"] else "-"
    return world()(method.upper(), target + query, body, {"content-type": kinds[0]} if kinds else None)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"probe"}))  # whose answers have no body
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
def test_every_operation_tells_the_problems_that_may_come_of_it(name: str) -> None:
    method, _, operation = OPERATIONS[name]
    for status in ("400", "401", "422", "500", "503"):
        content = operation["responses"][status].get("content", {})
        assert list(content) == ([] if method == "head" else ["application/problem+json"])
    assert ("415" in operation["responses"]) == ("413" in operation["responses"]) == ("requestBody" in operation)


def test_every_problem_may_come_of_some_operation() -> None:
    assert {name for each in ALL for name in description.problems(each)} == TYPES.keys()


def test_words_of_the_vocabulary_come_with_their_meanings() -> None:
    meaning = COMMITTED["components"]["schemas"]["CauseKind"]["description"]
    assert "`streak`: soft bounces in a row" in meaning
    until = COMMITTED["components"]["schemas"]["Checked"]["properties"]["until"]
    assert until == {
        "description": "When it ends as far as is known; without end where it is missing.",
        "type": "string",
        "format": "date-time",
    }


def test_two_types_of_one_name_are_a_mistake() -> None:
    from aftersend.api.messages import Wanted
    from aftersend.api.reviews import Wanted as Another

    same: tuple[type[Struct], ...] = (Wanted, Another)
    told = [
        description.Operation(method="get", path=f"/{at}", id=f"o{at}", tag="", summary="", answer=each)
        for at, each in enumerate(same)
    ]
    with pytest.raises(AssertionError, match="two types are called Wanted"):
        document(told)


# ---- Examples -------------------------------------------------------------------------------------------------------


def test_every_operation_has_an_example_that_succeeds() -> None:
    """But for those that tell of jobs, whose ids are different each time."""
    good = {each.operation for each in examples() if each.status < 300}
    jobs = {each.id for each in ALL if "Location" in each.headers}
    assert {each.id for each in ALL} - jobs - good == {"openapi"}


def test_answers_are_as_the_document_says() -> None:
    """Every answer of the script has a documented status, type and shape."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    assert len(played()) >= 12
    for step, answer in played():
        method, path, operation = OPERATIONS[step.operation]
        assert (method.upper(), path) == (step.method, step.path)
        documented = operation["responses"][str(answer.status)]
        if not answer.text:
            assert "content" not in documented
            continue
        kind = answer.headers["content-type"].partition(";")[0]
        schema = documented["content"][kind]["schema"]
        told = answer.json if "json" in kind else answer.text
        Draft202012Validator({**schema, "components": COMMITTED["components"]}).validate(told)
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
