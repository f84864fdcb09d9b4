"""Every error is a problem detail (RFC 9457), and none says more than it should."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from aftersend.api import app, routes
from aftersend.api.problems import TYPES
from aftersend.api.request import MAX_BODY
from aftersend.core.errors import ConfigurationError, ContentionExhausted, StoreUnavailable, Unreadable
from tests.support.api import Answer, Api, api_context, event
from tests.support.facts import bounce
from tests.support.ports import MemoryStore
from tests.unit.test_api_suppressions import stored

CHECK = "/suppressions/check"
ONE = "/suppressions/ann@example.com"
BODY = {"recipients": ["ann@example.com"]}


def problem(answer: Answer, status: int, type_: str = "about:blank") -> Any:
    """The problem, once it is one."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.status == answer.json["status"] == answer.log.status == status
    assert answer.json["type"] == type_
    assert answer.json["title"] in {each.title for each in TYPES.values() if each.status == status}
    assert answer.json["detail"]
    return answer.json


# ---- Paths and methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/nothing", "/suppressions/", "/recipients", "/messages/", "/review/people"])
def test_a_path_that_does_not_exist(path: str) -> None:
    for method in ("GET", "POST", "OPTIONS", "BREW"):
        problem(Api(api_context())(method, path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/suppressions", "GET"),
        ("GET", "/review/outcomes", "POST"),
        ("POST", ONE, "DELETE, GET, HEAD, PUT"),
        ("OPTIONS", ONE, "DELETE, GET, HEAD, PUT"),
        ("PATCH", CHECK, "POST"),
        ("PATCH", "/jobs/1/start", "POST"),
        ("PATCH", "/jobs/1", "GET"),
        ("GET", "/jobs/1/start", "POST"),
        ("DELETE", CHECK, "POST"),
        ("PUT", "/suppressions/import/uploads", "POST"),
        ("TRACE", "/review", "GET"),
    ],
)
def test_a_method_that_the_path_does_not_know(method: str, path: str, allowed: str) -> None:
    answer = Api(api_context())(method, path)
    problem(answer, 405)
    assert answer.headers["allow"] == allowed


# ---- Who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"iam": {}},
        {"iam": {"userArn": ""}},
        {"iam": {"userArn": None}},
        {"jwt": {"claims": {}}},
        {"jwt": {"claims": {"sub": ""}}},
        {"jwt": {"claims": {"email": "ann@example.com"}}},
        {"lambda": {"sub": "ann"}},
    ],
)
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [("GET", "/suppressions", None), ("POST", CHECK, BODY), ("GET", "/openapi.json", None), ("GET", "/no", None)],
)
def test_nobody_is_answered_whom_the_gateway_does_not_name(
    authorizer: Any, method: str, target: str, body: Any
) -> None:
    answer, log = app.answer(event(method, target, body, by=authorizer), api_context())
    assert (answer["statusCode"], log.status) == (401, 401)
    assert json.loads(answer["body"])["type"] == "about:blank"


TOKEN: dict[str, Any] = {"claims": {"sub": "agnes", "iss": "https://login.example"}}
EACH: dict[str, list[tuple[str, str, Any]]] = {
    "ask": [("GET", "/suppressions", None), ("POST", CHECK, BODY), ("HEAD", "/suppressions/ann@example.com", None)],
    "decide": [
        ("PUT", "/suppressions/ann@example.com", {"note": "x"}),
        ("DELETE", "/suppressions/ann@example.com?note=x", None),
        ("POST", "/review/outcomes", {}),
        ("PUT", "/incidents/63744764214fc1b8fa8a/decision", {}),
    ],
    "bulk": [
        ("DELETE", "/recipients/ann@example.com", None),
        ("POST", "/suppressions/import?dry_run=true", None),
        ("GET", "/suppressions/export", None),
        ("POST", "/suppressions/revert", {}),
        ("GET", "/jobs/0123456789abcdef0123456789abcdef", None),
    ],
}
ASKED = [(right, *each) for right, all_of_it in EACH.items() for each in all_of_it]


def told_scopes(*scopes: str) -> list[dict[str, Any]]:
    """How issuers and API Gateway say it."""
    claims: dict[str, Any] = TOKEN["claims"]
    return [
        {"claims": claims | {"scope": " ".join(scopes)}, "scopes": None},
        {"claims": claims | {"scp": f"[{' '.join(scopes)}]"}},
        {"claims": claims, "scopes": list(scopes)},
    ]


