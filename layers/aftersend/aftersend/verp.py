"""Bounce addresses that cannot be forged (VERP): whoever reports to one has seen the message that was sent with it.

Anybody can send a bounce. A mail is believed where the address that it was sent to holds a token that only the sender
could make: a keyed digest over recipient and message, a short digest of the message's id, and the sender's own
reference, all in base32. Mail systems on the way may change the case of an address, so case never matters; all else
must be as it was made. A token is bound to one recipient and to one message: whoever has seen one can report about that
message, and about no other.

    verp = Verp(keys=(secret,), template="b-{token}@bounce.example.com")
    verp.make("order-4711", "user@example.org", "<4711@example.com>")   the envelope sender of a message to a recipient
    verp.prove(feedback)                              the message that a report is proven to be about, by its key

Where a report does not name a Message-ID, or the token was made without one, the message is known by the token alone:
as `verp:` and the reference. So all that comes with one token is about one message.

The template may also hold {local} and {domain} of the recipient ("b-{token}={local}={domain}@…"), for people who read
addresses; the recipient must then fit into the 64 octets of a local part (RFC 5321 section 4.5.3.1.1).
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from hashlib import blake2b
from hmac import compare_digest, digest
from typing import Final

from msgspec import Struct

from aftersend.core.errors import ConfigurationError
from aftersend.core.message_key import make_message_key
from aftersend.core.model import Feedback
from aftersend.core.recipient import canonicalize_email

MAX_LOCAL: Final = 64  # octets
MAX_ADDRESS: Final = 320 + 26  # and with a domain of 255, and a signature of BATV
MIN_KEY: Final = 16  # bytes
PROOF: Final = 10  # bytes of the digest: 16 characters of base32
TAG: Final = 4  # bytes of the digest of a message's id; zeros where the token was made without one
_UNNAMED: Final = ("report", "envid")  # what the key of a message begins with that is known by no Message-ID
CORRELATION: Final = "verp"  # where the report parser puts the address that a report came to
RETURNED: Final = "verp-returned"  # and the one that a feedback loop says the message came from

# BATV signs an envelope sender by writing around it (draft-levine-smtp-batv): prvs=0123abcdef=local@domain.
_BATV: Final = re.compile(r"prvs=[0-9a-z]{6,20}=")
_FIELDS: Final = {
    "{token}": r"(?P<token>[a-z2-7]{23,60})",
    "{local}": r"(?P<local>[^@]{1,64})",
    "{domain}": r"(?P<domain>[a-z0-9.-]{1,64})",
}
_FIELD: Final = re.compile(r"\{[^{}]*\}")


class Token(Struct, frozen=True):
    """What a verified address says."""

    reference: str  # the sender's own, lower-cased
    tag: bytes = bytes(TAG)  # of the message's id


class Verp:
    """Makes and verifies bounce addresses. The first key makes them, every key verifies: so keys can be changed."""

    def __init__(self, keys: tuple[bytes, ...], template: str) -> None:
        """Raise ConfigurationError for a template that cannot be read back, and for short keys."""
        if not keys or min(map(len, keys)) < MIN_KEY:
            raise ConfigurationError(f"verp: a key has fewer than {MIN_KEY} bytes")
        self._keys = keys
        self._template = template.lower()
        self._read = _compile_template(template)

    def make(self, reference: str, recipient: str, message_id: str = "") -> str:
        """Make the bounce address of one message to one recipient; raises ValueError where it would be too long.

        `message_id` is the Message-ID of the message. Without it, reports do not meet what others say of the message.
        """
        made = self._write(self._keys[0], Token(reference.lower(), _tag(make_message_key(message_id))), recipient)
        if len(made.rpartition("@")[0]) > MAX_LOCAL or not made.isascii() or self._read.fullmatch(made) is None:
            raise ValueError("the bounce address would be no address: take a shorter reference or template")
        return made

    def check(self, address: str, recipient: str) -> Token | None:
        """Return the token in `address` if it is ours and made for `recipient`; in constant time for each key.

        The address is read strictly: it is the one that `make` makes, in any case of its letters, or that one with a
        signature of BATV in front, and nothing else.
        """
        lower = address.lower() if address.isascii() and len(address) <= MAX_ADDRESS else ""
        signature = _BATV.match(lower)
        lower = lower[signature.end() :] if signature else lower
        match = self._read.fullmatch(lower)
        token = _decode(match["token"]) if match else None
        if token is None:
            return None
        made = [self._write(key, token, recipient).encode() for key in self._keys]
        held = [compare_digest(each, lower.encode()) for each in made]
        return token if any(held) else None

    def prove(self, feedback: Feedback) -> str | None:
        """Return the key of the message that the report behind `feedback` is proven to be about; None where of none.

        It came to an address that we made for its recipient, and for that message where it names one. Of an address
        that only stands in the report, the token must be one for the message that it names.
        """
        addresses = feedback.context.correlation if feedback.context else {}
        recipient = feedback.recipient.removeprefix("email:")
        token = self.check(addresses.get(CORRELATION, ""), recipient)
        if token is None:
            token = self.check(addresses.get(RETURNED, ""), recipient)
            return feedback.message if token is not None and compare_digest(token.tag, _tag(feedback.message)) else None
        if token.tag == bytes(TAG) or feedback.message.partition(":")[0] in _UNNAMED:
            return f"verp:{token.reference or token.tag.hex()}"
        return feedback.message if compare_digest(token.tag, _tag(feedback.message)) else None

    def _write(self, key: bytes, token: Token, recipient: str) -> str:
        bound = _spell(recipient)
        local, _, domain = bound.rpartition("@")
        rest = token.tag + token.reference.encode()
        text = b32encode(digest(key, rest + b"\0" + bound.encode(), "sha256")[:PROOF] + rest)
        bare = text.decode().rstrip("=").lower()
        return self._template.replace("{token}", bare).replace("{local}", local).replace("{domain}", domain)


def _spell(recipient: str) -> str:
    """The spelling that a token is bound to: the one that feedback names a recipient by."""
    return canonicalize_email(recipient).removeprefix("email:")


def _tag(message: str) -> bytes:
    """A short digest of a message's key; it need not be secret. Zeros stand for no message."""
    return blake2b(message.lower().encode(), digest_size=TAG).digest() if message else bytes(TAG)


def _decode(text: str) -> Token | None:
    """What a token says, which may be anybody's; None for what is none."""
    try:
        whole = b32decode(text.upper() + "=" * (-len(text) % 8))
        return Token(whole[PROOF + TAG :].decode(), whole[PROOF : PROOF + TAG])
    except ValueError:
        return None


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
