"""What commands write: for a person on a terminal, for a person in a pipe, or as JSON for a program.

On a terminal times are local, tables fit its width, and words have colour unless `NO_COLOR` is set (no-color.org);
elsewhere times are UTC, and a line is never cut. What is copied, an address or an id, is never cut anywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from unicodedata import combining, east_asian_width

NARROW: Final = 40  # columns that a terminal has at least
FOLDED: Final = 24  # columns that a column of texts has at least, where it is folded
_LINES: Final = 2  # that a row of a table has at most
_GAP: Final = "  "
_ENOUGH: Final = 1000  # columns, for the gaps of a table elsewhere than on a terminal
# Of what remote servers write: characters that would move the cursor or turn the text around.
_HARMFUL: Final = {
    **dict.fromkeys([*range(0x20), 0x7F, *range(0x80, 0xA0)], " "),
    **dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]),
}
_STYLES: Final = {"bold": "1", "good": "32", "bad": "31", "dim": "2"}


class Output:
    """Writes to standard output, in one of the three ways."""

    def __init__(self, *, as_json: bool = False, utc: bool = False) -> None:
        self.as_json = as_json
        self._terminal = sys.stdout.isatty()
        self._colour = self._terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._local = self._terminal and not utc
        self.width = max(shutil.get_terminal_size().columns, NARROW) if self._terminal else 0  # 0: no limit

    def write_json(self, value: Any) -> None:
        """Write what the API has answered, unchanged: one line of JSON."""
        self._write(json.dumps(value, ensure_ascii=False))

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads it as it comes."""
        return self._terminal

    def show(self, value: Any, text: str = "", style: str = "") -> None:
        """Write an answer: for a program as JSON, else as the text, if there is one."""
        if self.as_json:
            self.write_json(value)
        elif text:
            self.write(text, style)

    def write_counts(self, counts: Mapping[str, int]) -> None:
        """Write how many there are of each, below one another."""
        for name, number in counts.items():
            self.write(f"{number:9}  {name}")

    def write(self, text: str = "", style: str = "") -> None:
        """Write a text, folded where the terminal ends."""
        for line in text.splitlines() or [""]:
            self._write(self._paint(self._fold(clean(line)), style))

    def quote(self, text: str) -> None:
        """Write somebody else's words, so that nobody takes them for ours."""
        for line in self._fold(clean(text), 4).splitlines():
            self._write(self._paint(f"  | {line}", "dim"))

    def remark(self, text: str) -> None:
        """Write what is about the answer and no part of it, to standard error: a pipe has the answer alone."""
        sys.stdout.flush()
        sys.stderr.write(f"{clean(text)}\n")

    def progress(self, text: str = "") -> None:
        """Show on a terminal how far it is, in a line that the next call writes over; an empty one takes it away."""
        if sys.stderr.isatty():
            room = max(shutil.get_terminal_size().columns, NARROW) - 1
            sys.stderr.write(f"\r\x1b[K{clean(text)[:room]}")
            sys.stderr.flush()

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table, of whose columns those that are empty are left out.

        Where it is wider than the terminal, its last column, which has the longest texts, is folded between words;
        where that is not enough, a row takes two lines, and where it takes more, it becomes a block. Nothing is cut.
        """
        cells = [[clean(cell) for cell in row] for row in rows]
        used = [at for at in range(len(head)) if any(row[at] for row in cells)]
        if not used:
            return
        head, cells = [head[at] for at in used], [[row[at] for at in used] for row in cells]
        widths = [max(measure(row[at]) for row in [head, *cells]) for at in range(len(head))]
        words = max((measure(word) for row in cells for word in row[-1].split()), default=0)
        lines = _share_out(widths, max(min(widths[-1], FOLDED), words), self.width or sum(widths) + _ENOUGH)
        if len(lines) > _LINES:
            self._write_blocks(head, cells)
            return
        room = self.width - sum(widths[at] + len(_GAP) for at in lines[-1][:-1]) - len(_GAP) * (len(lines) - 1)
        for number, row in enumerate([head, *cells]):
            folded = _wrap(row[-1], room) if self.width and measure(row[-1]) > room else [row[-1]]
            for text in _lay_out([*row[:-1], folded[0]], folded[1:], widths, lines):
                self._write(self._paint(text, "" if number else "dim"))

    def _write_blocks(self, head: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
        for row in cells:
            for name, cell in zip(head, row, strict=True):
                if cell:
                    text = f"{name}: {cell}"
                    self._write(self._fold(text) if " " in cell else text)
            self._write("")

    def moment(self, text: str | None) -> str:
        """Return a time of the API for a person: local with its offset on a terminal, else UTC."""
        if not text:
            return ""
        at = datetime.fromisoformat(text)
        if not self._local:
            return f"{at:%Y-%m-%d %H:%M}Z"
        return f"{at.astimezone():%Y-%m-%d %H:%M %z}"

    def _fold(self, text: str, room: int = 0) -> str:
        if not self.width or len(text) <= self.width - room:
            return text
        return "\n".join(_wrap(text, self.width - room))

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and style else text

    def _write(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")


def measure(text: str) -> int:
    """Return how many columns of a terminal a text takes (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _share_out(widths: Sequence[int], last: int, width: int) -> list[list[int]]:
    """Return which columns stand in which line of a row, of which the second is indented; `last` is the least room of
    the last column.
    """
    lines: list[list[int]] = [[]]
    taken = 0
    for at, wide in enumerate([*widths[:-1], last]):
        if lines[-1] and taken + wide > width:
            lines.append([])
            taken = len(_GAP)
        if taken + wide > width:
            return [[] for _ in range(_LINES + 1)]  # it fits nowhere
        lines[-1].append(at)
        taken += wide + len(_GAP)
    return lines


def _lay_out(
    row: Sequence[str], more: Sequence[str], widths: Sequence[int], lines: Sequence[Sequence[int]]
) -> Iterator[str]:
    """Yield the lines of a row; `more` is what is folded of its last column."""
    for number, columns in enumerate(lines):
        text = _GAP.join(row[at] + " " * (widths[at] - measure(row[at])) for at in columns).rstrip()
        if text:
            yield (_GAP if number else "") + text
    before = len(_GAP) * (len(lines) - 1) + sum(widths[at] + len(_GAP) for at in lines[-1][:-1])
    for part in more:
        yield " " * before + part


def clean(text: str) -> str:
    """Return a text without what a terminal would obey: control characters, and those that turn it around."""
    return text.translate(_HARMFUL)


def name_recipient(recipient: str) -> str:
    """Return a recipient as people write them: an address without its channel."""
    return recipient.removeprefix("email:")
