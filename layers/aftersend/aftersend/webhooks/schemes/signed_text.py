"""The text that a provider signs, put together of what came: as the proof writes it, with {names} of its parts."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl, urlencode

from aftersend.sources.proofs import BODY, DIGEST, NAMES, QUERY
from aftersend.webhooks.schemes.contract import PushRequest

_PARTS: Final[dict[str, Callable[[PushRequest], bytes]]] = {
    BODY: lambda request: request.body,
    DIGEST: lambda request: sha256(request.body).digest(),
    QUERY: lambda request: encode(urlencode(sorted(parse_qsl(request.query, keep_blank_values=True)))),
}


def build_text(signed: str, request: PushRequest) -> bytes:
    """Return the bytes of `signed` for this request; raises VerificationError where a header of it is missing."""
    parts = NAMES.split(signed)  # texts, and between them names
    return b"".join(
        _read_part(part, request) if is_name else encode(part)
        for part, is_name in zip(parts, [False, True] * len(parts), strict=False)
    )


def _read_part(name: str, request: PushRequest) -> bytes:
    read = _PARTS.get(name)
    return read(request) if read else encode(request.header(name))


def encode(text: str) -> bytes:
    """Return `text` in UTF-8, whatever is in it."""
    return text.encode("utf-8", "surrogatepass")
