"""A receiver of webhooks that behaves as it is told to, and remembers what came: a plain server of sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Lock, Thread
from typing import Final

from msgspec import Struct

from tests.support.tls import Certificates

HOST: Final = "hooks.example.com"


class Received(Struct, frozen=True):
    """One request, and when it came, in seconds that only grow."""

    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


Behaviour = Callable[[socket.socket, Received], None]


def answer(status: int = 204, *, headers: str = "", body: bytes = b"") -> Behaviour:
    """A whole answer."""

    def write(connection: socket.socket, _: Received) -> None:
        head = f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return write


def say(*pieces: bytes, pause: float = 0.0) -> Behaviour:
    """These very bytes, with a pause after each."""

    def write(connection: socket.socket, _: Received) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return write


class Receiver:
    """Listens at a free port of this machine; `behaviour` may be replaced at any time."""

    def __init__(self, folder: Path | None = None) -> None:
        self.behaviour: Behaviour = answer()
        self.received: list[Received] = []
        self._context: SSLContext | None = None
        if folder is not None:
            self.certificates = Certificates(folder, HOST)
            self._context = SSLContext(PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        self._lock = Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    @property
    def ids(self) -> list[str]:
        """What came, in its order."""
        with self._lock:
            return [each.id for each in self.received]

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(5)
            secured = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            with secured:
                received = _read(secured)
                with self._lock:
                    self.received.append(received)
                self.behaviour(secured, received)


def _read(connection: socket.socket) -> Received:
    read = b""
    while b"\r\n\r\n" not in read:
        read += _receive(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _receive(connection)
    return Received(headers, body, time.monotonic())


def _receive(connection: socket.socket) -> bytes:
    piece = connection.recv(65_536)
    if not piece:
        raise ConnectionResetError
    return piece


@contextmanager
def receiving(folder: Path | None = None) -> Iterator[Receiver]:
    """A receiver, with TLS where there is a folder for its certificate."""
    made = Receiver(folder)
    try:
        yield made
    finally:
        made.close()
