"""What the schemes share that sign with a key both sides know (HMAC, RFC 2104). Pure."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from typing import Final

from aftersend.core.errors import ConfigurationError, VerificationError
from aftersend.sources.proofs import Digest, Encoding, KeyEncoding
from aftersend.webhooks.schemes.contract import FailureCode, Trust
from aftersend.webhooks.schemes.signature import decode_base64

_PREFIX: Final = "whsec_"


def list_keys(trust: Trust, encoding: KeyEncoding = "text") -> list[bytes]:
    """Return the bytes of every signing key that is configured.

    Raises VerificationError where there is none, and ConfigurationError for one that is not in `encoding`.
    """
    texts = trust.credentials.signing_key
    if not texts:
        raise VerificationError(FailureCode.UNPROVABLE, "this must be configured: signing_key")
    return [text.encode() if encoding == "text" else _decode_key(text) for text in texts]


def _decode_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ConfigurationError("the secrets: signing_key: not base64, with or without whsec_ before it") from error
    if not key:
        raise ConfigurationError("the secrets: signing_key: base64 of nothing")
    return key


def require_mac(given: bytes, keys: Iterable[bytes], text: bytes, digest: Digest) -> None:
    """Raise VerificationError unless `given` is the HMAC of `text` by one of `keys`."""
    if not is_mac([given], keys, text, digest):
        raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")


def is_mac(given: Iterable[bytes], keys: Iterable[bytes], text: bytes, digest: Digest) -> bool:
    """Return whether one of `given` is the HMAC of `text` by one of `keys`; all are tried, before any answer."""
    made = [hmac.digest(key, text, digest) for key in keys]
    found = [hmac.compare_digest(each, mine) for each in given for mine in made]
    return any(found)


def decode_mac(text: str, encoding: Encoding) -> bytes:
    """Return the bytes of a signature that is written in `encoding`; raises VerificationError."""
    return _DECODERS[encoding](text)


def _decode_hex(text: str) -> bytes:
    if not text.isascii() or not text.isalnum() or len(text) > 1024:  # bytes.fromhex leaves out blanks
        raise VerificationError(FailureCode.MALFORMED, "the signature is not hexadecimal")
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise VerificationError(FailureCode.MALFORMED, "the signature is not hexadecimal") from error


_DECODERS: Final[dict[Encoding, Callable[[str], bytes]]] = {
    "hex": _decode_hex,
    "base64": lambda text: decode_base64(text, "the signature"),
}
