"""Cuts a file of rows into records while it streams: never more than one record of it is held. Pure.

A record that is broken or too long is reported with its line, and what follows it is read. Where a record ends is a
position to go on from. Errors quote nothing of the file, which may be an address. Sources: RFC 4180 (a quoted field may
hold line breaks), RFC 8259, JSON Lines.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct

from aftersend.core.errors import MalformedFeedback

MAX_RECORD: Final = 64 * 1024  # bytes, where nothing else is said
MAX_LINES: Final = 200  # of one record
STRETCH: Final = 64 * 1024  # bytes that hold no record, after which there is a place to stop nevertheless
_MAX_DEPTH: Final = 64  # levels of JSON that a document may have


class Framing(Enum):
    """How records lie in a file."""

    CSV = "csv"  # a record is a line, or several where a quoted field holds line breaks
    LINES = "jsonl"  # a record is a line
    DOCUMENT = "json"  # records are the objects in arrays, wherever the arrays are


class FilePosition(Struct, frozen=True):
    """Where a record begins: the byte in the file, and the line, of which the first is 1."""

    offset: int = 0
    line: int = 1
    open_brackets: str = ""  # of a JSON document


class Record(Struct, frozen=True):
    """The bytes of one record, or what is wrong with it. One without either is no record, but a place to stop."""

    line: int
    after: FilePosition
    data: bytes
    error: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it is only a place to stop: a long stretch of the file has nothing in it."""
        return not self.data and self.error is None


_TOO_LONG: Final = "longer than {} bytes"
_NOT_CLOSED: Final = "a quotation mark is never closed"
_TRUNCATED: Final = "the file ends within it"


def split_records(
    pieces: Iterable[bytes], framing: Framing, start: FilePosition, most: int = MAX_RECORD
) -> Iterator[Record]:
    """Yield every record of a file of which `pieces` are all bytes from `start` on; blank lines are none.

    A line or a row has `most` bytes at most, an object of a document MAX_RECORD. Of more than STRETCH bytes without a
    record an empty one says how far they have been read.

    Raises MalformedFeedback for JSON that is nested too deep.
    """
    if framing is Framing.DOCUMENT:
        return _split_document(pieces, start)
    lines = _read_lines(pieces, most)
    return _split_csv(lines, start, most) if framing is Framing.CSV else _split_lines(lines, start)


class _Line(NamedTuple):
    """A line with its end; of one that is too long, the beginning. `size` is its true length."""

    text: bytes
    size: int
    error: str | None = None


def _read_lines(pieces: Iterable[bytes], most: int) -> Iterator[_Line]:
    too_long = _TOO_LONG.format(most)
    begun, size = b"", 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for part in whole:
            size += len(part) + 1
            yield _Line((begun + part)[:most] + b"\n", size, too_long if size > most else None)
            begun, size = b"", 0
        begun, size = (begun + rest)[:most], size + len(rest)
    if size:
        yield _Line(begun, size, too_long if size > most else None)


def _split_lines(lines: Iterator[_Line], position: FilePosition) -> Iterator[Record]:
    stopped = position.offset
    for line in lines:
        record = _make_record(position, [line], line.error)
        position = record.after
        if line.text.strip() or position.offset - stopped > STRETCH:
            yield record if line.text.strip() else _make_stop(position)
            stopped = position.offset


def _split_csv(lines: Iterator[_Line], position: FilePosition, most: int) -> Iterator[Record]:
    """Lines are one record until their quotation marks are even. Where they never are, the first line is broken."""
    waiting: deque[_Line] = deque()
    stopped = position.offset
    while True:
        taken, error = _take_balanced(waiting, lines, most)
        if not taken:
            return
        record = _make_record(position, taken, error)
        position = record.after
        if record.data.strip() or position.offset - stopped > STRETCH:
            yield record if record.data.strip() else _make_stop(position)
            stopped = position.offset


def _take_balanced(waiting: deque[_Line], lines: Iterator[_Line], most: int) -> tuple[list[_Line], str | None]:
    """The lines of the next record, and its error. Lines that were looked at and do not belong to it wait."""
    size, odd = 0, False
    for number in range(MAX_LINES):
        if number == len(waiting):
            line = next(lines, None)
            if line is None:
                break
            waiting.append(line)
        line = waiting[number]
        size, odd = size + line.size, odd ^ (line.text.count(b'"') % 2 == 1)
        if size > most:
            break
        if not odd:
            return [waiting.popleft() for _ in range(number + 1)], None
    if not waiting:
        return [], None
    first = waiting.popleft()
    return [first], first.error or _NOT_CLOSED


