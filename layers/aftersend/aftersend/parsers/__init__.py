"""One parser per source. A parser is pure: `parse(body: bytes) -> list[Feedback]`, bytes in, facts out, no I/O.

The contract:
- one feedback per recipient, in the order of the body; times are the event's own;
- a type it does not know becomes `Kind.UNKNOWN` with the raw word kept; unknown fields are tolerated;
- a set-up message, or an event that names no recipient, gives an empty list;
- a body it cannot read raises `MalformedFeedback(source, why)`, and nothing else is ever raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aftersend.envelope import peel
from aftersend.errors import MalformedFeedback
from aftersend.model import Feedback
from aftersend.parsers import report, ses

Parse = Callable[[bytes], list[Feedback]]

PARSERS: Final[dict[str, Parse]] = {"report": report.parse, "ses": ses.parse}


def read(source: str, raw: bytes) -> list[Feedback]:
    """The feedback in `raw`, out of whatever envelope carried it.

    Raises MalformedFeedback where the body cannot be read or the source has no parser.
    """
    parse = PARSERS.get(source)
    if parse is None:
        raise MalformedFeedback(source[:40], "no parser of this name")
    return parse(peel(raw))
