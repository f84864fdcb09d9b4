"""Standard Webhooks, which is also how Svix signs: the HMAC of id, time and body, in a list of signatures.

A sender that changes its key signs with both, so one of the list has to hold. Signatures of other versions are skipped:
`v1a`, which is made with a key pair, may stand beside. Source: github.com/standard-webhooks, the specification,
"Webhook headers (sending metadata to consumers)", "Signature scheme".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import StandardWebhooks
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush
from aftersend.webhooks.schemes.shared_key import decode_mac, is_mac, list_keys
from aftersend.webhooks.schemes.signature import read_epoch, require_fresh_at
from aftersend.webhooks.schemes.signed_text import build_text

_VERSION: Final = "v1,"
_MOST: Final = 16  # signatures in one list


def check(request: PushRequest, proof: StandardWebhooks, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push; raises VerificationError."""
    keys = list_keys(trust, proof.key_encoding)
    prefix = next(each for each in proof.prefixes if f"{each}signature" in request.headers)
    listed = request.header(f"{prefix}signature").split()
    given = [each.removeprefix(_VERSION) for each in listed if each.startswith(_VERSION)]
    if not given or len(listed) > _MOST:
        raise VerificationError(FailureCode.SCHEME, "no signature of version 1, or too many")
    window = timedelta(seconds=proof.window)
    require_fresh_at(read_epoch(request.header(f"{prefix}timestamp")), now, window, window)
    text = build_text(f"{{{prefix}id}}.{{{prefix}timestamp}}.{{body}}", request)
    if not is_mac([decode_mac(each, "base64") for each in given], keys, text, "sha256"):
        raise VerificationError(FailureCode.SIGNATURE, "no signature of the list holds")
    return VerifiedPush(scheme=proof.scheme)
