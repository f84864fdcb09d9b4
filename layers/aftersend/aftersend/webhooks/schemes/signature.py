"""What the schemes share: reading a signature, asking how old a push is, and checking its seal.

Neither the dates of a certificate, nor who issued it, nor the length of its key are looked at: that it lies where only
the provider can put it is what makes it the provider's. The one that Alibaba's MNS signs with has expired in 2016, has
issued itself, and has a key of 512 bits; docs/decisions/0014 says what makes up for that.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aftersend.core.errors import VerificationError
from aftersend.core.times import parse_time
from aftersend.webhooks.schemes.contract import FailureCode, Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def signature(text: str) -> bytes:
    """The bytes of a signature in base64; raises NotVerified."""
    return decoded(text, "the signature")


def decoded(text: str, what: str) -> bytes:
    """The bytes that base64 stands for; raises NotVerified that says `what` is wrong."""
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise VerificationError(FailureCode.MALFORMED, f"{what} is not base64") from error
    if not 0 < len(found) <= 1024:
        raise VerificationError(FailureCode.MALFORMED, f"{what} has a length that none has")
    return found


def fresh(text: str, now: datetime, age: timedelta, ahead: timedelta) -> None:
    """Pass what was said at most `age` ago, and at most `ahead` of our clock; raises NotVerified for others."""
    try:
        said = parse_time(text[:64])
    except ValueError as error:
        raise VerificationError(FailureCode.MALFORMED, "a time that cannot be read") from error
    fresh_at(said, now, age, ahead)


def fresh_at(said: datetime, now: datetime, age: timedelta, ahead: timedelta) -> None:
    """The same for a time (UTC) that has been read; raises NotVerified."""
    if not now - age <= said <= now + ahead:
        raise VerificationError(FailureCode.STALE, f"said {(now - said).total_seconds():.0f} seconds ago")


def key_of(certificate: bytes) -> RSAPublicKey:
    """The key of a certificate (PEM, X.509); raises NotVerified where it is none, or of another kind."""
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


def prove(seal: Signature, certificate: bytes) -> None:
    """Pass a seal that the certificate (PEM, X.509) proves; raises NotVerified for others."""
    key = key_of(certificate)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256  # noqa: PLC0415

    for text in seal.texts:
        try:
            key.verify(seal.signature, text, PKCS1v15(), SHA1() if seal.digest == "sha1" else SHA256())  # noqa: S303
        except InvalidSignature:
            continue
        return
    raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")
