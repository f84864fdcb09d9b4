"""What the schemes share: reading a signature, asking how old a push is, and verifying its signature.

Neither the dates of a certificate, nor who issued it, nor the length of its key are looked at: that it lies where only
the provider can put it is what makes it the provider's. The one that Alibaba's MNS signs with has expired in 2016, has
issued itself, and has a key of 512 bits; docs/decisions/0014 says what makes up for that.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from aftersend.core.errors import VerificationError
from aftersend.core.times import parse_time
from aftersend.webhooks.schemes.contract import FailureCode, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_EPOCH: Final = re.compile(r"([0-9]{9,10})([0-9]{3})?").fullmatch  # seconds or milliseconds, until the year 2286


def decode_signature(text: str) -> bytes:
    """Return the bytes of a signature in base64; raises VerificationError."""
    return decode_base64(text, "the signature")


def decode_base64(text: str, what: str) -> bytes:
    """Return the bytes that base64 stands for; raises VerificationError that says `what` is wrong."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise VerificationError(FailureCode.MALFORMED, f"{what} is not base64") from error
    if not 0 < len(found) <= 1024:
        raise VerificationError(FailureCode.MALFORMED, f"{what} has a length that none has")
    return found


def read_epoch(text: str) -> datetime:
    """Return the time (UTC) that seconds or milliseconds since 1970 stand for; raises VerificationError."""
    match = _EPOCH(text.strip())
    if match is None:
        raise VerificationError(FailureCode.MALFORMED, "a time that cannot be read")
    return datetime.fromtimestamp(int(match[1]), UTC) + timedelta(milliseconds=int(match[2] or 0))


def require_fresh(text: str, now: datetime, age: timedelta, ahead: timedelta) -> None:
    """Raise VerificationError unless the time in `text` is at most `age` ago, and at most `ahead` of our clock."""
    try:
        sent = parse_time(text[:64])
    except ValueError as error:
        raise VerificationError(FailureCode.MALFORMED, "a time that cannot be read") from error
    require_fresh_at(sent, now, age, ahead)


def require_fresh_at(sent: datetime, now: datetime, age: timedelta, ahead: timedelta) -> None:
    """Raise VerificationError unless `sent` (UTC) is at most `age` ago, and at most `ahead` of our clock."""
    if not now - age <= sent <= now + ahead:
        raise VerificationError(FailureCode.STALE, f"sent {(now - sent).total_seconds():.0f} seconds ago")


def load_public_key(certificate: bytes) -> RSAPublicKey:
    """Return the key of a certificate (PEM, X.509); raises VerificationError where it is none, or of another kind."""
    # 80 ms that only the first signed push pays, and no other function.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    try:
        key = x509.load_pem_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VerificationError(FailureCode.CERTIFICATE, "not a certificate") from error
    if not isinstance(key, RSAPublicKey):
        raise VerificationError(FailureCode.CERTIFICATE, "not a certificate of an RSA key")
    return key


def verify_signature(signature: Signature, certificate: bytes) -> None:
    """Raise VerificationError unless `signature` was made with the key of the certificate (PEM, X.509)."""
    key = load_public_key(certificate)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256  # noqa: PLC0415

    digest = SHA1() if signature.digest == "sha1" else SHA256()  # noqa: S303
    for text in signature.texts:
        try:
            key.verify(signature.signature, text, PKCS1v15(), digest)
        except InvalidSignature:
            continue
        return
    raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")
