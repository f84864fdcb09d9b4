"""One connection: its states are places in generators that say what they wait for, so that nothing here ever blocks.

    connecting, shaking hands (TLS), sending, receiving; idle is where no generator is under way

Every state is bounded: by how long the other side may be silent, and by when the whole has to be done. Whoever has a
connection closes it when anything is raised in one of its states.
"""

from __future__ import annotations

import socket
import time
from errno import EINPROGRESS
from select import POLLIN, POLLOUT, poll
from ssl import SSLContext, SSLSocket, SSLWantReadError, SSLWantWriteError
from typing import Any, Final

from aftersend.http.http1 import HttpResponse, read_response, read_whole
from aftersend.http.multiplexer import Wait, Waits

_PIECE: Final = 65_536  # bytes of a response that are taken at once: others have their turn in between
_NOT_YET: Final = (BlockingIOError, SSLWantReadError, SSLWantWriteError)


class Connection:
    """A connection to one address. Every `ends` is a time of `time.monotonic`, every `silence` in seconds.

    Every state raises TimeoutError where nothing happens for so long or it has not ended by then, and another OSError
    where the connection fails.
    """

    def __init__(self, unconnected: socket.socket) -> None:
        unconnected.setblocking(False)
        self._socket = unconnected
        self._watch: poll | None = None

    def close(self) -> None:
        """Close it, without a farewell."""
        self._socket.close()

    def connect(self, address: Any, silence: float, ends: float) -> Waits[None]:
        """Connect."""
        code = self._socket.connect_ex(address)
        if code == EINPROGRESS:
            yield from self._wait(POLLOUT, silence, ends)
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "cannot connect")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def encrypt(self, tls: SSLContext, name: str, silence: float, ends: float) -> Waits[None]:
        """Shake hands with the host of this name, once it is connected."""
        ends = min(time.monotonic() + silence, ends)  # one who drips is silent, too
        secured = tls.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
        self._socket = secured
        while True:
            try:
                return secured.do_handshake()
            except _NOT_YET as error:
                events = _find_events(error, POLLIN)
            yield from self._wait(events, silence, ends)

    def send(self, message: bytes, silence: float, ends: float) -> Waits[None]:
        """Send all of it."""
        rest = memoryview(message)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except _NOT_YET as error:
                yield from self._wait(_find_events(error, POLLOUT), silence, ends)

    def send_at_once(self, message: bytes) -> bytes:
        """Send what can be sent without waiting, most often all of it, and return the rest."""
        try:
            return message[self._socket.send(message) :]
        except _NOT_YET:
            return message

    def receive(self, max_body: int, silence: float, ends: float) -> Waits[HttpResponse]:
        """Return the response to what was sent; raises ProtocolError for what is none, too."""
        reader, events = None, POLLIN
        while True:
            if (events != POLLIN or not self._is_pending()) and not (yield self._make_wait(events, silence, ends)):
                raise TimeoutError("timed out")
            try:
                piece = self._socket.recv(_PIECE)
            except _NOT_YET as error:
                events = _find_events(error, POLLIN)
                continue
            events = POLLIN
            if reader is None:
                if (whole := read_whole(piece, max_body)) is not None:
                    return whole
                reader = read_response(max_body)
                next(reader)
            try:
                reader.send(piece)
            except StopIteration as end:
                response: HttpResponse = end.value
                return response

    def is_readable(self) -> bool:
        """Whether something came to an idle connection, which nobody asked for: most often that it has been closed."""
        if self._is_pending():
            return True
        if self._watch is None:
            self._watch = poll()
            self._watch.register(self._socket, POLLIN)
        return bool(self._watch.poll(0))

    def _is_pending(self) -> bool:
        """Whether there is something deciphered already, of which the socket is silent."""
        return isinstance(self._socket, SSLSocket) and self._socket.pending() > 0

    def _wait(self, events: int, silence: float, ends: float) -> Waits[None]:
        if not (yield self._make_wait(events, silence, ends)):
            raise TimeoutError("timed out")

    def _make_wait(self, events: int, silence: float, ends: float) -> Wait:
        now = time.monotonic()
        if now >= ends:
            raise TimeoutError("timed out")
        return Wait(self._socket.fileno(), events, min(now + silence, ends))


def _find_events(error: OSError, otherwise: int) -> int:
    """Return what to wait for before the same is tried again. TLS may have to send to read on, and the other way."""
    if isinstance(error, SSLWantReadError):
        return POLLIN
    return POLLOUT if isinstance(error, SSLWantWriteError) else otherwise
