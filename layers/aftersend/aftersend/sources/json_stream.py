"""Cuts a stream of JSON objects that lie one behind another into its records, while it comes. Pure.

Amazon Data Firehose puts records one behind another, with nothing between them but what their sender has put there; SES
ends each with a line break (SES developer guide, "Contents of event data that Amazon SES publishes to Firehose"). Both
are read, and objects that go over several lines. A record that is broken ends where another one visibly begins, and
what follows it is read. Errors quote nothing of the stream, which may be an address.

That another one begins shows by the grammar of JSON (RFC 8259): outside of strings, an object that lies in another one
follows a colon, a comma or a bracket; and a string holds no line break. Where an object goes over several lines, those
that lie in it are indented: one that begins a line is a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend.sources.envelope import MAX_BYTES

_TOO_LONG: Final = "longer than {} bytes"
_BROKEN: Final = "an object that is never closed: another one begins in it"
_TRUNCATED: Final = "the stream ends within it"
_NO_OBJECT: Final = "no JSON object"

_BLANK: Final = re.compile(rb"[ \t\r\n]*")
_TWO: Final = re.compile(rb"\}[ \t\r]*\{")  # nearly always: the end of one object, and the beginning of another
_TOKEN: Final = re.compile(rb'"(?:[^"\\\n]|\\[^\n])*+"|["{}]')  # a string, or one that is open, or a bracket
_NEXT: Final = re.compile(rb'\n|(?<=\})[ \t\r]*(?=\{")')  # where a broken record ends at the latest
_OPENS: Final = re.compile(rb'\n|(?=\{")')
_BEFORE_OBJECT: Final = b":,["


class StreamRecord(Struct, frozen=True):
    """One record: where it begins, where the next one may, and its bytes; of a broken one also what is wrong."""

    start: int
    after: int
    data: bytes
    error: str | None = None


def split_objects(pieces: Iterable[bytes], start: int = 0, most: int = MAX_BYTES) -> Iterator[StreamRecord]:
    """Yield every record of a stream of which `pieces` are all bytes from `start` on, which is no record's middle.

    Never more than a piece and a record of `most` bytes is held. Of one that is longer, the beginning comes with the
    error. That a record has no error does not say that it is JSON: it is read afterwards, and only once.
    """
    splitter = _Splitter(start, most)
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.end()


class _Splitter:
    """Where the reader stands: `data` begins with byte `base` of the stream, and `at` is read next."""

    def __init__(self, start: int, most: int) -> None:
        self._base, self._most = start, most
        self._data, self._at = b"", 0
        self._has_line_end = True  # as far as is known
        self._long: StreamRecord | None = None  # the record that is too long, while it goes on

    def feed(self, piece: bytes) -> Iterator[StreamRecord]:
        """Yield the records that end in this piece."""
        self._data = self._data[self._at :] + piece
        self._base, self._at, self._has_line_end = self._base + self._at, 0, True
        while (record := self._read()) is not None:
            yield record

    def end(self) -> Iterator[StreamRecord]:
        """Yield what is left: it ended too early."""
        if self._long is not None:
            yield replace(self._long, after=self._base + len(self._data))
        elif self._data[self._at :].strip():
            yield self._cut(len(self._data), _TRUNCATED if self._data[self._at] in b"{" else _NO_OBJECT)

    def _read(self) -> StreamRecord | None:
        """Return the next record, or None where more of the stream is needed for it."""
        if self._long is not None:
            return self._skip(self._long)
        blank = _BLANK.match(self._data, self._at)
        assert blank is not None
        self._at = blank.end()
        if self._at == len(self._data):
            return None
        record = self._read_line() or self._read_object()
        if record is None and len(self._data) - self._at > self._most:
            self._long = self._cut(self._at + self._most, _TOO_LONG.format(self._most))
            return self._skip(self._long)
        return record

    def _read_line(self) -> StreamRecord | None:
        """Return the rest of the line where that is plainly one object, as nearly all of them are."""
        end = self._data.find(b"\n", self._at) if self._has_line_end else -1
        self._has_line_end = end >= 0
        last = end - 1 if self._data[end - 1 : end] == b"\r" else end
        if end < 0 or end - self._at > self._most or _TWO.search(self._data, self._at, last):
            return None
        whole = self._data[self._at] in b"{" and self._data[last - 1] in b"}"
        return self._cut(end, None) if whole else None

    def _read_object(self) -> StreamRecord | None:
        """Return the next record, token by token."""
        if self._data[self._at] not in b"{":
            found = _OPENS.search(self._data, self._at)
            return self._cut(found.start(), _NO_OBJECT) if found else None
        depth, at = 0, self._at
        while (token := _TOKEN.search(self._data, at, self._at + self._most)) is not None:
            text, at = token[0], token.end()
            if text == b'"':  # an open string: to the end of its line, where it cannot go on
                end = self._data.find(b"\n", at, self._at + self._most)
                return self._cut(end, _BROKEN) if end >= 0 else None
            if text == b"{":
                if depth and not self._may_open(token.start()):
                    return self._cut(token.start(), _BROKEN)
                depth += 1
            elif text == b"}":
                depth -= 1
                if not depth:
                    return self._cut(at, None)
        return None

    def _may_open(self, at: int) -> bool:
        """Whether an object may begin at `at` inside of another one."""
        if self._data[at - 1] in b"\n":
            return False  # it begins a line
        while self._data[at - 1] in b" \t\r\n":
            at -= 1
        return self._data[at - 1] in _BEFORE_OBJECT

    def _skip(self, begun: StreamRecord) -> StreamRecord | None:
        """Read on to where the next record may begin; return the one that goes so far, where there is such a place."""
        found = _NEXT.search(self._data, self._at)
        if found is None:
            self._at = max(self._at, len(self._data) - 2)  # a bracket may end here, and another begin
            return None
        self._at, self._long = found.end(), None
        return replace(begun, after=self._base + self._at)

    def _cut(self, end: int, error: str | None) -> StreamRecord:
        """Return the record that ends before `end`; the next is looked for there."""
        data = self._data[self._at : end].rstrip()
        record = StreamRecord(self._base + self._at, self._base + end, data, error)
        self._at = end
        return record
