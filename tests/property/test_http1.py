"""Answers of HTTP: read as the standard library reads them, however they are cut up; what is hostile gets nowhere."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from http.client import HTTPException, HTTPResponse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.http import http1
from aftersend.http.http1 import HttpResponse, IncompleteRead, ProtocolError, TooLarge

MAX_BODY = 1 << 20

tokens = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12).filter(lambda token: token[0] != "-")
names = tokens.filter(lambda name: name not in {"content-length", "transfer-encoding", "connection"})
values = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85\xa0"), max_size=20)
headers = st.dictionaries(names, values, max_size=5)
contents = st.binary(max_size=300)
statuses = st.integers(200, 599).filter(lambda status: status not in {204, 304})  # which have no body
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def receive(raw: bytes, sizes: Sequence[int] = (1 << 20,)) -> Iterator[bytes]:
    """The pieces in which `raw` comes, the last size for all that are left, and then its end."""
    stream, left = io.BytesIO(raw), list(sizes)
    while piece := stream.read(left.pop(0) if len(left) > 1 else left[0]):
        yield piece
    yield from itertools.repeat(b"")


def read_response(pieces: Iterator[bytes], max_body: int) -> HttpResponse:
    """What the reader makes of these pieces."""
    reader = http1.read_response(max_body)
    next(reader)
    try:
        while True:
            reader.send(next(pieces))
    except StopIteration as end:
        response: HttpResponse = end.value
        return response


def by_length(content: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(content), content)


def in_chunks(content: bytes) -> bytes:
    parts = [content[at : at + 7] for at in range(0, len(content), 7)]
    chunks = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-trailer: 1\r\n\r\n"


def to_the_end(content: bytes) -> bytes:
    return b"\r\n" + content


class _Socket:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BufferedIOBase:
        return io.BytesIO(self._raw)


def of_the_standard_library(raw: bytes) -> HttpResponse:
    with HTTPResponse(_Socket(raw), method="POST") as answer:  # type: ignore[arg-type]  # all that it needs of one
        answer.begin()
        content = answer.read()
        given = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(answer.status, content, given)


@given(statuses, headers, contents, st.sampled_from([by_length, in_chunks, to_the_end]), cuts)
def test_an_answer_is_read_as_the_standard_library_reads_it(
    status: int, given_headers: dict[str, str], content: bytes, framed: Any, sizes: list[int]
) -> None:
    lines = "".join(f"{name.title()}: {value}\r\n" for name, value in given_headers.items())
    raw = f"HTTP/1.1 {status} Some Words\r\n{lines}".encode("latin-1") + framed(content)
    expected = of_the_standard_library(raw)
    found = read_response(receive(raw, sizes), MAX_BODY)
    assert (found.status, found.content) == (expected.status, expected.content)
    assert found.headers == expected.headers
    assert found.last == (framed is to_the_end)


@given(contents, st.sampled_from([by_length, in_chunks]), st.data())
def test_what_is_cut_short_is_never_taken_for_whole(content: bytes, framed: Any, data: st.DataObject) -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + framed(content)
    whole = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises((IncompleteRead, ConnectionResetError)):
        read_response(receive(raw[:whole]), MAX_BODY)


@given(st.binary(max_size=200), cuts)
def test_a_stranger_gets_no_further_than_garbled(raw: bytes, sizes: list[int]) -> None:
    with pytest.raises((ProtocolError, ConnectionResetError)):
        read_response(receive(raw, sizes), MAX_BODY)


@given(st.binary(max_size=100), st.binary(max_size=30), st.integers(0, 60), cuts)
def test_an_answer_with_a_fault_in_it_is_read_or_garbled(noise: bytes, more: bytes, at: int, sizes: list[int]) -> None:
    raw = b"HTTP/1.1 200 OK\r\nA: b\r\n" + in_chunks(b"content") + more
    try:
        found = read_response(receive(raw[:at] + noise + raw[at:], sizes), MAX_BODY)
    except (ProtocolError, ConnectionResetError):
        return
    assert isinstance(found.content, bytes)


def test_nothing_at_all_is_a_connection_that_was_hung_up() -> None:
    with pytest.raises(ConnectionResetError):
        read_response(receive(b""), MAX_BODY)


def test_what_comes_before_the_answer_proper_is_passed_over() -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n" + by_length(b"{}")
    assert read_response(receive(raw), MAX_BODY) == HttpResponse(200, b"{}", {"content-length": "2"})


@pytest.mark.parametrize(
    ("raw", "last"),
    [
        (b"HTTP/1.1 200 OK\r\n" + by_length(b"{}"), False),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n" + by_length(b"{}"), True),
        (b"HTTP/1.0 200 OK\r\n" + by_length(b"{}"), True),
        (b"HTTP/1.1 200 OK\r\n" + to_the_end(b"{}"), True),
        (b"HTTP/1.1 200 OK\r\n" + by_length(b"{}") + b"HTTP/1.1 200", True),
        (b"HTTP/1.1 204 None\r\n\r\n", False),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 2\r\n\r\n", False),
    ],
    ids=["kept", "close", "old", "to the end", "more than one", "none", "same"],
)
def test_a_connection_is_kept_where_another_answer_can_follow(raw: bytes, last: bool) -> None:
    assert read_response(receive(raw), MAX_BODY).last is last


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 +20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
    ],
)
def test_what_contradicts_itself_is_garbled(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_response(receive(raw), MAX_BODY)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40,
        b"HTTP/1.1 103 Early\r\n\r\n" * 11,
        b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 101,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 300,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 101,
    ],
    ids=["head", "heads", "length", "to the end", "chunks", "chunk", "size", "trailers"],
)
@pytest.mark.parametrize("piece", [1 << 20, 7])
def test_every_part_is_bounded(raw: bytes, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read that is not wanted: all of these go on and on."""
    monkeypatch.setattr(http1, "MAX_HEAD", 200)
    with pytest.raises(TooLarge):
        read_response(receive(raw + b"y" * 1000, [piece]), 100)


def test_the_standard_library_agrees_on_what_is_torn() -> None:
    """The oracle of this module is one."""
    with pytest.raises(HTTPException):
        of_the_standard_library(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
