"""Bodies that are too large for a queue: RabbitMQ has larger ones than SQS takes, and none may hold up the others."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import Message, measure_size, unpack
from aftersend.storage.archive import build_put
from aftersend.storage.dead_letters import build_send

AT = datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)
LARGE = Message("0123", b"{" * (MAX_BYTES * 5), AT, "mailerq", {"x-queue": "results"})


def attributes(sent: dict[str, Any]) -> dict[str, str]:
    return {name: each["StringValue"] for name, each in sent["MessageAttributes"].items()}


def test_a_note_says_where_the_archive_has_it() -> None:
    sent = build_send("q", LARGE, "no JSON")
    note = json.loads(sent["MessageBody"])
    assert attributes(sent) == {"source": "mailerq", "reason": "no JSON", "message_id": "0123"}
    archived = build_put("archive", [LARGE])
    assert archived["Key"].startswith(note["archived_in"])
    (line,) = (json.loads(each) for each in gzip.decompress(archived["Body"]).splitlines())
    assert (line["message_id"], line["received_at"]) == (note["message_id"], note["received_at"])
    assert len(line["body"]) == note["bytes"] == len(LARGE.body)


@pytest.mark.parametrize(("fill", "bytes_each"), [(b"{", 1), (b"\xff\xff\xff", 4)])
def test_whole_as_long_as_it_fits_with_everything_beside_it(fill: bytes, bytes_each: int) -> None:
    """Base64 takes four bytes for three. The largest that fits is parked whole, and the next is not."""
    beside = measure_size(*packed(fill)) - bytes_each
    most = (MAX_BYTES - beside) // bytes_each
    text, attributes = packed(fill * most)
    assert unpack(text, attributes)[0] == fill * most
    assert MAX_BYTES - bytes_each < measure_size(text, attributes) <= MAX_BYTES
    assert "archived_in" in packed(fill * (most + 1))[0]


def packed(body: bytes) -> tuple[str, dict[str, str]]:
    sent = build_send("q", Message("id", body, AT, "mailerq"), "why")
    return sent["MessageBody"], attributes(sent)


def test_a_note_is_small_whatever_was_said() -> None:
    sent = build_send("q", Message("i" * 5000, LARGE.body, AT, "mailerq"), "w" * 5000)
    assert measure_size(sent["MessageBody"], attributes(sent)) < 10_000
