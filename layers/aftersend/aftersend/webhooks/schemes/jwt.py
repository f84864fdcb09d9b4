"""A header with a JSON Web Token that is signed with a key both sides know, and claims digests of body and address.

Which algorithms are taken is the proof's to say, and never the token's: `none`, or a public key used as a shared one,
are not even tried. A token that claims no digest of the body says nothing about it. Sources: RFC 7515, RFC 7519,
RFC 8725 (best practices), 3.1 and 3.2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from aftersend.core.errors import DECODE_ERRORS, VerificationError
from aftersend.sources.proofs import Jwt
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush
from aftersend.webhooks.schemes.shared_key import list_keys
from aftersend.webhooks.schemes.signed_text import encode

_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{1,8192})\.([A-Za-z0-9_-]{1,256})").fullmatch
_ALGORITHMS: Final[Mapping[str, str]] = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_BODY_HASH: Final = "payload_hash"

_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode


def check(request: PushRequest, proof: Jwt, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push; raises VerificationError."""
    keys = list_keys(trust)
    claims = _verify(_read_token(request, proof.header), proof, keys)
    if claims.get("iss") != proof.issuer:
        raise VerificationError(FailureCode.SENDER, "another issuer")
    _check_times(claims, proof, now.timestamp())
    covers_url = bool(proof.url_hash)
    if covers_url:
        _require_digest(claims.get(proof.url_hash), encode(request.url), "address")
    if request.body:
        _require_digest(claims.get(_BODY_HASH), request.body, "body")
    elif claims.get(_BODY_HASH) not in (None, "", sha256(b"").hexdigest()):
        raise VerificationError(FailureCode.DIGEST, "the digest of a body that did not come")
    elif not covers_url and not trust.credentials.path:  # nothing that came is signed
        raise VerificationError(FailureCode.UNPROVABLE, "this must be configured: path")
    return VerifiedPush(scheme=proof.scheme)


def _read_token(request: PushRequest, header: str) -> str:
    value = request.header(header)
    if header != "authorization":
        return value.strip()
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer":
        raise VerificationError(FailureCode.SCHEME, "Authorization holds no token")
    return token.strip()


def _verify(token: str, proof: Jwt, keys: list[bytes]) -> dict[str, Any]:
    """Return what the token claims, once its signature holds."""
    match = _TOKEN(token)
    if match is None:
        raise VerificationError(FailureCode.MALFORMED, "not a token")
    header = _decode_part(match[1])
    algorithm = header.get("alg")
    if algorithm not in proof.algorithms or "crit" in header:
        raise VerificationError(FailureCode.SCHEME, "the token is not signed in a way that is accepted")
    signed, given = f"{match[1]}.{match[2]}".encode(), _decode_base64url(match[3])
    made = [hmac.digest(key, signed, _ALGORITHMS[algorithm]) for key in keys]
    if not any([hmac.compare_digest(given, each) for each in made]):  # noqa: C419  # all of them, before any answer
        raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")
    return _decode_part(match[2])


def _decode_part(text: str) -> dict[str, Any]:
    try:
        return _decode_object(_decode_base64url(text))
    except DECODE_ERRORS as error:
        raise VerificationError(FailureCode.MALFORMED, "a part of the token is not an object") from error


def _decode_base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise VerificationError(FailureCode.MALFORMED, "a part of the token is not base64") from error


def _check_times(claims: Mapping[str, Any], proof: Jwt, now: float) -> None:
    """Times are seconds since 1970. One that is claimed is looked at, and one that the proof goes by must be there."""
    issued, expires, begins = (_read_number(claims, name) for name in ("iat", "exp", "nbf"))
    required = (issued,) if proof.max_age else (expires, begins)
    if None in required:
        raise VerificationError(FailureCode.MALFORMED, "the token does not say for when it is")
    too_old = proof.max_age and issued is not None and not abs(now - issued) <= proof.max_age
    over = expires is not None and not now <= expires + proof.leeway
    too_early = begins is not None and not begins - proof.leeway <= now
    if too_old or over or too_early:
        raise VerificationError(FailureCode.STALE, "the token is for another time")


def _read_number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise VerificationError(FailureCode.MALFORMED, "a time that cannot be read")
    return float(value) if abs(value) < 1e15 else float("inf")


def _require_digest(claimed: object, text: bytes, what: str) -> None:
    digest = sha256(text).hexdigest()
    if not isinstance(claimed, str) or not hmac.compare_digest(encode(claimed.lower()), digest.encode()):
        raise VerificationError(FailureCode.DIGEST, f"the {what} is not the one that was signed")
