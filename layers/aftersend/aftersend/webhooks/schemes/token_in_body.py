"""The body says a time, a token, and the HMAC of both. All else in it is signed by nobody.

So a secret is asked for besides, and a token is bound to what it first came with: the same again is taken as often as
it comes, for a provider repeats what we could not take; another body under the same token is refused. Decision 38.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import msgspec

from aftersend.core.errors import DECODE_ERRORS, VerificationError
from aftersend.sources.forms import URLENCODED, read_form
from aftersend.sources.proofs import TokenInBody
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Token, Trust, VerifiedPush
from aftersend.webhooks.schemes.shared_key import decode_mac, is_mac, list_keys
from aftersend.webhooks.schemes.signature import require_fresh_at

# Ten digits exactly: time and token are signed without anything between them, and a digit could be moved.
_TIME: Final = re.compile(r"[0-9]{10}").fullmatch
_TOKEN: Final = re.compile(r"[!-~]{16,256}").fullmatch
_AHEAD: Final = timedelta(minutes=5)


class _Signed(msgspec.Struct, frozen=True):
    timestamp: str | int
    token: str
    signature: str


def check(request: PushRequest, proof: TokenInBody, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push but whether its token was used before; raises VerificationError."""
    keys = list_keys(trust)
    try:
        signed, rest = _read_body(request, proof.members)
    except (*DECODE_ERRORS, ValueError) as error:
        raise VerificationError(FailureCode.MALFORMED, "no time, token and signature") from error
    failures = []
    for each in signed:
        try:
            _check_one(each, keys, now, timedelta(seconds=proof.window))
        except VerificationError as error:
            failures.append(error)
        else:
            signed_text = f"{each.timestamp}{each.token}"  # the same token at another time would be another one
            return VerifiedPush(scheme=proof.scheme, token=Token(text=signed_text, used_for=_digest(rest)))
    raise failures[0] if failures else VerificationError(FailureCode.MALFORMED, "no time, token and signature")


def _check_one(signed: _Signed, keys: Iterable[bytes], now: datetime, window: timedelta) -> None:
    time = str(signed.timestamp)
    if not _TIME(time) or not _TOKEN(signed.token):
        raise VerificationError(FailureCode.MALFORMED, "a time or a token that cannot be one")
    given = decode_mac(signed.signature, "hex")
    require_fresh_at(datetime.fromtimestamp(int(time), UTC), now, window, _AHEAD)
    if not is_mac([given], keys, f"{time}{signed.token}".encode(), "sha256"):
        raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")


def _read_body(request: PushRequest, members: tuple[str, ...]) -> tuple[list[_Signed], Any]:
    """Return what is signed, as often as it stands there, and all the rest."""
    if request.body.lstrip()[:1] == b"{":
        body = msgspec.json.decode(request.body, type=dict[str, Any])
        signed = [msgspec.convert(body[name], _Signed) for name in members if body.get(name) is not None]
        return signed, {name: value for name, value in body.items() if name not in members}
    fields = read_form(request.body, request.headers.get("content-type", URLENCODED))
    last = dict(_select(fields, _Signed.__struct_fields__))
    return [msgspec.convert(last, _Signed)], _list_rest(fields, last)


def _select(fields: Iterable[tuple[bytes, bytes]], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name, value in fields:
        text = name.decode("utf-8", "replace")
        if text in names:
            yield text, value.decode("utf-8", "replace")


def _list_rest(fields: Iterable[tuple[bytes, bytes]], signed: Mapping[str, str]) -> list[tuple[str, str]]:
    """All that is not signed. What the sender of the mail has called the same is left out too: nobody reads it."""
    texts = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
    return sorted((name, value) for name, value in texts if name not in signed)


def _digest(rest: Any) -> bytes:
    """The same for the same facts, however they are written: a body that is repeated may be written anew."""
    return blake2b(msgspec.json.encode(rest, order="sorted"), digest_size=16).digest()
