"""One parser per source. A parser is pure: `parse(body, headers) -> list[Feedback]`, bytes in, facts out, no I/O.

The contract:
- `headers` are what the carrier said beside the body (`carrier.KEPT`); most parsers have no use for them;
- one feedback per recipient, in the order of the body; times are the event's own;
- a type it does not know becomes `Kind.UNKNOWN` with the raw word kept; unknown fields are tolerated;
- a set-up message, or an event that names no recipient, gives an empty list;
- a body it cannot read raises `MalformedFeedback(source, why)`, and nothing else is ever raised.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources.envelope import peel
from aftersend.sources.message import NO_HEADERS, Headers

Parse = Callable[[bytes, Headers], list[Feedback]]

# By source; a function reads one of them, and does not wait for the others to be imported.
PARSERS: Final[dict[str, str]] = {
    "directmail": "aftersend.sources.directmail",
    "mailerq": "aftersend.sources.mailerq",
    "report": "aftersend.sources.report",
    "ses": "aftersend.sources.ses",
}


@cache
def parser(source: str) -> Parse:
    """The parser of `source`; raises MalformedFeedback where there is none."""
    if source not in PARSERS:
        raise MalformedFeedback(source[:40], "no parser of this name")
    parse: Parse = import_module(PARSERS[source]).parse
    return parse


def read(source: str, raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """The feedback in `raw`, out of whatever envelope carried it; raises MalformedFeedback where it cannot be read."""
    return parser(source)(peel(raw), headers)
