"""Whatever a source's body holds, its parser returns bounded facts or says that it cannot read it, and nothing else.

Every sample of every source is cut, flipped and given wrong types in every field: a bounded choice of each, the same in
every run. A source that is added is tried without a word here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Feedback
from aftersend.core.vocabulary import Channel
from aftersend.sources import SOURCES, load_parser
from local.samples import Sample, samples

RULES: Final = classify.load()
SAMPLES: Final = samples()
SEED: Final = 20_261_128
PLACES: Final = 8  # at which a body is cut, and flipped
BODIES: Final = 30  # of one source
LARGEST: Final = 20_000  # bytes of a body that is tried: the others say nothing else
FIELDS: Final = 16  # of one body that are given other values
TYPES: Final = 6  # values that one of them is given
HUGE: Final = "a number of 5,000 digits"  # which `json` does not write
WRONG: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 2**63, 2**200, HUGE, 1.5, -1e300, "", " ", "\ud800", "\x00", "0", "9" * 40),
    *("a@b" * 2_000, [], [[]], [None], [5, {}], {}, {"": None}, {"event": {}}, "2026-13-45T99:99:99Z", "[", "=a=b/c d"),
)
PLAIN: Final = (
    b"",
    b" ",
    b"null",
    b"0",
    b'"text"',
    b"[]",
    b"{}",
    b"[[]]",
    b"[null]",
    b'{"a":NaN}',
    b"1e400",
    b"\xff\xfe",
)
DEEP: Final = (b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}")


def read(sample: Sample, body: bytes) -> list[Feedback]:
    """What the parser says to `body`; everything it says is bounded, and can be judged."""
    try:
        facts = load_parser(sample.source)(body, sample.headers)
    except MalformedFeedback as error:
        assert len(error.why) < 500
        return []
    for fact in facts[:20]:
        assert fact.recipient == UNNAMED or fact.recipient.partition(":")[0] in set(Channel)
        assert 0 < len(fact.message.encode()) <= 250
        assert len(fact.recipient.encode()) <= 1_024
        assert len((fact.scope or "").encode()) <= 256
        if fact.evidence is not None:
            assert len((fact.evidence.text or "").encode()) <= 1_024
            assert len((fact.evidence.provider_code or "").encode()) <= 96
        if fact.context is not None:
            assert len(fact.context.correlation) <= 32
        RULES(fact)
    return facts


def select(source: str) -> list[Sample]:
    """Samples of one source, not more than BODIES, whichever there are."""
    found = [sample for sample in SAMPLES if sample.source == source and len(sample.body()) <= LARGEST]
    return Random(SEED).sample(found, min(BODIES, len(found)))


@pytest.mark.parametrize("source", SOURCES)
def test_a_body_that_is_cut_or_flipped_is_read_or_malformed(source: str) -> None:
    chance = Random(SEED)
    for sample in select(source):
        body = sample.body()
        for place in chance.sample(range(len(body)), min(PLACES, len(body))):
            read(sample, body[:place])
            read(sample, body[:place] + bytes([body[place] ^ 1 << place % 8]) + body[place + 1 :])


@pytest.mark.parametrize("source", SOURCES)
def test_a_field_of_any_other_type_is_read_or_malformed(source: str) -> None:
    chance = Random(SEED)
    for sample in select(source):
        try:
            document = json.loads(sample.body())
        except ValueError:  # a mail, a form, or what is not meant to be read
            continue
        paths = list(list_paths(document))
        for path in chance.sample(paths, min(FIELDS, len(paths))):
            for value in chance.sample(WRONG, TYPES):
                read(sample, write_json(replace(document, path, value)))


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_no_body_of_anybody_is_read_or_malformed(source: str) -> None:
    sample = next(sample for sample in SAMPLES if sample.source == source)
    for body in (*PLAIN, *DEEP):
        read(sample, body)


def list_paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document."""
    if path:
        yield path
    children = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, child in children:
        yield from list_paths(child, (*path, name))


def replace(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A document with another value at the end of `path`; what is not on the way is shared."""
    if not path:
        return value
    changed = document.copy()
    changed[path[0]] = replace(document[path[0]], path[1:], value)
    return changed


def write_json(document: Any) -> bytes:
    return json.dumps(document).encode().replace(f'"{HUGE}"'.encode(), b"9" * 5_000)
