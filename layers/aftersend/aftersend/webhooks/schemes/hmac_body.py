"""A header with the HMAC of the body, or of a text that the body is a part of."""

from __future__ import annotations

from datetime import datetime, timedelta

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import Hmac
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush
from aftersend.webhooks.schemes.shared_key import decode_mac, list_keys, require_mac
from aftersend.webhooks.schemes.signature import read_epoch, require_fresh_at
from aftersend.webhooks.schemes.signed_text import build_text


def check(request: PushRequest, proof: Hmac, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push; raises VerificationError."""
    keys = list_keys(trust, proof.key_encoding)
    value = request.header(proof.header)
    if not value.startswith(proof.prefix):
        raise VerificationError(FailureCode.SCHEME, f"the header {proof.header} does not begin with {proof.prefix}")
    given = decode_mac(value.removeprefix(proof.prefix), proof.encoding)
    if proof.time:
        window = timedelta(seconds=proof.window)
        require_fresh_at(read_epoch(request.header(proof.time)), now, window, window)
    require_mac(given, keys, build_text(proof.signed, request), proof.digest)
    return VerifiedPush(scheme=proof.scheme)
