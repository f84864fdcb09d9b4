"""Signs webhooks as Standard Webhooks asks: HMAC-SHA256 of id, time and body, one signature for each secret. Pure.

The id is that of the event and the same on every attempt, the time that of this attempt. Whoever changes a secret signs
with the old and the new one meanwhile. Source: github.com/standard-webhooks, the specification, "Webhook headers".
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SHORTEST: Final = 24  # bytes of a secret, of the specification; and the longest
LONGEST: Final = 64


def decode_secret(secret: str) -> bytes:
    """Return the key in a secret of the form "whsec_" + base64; raises ValueError, without the secret in it."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (Error, ValueError):
        raise ValueError("it is not base64 after whsec_") from None
    if not secret.startswith(PREFIX):
        raise ValueError("it does not begin with whsec_")
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"it has {len(key)} bytes, not {SHORTEST} to {LONGEST}")
    return key


def sign(keys: Sequence[bytes], id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the three headers of one attempt at `seconds` since 1970; without keys there is no signature."""
    text = f"{id_}.{seconds}.".encode() + body
    signatures = [f"v1,{b64encode(hmac.digest(key, text, 'sha256')).decode()}" for key in keys]
    headers = {"webhook-id": id_, "webhook-timestamp": str(seconds)}
    return headers | {"webhook-signature": " ".join(signatures)} if signatures else headers
