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
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

NARROW: Final = 40  # columns that a terminal has at least
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

    def write(self, text: str = "", style: str = "") -> None:
        """Write a text, folded where the terminal ends."""
        for line in text.splitlines() or [""]:
            self._write(self._paint(self._fold(clean(line)), style))

    def quote(self, text: str) -> None:
        """Write somebody else's words, so that nobody takes them for ours."""
        for line in self._fold(clean(text), 4).splitlines():
            self._write(self._paint(f"  | {line}", "dim"))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table; where it is wider than the terminal, each row becomes a block of lines instead."""
        cells = [[clean(cell) for cell in row] for row in rows]
        if not cells:
            return
        widths = [max(len(row[at]) for row in [list(head), *cells]) for at in range(len(head))]
        if self.width and sum(widths) + 2 * len(widths) > self.width:
            for row in cells:
                self._write("\n".join(f"{name}: {cell}" for name, cell in zip(head, row, strict=True) if cell))
                self._write("")
            return
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in ([*head], *cells)]
        self._write(self._paint(lines[0], "dim"))
        for line in lines[1:]:
            self._write(line)

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
        return "\n".join(textwrap.wrap(text, self.width - room, break_long_words=False, break_on_hyphens=False))

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._colour and style else text

    def _write(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")


def clean(text: str) -> str:
    """Return a text without what a terminal would obey: control characters, and those that turn it around."""
    return text.translate(_HARMFUL)


def name_recipient(recipient: str) -> str:
    """Return a recipient as people write them: an address without its channel."""
    return recipient.removeprefix("email:")
