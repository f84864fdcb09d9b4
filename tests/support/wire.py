"""A server for one test: it receives requests, and answers each as the test says, byte by byte, over TCP or TLS."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST: Final = "127.0.0.1"
_PATIENCE: Final = 60.0
_A_LITTLE: Final = 0.05


@dataclass(frozen=True)
class Reply:
    """What goes over the wire, and what happens to the connection then: a reset comes without a farewell."""

    content: bytes
    then: Literal["keep", "close", "reset", "wait"] = "keep"
    later: bytes = b""  # what follows a little later


def make_reply(
    status: int, content: bytes, *headers: str, then: Literal["keep", "close", "reset", "wait"] = "keep"
) -> Reply:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Word", *headers, f"Content-Length: {len(content)}", "", ""]
    return Reply("\r\n".join(lines).encode() + content, then)


def table(answer: Any, status: int = 200) -> Reply:
    """What DynamoDB says, with its checksum."""
    content = json.dumps(answer).encode()
    return make_reply(
        status, content, f"x-amz-crc32: {zlib.crc32(content)}", "Content-Type: application/x-amz-json-1.0"
    )


def refusal(code: str, status: int = 400, **more: Any) -> Reply:
    """How DynamoDB says no."""
    return table(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "for ann@example.com"} | more, status
    )


NOTHING: Final = Reply(b"", "close")
OK: Final = table({})


@dataclass(frozen=True)
class Heard:
    """A request, and the number of the connection that it came over."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """What was heard, and what is still to be said."""

    endpoint: str
    answers: list[Reply]
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0  # opened, whether a request came over them or not
    lock: Lock = field(default_factory=Lock)
    over: Event = field(default_factory=Event)

    def next(self, request: Heard) -> Reply:
        """What to say now; the last answer is for everybody who comes later."""
        with self.lock:
            self.heard.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def wire(*answers: Reply, tls: ssl.SSLContext | None = None, name: str = HOST) -> Iterator[Wire]:
    """The server, as long as the context lasts."""
    with socket.create_server((HOST, 0)) as listener:
        scheme = "https" if tls else "http"
        made = Wire(f"{scheme}://{name}:{listener.getsockname()[1]}", list(answers))
        threads: list[Thread] = []
        entrance = Thread(target=_welcome, args=(listener, made, tls, threads))
        entrance.start()
        try:
            yield made
        finally:
            made.over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for thread in (entrance, *threads):
                thread.join(_PATIENCE)


def _welcome(listener: socket.socket, made: Wire, tls: ssl.SSLContext | None, threads: list[Thread]) -> None:
    while not made.over.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with made.lock:
            made.connections += 1
        threads.append(Thread(target=_converse, args=(connection, made, tls, made.connections)))
        threads[-1].start()


def _converse(connection: socket.socket, made: Wire, tls: ssl.SSLContext | None, number: int) -> None:
    """Hear and answer until either side has had enough."""
    connection.settimeout(0.05)
    with suppress(ConnectionError, ssl.SSLError), connection:
        if tls is None:
            _answer(connection, made, number)
        else:
            connection.settimeout(_PATIENCE)
            with tls.wrap_socket(connection, server_side=True) as secured:
                secured.settimeout(0.05)
                _answer(secured, made, number)


def _answer(connection: socket.socket, made: Wire, number: int) -> None:
    while (request := _request(connection, made, number)) is not None:
        answer = made.next(request)
        connection.sendall(answer.content)
        if answer.later:
            made.over.wait(_A_LITTLE)
            connection.sendall(answer.later)
        if answer.then == "wait":
            made.over.wait(_PATIENCE)
        if answer.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.then != "keep":
            return


def _request(connection: socket.socket, made: Wire, number: int) -> Heard | None:
    """The next request, if one comes."""
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        if not (piece := _piece(connection, made)):
            return None
        buffer += piece
    head, _, body = buffer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _piece(connection, made)
    return Heard(number, method, target, headers, body)


def _piece(connection: socket.socket, made: Wire) -> bytes:
    while not made.over.is_set():
        with suppress(TimeoutError):
            return connection.recv(65_536)
    return b""


def certificate(folder: Path, name: str = HOST) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS with a key pair made now, and the certificate that a client has to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / f"{name}.pem", folder / f"{name}.key"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted
