"""Whatever lies in a queue, the MailerQ parser returns, soon, or says that it cannot be read."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources import mailerq
from aftersend.sources.mailerq.body import MAX_MESSAGES
from local.samples import EVENTS
from tests.support.mailerq import ACCEPTED, attempt, message, raw

RULES = classify.load()
SAMPLES = sorted(path for path in (EVENTS / "mailerq").glob("*.json") if not path.name.endswith(".expected.json"))
SOON = 1.5  # seconds of CPU for a megabyte; the slowest needs a fifth of it
MEGABYTE = 1_000_000
RESULT = b'{"recipient":"ann@example.net","results":'
TRIED = b'{"state":"rcptto","result":"error"}'


def read(body: bytes, queue: str = "failure") -> list[Feedback] | str:
    """What the parser says; everything it says is bounded, and can be judged."""
    try:
        facts = mailerq.parse(body, {"x-queue": queue})
    except MalformedFeedback as error:
        return error.why
    assert len(facts) <= MAX_MESSAGES * (mailerq.EARLIEST + mailerq.LATEST)
    for fact in facts[:100]:
        assert fact.recipient.startswith("email:")
        assert len(fact.message.encode()) <= 250
        assert fact.evidence is not None and len((fact.evidence.text or "").encode()) <= 1_024
        RULES(fact)
    return facts


HOSTILE = {
    "nested lists": b"[" * MEGABYTE,
    "nested objects": b'{"a":' * 200_000,
    "a nested property": b'{"recipient":"a","results":[],"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a nested header": b'{"recipient":"a","results":['
    + TRIED
    + b'],"extracted":'
    + b"[" * 50_000
    + b"]" * 50_000
    + b"}",
    "a nested override": RESULT + b'[{"state":"a","result":"b","fatal":' + b"[" * 50_000 + b"]" * 50_000 + b"}]}",
    "many attempts": RESULT + b"[" + b",".join([TRIED] * 27_000) + b"]}",
    "no attempts": RESULT + b"[" + b",".join([b"0"] * 400_000) + b"]}",
    "empty attempts": RESULT + b"[" + b",".join([b"{}"] * 300_000) + b"]}",
    "many messages": b"[" + b",".join([b"{}"] * 300_000) + b"]",
    "many numbers": b"[" + b",".join([b"0"] * 400_000) + b"]",
    "many wrapped": b'{"results":[' + b",".join([b'{"recipient":""}'] * 60_000) + b"]}",
    "a thousand messages": raw([message(*[attempt(*ACCEPTED)] * 5, number=number) for number in range(1000)]),
    "many properties": b"{"
    + b",".join(b'"a%d":0' % number for number in range(80_000))
    + b',"recipient":"a","results":[]}',
    "many tags": RESULT + b"[" + TRIED + b'],"tags":[' + b",".join([b'"a"'] * 200_000) + b"]}",
    "many headers": RESULT
    + b"["
    + TRIED
    + b'],"extracted":{"headers":{'
    + b",".join(b'"x-%d":"a"' % number for number in range(70_000))
    + b"}}}",
    "a long state": RESULT + b'[{"state":"' + b"a" * MEGABYTE + b'","result":"error"}]}',
    "a long time": RESULT + b'[{"state":"a","result":"error","time":"' + b"(" * MEGABYTE + b'"}]}',
    "a long description": RESULT + b'[{"state":"data","result":"error","description":"' + b"5" * MEGABYTE + b'"}]}',
    "a long code": RESULT + b'[{"state":"data","result":"error","code":"' + b"5" * MEGABYTE + b'"}]}',
    "a long number": RESULT + b'[{"state":"data","result":"error","code":' + b"5" * 4_000 + b"}]}",
    "a long recipient": b'{"recipient":"' + b"a@" * 500_000 + b'","results":[' + TRIED + b"]}",
    "commas": b"," * MEGABYTE,
    "trailing commas": RESULT + b"[" + b'{"a":[1,],},' * 80_000,
    "commas and blanks": RESULT + b"[" + b",          " * 90_000,
    "quotation marks": RESULT + b'"' * MEGABYTE,
    "escaped quotation marks": RESULT + b'\\"' * 500_000,
    "backslashes": RESULT + b'"' + b"\\" * MEGABYTE,
    "nulls": b"\x00" * MEGABYTE,
    "bytes": b"\xff" * MEGABYTE,
    "surrogates": RESULT + b'[{"state":"\\ud800","result":"error"}]}',
    "a mail in a mail": raw({"recipient": "a", "mime": '{"notificationType":"Received","content":"' + "[" * 100_000}),
    "a mail of brackets": raw({"recipient": "a@b.example", "mime": "From: a\n\n" + "<" * MEGABYTE}),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_cut_and_not_followed(body: bytes) -> None:
    begun = time.process_time()
    read(body)
    assert time.process_time() - begun < SOON


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_truncation_of_a_sample_returns(path: Path) -> None:
    whole = path.read_bytes()
    for end in range(0, len(whole), max(1, len(whole) // 100)):
        read(whole[:end])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_flipped_bytes_of_a_sample_return(path: Path) -> None:
    whole, dice = path.read_bytes(), random.Random(path.name)
    for _ in range(30):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        read(bytes(broken))


@given(st.binary(max_size=300))
def test_any_bytes_return(body: bytes) -> None:
    read(body)
    read(RESULT + body)


_any: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["ann@example.net"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
_NAMES = (
    *("recipient", "envelope", "message-id", "dsn", "extracted", "tags", "nextattempt", "delayed", "mime", "results"),
    *("own", "queues"),
)
_TRIED = (
    *("state", "result", "time", "mta", "from", "to", "code", "status", "description", "dsn", "cipher", "certificate"),
    *("fatal", "individual", "strange", "greylisted", "fallback"),
)
_attempts = st.fixed_dictionaries(
    {"state": st.sampled_from(["rcptto", "process", "x"]), "result": st.sampled_from(["error", "timeout", "y"])},
    optional=dict.fromkeys(_TRIED[2:], _any),
)
_messages = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(_NAMES[:-3], _any) | {"results": st.lists(_attempts, max_size=3) | _any, "own": _any}
)


@given(_messages | st.lists(_messages, max_size=3), st.sampled_from(["", "retry", "results", "reports"]))
def test_any_types_return(body: object, queue: str) -> None:
    """The sender may add any property of any type, and a response pattern too."""
    read(json.dumps(body).encode(), queue)
