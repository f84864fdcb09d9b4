"""Connections to one host that stay open: each takes a request and brings a whole response, bounded in size and time.

An idle connection may have been closed by the other side meanwhile. Often that can be seen beforehand; where it shows
only when nothing is heard, the request goes over a fresh one at once. Redirects are not followed, and proxies not
asked. Source: RFC 9112, 9.3.1, "Retrying Requests".
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from select import POLLIN, poll
from ssl import SSLCertVerificationError, SSLEOFError, SSLSocket, SSLZeroReturnError
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakSet, finalize

from msgspec import Struct

from aftersend.http import http1
from aftersend.http.http1 import HttpResponse
from aftersend.http.trust import Trust, find_trust

IDLE_SECONDS: Final = 30.0  # after that the other side may have left without a word, as while Lambda froze us

_PORTS: Final = {"http": 80, "https": 443}
_CLOSED: Final = (ConnectionError, SSLEOFError, SSLZeroReturnError)
_TARGET: Final = re.compile(r"/[!-~]*")
_Idle = list[tuple[socket.socket, float]]  # connections, and since when; the last is the one used last


class Limits(Struct, frozen=True, kw_only=True):
    """What is borne of the other side."""

    connect: float = 2.0  # seconds until a connection stands, and as many until it is encrypted
    silence: float = 5.0  # seconds without a byte of the response
    body: int = 32 * 1024 * 1024  # bytes; DynamoDB hands out 16 MB of items at once, which are more as JSON


class InvalidURL(ValueError):
    """A target that cannot stand in the first line of a request."""


class Transport:
    """Connections to one endpoint, `https://host` or `http://host:port`; keeps as many as were ever in use at once.

    May be shared between threads. As a context it is closed at the end. Certificates are checked against `authorities`,
    a file, or as `trust` has it if there is none.
    """

    def __init__(self, endpoint: str, limits: Limits, authorities: str | None = None) -> None:
        address = urlsplit(endpoint)
        self.host = address.netloc
        self._name = address.hostname or ""
        self._port = address.port or _PORTS[address.scheme]
        self._trust = find_trust(self._name, authorities) if address.scheme == "https" else None
        self._limits = limits
        self._lock = Lock()
        self._idle: _Idle = []
        finalize(self, _close, self._idle)
        _made.add(self)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            _close(self._idle)

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *, within: float | None = None
    ) -> HttpResponse:
        """Send one request and return its response; the length of `body` needs no header.

        With `within`, so many seconds after the request has been sent its response must be there, whole.

        Raises OSError (time-outs and TLS too), ProtocolError, InvalidURL, or ValueError for a header with a line break.
        """
        if not _TARGET.fullmatch(target):
            raise InvalidURL("a target with blanks, or not in ASCII")
        lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
        if body or method != "GET":
            lines.append(f"content-length: {len(body)}")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1:
            raise ValueError("a header with a line break")
        message = f"{head}\r\n\r\n".encode("ascii") + body  # in one piece: one system call, one record of TLS
        connection = self._take_idle()
        if connection is not None:
            with suppress(*_CLOSED):
                return self._exchange(connection, message, within)
        return self._exchange(self._open(), message, within)

    def _exchange(self, connection: socket.socket, message: bytes, within: float | None) -> HttpResponse:
        """Return the response on this connection, which is kept open if it is of further use, else closed."""
        response = None
        try:
            connection.settimeout(self._limits.silence)
            connection.sendall(message)
            receive = (
                connection.recv
                if within is None
                else partial(_receive, connection, self._limits.silence, time.monotonic() + within)
            )
            response = http1.read_response(receive, self._limits.body)
        finally:
            if response is None or response.last:
                connection.close()
        if not response.last:
            with self._lock:
                self._idle.append((connection, time.monotonic()))
        return response

    def _take_idle(self) -> socket.socket | None:
        """Return the connection that was used last of those that are free, if it is still good."""
        with self._lock:
            if self._idle and time.monotonic() - self._idle[-1][1] > IDLE_SECONDS:
                _close(self._idle)  # the others have been idle for longer still
            connection = self._idle.pop()[0] if self._idle else None
        if connection is not None and _is_readable(connection):
            connection.close()
            return None
        return connection

    def _open(self) -> socket.socket:
        connection = socket.create_connection((self._name, self._port), self._limits.connect)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection if self._trust is None else self._encrypt(connection, self._trust)

    def _encrypt(self, connection: socket.socket, trust: Trust) -> socket.socket:
        context = trust.context
        try:
            return context.wrap_socket(connection, server_hostname=self._name)
        except SSLCertVerificationError:  # nothing of a request has been sent
            if not trust.widen(context):
                raise
        return self._open()


def _receive(connection: socket.socket, silence: float, deadline: float, size: int) -> bytes:
    """Receive up to `size` bytes; raises TimeoutError at the deadline, however little it was that came before."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    connection.settimeout(min(left, silence))
    return connection.recv(size)


def _is_readable(connection: socket.socket) -> bool:
    """Whether something came that nobody asked for: most often that the other side has closed."""
    if isinstance(connection, SSLSocket) and connection.pending():  # deciphered already, so the socket is silent
        return True
    watch = poll()
    watch.register(connection, POLLIN)
    return bool(watch.poll(0))


def _close(idle: _Idle) -> None:
    while idle:
        idle.pop()[0].close()


_made: Final[WeakSet[Transport]] = WeakSet()


def close_all() -> None:
    """Close every connection to any host that is not in use."""
    for each in tuple(_made):
        each.close()