@pytest.mark.parametrize(("right", "method", "target", "body"), ASKED)
def test_a_token_may_do_what_its_scopes_say(right: str, method: str, target: str, body: Any) -> None:
    others = [f"aftersend/{each}" for each in EACH if each != right]
    scope = f"aftersend/{right}"
    for token in [*told_scopes(*others), *told_scopes(scope[:-1], f"x{scope}", scope.upper(), right), TOKEN]:
        refused = Api(api_context(), by={"jwt": token})(method, target, body)
        assert refused.status == 403
        assert refused.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    for token in [*told_scopes(scope), *told_scopes("openid", scope, *others)]:
        assert Api(api_context(), by={"jwt": token})(method, target, body).status not in (401, 403)
    assert Api(api_context())(method, target, body).status not in (401, 403)  # a policy of IAM has said so


def test_every_route_is_asked_for_here() -> None:
    assert {route.needs for route in routes.load_all().routes} == EACH.keys()
    for route in routes.load_all().routes:
        reads = route.method in ("GET", "HEAD") or route.path in (CHECK, "/classify", "/rules/check")
        assert (route.needs == "ask") <= reads


# ---- Bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp", "json"])
def test_a_body_of_another_type(kind: str) -> None:
    problem(Api(api_context())("POST", CHECK, BODY, {"Content-Type": kind}), 415)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"])
def test_json_is_json_however_it_is_written(kind: str) -> None:
    assert Api(api_context())("POST", CHECK, BODY, {"Content-Type": kind}).status == 200


def test_a_body_without_a_type() -> None:
    asked = event("POST", CHECK, BODY, by={"iam": {"userArn": "a"}})
    del asked["headers"]["content-type"]
    assert app.answer(asked, api_context())[0]["statusCode"] == 415
    del asked["headers"]
    assert app.answer(asked, api_context())[0]["statusCode"] == 415


def test_a_body_that_is_too_large() -> None:
    text = json.dumps(BODY)
    problem(Api(api_context())("POST", CHECK, text + " " * (MAX_BODY + 1 - len(text))), 413)
    assert Api(api_context())("POST", CHECK, text + " " * (MAX_BODY - len(text))).status == 200


def test_the_largest_question_fits() -> None:
    longest = "x" * 988 + "@example.com"
    assert len(json.dumps({"recipients": [longest] * 500})) < MAX_BODY
    assert Api(api_context())("POST", CHECK, {"recipients": [longest] * 500}).status == 200
    assert Api(api_context())("POST", CHECK, {"recipients": ["x" * 308 + "@example.com"] * 1000}).status == 200


@pytest.mark.parametrize("body", ["", "{", "nothing", '{"recipients": ["\\ud800"]}', "\ud800", "NaN"])
def test_a_body_that_is_no_json(body: str) -> None:
    problem(Api(api_context())("POST", CHECK, body), 400)


def test_a_body_that_nests_without_end() -> None:
    for depth in ("[" * 100_000, '{"recipients":' + "[" * 100_000, '{"x":' * 50_000):
        problem(Api(api_context())("POST", CHECK, depth), 422)


def test_a_body_may_come_in_base64() -> None:
    asked = event("POST", CHECK, BODY, by={"iam": {"userArn": "a"}})
    asked |= {"body": base64.b64encode(asked["body"].encode()).decode(), "isBase64Encoded": True}
    assert app.answer(asked, api_context())[0]["statusCode"] == 200
    for broken in ("ü", "====", "A"):
        assert app.answer(asked | {"body": broken}, api_context())[0]["statusCode"] == 400
    latin = base64.b64encode(b'{"recipients": ["m\xfcller@example.com"]}').decode()
    assert app.answer(asked | {"body": latin}, api_context())[0]["statusCode"] == 400


# ---- Parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["scope=a&scope=b", "scope=%FF", "&".join(f"p{number}=1" for number in range(17))])
def test_a_query_string_that_cannot_be_read(query: str) -> None:
    problem(Api(api_context())("GET", f"{ONE}?{query}"), 400)


