"""One GET by https, to hosts that the caller has pinned: short, small, and to no other host.

Redirects are not followed, proxies not asked, and no more is read than a certificate can have.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aftersend.core.errors import HostUnavailable
from aftersend.http.http1 import HttpResponse, IncompleteRead, ProtocolError, TooLarge
from aftersend.http.transport import InvalidURL, Limits, Transport

MAX_SECONDS: Final = 2.0  # to connect, and for the whole response: MNS waits for five in all
MAX_BYTES: Final = 65_536


def get(url: str, authorities: str | None = None) -> HttpResponse:
    """Return what is at `url`; raises HostUnavailable where nothing answers, or too much.

    `authorities` is a file with the certificates to trust, instead of the system's own.
    """
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.hostname is not None
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = {"host": host, "user-agent": "aftersend", "connection": "close"}
    limits = Limits(connect=MAX_SECONDS, silence=MAX_SECONDS, body=MAX_BYTES)
    try:
        with Transport(f"https://{host}", limits, authorities) as transport:
            return transport.send("GET", target, headers, within=MAX_SECONDS)
    except TooLarge as error:
        raise HostUnavailable(f"{parts.hostname} answers with more than {MAX_BYTES} bytes") from error
    except IncompleteRead as error:
        raise HostUnavailable(f"{parts.hostname} breaks off its answer") from error
    except (OSError, ProtocolError, InvalidURL) as error:
        raise HostUnavailable(f"{parts.hostname} does not answer: {type(error).__name__}") from error
