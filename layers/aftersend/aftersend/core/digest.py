"""How an address appears in logs: as a keyed digest, the same for the same address, of no use without the key."""

from __future__ import annotations

from hashlib import blake2b


def digest(recipient: str, key: bytes) -> str:
    """Return sixteen hexadecimal digits for `recipient`; `key` is the deployment's own secret of at most 64 bytes."""
    return blake2b(recipient.encode(), key=key[:64], digest_size=8).hexdigest()
