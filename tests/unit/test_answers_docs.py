"""The pages on answers say what the code does: the schema, the examples, and the tables of codes."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import jsonschema_rs
import msgspec
import pytest

from aftersend import classify
from aftersend.core.model import Feedback, Kind
from aftersend.sources import fcm, read
from local.samples import samples
from tests.support.answers_schema import FILE, make_schema, render
from tests.support.template import ROOT

SOURCES: Final = ("apns", "baidu", "fcm", "webpush")
RULES = classify.load()
SCHEMA = jsonschema_rs.Draft202012Validator(make_schema())
KINDS = {"never": Kind.BOUNCED, "no": Kind.BOUNCED, "yes": Kind.DEFERRED}
_BLOCK: Final = re.compile(r"^```json\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ROW: Final = re.compile(r"^\| (.+?) \| `(\w+)` \| (\w+) \| (never|no|yes)", re.MULTILINE)


def page(source: str) -> str:
    return (ROOT / "docs" / f"{source}.md").read_text("utf-8")


def test_the_committed_schema_is_what_the_code_reads() -> None:
    assert FILE.read_text("utf-8") == render(), "make it anew: python -m tests.support.answers_schema"
    assert jsonschema_rs.meta.is_valid(make_schema())


@pytest.mark.parametrize("sample", [each for each in samples() if each.source in SOURCES], ids=lambda each: each.name)
def test_the_schema_takes_what_the_parser_takes(sample: Any) -> None:
    text = sample.body().decode()
    try:
        found = json.loads(text)
        entries = found if isinstance(found, list) else [found]
    except json.JSONDecodeError:
        entries = [json.loads(line) for line in text.splitlines()] if text.startswith("{") else [text]
    valid = all(SCHEMA.is_valid(entry) for entry in entries)
    why = msgspec.json.decode(sample.expectation.read_bytes()).get("malformed", "")
    assert valid is ("Expected" not in why)


@pytest.mark.parametrize("source", [*SOURCES, "answers"])
def test_the_examples_can_be_read(source: str) -> None:
    examples = _BLOCK.findall(page(source))
    assert examples
    for example in examples:
        assert SCHEMA.is_valid(json.loads(example))
        assert read("fcm" if source == "answers" else source, example.encode())


def test_every_field_stands_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", page("answers")))
    assert {*make_schema()["properties"]} - {"recipients"} <= named


def tell(source: str, word: str) -> Feedback:
    """The answer with this code, or without one."""
    bodies: dict[str, Any] = {
        "apns": {"reason": word},
        "baidu": {"error_code": word},
        "fcm": {"results": [{"error": word}]},
    }
    if word not in fcm.CODES or word.isupper():
        bodies["fcm"] = {"error": {"status": word}}
    entry = {"recipient": "https://p.example/a", "message": "m", "at": 1, "status": 400, "body": bodies.get(source)}
    (found,) = read(source, msgspec.json.encode(entry if source in bodies else entry | {"status": int(word)}))
    return found


def codes(source: str) -> list[tuple[str, str, str, str]]:
    """Each code of the table of a page, with what it becomes; a code behind which something is said is not bare."""
    found = []
    for words, reason, klass, again in _ROW.findall(page(source)):
        first = re.sub(r"`[^`]+`( where [^;|]+|\s*and others[^;|]*)", "", words)
        numbers = re.findall(r"\b[45]\d\d\b", re.sub(r"`[^`]*`", "", words)) if source == "webpush" else []
        found += [(word, reason, klass, again) for word in (*re.findall(r"`(\w+)`", first), *numbers)]
    return [each for each in found if each[0] not in {"error", "BadJwtToken"}]


@pytest.mark.parametrize("source", SOURCES)
def test_the_table_of_codes_is_true(source: str) -> None:
    listed = codes(source)
    assert len(listed) >= 7
    for word, reason, klass, again in listed:
        fact = tell(source, word)
        verdict = RULES(fact)
        assert verdict is not None
        assert (verdict.reason, verdict.klass, fact.kind) == (reason, klass, KINDS[again]), word
