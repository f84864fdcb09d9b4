"""One GET by https, to hosts that the caller has pinned: short, small, and nowhere else than it was told.

Redirects are not followed, proxies not asked, and no more is read than a certificate can have.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from http.client import HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from aftersend.core.errors import HostUnavailable

PATIENCE: Final = 2.0  # seconds: MNS waits for five in all
MOST: Final = 65_536  # bytes


class Reply(Struct, frozen=True):
    """An answer: its HTTP status, and what it holds."""

    status: int
    content: bytes


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def get(url: str) -> Reply:
    """What is at `url`; raises HostUnavailable where nothing answers, or too much."""
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.hostname is not None
    connection = HTTPSConnection(parts.hostname, parts.port, timeout=PATIENCE, context=_context())
    try:
        connection.request("GET", parts._replace(scheme="", netloc="").geturl(), headers={"User-Agent": "aftersend"})
        answer = connection.getresponse()
        content = answer.read(MOST + 1)
    except (OSError, HTTPException) as error:
        raise HostUnavailable(f"{parts.hostname} does not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    if len(content) > MOST:
        raise HostUnavailable(f"{parts.hostname} answers with more than {MOST} bytes")
    if answer.length:
        raise HostUnavailable(f"{parts.hostname} breaks off its answer")
    return Reply(answer.status, content)
