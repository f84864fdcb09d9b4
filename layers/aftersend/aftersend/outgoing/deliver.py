"""One attempt to deliver a webhook: a request over TLS to an address that was judged, and the status of its answer.

The name is resolved once. If one of its addresses is not public, nothing is sent; else the connection goes to one that
was judged, and the name is what the certificate must have: so nobody can have a name stand for another address between
the two. Redirects are not followed and proxies not asked. Of the answer only status and `retry-after` are read, and
its body is thrown away: a receiver that has said yes has the event, however its answer ends. The whole attempt has one
bound, which slow bytes do not move.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from ssl import SSLContext, create_default_context
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from aftersend.outgoing.addresses import is_public

SECONDS: Final = 10.0  # of an attempt, names and TLS included
_CONNECT: Final = 4.0  # seconds for one address of several
MAX_ANSWER: Final = 65_536  # bytes of an answer that are read, and shown to nobody
_DRAIN: Final = 0.5  # seconds for a body: whoever writes one is not to see a broken connection
PORTS: Final = frozenset({443, 8443})
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_RETRY_AFTER: Final = re.compile(rb"\r\nretry-after:[ \t]*([^\r\n]{1,64}?)[ \t]*\r\n", re.IGNORECASE)

Resolve = Callable[[str, int], list[tuple[Any, ...]]]  # `socket.getaddrinfo`
Judge = Callable[[str], bool]


class Attempt(Struct, frozen=True):
    """What became of one attempt: a status, or why there is none. Neither quotes anything of the answer."""

    status: int = 0
    error: str = ""
    retry_after: float | None = None  # seconds

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300

    @property
    def summary(self) -> str:
        """The status or the error, for a log."""
        return self.error or f"HTTP {self.status}"


class RefusedAddress(OSError):
    """A name stands for an address that nothing is sent to."""


class Deliverer:
    """Delivers to any endpoint; may be shared between threads."""

    def __init__(
        self,
        *,
        context: SSLContext | None = None,
        resolve: Resolve = socket.getaddrinfo,
        judge: Judge = is_public,
        seconds: float = SECONDS,
    ) -> None:
        self._context = context
        self._resolve, self._judge, self._seconds = resolve, judge, seconds
        self._resolvers = ThreadPoolExecutor(4, "resolve")  # resolving knows no time-out

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """Post `body` to `url` (https; http only where the judge allows this machine); raises nothing."""
        address = urlsplit(url)
        ends = time.monotonic() + self._seconds
        try:
            with self._connect(address.hostname or "", _find_port(url), address.scheme == "https", ends) as connection:
                connection.settimeout(_left(ends))
                connection.sendall(_build_request(url, headers, body))
                return _read_answer(connection, ends)
        except RefusedAddress as refused:
            return Attempt(error=str(refused))
        except (OSError, TimeoutError, UnicodeError) as error:
            return Attempt(error=type(error).__name__)

    def _connect(self, host: str, port: int, secure: bool, ends: float) -> socket.socket:
        """Return a connection to the first address that takes one; all of them were judged."""
        error: OSError = RefusedAddress("the name has no address")
        for family, target in self._find_targets(host, port, ends):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(min(_left(ends), _CONNECT))
                connection.connect(target)
                connection.settimeout(_left(ends))
                return self._trust().wrap_socket(connection, server_hostname=host) if secure else connection
            except OSError as failure:
                connection.close()
                error = failure
        raise error

    def _find_targets(self, host: str, port: int, ends: float) -> list[tuple[int, Any]]:
        waiting = self._resolvers.submit(self._resolve, host, port, type=socket.SOCK_STREAM)  # type: ignore[call-arg]
        found = waiting.result(_left(ends))
        if not all(self._judge(str(each[4][0])) for each in found):
            raise RefusedAddress("the name stands for an address that is not public")
        # Functions of Lambda reach IPv6 only from some networks.
        return sorted(((each[0], each[4]) for each in found), key=lambda each: each[0] != socket.AF_INET)

    def _trust(self) -> SSLContext:
        if self._context is None:  # reading the certificates takes a good part of a start
            self._context = create_default_context()
        return self._context


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _find_port(url: str) -> int:
    address = urlsplit(url)
    return address.port or (443 if address.scheme == "https" else 80)


def _build_request(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    address = urlsplit(url)
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    lines = [
        f"POST {target} HTTP/1.1",
        f"host: {address.netloc}",
        "user-agent: aftersend",
        "connection: close",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


def _read_answer(connection: socket.socket, ends: float) -> Attempt:
    """Read the head of the final answer; what follows it, or does not, says nothing about the event."""
    read = b""
    while (end := read.find(b"\r\n\r\n")) < 0:
        if len(read) > MAX_ANSWER:
            return Attempt(error="an answer without an end")
        connection.settimeout(_left(ends))
        piece = connection.recv(16_384)
        if not piece:
            return Attempt(error="an answer that ends too early" if read else "no answer")
        read += piece
        while read.startswith(b"HTTP/1.1 1") and (end := read.find(b"\r\n\r\n")) >= 0:
            read = read[end + 4 :]  # an interim answer
    head = read[: end + 2]
    found = _STATUS.match(head)
    if found is None:
        return Attempt(error="not an answer of HTTP/1")
    _drain(connection, MAX_ANSWER - len(read), min(ends, time.monotonic() + _DRAIN))
    return Attempt(status=int(found[1]), retry_after=_parse_retry_after(head))


def _drain(connection: socket.socket, room: int, ends: float) -> None:
    """Take what comes of a body, for a moment, up to `room` bytes."""
    with suppress(OSError, TimeoutError):
        while room > 0:
            connection.settimeout(_left(ends))
            piece = connection.recv(min(room, 16_384))
            if not piece:
                return
            room -= len(piece)


def _parse_retry_after(head: bytes) -> float | None:
    """Seconds, or the seconds until a date (RFC 9110, 10.2.3); None for neither."""
    found = _RETRY_AFTER.search(head)
    if found is None:
        return None
    text = found[1].decode("latin-1")
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
