"""What API Gateway does, for this machine: finds the function for a request, and makes the event that it gets.

The routes are those of the translated template, so a function with an event of type HttpApi is reached here without a
word more. Source: API Gateway developer guide, "Routing to HTTP APIs", "AWS Lambda proxy integrations for HTTP APIs".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from local.lambdas import FunctionFailed, Invocable
from local.stack import Stack
from local.template import Json

WHO: Final = "arn:aws:iam::123456789012:user/you"  # nobody is asked to prove it here

_FUNCTION: Final = re.compile(r"\$\{(\w+)\.Arn\}/invocations")
_PARAMETER: Final = re.compile(r"\{(\w+)(\+?)\}")
# What API Gateway hands over as text; all else is base64.
_TEXT: Final = re.compile(r"text/.*|application/(.+\+)?(json|xml|javascript)")


class Route(NamedTuple):
    """A method and a path of the template, and the logical ids of the function that answers and of its HTTP API."""

    method: str
    path: str
    function: str
    api: str = ""
    guarded: bool = False  # API Gateway asks who it is

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in `path`, or None where it is no path of this route. A parameter is never empty."""
        found = _pattern(self.path).fullmatch(path)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


def _pattern(path: str) -> re.Pattern[str]:
    """`/a/{b}` and `/a/{b+}` as expressions: one part of a path, or all that follows."""
    parts = _PARAMETER.split(path)
    named = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return re.compile(
        re.escape(parts[0])
        + "".join(f"(?P<{name}>{'.+' if plus else '[^/]+'})" + re.escape(rest) for name, plus, rest in named)
    )


class Request(NamedTuple):
    """A request as it arrives; header names in any case, `target` with the query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class Response(NamedTuple):
    """What goes back, and for the console why it is a refusal."""

    status: int
    headers: dict[str, str]
    body: bytes
    reason: str = ""


class Gateway:
    """All HTTP APIs of a stack behind one host: a path belongs to the API that has the closest route for it."""

    def __init__(self, stack: Stack, functions: Mapping[str, Invocable]) -> None:
        self.routes = sorted(_routes(stack), key=_closeness)
        self._functions = functions

    def answer(self, request: Request, host: str) -> Response:
        """What the function answers; 404 and 405 where there is none, 500 where it failed in a process of its own.

        An error that it raises in this process is raised here too.
        """
        path = urlsplit(request.target).path
        matching = [(route, found) for route in self.routes if (found := route.match(path)) is not None]
        own = [(route, parameters) for route, parameters in matching if route.api == matching[0][0].api]
        for route, parameters in own:
            if route.method in (request.method, "ANY"):
                return self._invoke(route.function, event(request, host, route, parameters))
        if own:
            allowed = ", ".join(sorted({route.method for route, _ in own}))
            return Response(405, {"allow": allowed}, b"", f"this path takes {allowed}")
        return Response(404, _JSON, b'{"message":"Not Found"}', "no route has this path")

    def _invoke(self, function: str, asked: Json) -> Response:
        try:
            answer, logs = self._functions[function].invoke(asked)
        except FunctionFailed as error:
            return Response(500, _JSON, b'{"message":"Internal Server Error"}', str(error))
        response = _response(answer)
        return response._replace(reason=find_reason(response, logs)) if response.status >= 400 else response


_JSON: Final = {"content-type": "application/json"}
_SAYS_WHY: Final = ("scheme", "code", "reason", "why")  # in a line that a function logs


def find_reason(response: Response, logs: str) -> str:
    """Return why a function refused: by the problem that it answers with, else by the last line that it logged."""
    problem = _read_object(response.body)
    said = [str(problem[name]) for name in ("title", "detail") if problem.get(name)]
    if not said:
        lines = [line for line in map(_read_object, logs.splitlines()) if line.get("level") in ("WARNING", "ERROR")]
        last = lines[-1] if lines else {}
        said = [str(last[name]) for name in _SAYS_WHY if last.get(name)] or [str(last.get("message", ""))]
    return ": ".join(filter(None, said))


def _read_object(text: str | bytes) -> Json:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _routes(stack: Stack) -> Iterable[Route]:
    existing = stack.resources("AWS::Lambda::Function")
    for api, properties in stack.resources("AWS::ApiGatewayV2::Api").items():
        for path, methods in properties["Body"]["paths"].items():
            for method, operation in _chosen(methods).items():
                name = _FUNCTION.search(json.dumps(operation))
                if name and name[1] in existing:
                    yield Route(_METHODS.get(method, method.upper()), path, name[1], api, "security" in operation)


def _closeness(route: Route) -> tuple[bool, int, int, Route]:
    """What API Gateway prefers comes first: whole paths, then parts to fill in, then the longest beginning."""
    return "+}" in route.path, route.path.count("{"), -len(route.path), route


_METHODS: Final = {"x-amazon-apigateway-any-method": "ANY"}


def _chosen(value: Any) -> Json:
    """The one branch of a condition that is not nothing: the function's own condition is looked at elsewhere."""
    while isinstance(value, dict) and "Fn::If" in value:
        value = next(each for each in value["Fn::If"][1:] if each != {"Ref": "AWS::NoValue"})
    return dict(value)


def event(request: Request, host: str, route: Route, parameters: dict[str, str]) -> Json:
    """The event in payload format version 2.0."""
    parts = urlsplit(request.target)
    headers = {name.lower(): value for name, value in request.headers.items()}
    body, is_base64 = _body(request.body, headers)
    now = datetime.now(UTC)
    return {
        "version": "2.0",
        "routeKey": f"{route.method} {route.path}",
        "rawPath": unquote(parts.path),  # an HTTP API hands paths on decoded
        "rawQueryString": parts.query,
        "headers": headers,
        **({"pathParameters": parameters} if parameters else {}),
        **({"queryStringParameters": _query(parts.query)} if parts.query else {}),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": host,
            **({"authorizer": {"iam": {"userArn": WHO}}} if route.guarded else {}),
            "http": {
                "method": request.method,
                "path": unquote(parts.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid4().hex,
            "routeKey": f"{route.method} {route.path}",
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S %z}",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        **({"body": body} if body else {}),
        "isBase64Encoded": is_base64,
    }


def _query(query: str) -> dict[str, str]:
    """Of a name that comes twice, both values with a comma between them, as API Gateway joins them."""
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = (unquote(part.replace("+", " ")) for part in pair.partition("="))
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(body: bytes, headers: Mapping[str, str]) -> tuple[str, bool]:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if _TEXT.fullmatch(kind) and "content-encoding" not in headers:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), bool(body)


def _response(answer: Json) -> Response:
    """What a function answers; all of it is the body where it names no status."""
    if "statusCode" not in answer:
        return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    return Response(int(answer["statusCode"]), dict(answer.get("headers") or {}), body)
