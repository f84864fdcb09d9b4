"""Answers of HTTP/1.1, read whole off a connection: bounded, and refused where they make no sense.

The standard library's client reads the head of an answer with its parser of mails. That takes longer than all else in a
call to DynamoDB, and longer to import than all else in this package. Source: RFC 9112, sections 4 to 7: what a client
of AWS meets, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

MOST_HEAD: Final = 65_536
MOST_BODY: Final = 32 * 1024 * 1024  # DynamoDB hands out 16 MB of items at once, which are more as JSON
_PIECE: Final = 65_536
_MOST_HEADS: Final = 10
_MOST_TRAILERS: Final = 100
_NO_BODY: Final = frozenset({204, 304})
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"

Receive = Callable[[int], bytes]  # up to so many bytes, as a socket gives them; none at the end


class Garbled(Exception):
    """An answer that makes no sense, or is not what was sent."""


class Torn(Garbled):
    """An answer that ended too early."""


class TooLarge(Garbled):
    """An answer larger than any that we ask for."""


class Reply(Struct, frozen=True):
    """A whole answer. Headers have lower-case names; after the `last` one, a connection is of no more use."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    last: bool = False


def read(receive: Receive) -> Reply:
    """The answer to one request; raises ConnectionResetError if not one byte comes, else Garbled."""
    first = receive(_PIECE)
    if not first:
        raise ConnectionResetError("hung up")
    stream = _Stream(receive, first)
    version, status, headers = _last_head(stream)
    ends = version != "HTTP/1.1" or headers.get("connection", "").lower() == "close"
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if status in _NO_BODY:
        content = b""
    elif coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise Garbled("how long is it?")
        content = b"".join(_chunks(stream))
    elif length is not None:
        content = stream.exactly(_number(length))
    else:
        content, ends = stream.all(), True
    return Reply(status, headers, content, ends or stream.holds_more)


def _last_head(stream: _Stream) -> tuple[str, int, dict[str, str]]:
    """Version, status and headers of the answer proper; others may come before it."""
    for _ in range(_MOST_HEADS):
        version, status, headers = _head(stream.until(b"\r\n\r\n", MOST_HEAD))
        if status >= 200:
            return version, status, headers
    raise TooLarge


def _head(head: bytes) -> tuple[str, int, dict[str, str]]:
    """A header that comes twice is one with a comma."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or rest[3:4].strip():
        raise Garbled("no HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Garbled("a header without a name")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return version, _number(rest[:3]), headers


def _number(digits: str) -> int:
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise Garbled("no number")
    return int(digits)


def _chunks(stream: _Stream) -> list[bytes]:
    chunks: list[bytes] = []
    room = MOST_BODY
    while size := _size(stream.until(b"\r\n", MOST_HEAD)):
        if size > room:
            raise TooLarge
        room -= size
        chunks.append(stream.exactly(size))
        if stream.exactly(2) != b"\r\n":
            raise Garbled("a chunk without an end")
    for _ in range(_MOST_TRAILERS):
        if not stream.until(b"\r\n", MOST_HEAD):
            return chunks
    raise TooLarge


def _size(line: bytes) -> int:
    """Of a chunk; what may follow it is of no interest."""
    digits = line.partition(b";")[0].strip()
    if not 0 < len(digits) <= 8 or digits.strip(_HEXADECIMAL):
        raise Garbled("a chunk without a size")
    return int(digits, 16)


class _Stream:
    """What has come and is not taken yet, and what is still to come."""

    def __init__(self, receive: Receive, first: bytes) -> None:
        self._receive = receive
        self._rest = first

    @property
    def holds_more(self) -> bool:
        """Whether more has come than was taken."""
        return bool(self._rest)

    def until(self, mark: bytes, most: int) -> bytes:
        """Take everything before `mark`, and the mark off."""
        while (at := self._rest.find(mark)) < 0:
            if len(self._rest) > most:
                raise TooLarge
            self._rest += self._more(_PIECE)
        found, self._rest = self._rest[:at], self._rest[at + len(mark) :]
        return found

    def exactly(self, size: int) -> bytes:
        """Take so many bytes."""
        if size > MOST_BODY:
            raise TooLarge
        pieces = [self._rest[:size]]
        self._rest = self._rest[size:]
        lack = size - len(pieces[0])
        while lack:
            pieces.append(self._more(min(lack, _PIECE)))
            lack -= len(pieces[-1])
        return b"".join(pieces)

    def all(self) -> bytes:
        """Take everything up to the end."""
        pieces, size = [self._rest], len(self._rest)
        self._rest = b""
        while size <= MOST_BODY and (piece := self._receive(_PIECE)):
            pieces.append(piece)
            size += len(piece)
        if size > MOST_BODY:
            raise TooLarge
        return b"".join(pieces)

    def _more(self, size: int) -> bytes:
        piece = self._receive(size)
        if not piece:
            raise Torn
        return piece
