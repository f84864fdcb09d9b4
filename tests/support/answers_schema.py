"""The JSON schema of our envelope as it should be: `python -m tests.support.answers_schema` writes it."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from aftersend.sources.answers import GivenAnswer
from tests.support.template import ROOT

FILE: Final = ROOT / "docs" / "answers.schema.json"


def make_schema() -> dict[str, Any]:
    """The schema of one entry; what is no entry's own field is left alone."""
    (found,), components = msgspec.json.schema_components([GivenAnswer], ref_template="#/$defs/{name}")
    assert found == {"$ref": "#/$defs/GivenAnswer"}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Answer"}
    return {**head, **{name: value for name, value in components["GivenAnswer"].items() if name != "title"}}


def render() -> str:
    """The text of the file."""
    return json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), "utf-8")
