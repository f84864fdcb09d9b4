"""A file of rows, cut into records while it streams: never more than one record of it is held. Pure.

A record that is broken or too long is told of by its line, and what follows it is read. Where a record ends is a place
to go on from. What is wrong is said without a word of the file, which may be an address. Sources: RFC 4180 (a quoted
field may hold line breaks), RFC 8259, JSON Lines.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct

from aftersend.core.errors import MalformedFeedback

MAX_RECORD: Final = 64 * 1024  # bytes
MAX_LINES: Final = 200  # of one record
_DEEP: Final = 64  # levels of JSON that a document may have


class Framing(Enum):
    """How records lie in a file."""

    CSV = "csv"  # a record is a line, or several where a quoted field holds line breaks
    LINES = "jsonl"  # a record is a line
    DOCUMENT = "json"  # records are the objects in arrays, wherever the arrays are


class Place(Struct, frozen=True):
    """Where a record begins: the byte in the file, and the line, of which the first is 1."""

    offset: int = 0
    line: int = 1
    inside: str = ""  # of a document: the brackets that are open


class Record(Struct, frozen=True):
    """The bytes of one record, or what is wrong with it."""

    line: int
    after: Place
    data: bytes
    flaw: str | None = None


_TOO_LONG: Final = f"longer than {MAX_RECORD} bytes"
_OPEN: Final = "a quotation mark is never closed"
_ENDS: Final = "the file ends within it"


def records(pieces: Iterable[bytes], framing: Framing, start: Place) -> Iterator[Record]:
    """Every record of a file of which `pieces` are all bytes from `start` on; blank lines are none."""
    if framing is Framing.DOCUMENT:
        return _objects(pieces, start)
    lines = _lines(pieces)
    return _quoted(lines, start) if framing is Framing.CSV else _plain(lines, start)


class _Line(NamedTuple):
    """A line with its end; of one that is too long, the beginning. `size` is its true length."""

    text: bytes
    size: int

    @property
    def flaw(self) -> str | None:
        return _TOO_LONG if self.size > MAX_RECORD else None


def _lines(pieces: Iterable[bytes]) -> Iterator[_Line]:
    kept, size = b"", 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for part in whole:
            yield _Line((kept + part)[:MAX_RECORD] + b"\n", size + len(part) + 1)
            kept, size = b"", 0
        kept, size = (kept + rest)[:MAX_RECORD], size + len(rest)
    if size:
        yield _Line(kept, size)


def _plain(lines: Iterator[_Line], place: Place) -> Iterator[Record]:
    for line in lines:
        record = _record(place, [line], line.flaw)
        place = record.after
        if line.text.strip():
            yield record


def _quoted(lines: Iterator[_Line], place: Place) -> Iterator[Record]:
    """Lines are one record until their quotation marks are even. Where they never are, the first line is broken."""
    waiting: deque[_Line] = deque()
    while True:
        taken, flaw = _balanced(waiting, lines)
        if not taken:
            return
        record = _record(place, taken, flaw)
        place = record.after
        if record.data.strip():
            yield record


def _balanced(waiting: deque[_Line], lines: Iterator[_Line]) -> tuple[list[_Line], str | None]:
    """The lines of the next record, and its flaw. Lines that were looked at and do not belong to it wait."""
    size, odd = 0, False
    for number in range(MAX_LINES):
        if number == len(waiting):
            line = next(lines, None)
            if line is None:
                break
            waiting.append(line)
        line = waiting[number]
        size, odd = size + line.size, odd ^ (line.text.count(b'"') % 2 == 1)
        if size > MAX_RECORD:
            break
        if not odd:
            return [waiting.popleft() for _ in range(number + 1)], None
    if not waiting:
        return [], None
    first = waiting.popleft()
    return [first], first.flaw or _OPEN


def _record(place: Place, lines: list[_Line], flaw: str | None) -> Record:
    after = Place(place.offset + sum(line.size for line in lines), place.line + len(lines))
    return Record(place.line, after, b"".join([line.text for line in lines]), flaw)


_TOKEN: Final = re.compile(rb'["{}\[\]\n]')
_TEXT: Final = re.compile(rb'(?:[^"\\\n]|\\[^\n])*+')  # of a string, as far as it has come


def _objects(pieces: Iterable[bytes], start: Place) -> Iterator[Record]:
    """The objects that lie in arrays. Everything around them is skipped: names of lists, pages, further documents."""
    scan = _Scan(start)
    for piece in pieces:
        yield from scan.feed(piece)
    if scan.begun is not None:
        yield Record(scan.begun, scan.place, b"", _ENDS)


class _Scan:
    """Where the reader of a document stands. `data` begins with byte `base` of the file, and `at` is read next."""

    def __init__(self, start: Place) -> None:
        self.base, self.line = start.offset, start.line
        self.data, self.at = b"", 0
        self.begun: int | None = None  # the line of the record that is open
        self._from: int | None = None  # where it begins in `data`; None where it is none, or too long
        self._depth = 0  # of what holds it
        self._stack = bytearray(start.inside.encode())
        self._in_text = False

    @property
    def place(self) -> Place:
        """Where the next record is looked for."""
        return Place(self.base + self.at, self.line, self._stack.decode())

    def feed(self, piece: bytes) -> Iterator[Record]:
        """The records that end in this piece."""
        self.data += piece
        while self._step():
            if self.begun is not None and len(self._stack) == self._depth:
                yield self._ended()
        if self._from is not None and self.at - self._from > MAX_RECORD:
            self._from = None
        done = self.at if self._from is None else self._from
        self.data, self.base, self.at = self.data[done:], self.base + done, self.at - done
        if self._from is not None:
            self._from = 0

    def _step(self) -> bool:
        """Read on to behind the next thing that matters; whether there was one."""
        if self._in_text:
            return self._text()
        token = _TOKEN.search(self.data, self.at)
        if token is None:
            self.at = len(self.data)
            return False
        self.at = token.end()
        match token[0]:
            case b'"':
                self._in_text = True
            case b"\n":
                self.line += 1
            case b"{" | b"[":
                self._open(token)
            case _:
                del self._stack[-1:]
        return True

    def _text(self) -> bool:
        """Read a string to its end. One with a line break in it is broken, and ends there."""
        found = _TEXT.match(self.data, self.at)
        assert found is not None
        self.at = found.end()
        left = self.data[self.at : self.at + 2]
        if left in (b"", b"\\"):
            return False
        self._in_text = False
        self.at += left[:1] == b'"' or left[:1] == b"\\"
        return True

    def _open(self, token: re.Match[bytes]) -> None:
        if token[0] == b"{" and self.begun is None and self._stack[-1:] == b"[":
            self.begun, self._from, self._depth = self.line, token.start(), len(self._stack)
        if len(self._stack) == _DEEP:
            raise MalformedFeedback("import", f"nested deeper than {_DEEP} levels")
        self._stack += token[0]

    def _ended(self) -> Record:
        begun, first = self.begun, self._from
        assert begun is not None
        self.begun = self._from = None
        if first is None or self.at - first > MAX_RECORD:
            return Record(begun, self.place, b"", _TOO_LONG)
        return Record(begun, self.place, self.data[first : self.at])
