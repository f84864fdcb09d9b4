"""Bounce addresses that cannot be forged (VERP): whoever reports to one has seen the message that was sent with it.

Anybody can send a bounce. A mail is believed where the address that it was sent to holds a token that only the sender
could make: a keyed digest over the recipient and the sender's own reference of the message, then the reference itself,
all in base32. Mail systems on the way may change the case of an address, so case never matters. The token names no
recipient, but it is bound to one: it vouches for nobody else.

    verp = Verp(keys=(secret,), template="b-{token}@bounce.example.com")
    verp.make("order-4711", "user@example.org")       the envelope sender of one message to one recipient
    verp.vouches(feedback)                            whether a report came to such an address about that recipient

The template may also hold {local} and {domain} of the recipient ("b-{token}={local}={domain}@…"), for people who read
addresses; the recipient must then fit into the 64 octets of a local part (RFC 5321 section 4.5.3.1.1).
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from hmac import compare_digest, digest
from typing import Final

from msgspec import Struct

from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Feedback
from aftersend.core.recipient import canonicalize_email

MAX_LOCAL: Final = 64  # octets
MIN_KEY: Final = 16  # bytes
PROOF: Final = 10  # bytes of the digest: 16 characters of base32
CORRELATION: Final = "verp"  # where the report parser puts the address that a report came to

# BATV signs an envelope sender by writing around it (draft-levine-smtp-batv): prvs=0123abcdef=local@domain.
_BATV: Final = re.compile(r"prvs=[0-9a-z]{6,20}=", re.IGNORECASE)
_FIELDS: Final = {
    "{token}": r"(?P<token>[a-z2-7]{16,48})",
    "{local}": r"(?P<local>[^@]{1,64})",
    "{domain}": r"(?P<domain>[a-z0-9.-]{1,64})",
}
_FIELD: Final = re.compile(r"\{[^{}]*\}")


class Token(Struct, frozen=True):
    """What a verified address says."""

    reference: str  # the sender's own, lower-cased


class Verp:
    """Makes and verifies bounce addresses. The first key makes them, every key verifies: so keys can be changed."""

    def __init__(self, keys: tuple[bytes, ...], template: str) -> None:
        """Raise ConfigurationError for a template that cannot be read back, and for short keys."""
        if not keys or min(map(len, keys)) < MIN_KEY:
            raise ConfigurationError(f"verp: a key has fewer than {MIN_KEY} bytes")
        self._keys = keys
        self._template = template
        self._read = _compile_template(template)

    def make(self, reference: str, recipient: str) -> str:
        """Make the bounce address of one message to one recipient; raises ValueError where it would be too long."""
        reference, bound = reference.lower(), _spell(recipient)
        local, _, domain = bound.rpartition("@")
        token = (
            b32encode(_compute_proof(self._keys[0], reference, bound) + reference.encode()).decode().rstrip("=").lower()
        )
        made = self._template.replace("{token}", token).replace("{local}", local).replace("{domain}", domain)
        if len(made.rpartition("@")[0].encode()) > MAX_LOCAL or self._read.fullmatch(made) is None:
            raise ValueError("the bounce address would be no address: take a shorter reference or template")
        return made

    def check(self, address: str, recipient: str) -> Token | None:
        """Return the token in `address` if it is ours and made for `recipient`; in constant time for each key."""
        match = self._read.fullmatch(_BATV.sub("", address.strip("<> ")[:400], count=1).lower())
        whole = _decode(match["token"]) if match else b""
        if len(whole) < PROOF:
            return None
        reference = whole[PROOF:].decode(errors="replace")
        bound = _spell(recipient)
        proofs = [_compute_proof(key, reference, bound) for key in self._keys]
        held = [compare_digest(proof, whole[:PROOF]) for proof in proofs]
        return Token(reference) if any(held) else None

    def vouches(self, feedback: Feedback) -> bool:
        """Return whether the report behind `feedback` came to an address that we made for its recipient."""
        address = feedback.context.correlation.get(CORRELATION, "") if feedback.context else ""
        return self.check(address, feedback.recipient.removeprefix("email:")) is not None


def _spell(recipient: str) -> str:
    """The spelling that a token is bound to: the one that feedback names a recipient by."""
    return canonicalize_email(recipient).removeprefix("email:")


def _compute_proof(key: bytes, reference: str, recipient: str) -> bytes:
    return digest(key, f"{reference}\0{recipient}".encode(), "sha256")[:PROOF]


def _decode(token: str) -> bytes:
    try:
        return b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError:
        return b""


def _compile_template(template: str) -> re.Pattern[str]:
    """The expression that reads addresses of `template`, already lower-cased."""
    fields = _FIELD.findall(template)
    if fields.count("{token}") != 1 or len(fields) != len(set(fields)) or not set(fields) <= _FIELDS.keys():
        raise ConfigurationError("verp: the template needs {token} once, and may hold {local} and {domain} once")
    local, _, domain = template.partition("@")
    if "{" in domain or not domain.strip():
        raise ConfigurationError("verp: the template is no address: its domain must be your own")
    pieces = re.split(r"(\{[^{}]*\})", f"{local}@{domain}".lower())
    return re.compile("".join(_FIELDS.get(piece, re.escape(piece)) for piece in pieces))
