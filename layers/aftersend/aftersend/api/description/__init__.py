"""The OpenAPI document: what the operations say of themselves, and what the Structs and their comments say. Pure.

`operations.ALL` is a table: each module that has routes adds its own. Nothing of this is imported by a function: it is
for whoever writes the document that is committed, and for the test that proves it to be true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct, field

from aftersend.api.description.schemas import Json, Schemas
from aftersend.api.problems import CONTENT_TYPE, TYPES
from aftersend.api.shapes import PLAIN, Nothing

VERSION: Final = "1"
_USUAL: Final = ("unreadable", "unidentified", "invalid", "fault", "unavailable")  # may come of every operation
_OF_BODIES: Final = ("too-large", "media-type")
_OF_LISTS: Final = ("cursor",)


class Operation(Struct, frozen=True, kw_only=True):
    """One method on one path."""

    method: Literal["get", "head", "post", "put", "delete"]
    path: str
    id: str
    tag: str
    summary: str
    text: str = ""
    query: type[Struct] = Nothing
    body: type[Struct] | None = None
    lists: tuple[str, ...] = ()  # types of a body that is a list, in the place of JSON
    answer: type[Struct] | None = None
    files: tuple[str, ...] = ()  # types of an answer that is a file; without both there is no body
    headers: Mapping[str, str] = {}  # of the answer, beside those that are common
    success: Mapping[int, str] = field(default_factory=lambda: {200: "The answer."})
    versioned: bool = False  # the answer carries an entity tag
    conditional: bool = False  # If-Match and If-None-Match are heard
    problems: tuple[str, ...] = ()  # beside those that may come of every operation of its kind


class Example(Struct, frozen=True, kw_only=True):
    """A question and the answer that the handlers give to it."""

    operation: str
    name: str
    status: int
    parameters: Mapping[str, str] = {}  # of the path and of the query
    body: Any = None
    answer: Any = None


_INFO: Final = {
    "title": "Aftersend",
    "version": VERSION,
    "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    "description": (
        "May I write to these addresses, what happened to this message, why is this person blocked, and may I unblock "
        "them.\n\nEvery error is a problem detail (RFC 9457). What API Gateway refuses before it asks us is not: 403 "
        'and 429 are `{"message": "…"}`.\n\nRecipients are given in any spelling, percent-encoded where they stand in '
        "a path; a question mark in one is encoded twice (`%253F`), because API Gateway ends a path at one."
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
        "description": "In place of IAM, where the deployment names an issuer.",
    },
}
_TAG: Final = "The version, as an entity tag."
_NO_STORE: Final = "Always no-store: it is of this moment."
_CONDITIONS: Final[dict[str, tuple[str, Json]]] = {
    "If-Match": (
        "The entity tag that was read, or *: write only if that is what is stored.",
        {"type": "string", "pattern": r'^("[0-9]{1,15}"|[0-9]{1,15}|\*)$'},
    ),
    "If-None-Match": ("Only *: write only if nothing is stored.", {"type": "string", "enum": ["*"]}),
}
# What stands for the names in paths.
_PLACES: Final[dict[str, Json]] = {
    "recipient": {
        "description": "A recipient in any spelling, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 1000, "pattern": PLAIN},
    },
    "job": {"description": "The id of a job.", "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
    "message": {
        "description": "The id of a message, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 1000},
    },
}


class Problem(Struct, frozen=True, kw_only=True):
    """A problem detail (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    version: int = 0  # of a version that has moved: the one that is stored


def document(operations: Iterable[Operation], examples: Iterable[Example] = ()) -> Json:
    """The whole document."""
    schemas, shown = Schemas(), list(examples)
    paths: dict[str, Json] = {}
    for each in operations:
        own = [example for example in shown if example.operation == each.id]
        paths.setdefault(each.path, {})[each.method] = _operation(each, schemas, own)
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "security": [{name: []} for name in _SECURITY],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components(), "securitySchemes": _SECURITY},
    }


def problems(operation: Operation) -> list[str]:
    """The names of all problems that may come of it."""
    names = [*_USUAL, *operation.problems]
    names += _OF_BODIES if operation.body or operation.lists else ()
    names += _OF_LISTS if "cursor" in operation.query.__struct_fields__ else ()
    names += ("version-moved",) if operation.conditional else ()
    names += ("not-found",) if "{" in operation.path else ()  # a line break in a name, at least
    return sorted(set(names), key=lambda name: (TYPES[name].status, name))


def _operation(told: Operation, schemas: Schemas, examples: list[Example]) -> Json:
    found: Json = {"operationId": told.id, "tags": [told.tag], "summary": told.summary}
    if told.text:
        found["description"] = told.text
    if parameters := _parameters(told, schemas, examples):
        found["parameters"] = parameters
    if told.body is not None:
        content: Json = {"schema": schemas.of_question(told.body)}
        if given := {each.name: {"value": each.body} for each in examples if each.body is not None}:
            content["examples"] = given
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    if told.lists:
        content = {"schema": {"type": "string"}}
        found["requestBody"] = {"required": True, "content": dict.fromkeys(told.lists, content)}
    return found | {"responses": _responses(told, schemas, examples)}


def _parameters(told: Operation, schemas: Schemas, examples: list[Example]) -> list[Json]:
    names = [part[1:-1] for part in told.path.split("/") if part.startswith("{")]
    found: list[Json] = [{"name": name, "in": "path", "required": True, **_PLACES[name]} for name in names]
    for name, (schema, required) in schemas.fields(told.query).items():
        described = {"description": schema.pop("description")} if "description" in schema else {}
        found.append({"name": name, "in": "query", "required": required, **described, "schema": schema})
    for each in found:
        values = {
            one.name: {"value": one.parameters[each["name"]]} for one in examples if each["name"] in one.parameters
        }
        if values:
            each["examples"] = values
    if told.conditional:
        found += [
            {"name": name, "in": "header", "required": False, "description": text, "schema": schema}
            for name, (text, schema) in _CONDITIONS.items()
        ]
    return found


def _responses(told: Operation, schemas: Schemas, examples: list[Example]) -> Json:
    found: Json = {}
    for status, text in told.success.items():
        headers = {"Cache-Control": _NO_STORE, **({"ETag": _TAG} if told.versioned else {}), **told.headers}
        found[str(status)] = {
            "description": text,
            "headers": {name: {"description": words, "schema": {"type": "string"}} for name, words in headers.items()},
        }
        if told.answer is not None:
            content = _content(schemas.of_answer(told.answer), status, examples)
            found[str(status)]["content"] = {"application/json": content}
        if told.files:
            found[str(status)]["content"] = {
                kind: _content({"type": "string"}, status, examples) for kind in told.files
            }
    by_status: dict[int, list[str]] = {}
    for name in problems(told):
        by_status.setdefault(TYPES[name].status, []).append(name)
    for status, names in by_status.items():
        if str(status) in found:  # HEAD, whose answer is its status
            continue
        found[str(status)] = {"description": "; or: ".join(TYPES[name].title for name in names)}
        if told.method != "head":
            found[str(status)]["content"] = {CONTENT_TYPE: _content(schemas.of_answer(Problem), status, examples)}
    return dict(sorted(found.items()))


def _content(schema: Json, status: int, examples: list[Example]) -> Json:
    shown = {
        each.name: {"value": each.answer} for each in examples if each.status == status and each.answer is not None
    }
    return {"schema": schema} | ({"examples": shown} if shown else {})
