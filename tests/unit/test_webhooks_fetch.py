"""Fetching a certificate: by https from the host that was named, in time, and not too much of it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from aftersend.core.errors import HostUnavailable
from aftersend.webhooks import fetch
from tests.support.tls import Certificates


class World(BaseHTTPRequestHandler):
    """A host with something at every path."""

    asked: ClassVar[list[tuple[str, str | None]]] = []
    given_up: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["user-agent"]))
        content = {"/large": b"x" * (fetch.MOST + 1), "/most": b"x" * fetch.MOST}.get(self.path, b"a certificate")
        if self.path == "/slow":
            self.given_up.wait(30)
        self.send_response({"/moved": 302, "/missing": 404}.get(self.path, 200))
        self.send_header("location", "https://evil.example/")
        self.send_header("content-length", str(len(content) + (10 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def host(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server = HTTPServer(("127.0.0.1", 0), World)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that goes away is no error here
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    trusting = ssl.create_default_context(cafile=str(certificates.authority))
    monkeypatch.setattr(fetch, "_context", lambda: trusting)
    World.asked.clear()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_what_is_there(host: str) -> None:
    assert fetch.get(f"https://{host}/a/b.pem?c=d") == fetch.Reply(200, b"a certificate")
    assert World.asked == [("/a/b.pem?c=d", "aftersend")]


def test_what_is_not_there(host: str) -> None:
    assert fetch.get(f"https://{host}/missing").status == 404


def test_what_is_elsewhere_is_not_gone_after(host: str) -> None:
    assert fetch.get(f"https://{host}/moved").status == 302
    assert len(World.asked) == 1


def test_as_much_as_is_allowed(host: str) -> None:
    assert len(fetch.get(f"https://{host}/most").content) == fetch.MOST
    with pytest.raises(HostUnavailable, match="more than 65536 bytes"):
        fetch.get(f"https://{host}/large")


def test_an_answer_that_ends_too_early(host: str) -> None:
    with pytest.raises(HostUnavailable, match="breaks off"):
        fetch.get(f"https://{host}/short")


def test_an_answer_that_takes_too_long(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.1)
    with pytest.raises(HostUnavailable, match="localhost does not answer: TimeoutError"):
        fetch.get(f"https://{host}/slow")
    World.given_up.set()


def test_a_host_under_another_name(host: str) -> None:
    with pytest.raises(HostUnavailable, match="SSLCertVerificationError"):
        fetch.get(f"https://{host.replace('localhost', '127.0.0.1')}/")


def test_a_host_that_nobody_vouches_for(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_context", ssl.create_default_context)
    with pytest.raises(HostUnavailable, match="SSLCertVerificationError"):
        fetch.get(f"https://{host}/")


def test_nobody_at_home(host: str) -> None:
    with pytest.raises(HostUnavailable, match="ConnectionRefusedError"):
        fetch.get("https://localhost:1/")


def test_no_address_that_breaks_a_request(host: str) -> None:
    with pytest.raises(HostUnavailable, match="InvalidURL"):
        fetch.get(f"https://{host}/a b")
    assert World.asked == []
