"""The OpenAPI document: what routes, Structs and the comments beside their fields say. Pure.

No function imports this. `python -m tests.support.api_document` writes the document that is committed and served, with
the real answers to the examples of the routes; a test proves that it is fresh.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from aftersend.api.problems import CONTENT_TYPE, TYPES, ProblemDetails
from aftersend.api.request import SCOPES
from aftersend.api.routing import Example, Route
from aftersend.api.schemas import PATH_PARAMETERS

Json = dict[str, Any]

VERSION: Final = "1"
# Problems that every route may answer with, and those that the form of a route implies.
_COMMON: Final = (
    "bad-request",
    "unauthorized",
    "forbidden",
    "unprocessable-content",
    "internal-server-error",
    "service-unavailable",
)
_OF_BODIES: Final = ("content-too-large", "unsupported-media-type")
_INFO: Final = {
    "title": "Aftersend",
    "version": VERSION,
    "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    "description": (
        "May I write to these addresses, what happened to this message, why is this person blocked, and may I unblock "
        "them.\n\nEvery error is a problem detail (RFC 9457), except what API Gateway itself refuses: 403 and 429 "
        'may be `{"message": "…"}`.\n\nRecipients are accepted in any spelling, percent-encoded in a path. A question '
        "mark in a path is encoded twice (`%253F`), because API Gateway ends the path there otherwise."
    ),
}
_SECURITY: Final = {
    "iam": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": "Signature Version 4 of a principal that may call execute-api:Invoke.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Instead of IAM, if the deployment names an issuer. Each operation names the scope it needs.",
    },
}
_ETAG: Final = "The version, as an entity tag."
_NO_STORE: Final = "Always no-store."
_CONDITIONS: Final[dict[str, tuple[str, Json]]] = {
    "If-Match": (
        "The entity tag that was read, or *: write only if that is what is stored.",
        {"type": "string", "pattern": r'^("[0-9]{1,15}"|[0-9]{1,15}|\*)$'},
    ),
    "If-None-Match": ("Only *: write only if nothing is stored.", {"type": "string", "enum": ["*"]}),
}
_REF: Final = "#/components/schemas/"
_FIELD: Final = re.compile(r"^    (\w+)(?::| =) .*?  # (.+)$", re.MULTILINE)
_NULL: Final = {"type": "null"}

Answers = Mapping[tuple[str, str], tuple[int, Any]]  # operation and name of an example, to its status and its answer


def make_document(routes: Iterable[Route], answers: Answers) -> Json:
    """Return the whole document, with the real `answers` to the examples of the routes."""
    schemas = Schemas()
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe_route(route, schemas, answers)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components(), "securitySchemes": _SECURITY},
    }


def operation_id(route: Route) -> str:
    """Return the id of the operation of a route: `list_suppressions` is listSuppressions."""
    first, *others = route.handler.__name__.split("_")
    return first + "".join(map(str.capitalize, others))


def list_problems(route: Route) -> list[str]:
    """Return the names of all problems that a route may answer with."""
    names = [*_COMMON, *route.problems]
    names += _OF_BODIES if route.body else ()
    names += ("invalid-cursor",) if "cursor" in route.query.__struct_fields__ else ()
    names += ("version-mismatch",) if route.conditional else ()
    names += ("not-one-recipient",) if "{recipient}" in route.path or "recipient" in _body_fields(route) else ()
    names += ("not-found",) if "{" in route.path else ()  # at least if what stands there has a line break
    return sorted(set(names), key=lambda name: (TYPES[name].status, name))


def _body_fields(route: Route) -> tuple[str, ...]:
    return getattr(route.body, "__struct_fields__", ())


def _describe_route(route: Route, schemas: Schemas, answers: Answers) -> Json:
    summary, _, description = (inspect.getdoc(route.handler) or "").partition("\n\n")
    found: Json = {
        "operationId": operation_id(route),
        "tags": [route.tag],
        "security": [{"iam": []}, {"jwt": [SCOPES + route.needs]}],
        "summary": " ".join(summary.split()).removesuffix("."),
    }
    if description:
        found["description"] = "\n\n".join(" ".join(each.split()) for each in description.split("\n\n"))
    if parameters := _describe_parameters(route, schemas):
        found["parameters"] = parameters
    if route.body is not None:
        is_list = route.body is bytes
        content: Json = {"schema": {"type": "string"} if is_list else schemas.of_request(route.body)}
        if given := {each.name: {"value": each.body} for each in route.examples if each.body is not None}:
            content["examples"] = given
        found["requestBody"] = {"required": True, "content": dict.fromkeys(route.media_types, content)}
    shown = [(each, *answers[operation_id(route), each.name]) for each in route.examples]
    return found | {"responses": _describe_responses(route, schemas, shown)}


def _describe_parameters(route: Route, schemas: Schemas) -> list[Json]:
    found = []
    for part in route.path.split("/"):
        if part.startswith("{"):
            schema = msgspec.json.schema(PATH_PARAMETERS[part[1:-1]])
            found.append(_describe_parameter(part[1:-1], "path", schema, required=True))
    for name, (schema, required) in schemas.fields(route.query).items():
        found.append(_describe_parameter(name, "query", schema, required=required))
    for each in found:
        values = {
            example.name: {"value": given[each["name"]]}
            for example in route.examples
            if each["name"] in (given := {**example.path, **dict(parse_qsl(example.query))})
        }
        if values:
            each["examples"] = values
    if route.conditional:
        for name, (text, schema) in _CONDITIONS.items():
            found.append(_describe_parameter(name, "header", schema | {"description": text}, required=False))
    return found


def _describe_parameter(name: str, place: str, schema: Json, *, required: bool) -> Json:
    described = {"description": schema["description"]} if "description" in schema else {}
    own = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": place, "required": required, **described, "schema": own}


def _describe_responses(route: Route, schemas: Schemas, shown: list[tuple[Example, int, Any]]) -> Json:
    found: Json = {}
    for status, text in route.statuses.items():
        headers = {"Cache-Control": _NO_STORE, **({"ETag": _ETAG} if route.versioned else {}), **route.headers}
        found[str(status)] = {
            "description": text,
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()},
        }
        if route.answer is not None:
            content = _show(
                schemas.of_answer(route.answer),
                status,
                [each for each in shown if each[2] is None or not isinstance(each[2], str)],
            )
            found[str(status)]["content"] = {"application/json": content}
        if route.files:
            content = _show({"type": "string"}, status, [each for each in shown if isinstance(each[2], str)])
            found[str(status)].setdefault("content", {}).update(dict.fromkeys(route.files, content))
    by_status: dict[int, list[str]] = {}
    for name in list_problems(route):
        by_status.setdefault(TYPES[name].status, []).append(f"{TYPES[name].title}: {TYPES[name].meaning}.")
    for status, texts in by_status.items():
        if str(status) in found:  # HEAD, whose answer is its status
            continue
        found[str(status)] = {"description": "\n\n".join(texts)}
        if route.method != "HEAD":
            content = _show(schemas.of_answer(ProblemDetails), status, shown)
            found[str(status)]["content"] = {CONTENT_TYPE: content}
    return dict(sorted(found.items()))


def _show(schema: Json, status: int, shown: list[tuple[Example, int, Any]]) -> Json:
    """A schema with those of the answers to examples that have this status."""
    values = {example.name: {"value": answer} for example, own, answer in shown if own == status and answer is not None}
    return {"schema": schema} | ({"examples": values} if values else {})


class Schemas:
    """Components as they are referred to. What only answers hold is missing instead of null,
    unless it is always there."""

    def __init__(self) -> None:
        self._requests: list[type[Struct]] = []
        self._answers: list[type[Struct]] = []

    def of_request(self, shape: type[Struct]) -> Json:
        """Return a reference to what we are sent."""
        self._requests.append(shape)
        return {"$ref": _REF + shape.__name__}

    def of_answer(self, shape: type[Struct]) -> Json:
        """Return a reference to what we send."""
        self._answers.append(shape)
        return {"$ref": _REF + shape.__name__}

    def fields(self, shape: type[Struct]) -> dict[str, tuple[Json, bool]]:
        """Return the schema of each field of a Struct of parameters, and whether it is required."""
        components = _components([shape])
        own = components[shape.__name__]
        _inline_enumerations(own["properties"], components)
        return {name: (_without_null(each), name in own["required"]) for name, each in own["properties"].items()}

    def components(self) -> Json:
        """Return every component that was referred to."""
        requests = _components(self._requests)
        answers = _components(self._answers)
        return dict(sorted(({name: _never_null(each) for name, each in answers.items()} | requests).items()))


def _inline_enumerations(properties: Json, components: Json) -> None:
    """Put enumerations in the place of references to them: a parameter has no components of its own."""
    for name, each in properties.items():
        options = [_resolve(option, components) for option in each.get("anyOf", [each])]
        properties[name] = {**each, "anyOf": options} if "anyOf" in each else options[0]


def _components(shapes: list[type[Struct]]) -> Json:
    """Components by the short names of their types; two of one name are a mistake of ours."""
    _, found = msgspec.json.schema_components(shapes, ref_template=_REF + "{name}")
    known = {kind.__name__: kind for kind in _types(shapes)}
    for name, each in found.items():
        assert name in known, f"two types are called {name.rpartition('.')[2]}"
        _describe(each, known[name])
    return found


def _types(shapes: list[type[Struct]]) -> set[type[Any]]:
    """Every Struct and enumeration that these are made of."""
    found: set[type[Any]] = set()

    def visit(node: Any) -> None:
        if isinstance(node, msgspec.inspect.StructType | msgspec.inspect.EnumType):
            if node.cls in found:
                return
            found.add(node.cls)
        if isinstance(node, msgspec.inspect.Type | msgspec.inspect.Field):
            for name in node.__struct_fields__:
                visit(getattr(node, name))
        elif isinstance(node, tuple | list):
            for each in node:
                visit(each)

    for shape in shapes:
        visit(msgspec.inspect.type_info(shape))
    return found


def _describe(schema: Json, kind: type[Any]) -> None:
    """Add what the comments in the source say."""
    comments: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__ in sys.modules and each.__module__.startswith("aftersend."):
            comments |= dict(_FIELD.findall(inspect.getsource(each)))
    if issubclass(kind, Enum):
        schema["type"] = "string"
        values = [f"`{value.value}`: {comments[value.name]}" for value in kind if value.name in comments]
        schema["description"] = "\n\n".join([schema["description"], *values])
        return
    for name, encoded in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        if name in comments:
            schema["properties"][encoded]["description"] = _sentence(comments[name])


def _sentence(comment: str) -> str:
    return f"{comment[0].upper()}{comment[1:]}."


def _resolve(schema: Json, components: Json) -> Json:
    if "$ref" not in schema:
        return schema
    found = components[schema["$ref"].removeprefix(_REF)]
    return {"type": "string", "enum": found["enum"]}


def _without_null(schema: Json) -> Json:
    """The schema of something that may be missing, but is never null."""
    if "anyOf" not in schema:
        return schema
    options = [each for each in schema["anyOf"] if each != _NULL]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**rest, **options[0]} if len(options) == 1 else {**rest, "anyOf": options}


def _never_null(schema: Json) -> Json:
    """The schema of an answer; only what is always there can be null."""
    if "properties" not in schema:
        return schema
    required = schema.get("required", ())
    shown = {name: each if name in required else _without_null(each) for name, each in schema["properties"].items()}
    return schema | {"properties": shown}
