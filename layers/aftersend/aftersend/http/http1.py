"""Responses of HTTP/1.1, read whole as they come in pieces: bounded, and refused where they make no sense. Pure.

The standard library's client reads the head of a response with its parser of mails. That takes longer than all else in
a call to DynamoDB, and longer to import than all else in this package. Source: RFC 9112, sections 4 to 7.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import lru_cache
from typing import Final, TypeVar

from msgspec import Struct

MAX_HEAD: Final = 65_536  # bytes of a status line with its headers
_MAX_HEADS: Final = 10  # interim responses (1xx) and the final one
_MAX_TRAILERS: Final = 100
_MOST_REMEMBERED: Final = 128  # characters of a line
_NO_BODY: Final = frozenset({204, 304})
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"

_T = TypeVar("_T")
Reader = Generator[None, bytes, _T]  # is sent each piece as it comes, and an empty one at the end


class ProtocolError(Exception):
    """A response that makes no sense, or is not what was sent."""


class IncompleteRead(ProtocolError):
    """A response that ended too early."""


class TooLarge(ProtocolError):
    """A response larger than any that was asked for."""


class HttpResponse(Struct, frozen=True):
    """A whole response. Headers have lower-case names; after the `last` one, a connection is of no more use."""

    status: int
    content: bytes
    headers: Mapping[str, str] = {}
    last: bool = False


def read_response(max_body: int) -> Reader[HttpResponse]:
    """Read the response to one request, with a body of up to `max_body` bytes, from the pieces that are sent in.

    Raises ConnectionResetError if not one byte comes, ProtocolError for what is no response, IncompleteRead for one
    that ends too early and TooLarge for one that exceeds a bound.
    """
    first = yield
    if not first:
        raise ConnectionResetError("closed by the peer")
    stream = _Stream(first, max_body)
    version, status, headers = yield from _read_final_head(stream)
    ends = _is_last(version, headers)
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if status in _NO_BODY:
        content = b""
    elif coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise ProtocolError("ambiguous body length")
        content = b"".join((yield from _read_chunks(stream, max_body)))
    elif length is not None:
        content = yield from stream.read_exactly(_parse_number(length, "ambiguous body length"))
    else:
        content, ends = (yield from stream.read_all()), True
    return HttpResponse(status, content, headers, ends or stream.holds_more)


def read_whole(piece: bytes, max_body: int) -> HttpResponse | None:
    """Return the response that `piece` is; None where it is not whole, or does not say its length.

    Nearly all responses of a service come like this; `read_response` reads the others. Raises ProtocolError for a head
    that is none.
    """
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator:
        return None
    version, status, headers = _parse_head(head)
    length = headers.get("content-length")
    if length != str(len(content)) or len(content) > max_body or status < 200 or status in _NO_BODY:
        return None
    if "transfer-encoding" in headers:
        return None
    return HttpResponse(status, content, headers, _is_last(version, headers))


def _is_last(version: str, headers: Mapping[str, str]) -> bool:
    return version != "HTTP/1.1" or headers.get("connection", "").lower() == "close"


def _read_final_head(stream: _Stream) -> Reader[tuple[str, int, dict[str, str]]]:
    """Read version, status and headers of the final response; interim ones may come before it."""
    for _ in range(_MAX_HEADS):
        version, status, headers = _parse_head((yield from stream.read_until(b"\r\n\r\n", MAX_HEAD)))
        if status >= 200:
            return version, status, headers
    raise TooLarge


def _parse_head(head: bytes) -> tuple[str, int, dict[str, str]]:
    """Parse the head of a response; a header that comes twice is one with a comma."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or rest[3:4].strip():
        raise ProtocolError("not HTTP/1")
    headers: dict[str, str] = {}
    for line in lines:
        name, value = _remember_line(line) if len(line) <= _MOST_REMEMBERED else _parse_line(line)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return version, _parse_number(rest[:3], "malformed status code"), headers


def _parse_line(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise ProtocolError("malformed header line")
    return name.lower(), value.strip()


_remember_line: Final = lru_cache(maxsize=128)(_parse_line)  # a service repeats most lines in all of its heads


def _parse_number(digits: str, otherwise: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise ProtocolError(otherwise)
    return int(digits)


def _read_chunks(stream: _Stream, room: int) -> Reader[list[bytes]]:
    chunks: list[bytes] = []
    while size := _parse_chunk_size((yield from stream.read_until(b"\r\n", MAX_HEAD))):
        if size > room:
            raise TooLarge
        room -= size
        chunks.append((yield from stream.read_exactly(size)))
        if (yield from stream.read_exactly(2)) != b"\r\n":
            raise ProtocolError("chunk without an end")
    for _ in range(_MAX_TRAILERS):
        if not (yield from stream.read_until(b"\r\n", MAX_HEAD)):
            return chunks
    raise TooLarge


def _parse_chunk_size(line: bytes) -> int:
    """Return the size of a chunk; extensions that may follow it are of no interest."""
    digits = line.partition(b";")[0].strip()
    if not 0 < len(digits) <= 8 or digits.strip(_HEXADECIMAL):
        raise ProtocolError("malformed chunk size")
    return int(digits, 16)


class _Stream:
    """What has come and is not taken yet, and what is still to come."""

    def __init__(self, first: bytes, max_body: int) -> None:
        self._rest = first
        self._max_body = max_body

    @property
    def holds_more(self) -> bool:
        """Whether more has come than was taken."""
        return bool(self._rest)

    def read_until(self, separator: bytes, limit: int) -> Reader[bytes]:
        """Take everything before `separator`, and the separator off; raises TooLarge beyond `limit` bytes."""
        while (at := self._rest.find(separator)) < 0:
            if len(self._rest) > limit:
                raise TooLarge
            self._rest += yield from _receive_more()
        found, self._rest = self._rest[:at], self._rest[at + len(separator) :]
        return found

    def read_exactly(self, size: int) -> Reader[bytes]:
        """Take so many bytes."""
        if size > self._max_body:
            raise TooLarge
        pieces, lack = [self._rest], size - len(self._rest)
        while lack > 0:
            pieces.append((yield from _receive_more()))
            lack -= len(pieces[-1])
        last = pieces[-1]
        pieces[-1], self._rest = (last[:lack], last[lack:]) if lack else (last, b"")
        return b"".join(pieces)

    def read_all(self) -> Reader[bytes]:
        """Take everything up to the end."""
        pieces, size = [self._rest], len(self._rest)
        self._rest = b""
        while size <= self._max_body and (piece := (yield)):
            pieces.append(piece)
            size += len(piece)
        if size > self._max_body:
            raise TooLarge
        return b"".join(pieces)


def _receive_more() -> Reader[bytes]:
    piece = yield
    if not piece:
        raise IncompleteRead
    return piece
