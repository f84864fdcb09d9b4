"""Cuts a mail into headers and parts without trusting a word of it: bounded in size, parts, depth and header length.

The standard library's parser builds the whole tree of every mail, and three thousand nested parts end it in a
RecursionError. Reports need less: the top headers, the few parts in front, and the first headers of the message that
came back. Cutting by boundaries is all of MIME that this takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aftersend.sources.report.decode import decode_body

MAX_FIELDS: Final = 400
MAX_HEADER: Final = 65_536  # characters of one header section
MAX_VALUE: Final = 4_096
MAX_PARTS: Final = 40  # leaves that are looked at
MAX_DEPTH: Final = 6
MAX_TEXT: Final = 65_536  # bytes of one part that are decoded
MAX_JUNK: Final = 4  # broken lines passed over in one header section

_FIELD: Final = re.compile(r"([!-9;-~]{1,76})[ \t]{0,8}:([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|$)")
_LINE: Final = re.compile(r"([!-9;-~]{1,76})[ \t]{0,8}:([^\n]*(?:\n[ \t][^\n]*)*)\n|([^\n]+)\n?")
_FROM: Final = re.compile(r">?From [^\n]*\n")
_PARAMETER: Final = re.compile(r';\s*([A-Za-z*0-9-]{1,40})\s*=\s*(?:"([^"]{0,200})"|([^;\s"]{1,200}))')
_GUESS: Final = re.compile(r"(?:^|\n)--([^\s-][^\n]{0,150}|-[^\n]{1,150})\n[Cc]ontent-[A-Za-z-]{4,20}:")

_BLANKS: Final = " \t\n"  # str.strip() would also take bytes of UTF-8

Headers = dict[str, list[str]]


class Part:
    """One entity: its headers, and its body still encoded."""

    __slots__ = ("body", "headers", "parameters", "type")

    def __init__(self, headers: Headers, body: str) -> None:
        self.headers = headers
        self.body = body
        value = get_first(headers, "content-type")
        self.type = value.partition(";")[0].strip().lower() or "text/plain"
        self.parameters = {}
        if ";" in value:
            self.parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}

    @property
    def text(self) -> str:
        """The body, decoded."""
        transfer = get_first(self.headers, "content-transfer-encoding").lower()
        return decode_body(self.body, self.parameters.get("charset", ""), transfer, MAX_TEXT)


def get_first(headers: Headers, name: str) -> str:
    """Return the first header of that name, without the blanks around it; empty where there is none."""
    values = headers.get(name)
    return values[0] if values else ""


def read_part(text: str) -> Part:
    """Return the mail in `text`, which begins with its headers."""
    headers, end = read_fields(text)
    return Part(headers, text[end:])


def read_fields(text: str) -> tuple[Headers, int]:
    """Return the header fields at the beginning of `text` by lower-case name, and where the body begins."""
    postmark = _FROM.match(text)
    at = postmark.end() if postmark else 0
    end = text.find("\n\n", at, at + MAX_HEADER)
    if end >= 0 and not text.startswith("\n", at):
        headers = _read_whole(text[at : end + 1])
        if headers is not None:
            return headers, end + 2
    return _read_carefully(text, at)


def _read_whole(section: str) -> Headers | None:
    """The fields of a header section that holds nothing else."""
    headers: Headers = {}
    found = _LINE.findall(section)
    for name, value, junk in found:
        if junk:
            return None
        if name:
            headers.setdefault(name.lower(), []).append(value[:MAX_VALUE].strip(_BLANKS))
    return headers if len(found) <= MAX_FIELDS else None


def _read_carefully(text: str, at: int) -> tuple[Headers, int]:
    """The fields of a header section that never ends, or holds broken lines: a few of them are passed over."""
    headers: Headers = {}
    junk = count = 0
    bound = min(len(text), at + MAX_HEADER)
    while at < bound and count < MAX_FIELDS:
        match = _FIELD.match(text, at, bound)
        if match:
            headers.setdefault(match[1].lower(), []).append(match[2][:MAX_VALUE].strip(_BLANKS))
            at, count = match.end(), count + 1
            continue
        if text[at] == "\n":
            return headers, at + 1
        line = text.find("\n", at, bound) + 1
        junk += 1
        if not line or junk > MAX_JUNK or not count or not _FIELD.match(text, line, bound):
            break
        at = line
    return headers, at


def walk_leaves(part: Part) -> Iterator[Part]:
    """Yield the entities that hold something themselves, in order; an attached message is one of them."""
    budget = MAX_PARTS
    waiting: list[tuple[Part, int]] = [(part, 0)]
    while waiting and budget:
        entity, depth = waiting.pop()
        children = _split_children(entity) if entity.type.startswith("multipart") and depth < MAX_DEPTH else []
        if children:
            waiting += [(child, depth + 1) for child in reversed(children)]
        else:
            budget -= 1
            yield entity


def _split_children(entity: Part) -> list[Part]:
    boundary = entity.parameters.get("boundary", "").rstrip()
    body = "\n" + entity.body
    if not boundary or f"\n--{boundary}" not in body:
        guess = _GUESS.search(body[:MAX_HEADER])
        if guess is None:
            return []
        boundary = guess[1].rstrip()
    return [read_part(text) for text in _split_segments(body, f"\n--{boundary}")]


def _split_segments(body: str, delimiter: str) -> list[str]:
    """What stands between delimiter lines. A longer boundary that begins like this one does not end a part."""
    found: list[str] = []
    for piece in body.split(delimiter, MAX_PARTS)[1:]:
        if piece.startswith("--") and not piece[2:3].strip():
            break
        line, _, rest = piece.partition("\n")
        if line.strip():
            if found:
                found[-1] += delimiter + piece
        else:
            found.append(rest)
    return found