def _make_stop(position: FilePosition) -> Record:
    return Record(position.line, position, b"")


def _make_record(position: FilePosition, lines: list[_Line], error: str | None) -> Record:
    after = FilePosition(position.offset + sum(line.size for line in lines), position.line + len(lines))
    return Record(position.line, after, b"".join([line.text for line in lines]), error)


_TOKEN: Final = re.compile(rb'["{}\[\]\n]')
_STRING: Final = re.compile(rb'(?:[^"\\\n]|\\[^\n])*+')  # of a string, as far as it has come


def _split_document(pieces: Iterable[bytes], start: FilePosition) -> Iterator[Record]:
    """The objects that lie in arrays. Everything around them is skipped: names of lists, pages, further documents."""
    scanner, stopped = _DocumentScanner(start), start.offset
    for piece in pieces:
        for record in scanner.feed(piece):
            yield record
            stopped = record.after.offset
        if scanner.is_between_records and scanner.position.offset - stopped > STRETCH:
            yield _make_stop(scanner.position)
            stopped = scanner.position.offset
    if scanner.record_line is not None:
        yield Record(scanner.record_line, scanner.position, b"", _TRUNCATED)


class _DocumentScanner:
    """Where the reader of a document stands. `data` begins with byte `base` of the file, and `at` is read next."""

    def __init__(self, start: FilePosition) -> None:
        self.base, self.line = start.offset, start.line
        self.data, self.at = b"", 0
        self.record_line: int | None = None  # the line of the record that is open
        self._from: int | None = None  # where it begins in `data`; None where it is none, or too long
        self._depth = 0  # of what holds it
        self._stack = bytearray(start.open_brackets.encode())
        self._in_string = False

    @property
    def position(self) -> FilePosition:
        """Return where the next record is looked for."""
        return FilePosition(self.base + self.at, self.line, self._stack.decode())

    @property
    def is_between_records(self) -> bool:
        """Whether whoever goes on from `position` reads what follows in the same way."""
        return self.record_line is None and not self._in_string

    def feed(self, piece: bytes) -> Iterator[Record]:
        """Yield the records that end in this piece."""
        self.data += piece
        while self._step():
            if self.record_line is not None and len(self._stack) == self._depth:
                yield self._end_record()
        if self._from is not None and self.at - self._from > MAX_RECORD:
            self._from = None
        done = self.at if self._from is None else self._from
        self.data, self.base, self.at = self.data[done:], self.base + done, self.at - done
        if self._from is not None:
            self._from = 0

    def _step(self) -> bool:
        """Read on to behind the next thing that matters; whether there was one."""
        if self._in_string:
            return self._skip_string()
        token = _TOKEN.search(self.data, self.at)
        if token is None:
            self.at = len(self.data)
            return False
        self.at = token.end()
        match token[0]:
            case b'"':
                self._in_string = True
            case b"\n":
                self.line += 1
            case b"{" | b"[":
                self._open_bracket(token)
            case _:
                del self._stack[-1:]
        return True

    def _skip_string(self) -> bool:
        """Read a string to its end. One with a line break in it is broken, and ends there."""
        found = _STRING.match(self.data, self.at)
        assert found is not None
        self.at = found.end()
        left = self.data[self.at : self.at + 2]
        if left in (b"", b"\\"):
            return False
        self._in_string = False
        self.at += left[:1] == b'"' or left[:1] == b"\\"
        return True

    def _open_bracket(self, token: re.Match[bytes]) -> None:
        if token[0] == b"{" and self.record_line is None and self._stack[-1:] == b"[":
            self.record_line, self._from, self._depth = self.line, token.start(), len(self._stack)
        if len(self._stack) == _MAX_DEPTH:
            raise MalformedFeedback("import", f"nested deeper than {_MAX_DEPTH} levels")
        self._stack += token[0]

    def _end_record(self) -> Record:
        line, first = self.record_line, self._from
        assert line is not None
        self.record_line = self._from = None
        if first is None or self.at - first > MAX_RECORD:
            return Record(line, self.position, b"", _TOO_LONG.format(MAX_RECORD))
        return Record(line, self.position, self.data[first : self.at])
