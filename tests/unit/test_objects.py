"""Large objects come in pieces, unpacked, and what is wrong with one is said."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from aftersend.core.errors import MalformedFeedback, StoreUnavailable
from aftersend.storage import objects
from aftersend.storage.objects import PIECE_SIZE, read_pieces, unpack_pieces
from tests.support.clients import service_error
from tests.support.gathering import Bucket

TEXT = b"".join(b"%d\n" % number for number in range(40_000))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setattr(objects, "PIECE_SIZE", 10_000)
    return Bucket()


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000, 10_001, 20_000, 35_000])
def test_an_object_of_any_size_is_read_whole(size: int, bucket: Bucket) -> None:
    bucket.objects["key"] = TEXT[:size]
    pieces = list(read_pieces(bucket, "archive", "key"))
    assert b"".join(pieces) == TEXT[:size]
    assert all(len(piece) <= 10_000 for piece in pieces)


def test_what_is_gone_or_was_changed_is_theirs_and_what_fails_is_ours(bucket: Bucket) -> None:
    with pytest.raises(MalformedFeedback, match="gone"):
        list(read_pieces(bucket, "archive", "key"))
    bucket.objects["key"] = TEXT
    pieces = read_pieces(bucket, "archive", "key")
    next(pieces)
    bucket.objects["key"] = TEXT + b"more"
    with pytest.raises(MalformedFeedback, match="changed"):
        next(pieces)
    bucket.fault = lambda first: service_error("SlowDown") if first else None
    with pytest.raises(StoreUnavailable, match="SlowDown"):
        list(read_pieces(bucket, "archive", "key"))


PACKED = gzip.compress(TEXT)
FORMS = {
    "as it is": TEXT,
    "packed": PACKED,
    "in two members": gzip.compress(TEXT[:70_000]) + gzip.compress(TEXT[70_000:]),
    "with padding": PACKED + b"\0" * 100,
    "an empty member": gzip.compress(b"") + PACKED,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 100, 1_000_000])
def test_what_is_packed_comes_out(form: str, size: int) -> None:
    stream = FORMS[form]
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    if size == 1 and form == "as it is":
        pieces = [stream]
    assert b"".join(unpack_pieces(pieces)) == TEXT
    assert b"".join(unpack_pieces([])) == b""


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (PACKED[:-9], "too early"),
        (PACKED[:1000], "too early"),
        (PACKED[:-8] + bytes(8), "cannot be unpacked"),
        (PACKED + b"no gzip", "cannot be unpacked"),
    ],
)
def test_broken_gzip_is_an_error_and_what_came_before_is_not_lost(stream: bytes, why: str) -> None:
    """But for the last piece, whose checksum is wrong."""
    found: list[bytes] = []
    with pytest.raises(MalformedFeedback, match=why):
        found.extend(unpack_pieces([stream]))
    if why == "too early":
        assert TEXT.startswith(next(unpack_pieces([stream]))[:1000])


def test_a_bomb_is_stopped_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MOST_UNPACKED", 24 * PIECE_SIZE)
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(PIECE_SIZE)) for _ in range(32)) + packer.flush()
    assert len(bomb) < 100_000
    tracemalloc.start()
    size = 0
    with pytest.raises(MalformedFeedback, match="packed in it"):
        for piece in unpack_pieces([bomb]):
            size += len(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size <= 24 * PIECE_SIZE
    assert peak < 4 * PIECE_SIZE
