"""A member of the body holds the MD5 of the whole body, in which the key stands in the place of that very digest.

The key is put into the bytes that came, and nothing is written anew: JSON may escape a text in several ways. What can
be added to a text of known MD5 without knowing the key comes after its end, and is no JSON any more.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import md5
from typing import Final

import msgspec
from msgspec import Raw

from aftersend.core.errors import DECODE_ERRORS, VerificationError
from aftersend.sources.proofs import DigestInBody
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush
from aftersend.webhooks.schemes.shared_key import list_keys

_decode: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_HEX: Final = re.compile(rb'"[0-9a-f]{32}"').fullmatch
_MOST: Final = 4  # places where the same text may stand


def check(request: PushRequest, proof: DigestInBody, trust: Trust, _now: datetime) -> VerifiedPush:
    """Check everything about a push; raises VerificationError."""
    keys = list_keys(trust)
    try:
        member = _decode(request.body).get(proof.member, b"")
    except DECODE_ERRORS as error:
        raise VerificationError(FailureCode.MALFORMED, "not an object in JSON") from error
    value = bytes(member)
    if not _HEX(value):
        raise VerificationError(FailureCode.MALFORMED, f"no digest in {proof.member}")
    given = value.strip(b'"')
    found = [
        hmac.compare_digest(given, md5(text, usedforsecurity=False).hexdigest().encode())
        for key in keys
        for text in _put(key, value, request.body)
    ]
    if not any(found):
        raise VerificationError(FailureCode.SIGNATURE, "the digest is not that of the body and the key")
    return VerifiedPush(scheme=proof.scheme)


def _put(key: bytes, value: bytes, body: bytes) -> Iterator[bytes]:
    """The body with the key in each place where the digest stands."""
    start = -1
    for _ in range(_MOST):
        start = body.find(value, start + 1)
        if start < 0:
            return
        yield body[: start + 1] + key + body[start + len(value) - 1 :]
