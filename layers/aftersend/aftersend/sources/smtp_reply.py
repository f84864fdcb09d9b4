"""What an SMTP reply says at its beginning: reply code (RFC 5321 section 4.2) and enhanced status (RFC 3463)."""

from __future__ import annotations

import re
from typing import Final

from aftersend.core.text import truncate

MAX_TEXT: Final = 1024

_REPLY: Final = re.compile(
    r"(?:(?:smtp|x-[a-z0-9-]{1,30}) ?; ?)?(?:([2-5]\d\d)(?=[ -]|$)[ -]?)?#?([245]\.\d{1,3}\.\d{1,3}(?!\d))?",
    re.IGNORECASE,
)


def parse_reply(diagnostic: str | None) -> tuple[int | None, str | None, str | None]:
    """Parse reply code, enhanced status code and bounded text of a diagnostic code such as "smtp; 550 5.1.1 unknown".

    The text stays as it came, but for the diagnostic type, control characters and its length.
    """
    if not diagnostic:
        return None, None, None
    text = truncate(diagnostic, MAX_TEXT).strip()
    match = _REPLY.match(text)
    assert match is not None  # every part is optional
    code, status = match.groups()
    return int(code) if code else None, status, text or None
