"""Whose certificates are believed: for Amazon's hosts its own roots, and what becomes of all others."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import certifi
import pytest

from aftersend.http import trust
from aftersend.http.transport import Limits, Transport
from tests.support import wire as wires
from tests.support.wire import OK, Wire, wire

AMAZON: Final = "dynamodb.eu-west-1.amazonaws.com"
# Amazon Trust Services, https://www.amazontrust.com/repository/, "Root CAs": the SHA-256 of the public keys.
PUBLISHED: Final = {
    "Amazon Root CA 1": "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
    "Amazon Root CA 2": "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
    "Amazon Root CA 3": "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
    "Amazon Root CA 4": "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
    "Starfield Services Root Certificate Authority - G2": (
        "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92"
    ),
}
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _list_der(path: Path) -> set[bytes]:
    return {ssl.PEM_cert_to_DER_cert(each) for each in _CERTIFICATE.findall(path.read_text())}


def _find_public_key(der: bytes) -> bytes:
    """The Subject Public Key Information of a certificate (RFC 5280, 4.1), which stands behind six other fields.

    Not by `cryptography`, which is about to refuse one of these roots: its serial number is 0.
    """
    _, inside, _ = _enter(der, 0)  # Certificate
    _, at, _ = _enter(der, inside)  # TBSCertificate
    for _field in ("version", "serialNumber", "signature", "issuer", "validity", "subject"):
        _, _, at = _enter(der, at)
    return der[at : _enter(der, at)[2]]


def _enter(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag of what stands at a place in DER (X.690, 8.1), where its content begins, and where it ends."""
    size, begin = der[at + 1], at + 2
    if size & 0x80:
        begin += size & 0x7F
        size = int.from_bytes(der[at + 2 : begin])
    return der[at], begin, begin + size


def test_the_shipped_roots_are_those_that_amazon_publishes() -> None:
    text = trust.AMAZON_ROOTS.read_text()
    assert {sha256(_find_public_key(each)).hexdigest() for each in _list_der(trust.AMAZON_ROOTS)} == {
        *PUBLISHED.values()
    }
    for each in _CERTIFICATE.findall(text):
        read = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        read.load_verify_locations(cadata=each)
        known: dict[str, Any] = read.get_ca_certs()[0]
        name = dict(pair for (pair,) in known["subject"])["commonName"]
        until = datetime.fromtimestamp(ssl.cert_time_to_seconds(known["notAfter"]), UTC)
        assert f"\n{name}, until {until:%Y-%m-%d}\n{PUBLISHED[name]}\n{each}\n" in text


@pytest.mark.parametrize("store", [certifi.where(), ssl.get_default_verify_paths().cafile or "nowhere"])
def test_others_trust_the_very_same_certificates(store: str) -> None:
    if not Path(store).is_file():
        pytest.skip("this system keeps its authorities elsewhere")
    assert _list_der(Path(store)) > _list_der(trust.AMAZON_ROOTS)


def test_of_a_host_of_amazons_no_other_root_is_believed_at_first() -> None:
    trust.forget()
    context = trust.find_trust(AMAZON).context
    assert {*context.get_ca_certs(binary_form=True)} == _list_der(trust.AMAZON_ROOTS)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert trust.find_trust("s3.eu-west-1.amazonaws.com").context is context


@pytest.mark.parametrize("host", ["amazonaws.com.evil.example", "evilamazonaws.com", "::1", "sns.amazonaws.com.cn"])
def test_of_other_hosts_the_systems_authorities_are_asked_at_once(host: str) -> None:
    assert trust.find_trust(host) is trust.find_trust("example.com")
    assert trust.find_trust(host) is not trust.find_trust(AMAZON)
    assert not trust.find_trust(host).widen(trust.find_trust(host).context)


# -- on a connection --


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every host is this machine, and certificates are read anew."""
    ask = socket.getaddrinfo

    def answer(_host: Any, *others: Any, **more: Any) -> Any:
        return ask("127.0.0.1", *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    trust.forget()
    yield
    trust.forget()


def _get(server: Wire, authorities: str | None = None) -> int:
    with Transport(server.endpoint, Limits(), authorities) as transport:
        return transport.send("GET", "/", {"host": transport.host}).status


@pytest.mark.usefixtures("resolved")
def test_where_amazons_roots_do_not_do_the_systems_are_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = wires.certificate(tmp_path, AMAZON)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with wire(OK, tls=context, name=AMAZON) as server:
        assert [_get(server) for _ in range(3)] == [200, 200, 200]
        assert len(server.heard) == 3
        assert server.connections == 4  # one was refused, and none after it
    assert {*trust.find_trust(AMAZON).context.get_ca_certs(binary_form=True)} >= _list_der(trust.AMAZON_ROOTS)


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize(
    ("host", "connections"), [(AMAZON, 2), ("dynamodb.eu-west-1.example.com", 1)], ids=["amazon", "other"]
)
def test_a_certificate_that_nobody_vouches_for_is_refused(host: str, connections: int, tmp_path: Path) -> None:
    context, _ = wires.certificate(tmp_path, host)
    with wire(OK, tls=context, name=host) as server, pytest.raises(ssl.SSLCertVerificationError):
        _get(server)
    assert (server.heard, server.connections) == ([], connections)


@pytest.mark.usefixtures("resolved")
def test_a_certificate_of_another_host_is_refused_whoever_vouches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = wires.certificate(tmp_path, "sqs.eu-west-1.amazonaws.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with wire(OK, tls=context, name=AMAZON) as server, pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _get(server)
    assert server.heard == []


@pytest.mark.usefixtures("resolved")
def test_a_file_of_the_users_own_is_all_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, certificate = wires.certificate(tmp_path, AMAZON)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with wire(OK, tls=context, name=AMAZON) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            _get(server, str(trust.AMAZON_ROOTS))
        assert (server.heard, server.connections) == ([], 1)
        assert _get(server, str(certificate)) == 200


def test_whoever_failed_while_another_widened_tries_again_too() -> None:
    trust.forget()
    found = trust.find_trust(AMAZON)
    narrow = found.context
    assert found.widen(narrow)
    wide = found.context
    assert found.widen(narrow)
    assert found.context is wide is not narrow
    assert not found.widen(wide)
    trust.forget()
