"""The files of the console to `aftersend.console`: they hold nothing of anybody, so everybody gets them."""

from __future__ import annotations

from typing import Any

from aftersend import bootstrap

hosted = bootstrap.console()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request for a file."""
    return hosted.answer(event)
