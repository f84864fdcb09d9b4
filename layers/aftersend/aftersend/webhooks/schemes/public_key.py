"""A header with a signature by a private key, whose public key the operator has configured: ECDSA and RSA.

Neither the curve nor the length of a key is looked at: which key it is, the operator says. What kind it is, is:
a key of another kind is a mistake in the secrets, and no refusal.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aftersend.core.errors import ConfigurationError, VerificationError
from aftersend.sources.proofs import PublicKey
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush
from aftersend.webhooks.schemes.signature import decode_signature
from aftersend.webhooks.schemes.signed_text import build_text

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_PEM: Final = re.compile(r"-----[A-Z ]+-----|\s+")


def check(request: PushRequest, proof: PublicKey, trust: Trust, _now: datetime) -> VerifiedPush:
    """Check everything about a push; raises VerificationError, and ConfigurationError for a key that is none."""
    texts = trust.credentials.public_key
    if not texts:
        raise VerificationError(FailureCode.UNPROVABLE, "this must be configured: public_key")
    given = decode_signature(request.header(proof.header))
    text = build_text(proof.signed, request)
    if not any(_holds(given, text, each, proof.algorithm) for each in texts):
        raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")
    return VerifiedPush(scheme=proof.scheme)


def _holds(given: bytes, text: bytes, key_text: str, algorithm: str) -> bool:
    # 80 ms that only the first signed push pays, and no other function.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256  # noqa: PLC0415

    key = load_key(key_text)
    try:
        if algorithm == "ecdsa-sha256" and isinstance(key, EllipticCurvePublicKey):
            key.verify(given, text, ECDSA(SHA256()))
        elif algorithm.startswith("rsa-") and isinstance(key, RSAPublicKey):
            key.verify(given, text, PKCS1v15(), SHA1() if algorithm == "rsa-sha1" else SHA256())  # noqa: S303
        else:
            raise ConfigurationError(f"the secrets: public_key: a key of another kind than {algorithm} needs")
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=16)
def load_key(text: str) -> EllipticCurvePublicKey | RSAPublicKey:
    """Return the key in `text`: SubjectPublicKeyInfo (RFC 5280) as base64 or PEM, with line breaks or without.

    Raises ConfigurationError where it is none.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        key = load_der_public_key(base64.b64decode(_PEM.sub("", text), validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError("the secrets: public_key: not a public key in base64 or PEM") from error
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
        raise ConfigurationError("the secrets: public_key: neither a key of RSA nor of an elliptic curve")
    return key
