"""Connections to one host that stay open: each takes a request and brings a whole response, bounded in size and time.

An idle connection may have been closed by the other side meanwhile. Often that can be seen beforehand; where it shows
only when nothing is heard, the request goes over a fresh one at once. Redirects are not followed, and proxies not
asked. Source: RFC 9112, 9.3.1, "Retrying Requests".

Nothing waits here but for a host's name to be looked up: an exchange says what it waits for, so that one thread keeps
many of them under way (`multiplexer`).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from math import inf
from ssl import SSLCertVerificationError, SSLContext, SSLEOFError, SSLZeroReturnError
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakSet, finalize

from msgspec import Struct

from aftersend.http.connection import Connection
from aftersend.http.http1 import HttpResponse
from aftersend.http.multiplexer import Waits, run_alone
from aftersend.http.trust import find_trust

IDLE_SECONDS: Final = 30.0  # after that the other side may have left without a word, as while Lambda froze us

_PORTS: Final = {"http": 80, "https": 443}
_CLOSED: Final = (ConnectionError, SSLEOFError, SSLZeroReturnError)
_TARGET: Final = re.compile(r"/[!-~]*")
_Idle = list[tuple[Connection, float]]  # connections, and since when; the last is the one used last


class Limits(Struct, frozen=True, kw_only=True):
    """What is borne of the other side."""

    connect: float = 2.0  # seconds until a connection stands, and as many until it is encrypted
    silence: float = 5.0  # seconds without a byte of the response
    body: int = 32 * 1024 * 1024  # bytes; DynamoDB hands out 16 MB of items at once, which are more as JSON


class InvalidURL(ValueError):
    """A target that cannot stand in the first line of a request."""


def build_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the first line and the headers of a request, each with its line break.

    Raises InvalidURL, or ValueError for a header with a line break.
    """
    if not _TARGET.fullmatch(target):
        raise InvalidURL("a target with blanks, or not in ASCII")
    lines = [f"{method} {target} HTTP/1.1\r\n", *[f"{name}: {value}\r\n" for name, value in headers.items()]]
    head = "".join(lines)
    if head.count("\n") != len(lines) or head.count("\r") != len(lines):
        raise ValueError("a header with a line break")
    return head.encode("ascii")


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
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *, within: float = inf
    ) -> HttpResponse:
        """Send one request and return its response; the length of `body` needs no header.

        `within` so many seconds from now the response must be there, whole.

        Raises OSError (time-outs and TLS too), ProtocolError, InvalidURL, or ValueError for a header with a line break.
        """
        length = {"content-length": str(len(body))} if body or method != "GET" else {}
        message = build_head(method, target, {**headers, **length}) + b"\r\n" + body
        return run_alone(self.exchange(message, time.monotonic() + within))

    def exchange(self, message: bytes, ends: float) -> Waits[HttpResponse]:
        """Send a whole request and return its response, which must be there at a time of `time.monotonic`.

        Raises OSError (time-outs and TLS too) or ProtocolError.
        """
        connection = self._take_idle()
        if connection is not None:
            try:
                return (yield from self._converse(connection, message, ends))
            except _CLOSED:
                pass  # while it was idle
        connection = yield from self._open(ends)
        return (yield from self._converse(connection, message, ends))

    def _converse(self, connection: Connection, message: bytes, ends: float) -> Waits[HttpResponse]:
        """Return the response on this connection, which is kept open if it is of further use, else closed."""
        response, limits = None, self._limits
        try:
            rest = connection.send_at_once(message)  # in one piece: one call, one record of TLS
            if rest:
                yield from connection.send(rest, limits.silence, ends)
            response = yield from connection.receive(limits.body, limits.silence, ends)
        finally:
            if response is None or response.last:
                connection.close()
        if not response.last:
            with self._lock:
                self._idle.append((connection, time.monotonic()))
        return response

    def _take_idle(self) -> Connection | None:
        """Return the connection that was used last of those that are free, if it is still good."""
        with self._lock:
            if self._idle and time.monotonic() - self._idle[-1][1] > IDLE_SECONDS:
                _close(self._idle)  # the others have been idle for longer still
            connection = self._idle.pop()[0] if self._idle else None
        if connection is not None and connection.is_readable():
            connection.close()
            return None
        return connection

    def _open(self, ends: float) -> Waits[Connection]:
        """Return a connection, encrypted where that is asked for."""
        trust = self._trust
        if trust is None:
            return (yield from self._open_with(None, ends))
        context = trust.context
        try:
            return (yield from self._open_with(context, ends))
        except SSLCertVerificationError:  # nothing of a request has been sent
            if not trust.widen(context):
                raise
        return (yield from self._open_with(trust.context, ends))

    def _open_with(self, tls: SSLContext | None, ends: float) -> Waits[Connection]:
        """Return a connection to the first of the host's addresses that takes one."""
        patience, failure = self._limits.connect, OSError("a name without an address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM):
            connection, stands = Connection(socket.socket(family, kind, protocol)), False
            try:
                try:
                    yield from connection.connect(address, patience, ends)
                except OSError as error:
                    failure = error
                    continue
                if tls is not None:
                    yield from connection.encrypt(tls, self._name, patience, ends)
                stands = True
            finally:
                if not stands:
                    connection.close()
            return connection
        raise failure


def _close(idle: _Idle) -> None:
    while idle:
        idle.pop()[0].close()


_made: Final[WeakSet[Transport]] = WeakSet()


def close_all() -> None:
    """Close every connection to any host that is not in use."""
    for each in tuple(_made):
        each.close()
