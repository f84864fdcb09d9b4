"""JSON Schema of the Structs: msgspec says what they are made of, and the comments beside their fields say why."""

from __future__ import annotations

import inspect
import re
import sys
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import Struct

Json = dict[str, Any]

_PLACE: Final = "#/components/schemas/"
_FIELD: Final = re.compile(r"^    (\w+)(?::| =) .*?  # (.+)$", re.MULTILINE)
_NULL: Final = {"type": "null"}


class Schemas:
    """Components as they are asked for. What only answers hold is never null: such a field is missing instead."""

    def __init__(self) -> None:
        self._asked: list[type[Struct]] = []
        self._told: list[type[Struct]] = []

    def of_question(self, shape: type[Struct]) -> Json:
        """A reference to what we are sent."""
        self._asked.append(shape)
        return {"$ref": _PLACE + shape.__name__}

    def of_answer(self, shape: type[Struct]) -> Json:
        """A reference to what we send."""
        self._told.append(shape)
        return {"$ref": _PLACE + shape.__name__}

    def fields(self, shape: type[Struct]) -> dict[str, tuple[Json, bool]]:
        """The schema of each field of a Struct that comes in parts, and whether it must be there."""
        components = _components([shape])
        own = components[shape.__name__]
        self._words(own["properties"], components)
        return {name: (_without_null(each), name in own["required"]) for name, each in own["properties"].items()}

    def components(self) -> Json:
        """Every component that was referred to."""
        asked = _components(self._asked)
        told = _components(self._told)
        return dict(sorted(({name: _never_null(each) for name, each in told.items()} | asked).items()))

    def _words(self, properties: Json, components: Json) -> None:
        """Enumerations in the place of references to them: a parameter has no components of its own."""
        for name, each in properties.items():
            options = [_resolved(option, components) for option in each.get("anyOf", [each])]
            properties[name] = {**each, "anyOf": options} if "anyOf" in each else options[0]


def _components(shapes: list[type[Struct]]) -> Json:
    """Components by the short names of their types; two of one name are a mistake of ours."""
    _, found = msgspec.json.schema_components(shapes, ref_template=_PLACE + "{name}")
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
        words = [f"`{word.value}`: {comments[word.name]}" for word in kind if word.name in comments]
        schema["description"] = "\n\n".join([schema["description"], *words])
        return
    for name, encoded in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        if name in comments:
            schema["properties"][encoded]["description"] = _sentence(comments[name])


def _sentence(comment: str) -> str:
    return f"{comment[0].upper()}{comment[1:]}."


def _resolved(schema: Json, components: Json) -> Json:
    if "$ref" not in schema:
        return schema
    found = components[schema["$ref"].removeprefix(_PLACE)]
    return {"type": "string", "enum": found["enum"]}


def _without_null(schema: Json) -> Json:
    """The schema of something that may be missing, but is never null."""
    if "anyOf" not in schema:
        return schema
    options = [each for each in schema["anyOf"] if each != _NULL]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**rest, **options[0]} if len(options) == 1 else {**rest, "anyOf": options}


def _never_null(schema: Json) -> Json:
    if "properties" not in schema:
        return schema
    return schema | {"properties": {name: _without_null(each) for name, each in schema["properties"].items()}}
