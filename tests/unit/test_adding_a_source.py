"""docs/adding-a-source.md: the parser that newcomers begin with keeps the contract; no source lacks a step."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from aftersend import settings
from aftersend.core import recipient
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.text import truncate
from aftersend.core.times import parse_time
from aftersend.sources import SOURCES
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.smtp_reply import reply
from tests.support.template import INGESTING, ROOT, variables


class Event(msgspec.Struct):
    """What Acme posts."""

    type: str
    time: str
    message_id: str
    recipient: str
    reason: str | None = None


@pytest.fixture(scope="module")
def parse() -> Any:
    (code,) = re.findall(r"```python\n(SOURCE.*?)```", (ROOT / "docs" / "adding-a-source.md").read_text(), re.DOTALL)
    known = {
        **{each.__name__: each for each in (Evidence, Feedback, Kind, MalformedFeedback, truncate, parse_time, reply)},
        **{"Final": Any, "Headers": Headers, "NONE": NO_HEADERS, "UNREADABLE": DECODE_ERRORS, "address": recipient},
        "decode": msgspec.json.Decoder(Event).decode,
    }
    exec(f"from __future__ import annotations\n{code}", known)
    return known["parse"]


GOOD = {"type": "bounce", "time": "2026-03-02T10:11:12Z", "message_id": "m", "recipient": "Ann <ANN@example.com>"}


def test_it_reads_what_acme_posts(parse: Any) -> None:
    (found,) = parse(msgspec.json.encode(GOOD | {"reason": "550 5.1.1 no such user"}))
    assert (found.kind, found.message, found.recipient) == (Kind.BOUNCED, "acme:m", "email:ann@example.com")
    assert (found.evidence.code, found.evidence.status, found.evidence.provider_code) == (550, "5.1.1", "bounce")


@pytest.mark.parametrize(
    "body",
    [
        b"ann@example.com",
        b"\xffann@example.com",
        b'{"type": ' + b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000,
        msgspec.json.encode(GOOD | {"time": "ann@example.com"}),
        msgspec.json.encode(GOOD | {"time": ["ann@example.com"]}),
    ],
    ids=["text", "bytes", "deep", "deep and unknown", "time", "type"],
)
def test_what_it_cannot_read_is_malformed_for_a_reason_that_quotes_nobody(parse: Any, body: bytes) -> None:
    with pytest.raises(MalformedFeedback) as raised:
        parse(body)
    assert "ann" not in raised.value.why


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_has_its_function_its_way_back_and_its_page(source: str) -> None:
    deployed = {name for name, each in INGESTING.items() if each["Environment"]["Variables"]["SOURCE"] == source}
    assert any(name.startswith("Process") for name in deployed)
    assert source in settings.load_replay(variables("Replay")).queues
    assert (ROOT / "docs" / f"{source}.md").is_file()
    assert f"(docs/{source}.md)" in (ROOT / "README.md").read_text()
