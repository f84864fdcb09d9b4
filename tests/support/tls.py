"""Certificates for servers of tests: an authority of their own, and what it says of one host.

They have every extension that RFC 5280 asks for: from Python 3.13 on, clients refuse certificates without.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_CRITICAL: Final = (x509.BasicConstraints, x509.KeyUsage)
_SIGNS: Final = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Certificates:
    """Files in `folder`: the authority that a client must trust, and the certificate and key of a server at `host`."""

    def __init__(self, folder: Path, host: str) -> None:
        self.authority, self.certificate, self.key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        own, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        root = _certificate("the tests", "the tests", signer, signer, constraints, _SIGNS)
        leaf = _certificate(host, "the tests", own, signer, x509.SubjectAlternativeName([x509.DNSName(host)]))
        self.authority.write_bytes(root.public_bytes(Encoding.PEM))
        self.certificate.write_bytes(leaf.public_bytes(Encoding.PEM))
        self.key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certificate(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    keys = (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
    )
    for extension in (*extensions, *keys):
        made = made.add_extension(extension, critical=isinstance(extension, _CRITICAL))
    return made.sign(signer, SHA256())
