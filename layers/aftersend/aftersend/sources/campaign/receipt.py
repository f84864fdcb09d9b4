"""The line that Campaign makes of a receipt of a text message: `SR <SMSC> <status> <error>|#MESSAGE#`. Pure.

Sources: Adobe Campaign documentation, "Understand delivery failures", on the extended generic SMPP connector, and "SMPP
connector": the name of the SMSC may have blanks, `stat=` and `err=` may stand before the values, optional parameters
follow as ` 0x001E:value`. All behind the first bar is the receipt itself, which a sender or a telephone may have
written: of it only the id at its very beginning is read.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aftersend.core.text import truncate

MAX_NAME: Final = 60
_PARAMETER: Final = re.compile(r"0x[0-9A-Fa-f]{4}:").match
_ID: Final = re.compile(r"\s*MESSAGE=\s*id:\s*(\S{1,128})").match


class ReceiptLine(NamedTuple):
    """A receipt as Campaign summarises it."""

    smsc: str  # the name that the account's settings give it
    status: str
    error: str
    id: str  # of the message at the provider, where the whole receipt is quoted

    @property
    def succeeded(self) -> bool:
        """Whether the status is one of success: it begins with DELIV (DELIVRD, DELIVERED)."""
        return self.status.upper().startswith("DELIV")


def parse_receipt(text: str) -> ReceiptLine | None:
    """Parse the line of a receipt; None for every other text."""
    head, bar, rest = text.partition("|")
    words = head.split()
    if not bar or not words or words[0] != "SR":
        return None
    while len(words) > 1 and _PARAMETER(words[-1]):
        words.pop()
    if len(words) < 4:
        return None
    error, status = words.pop().removeprefix("err="), words.pop().removeprefix("stat=")
    found = _ID(rest)
    return ReceiptLine(truncate(" ".join(words[1:]), MAX_NAME), status[:20], error[:12], found[1] if found else "")
