"""What is kept of each field, as the page of a source says: what is kept changes what a body says, and nothing else.

Every field of the documents' own examples stands in its page's table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from typing import Any, Final

import pytest
from msgspec import Struct

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources import read
from aftersend.sources.mailerq.body import _remove_trailing_commas
from local.samples import EVENTS
from tests.support.template import ROOT

Path = tuple[str | int, ...]


class Example(Struct, frozen=True):
    """A body of a document, taken apart."""

    source: str
    name: str
    fields: dict[str, Any]
    text: bool = False  # the older text of DirectMail

    def read(self, fields: dict[str, Any]) -> list[Feedback] | None:
        """What the body says with these fields; None where it says nothing that can be read."""
        body = "&".join(f"{name}={value}" for name, value in fields.items()) if self.text else json.dumps(fields)
        try:
            return read(self.source, body.encode())
        except MalformedFeedback:
            return None


def mailerq() -> Iterator[Example]:
    for path in sorted((EVENTS / "mailerq").glob("doc-*.json")):
        if "expected" not in path.name:
            fields = json.loads(_remove_trailing_commas(path.read_bytes()))
            yield Example("mailerq", path.name, fields | {"message-id": "id1"})  # else its key is a digest of all


def directmail() -> Iterator[Example]:
    for path in sorted((EVENTS / "directmail").glob("document-*.txt")):
        pairs = (piece.split("=", 1) for piece in re.split(r"&\s*", path.read_text().strip()))
        yield Example("directmail", path.name, {name.strip(): value for name, value in pairs}, text=True)
    for name in ("failed-type-SmtpNxBox", "click", "open", "complaint", "unsubscribe"):
        path = EVENTS / "directmail" / f"{name}-event.json"
        yield Example("directmail", path.name, json.loads(path.read_bytes()))


EXAMPLES: Final = {"mailerq": list(mailerq()), "directmail": list(directmail())}
ENVELOPE: Final = {"type", "source", "time"}  # of a CloudEvent, what counts; the page says so below its table


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value that is neither an object nor a list, with where it stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from walk(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from walk(inner, (*path, place))
    else:
        yield path, value


def name_field(example: Example, path: Path) -> str | None:
    """The field as the page names it; None for the envelope of a CloudEvent, and for what the test itself added."""
    names = [str(part) for part in path if isinstance(part, str)]
    if example.source == "directmail" and not example.text:
        return ".".join(names[1:]) if names[0] == "data" else None
    return None if names == ["message-id"] else ".".join(names)


def changed(fields: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same with another value there."""
    other = deepcopy(fields)
    place: Any = other
    for part in path[:-1]:
        place = place[part]
    value = place[path[-1]]
    if isinstance(value, bool):
        place[path[-1]] = not value
    elif isinstance(value, int):
        place[path[-1]] = value + 1
    elif re.match(r"\d{4}-\d\d", value):
        place[path[-1]] = f"{int(value[:4]) - 1}{value[4:]}"
    elif re.fullmatch(r"\d+", value):
        place[path[-1]] = str(int(value) + 1)
    else:
        place[path[-1]] = value + "x"
    return other


def without(fields: dict[str, Any], names: list[str], value: object = None) -> dict[str, Any]:
    """The same where fields of these names are missing, or have this value instead, wherever they stand."""

    def strip(inner: Any) -> Any:
        if isinstance(inner, dict):
            kept = {name: strip(each) for name, each in inner.items() if name not in names or value is not None}
            return {name: value if name in names else each for name, each in kept.items()}
        return [strip(each) for each in inner] if isinstance(inner, list) else inner

    stripped: dict[str, Any] = strip(fields)
    return stripped


def table(source: str, *, text: bool) -> dict[str, str]:
    """The page's table: each field, and what it says of it."""
    page = (ROOT / "docs" / f"{source}.md").read_text()
    lines = page[page.index("## What is kept of ") :].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    column = 0 if source == "mailerq" or text else 1
    return {name: row[-1] for row in rows for name in re.findall(r"`([^`]+)`", row[column])}


def find_row(rows: dict[str, str], field: str) -> str:
    """What the table says of a field: its own row, or that of the object around it."""
    parts = field.split(".")
    return next(rows[name] for end in count(len(parts), -1) if (name := ".".join(parts[:end])) in rows or not end)


CASES: Final = [
    (example, path, field)
    for examples in EXAMPLES.values()
    for example in examples
    for path, _ in walk(example.fields)
    if (field := name_field(example, path)) is not None
]


@pytest.mark.parametrize(("example", "path", "field"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_what_is_only_in_the_archive_changes_nothing(example: Example, path: Path, field: str) -> None:
    """A field that the page leaves to the archive; and each field of a document's example is in the page."""
    said = find_row(table(example.source, text=example.text), field)
    if "archive" in said:
        assert example.read(changed(example.fields, path)) == example.read(example.fields)


@pytest.mark.parametrize("source", EXAMPLES)
@pytest.mark.parametrize("text", [True, False])
def test_what_is_kept_changes_what_some_example_says(source: str, text: bool) -> None:
    rows = table(source, text=text)
    seen: dict[str, bool] = {}
    for example, path, field in CASES:
        if example.source != source or (source == "directmail" and example.text is not text):
            continue
        said = find_row(rows, field)
        fields = example.fields
        if condition := re.search(r"where (.*?) (?:is|are) (missing|false)", said):
            names = re.findall(r"`([^`]+)`", condition[1])
            fields = without(fields, names, False if condition[2] == "false" else None)
        if not said.startswith("archive"):
            kept = example.read(changed(fields, path)) != example.read(fields)
            row = max((name for name in rows if field == name or field.startswith(name + ".")), key=len)
            seen[row] = seen.get(row, False) or kept
    assert seen and [row for row, kept in seen.items() if not kept] == []


@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES["directmail"] if not each.text], ids=lambda each: each.name
)
def test_around_a_cloud_event_only_these_count(example: Example) -> None:
    for path, _ in walk(example.fields):
        if path[0] != "data" and path[0] not in ENVELOPE:
            assert example.read(changed(example.fields, path)) == example.read(example.fields)