@pytest.mark.parametrize("target", [f"{ONE}?scop=news", "/openapi.json?x=1", f"{CHECK}?scope=news", "/review?page=2"])
def test_a_parameter_that_does_not_exist(target: str) -> None:
    method, body = ("POST", BODY) if target.startswith(CHECK) else ("GET", None)
    assert "unknown field" in problem(Api(api_context())(method, target, body), 422)["detail"]


# ---- Faults ---------------------------------------------------------------------------------------------------------


class Broken(MemoryStore):
    """A store that fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_suppressions(self, keys: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [StoreUnavailable("no answer for ann@example.com"), ContentionExhausted("50 times")])
def test_a_store_that_does_not_answer(error: Exception) -> None:
    answer = Api(api_context(Broken(error)))("POST", CHECK, BODY)
    assert "ann" not in json.dumps(problem(answer, 503))
    assert answer.headers["retry-after"] == "1"
    assert answer.log.fault == []


def test_an_error_that_nobody_expected_says_where_and_not_what() -> None:
    answer = Api(api_context(Broken(KeyError("ann@example.com"))))("POST", CHECK, BODY)
    assert "ann" not in json.dumps(problem(answer, 500))
    assert answer.log.fault[0] == "KeyError"
    assert any(line.partition(":")[0].endswith("api/checks.py") for line in answer.log.fault)
    assert not [line for line in answer.log.fault if "ann@" in line]


@pytest.mark.parametrize("kind", [*app.MISTAKES, UnicodeEncodeError, ConfigurationError])
def test_no_mistake_of_ours_quotes_anybody(kind: type[Exception]) -> None:
    """Lambda would log the message of an error that is left to it."""
    error = kind("utf-8", "ann@example.com", 0, 1, "x") if kind is UnicodeEncodeError else kind("ann@example.com")
    answer = Api(api_context(Broken(error)))("POST", CHECK, BODY)
    assert "ann" not in json.dumps([problem(answer, 500), answer.log.fault])
    assert answer.log.fault[0] == kind.__name__


@pytest.mark.parametrize("kind", [MemoryError, SystemError])
def test_an_environment_that_is_worth_nothing_is_left_to_lambda(kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Api(api_context(Broken(kind())))("POST", CHECK, BODY)


def test_an_item_that_cannot_be_read_is_not_asked_for_again() -> None:
    answer = Api(api_context(Broken(Unreadable("of a newer version"))))("POST", CHECK, BODY)
    problem(answer, 500)
    assert answer.log.fault[0] == "Unreadable"


def test_a_process_goes_on_after_a_fault() -> None:
    Api(api_context(Broken(KeyError())))("POST", CHECK, BODY)
    assert Api(api_context())("POST", CHECK, BODY).status == 200


def test_what_is_logged_names_the_route_and_no_address() -> None:
    log = Api(api_context(stored(bounce(1, "hard"))))("GET", f"{ONE}?scope=*").log
    assert (log.method, log.route, log.status) == ("GET", "/suppressions/{recipient}", 200)
    log = Api(api_context())("GET", "/ann@example.com").log
    assert (log.method, log.route, log.status) == ("GET", "", 404)


def test_an_incident_list_that_cannot_be_read_is_no_permission_to_send() -> None:
    def nobody() -> Any:
        raise StoreUnavailable("no answer")

    problem(Api(api_context(stored(bounce(1, "hard")), incidents=nobody))("POST", CHECK, BODY), 503)


def test_every_problem_has_a_status_of_its_kind() -> None:
    assert {each.status for each in TYPES.values()} == {400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 500, 503}
    assert all(each.title[0].isupper() and not each.title.endswith(".") for each in TYPES.values())


def test_names_in_paths_take_everything_and_nothing_else_does() -> None:
    def methods(path: str) -> list[str]:
        found = routes.find(path, "GET")
        assert found == routes.load_all().find(path), "no module is forgotten"
        return sorted(found[0])

    assert methods("/openapi.json") == ["GET"]
    assert methods("/suppressions/a/b/") == ["DELETE", "GET", "HEAD", "PUT"]
    for path in ("/openapiXjson", "/suppressionsX", "/x/suppressions", "/review/outcomes/x", "/suppressions/a\n"):
        assert methods(path) == []


def test_each_path_is_found_by_how_it_begins() -> None:
    for route in routes.load_all().routes:
        path = route.path.replace("{", "").replace("}", "")
        assert routes.find(path, route.method)[0][route.method] is route
