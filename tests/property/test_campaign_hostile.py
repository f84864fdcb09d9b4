"""Whatever an export of Adobe Campaign holds, its parser returns, soon, or says that it cannot be read."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources import campaign, journey_optimizer
from local.samples import EVENTS

RULES = classify.load()
PARSERS = {"campaign": campaign.parse, "journey_optimizer": journey_optimizer.parse}
SAMPLES = sorted(
    path for name in PARSERS for path in (EVENTS / name).iterdir() if not path.name.endswith(".expected.json")
)
SOON = 2.0  # seconds of CPU for a megabyte
MEGABYTE = 1_000_000
HEAD = b"id,address,status,eventDate,text\n"
ROW = b"1,ann@example.com,Failed,2026-03-02 10:11:12,"


def read(source: str, body: bytes) -> list[Feedback] | str:
    """What a parser says; everything it says is bounded, and can be judged."""
    try:
        facts = PARSERS[source](body)
    except MalformedFeedback as error:
        assert "ann@" not in error.why
        return error.why
    for fact in facts[:50]:
        assert len(fact.message.encode()) <= 300
        assert fact.evidence is None or len((fact.evidence.text or "").encode()) <= 1_024
        assert fact.evidence is None or len((fact.evidence.provider_code or "").encode()) <= 200
        RULES(fact)
    return facts


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_sample_that_is_cut_off_or_flipped_anywhere_is_read_or_malformed(path: Path) -> None:
    body = path.read_bytes()
    chance = random.Random(path.name)
    for end in range(0, len(body), max(1, len(body) // 60)):
        read(path.parent.name, body[:end])
    for _ in range(30 if body else 0):
        flipped = bytearray(body)
        flipped[chance.randrange(len(body))] = chance.randrange(256)
        read(path.parent.name, bytes(flipped))


HOSTILE = {
    "nested lists": b"[" * MEGABYTE,
    "nested objects": b'{"a":' * 200_000,
    "nested elements": b"<a>" * 300_000,
    "closed elements": b"<a>" * 100_000 + b"</a>" * 100_000,
    "a field without end": HEAD + ROW + b'"' + b"x" * MEGABYTE,
    "a large field": HEAD + ROW + b"x" * MEGABYTE + b"\n",
    "many bars": HEAD + ROW + b"SR " + b"a " * 400_000 + b"|\n",
    "many fields": b"id,address,status,eventDate" + b",x" * 300_000 + b"\n",
    "many quotes": HEAD + ROW + b'"' + b'""' * 400_000 + b'"\n',
    "many settings": b"# zone: UTC\n" * 80_000,
    "many lines of nothing": HEAD + b"\n" * MEGABYTE,
    "bytes of zero": HEAD + ROW + b"\0" * 1000,
    "no text": bytes(range(256)),
    "a null of everything": b'{"rows":[null,[],{},1,"a",{"id":null,"status":null,"eventDate":null}]}',
    "wrong types": b'{"rows":[{"id":{"a":1},"status":[1],"eventDate":true,"msg":7}]}',
    "large numbers": b'{"rows":[{"id":' + b"9" * 4_000 + b',"status":1e400,"eventDate":1}]}',
    "no number": b'[{"id":NaN,"status":1,"eventDate":2}]',
    "a year of none": HEAD + b"1,a@example.com,Sent,9999-12-31 23:59:59,\n",
    "a hole in the clock": b"# zone: Europe/Berlin\n" + HEAD + b"1,a@example.com,Sent,0001-01-01 00:00:00,\n",
    "a zone that is a path": b"# zone: ../../etc/passwd\n" + HEAD,
    "a zone of nothing": b"# zone: \xc3\xbc\x01\n" + HEAD,
}


@pytest.mark.parametrize("source", PARSERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_hurt_does_not(source: str, name: str) -> None:
    before = time.process_time()
    read(source, HOSTILE[name])
    assert time.process_time() - before < SOON
