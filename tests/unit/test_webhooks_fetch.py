"""Fetching a certificate: by https from the host that was named, in time, and not too much of it."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar, NamedTuple

import pytest

from aftersend.core.errors import HostUnavailable
from aftersend.http.http1 import HttpResponse
from aftersend.webhooks import fetch
from tests.support.tls import Certificates


class World(BaseHTTPRequestHandler):
    """A host with something at every path."""

    asked: ClassVar[list[tuple[str, str | None]]] = []
    given_up: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["user-agent"]))
        sizes = {"/large": fetch.MAX_BYTES + 1, "/most": fetch.MAX_BYTES}
        path = self.path.removesuffix("/unmeasured")
        content = b"x" * sizes[path] if path in sizes else b"a certificate"
        if self.path == "/slow":
            self.given_up.wait(60)
        if self.path == "/garbled":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            return
        self.send_response({"/moved": 302, "/missing": 404}.get(self.path, 200))
        self.send_header("location", "https://evil.example/")
        if path == self.path:
            self.send_header("content-length", str(len(content) + (10 if self.path == "/short" else 0)))
        self.end_headers()
        if self.path == "/dripping":
            self._drip(content)
        self.wfile.write(content)

    def _drip(self, content: bytes) -> None:
        """A byte, a pause, and a byte again: each comes long before a time-out of its own."""
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.given_up.wait(0.1)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), "localhost")


class Host(NamedTuple):
    """A server that runs: its name with its port, and the file of the authority that vouches for it."""

    name: str
    authority: str

    def get(self, path: str) -> HttpResponse:
        return fetch.get(f"https://{self.name}{path}", self.authority)


@pytest.fixture
def host(certificates: Certificates) -> Iterator[Host]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server = HTTPServer(("127.0.0.1", 0), World)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that goes away is no error here
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    World.asked.clear()
    World.given_up.clear()
    yield Host(f"localhost:{server.server_port}", str(certificates.authority))
    server.shutdown()
    serving.join()
    server.server_close()


def test_what_is_there(host: Host) -> None:
    found = host.get("/a/b.pem?c=d")
    assert (found.status, found.content) == (200, b"a certificate")
    assert World.asked == [("/a/b.pem?c=d", "aftersend")]


def test_what_is_not_there(host: Host) -> None:
    assert host.get("/missing").status == 404


def test_a_redirect_is_not_followed(host: Host) -> None:
    assert host.get("/moved").status == 302
    assert len(World.asked) == 1


def test_as_much_as_is_allowed(host: Host) -> None:
    assert len(host.get("/most").content) == fetch.MAX_BYTES
    with pytest.raises(HostUnavailable, match="more than 65536 bytes"):
        host.get("/large")


def test_as_much_as_is_allowed_where_no_length_is_given(host: Host) -> None:
    assert len(host.get("/most/unmeasured").content) == fetch.MAX_BYTES
    with pytest.raises(HostUnavailable, match="more than 65536 bytes"):
        host.get("/large/unmeasured")


def test_an_answer_that_ends_too_early(host: Host) -> None:
    with pytest.raises(HostUnavailable, match="breaks off"):
        host.get("/short")


@pytest.mark.parametrize("path", ["/slow", "/dripping"])
def test_an_answer_that_takes_too_long(host: Host, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not buy more time."""
    monkeypatch.setattr(fetch, "MAX_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(HostUnavailable, match="localhost does not answer: TimeoutError"):
        host.get(path)
    assert time.monotonic() - began < 5
    World.given_up.set()


def test_an_answer_that_is_not_http(host: Host) -> None:
    with pytest.raises(HostUnavailable, match="localhost does not answer: ProtocolError"):
        host.get("/garbled")


def test_a_host_under_another_name(host: Host) -> None:
    with pytest.raises(HostUnavailable, match="SSLCertVerificationError"):
        host._replace(name=host.name.replace("localhost", "127.0.0.1")).get("/")
    assert World.asked == []


def test_a_host_that_nobody_vouches_for(host: Host) -> None:
    with pytest.raises(HostUnavailable, match="SSLCertVerificationError"):
        fetch.get(f"https://{host.name}/")
    assert World.asked == []


def test_no_proxy_is_asked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://localhost:1")
    assert host.get("/").status == 200


def test_nobody_at_home() -> None:
    with pytest.raises(HostUnavailable, match="ConnectionRefusedError"):
        fetch.get("https://localhost:1/")


@pytest.mark.parametrize("path", ["/a b", "/\x7f", "/é", "/a\x00b"])
def test_no_address_that_breaks_a_request(host: Host, path: str) -> None:
    with pytest.raises(HostUnavailable, match="InvalidURL"):
        host.get(path)
    assert World.asked == []
