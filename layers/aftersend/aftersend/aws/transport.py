"""Connections to one host that are kept: each takes a request and brings a whole answer, bounded in size and silence.

A kept connection may have been hung up on meanwhile. Often that can be seen beforehand; where it shows only when
nothing is heard, the request goes over a fresh one at once. Source: RFC 9112, 9.3.1, "Retrying Requests".
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from select import POLLIN, poll
from ssl import SSLContext, SSLEOFError, SSLSocket, SSLZeroReturnError, create_default_context
from threading import Lock
from typing import Final
from urllib.parse import urlsplit
from weakref import finalize

from aftersend.aws import http1
from aftersend.aws.http1 import Reply

CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0  # after that the other side may have left without a word, as while Lambda froze us

_PORTS: Final = {"http": 80, "https": 443}
_HUNG_UP: Final = (ConnectionError, SSLEOFError, SSLZeroReturnError)
_Kept = list[tuple[socket.socket, float]]  # idle connections, and since when; the last is the one used last


class Transport:
    """Connections to one endpoint. May be shared between threads; keeps as many as were ever in use at once."""

    def __init__(self, endpoint: str, authorities: str | None) -> None:
        address = urlsplit(endpoint)
        self.host = address.netloc
        self._name = address.hostname or ""
        self._port = address.port or _PORTS[address.scheme]
        self._tls = _trust(authorities) if address.scheme == "https" else None
        self._lock = Lock()
        self._kept: _Kept = []
        finalize(self, _close, self._kept)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer to one request; the length of its body needs no header.

        Raises OSError (time-outs and TLS too), Garbled, or ValueError for a header with a line break in it.
        """
        lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
        lines.append(f"content-length: {len(body)}")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1:
            raise ValueError("a header with a line break")
        message = f"{head}\r\n\r\n".encode("ascii") + body  # in one piece: one system call, one record of TLS
        kept = self._idle()
        if kept is not None:
            with suppress(*_HUNG_UP):
                return self._exchange(kept, message)
        return self._exchange(self._open(), message)

    def _exchange(self, connection: socket.socket, message: bytes) -> Reply:
        """The answer on this connection, which is kept if it is of further use, else closed."""
        reply = None
        try:
            connection.sendall(message)
            reply = http1.read(connection.recv)
        finally:
            if reply is None or reply.last:
                connection.close()
        if not reply.last:
            with self._lock:
                self._kept.append((connection, time.monotonic()))
        return reply

    def _idle(self) -> socket.socket | None:
        """The connection that was used last of those that are free, if it is still good."""
        with self._lock:
            if self._kept and time.monotonic() - self._kept[-1][1] > IDLE_SECONDS:
                _close(self._kept)  # the others have been idle for longer still
            connection = self._kept.pop()[0] if self._kept else None
        if connection is not None and _stirs(connection):
            connection.close()
            return None
        return connection

    def _open(self) -> socket.socket:
        connection = socket.create_connection((self._name, self._port), CONNECT_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_hostname=self._name)
        connection.settimeout(READ_SECONDS)
        return connection


def _stirs(connection: socket.socket) -> bool:
    """Whether something came that nobody asked for: most often the other side's farewell."""
    if isinstance(connection, SSLSocket) and connection.pending():  # deciphered already, so the socket is silent
        return True
    watch = poll()
    watch.register(connection, POLLIN)
    return bool(watch.poll(0))


def _close(kept: _Kept) -> None:
    while kept:
        kept.pop()[0].close()


@lru_cache(maxsize=1)
def _trust(authorities: str | None) -> SSLContext:
    """Reading the certificates takes a good part of a start, so it is done once for all services."""
    return create_default_context(cafile=authorities)
