"""Whatever a provider or a stranger sends, a mapping reads it soon, or says that it cannot be read."""

from __future__ import annotations

import json
import random
import time
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Evidence, Feedback
from aftersend.sources import load_parser
from aftersend.sources.mapping import SHIPPED
from aftersend.sources.mapping.facts import MAX_FACTS
from aftersend.sources.mapping.paths import MAX_VALUES
from local.samples import Sample, samples

NAMES: Final = sorted(path.stem for path in SHIPPED.glob("*.toml"))
SAMPLES: Final = [sample for sample in samples() if sample.source in NAMES]
RULES: Final = classify.load()
SOON: Final = 1.5  # seconds of CPU for a megabyte
MEGABYTE: Final = 1_000_000


def read(source: str, body: bytes) -> list[Feedback] | str:
    """What the parser says; everything it says is bounded, and can be judged."""
    try:
        facts = load_parser(source)(body, {})
    except MalformedFeedback as error:
        return error.why
    assert len(facts) <= MAX_FACTS + MAX_VALUES
    for fact in facts[:50]:
        assert len(fact.message.encode()) <= 250
        evidence = fact.evidence or Evidence()
        assert len((evidence.text or "").encode()) <= 1_024
        assert len((evidence.provider_code or "").encode()) <= 64
        RULES(fact)
    return facts


def wide(source: str) -> bytes:
    """A body whose events are many, each looking through a list that is long."""
    small: dict[str, Any] = {"postal": {}, "zeptomail": {}, "unisender": {}}
    lists: dict[str, Any] = {
        "zeptomail": {
            "event_name": ["email_open"],
            "event_message": [
                {
                    "request_id": "r",
                    "email_info": {"to": [{"email_address": {}}] * 20_000},
                    "event_data": [{"details": [{}] * 2_400}],
                }
            ],
        },
        "unisender": {"status": "sent", "job_id": "j", "events_by_user": [{"events": [{"event_data": {}}] * 40_000}]},
    }
    return json.dumps(lists.get(source, small.get(source, [{}] * 300_000))).encode()


HOSTILE: Final = {
    "nested lists": b"[" * MEGABYTE,
    "nested objects": b'{"a":' * 200_000,
    "many events": b"[" + b",".join([b"{}"] * 300_000) + b"]",
    "numbers": b"[" + b",".join([b"1e999"] * 100_000) + b"]",
    "a long number": b'{"id":' + b"9" * 5_000 + b"}",
    "a form": b"a=1&" * 250_000,
    "equals": b"=" * MEGABYTE,
    "percents": b"status=" + b"%" * MEGABYTE,
    "bytes": b"\xff" * MEGABYTE,
    "nulls": b"\x00" * MEGABYTE,
}


@pytest.mark.parametrize("source", NAMES)
def test_hostile_bodies_are_cut_and_not_followed(source: str) -> None:
    for name, body in (HOSTILE | {"wide": wide(source)}).items():
        begun = time.process_time()
        read(source, body)
        assert time.process_time() - begun < SOON, name


@pytest.mark.parametrize("source", NAMES)
def test_long_and_strange_values_in_every_field(source: str) -> None:
    """Each value of each sample in turn, in the place of each leaf."""
    strange: tuple[Any, ...] = (None, True, -1, 2**70, 1.5e300, [], {}, [[]], "x" * 20_000, "\ud800", "a@" * 10_000)
    sample = next(each for each in SAMPLES if each.source == source and each.body().startswith((b"{", b"[")))
    body = json.loads(sample.body())
    for path in list(leaves(body)):
        for value in strange:
            read(source, json.dumps(replaced(body, path, value)).encode())


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Any:
    """Yield the place of everything in a body."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from leaves(each, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A body with another value in one place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_truncated_and_flipped_samples_return(sample: Sample) -> None:
    whole, dice = sample.body(), random.Random(sample.name)
    for end in range(0, len(whole), max(1, len(whole) // 20)):
        read(sample.source, whole[:end])
    for _ in range(10):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        read(sample.source, bytes(broken))


@given(st.binary(max_size=200))
def test_any_bytes_return(body: bytes) -> None:
    for source in NAMES:
        read(source, body)
