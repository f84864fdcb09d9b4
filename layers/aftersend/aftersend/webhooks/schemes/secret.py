"""Secrets that a provider was told: in the path of the address, or in the header Authorization (RFC 6750, RFC 7617).

The operator keeps them in one JSON document:

    {
      "path": "a word",                                    for every source that has none of its own
      "sources": {
        "ses":        {"basic": "user:password"},
        "directmail": {"token": "of the EventBridge target"},
        "mailerq":    {"path": ["new", "old"], "bearer": "a word"}
      }
    }

A list means that each of its words is right, for as long as it takes to change it on the other side. What is configured
is required; of `bearer` and `basic`, one of the two.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from aftersend.core.errors import DECODE_ERRORS, ConfigurationError, VerificationError
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush, WebhookCredentials

# What a word may be made of, by its kind. That of a path needs no escape there.
_FORMS: Final = {
    "path": re.compile(r"[A-Za-z0-9._~-]{16,200}"),
    "bearer": re.compile(r"[!-~]{8,500}"),
    "basic": re.compile(r"[^:\x00-\x1f\x7f]{1,200}:[^\x00-\x1f\x7f]{8,500}"),
    "token": re.compile(r"[!-~]{8,500}"),
}
_Words = str | list[str]


class _Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: _Words | None = None  # nothing: that of the deployment
    bearer: _Words = []
    basic: _Words = []
    token: _Words = []


class _Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: _Words = []
    sources: dict[str, Raw] = {}


_T = TypeVar("_T")


def read(text: str, kinds: Mapping[str, frozenset[str]]) -> dict[str, WebhookCredentials]:
    """The credentials of every source in `kinds`, which says what each can use.

    Raises ConfigurationError that names the field, and quotes no secret.
    """
    document = _decoded(text.encode(), _Document, "$")
    for name in document.sources.keys() - kinds.keys():
        raise ConfigurationError(f"the secrets: $.sources: no source {name[:40]!r}, but {', '.join(sorted(kinds))}")
    return {name: _credentials(name, document, allowed) for name, allowed in kinds.items()}


def _credentials(source: str, document: _Document, allowed: frozenset[str]) -> WebhookCredentials:
    place = f"$.sources.{source}"
    own = _decoded(bytes(document.sources.get(source, b"{}")), _Source, place)
    found = WebhookCredentials(
        path=_words(document.path, "$", "path") if own.path is None else _words(own.path, place, "path"),
        **{kind: _words(getattr(own, kind), place, kind) for kind in ("bearer", "basic", "token")},
    )
    for kind in sorted(found.kinds() - allowed):
        raise ConfigurationError(f"the secrets: {place}.{kind}: {source} has no way to send it")
    return found


def _words(said: _Words, place: str, kind: str) -> tuple[str, ...]:
    """One word or several; raises ConfigurationError for a word of another form."""
    words = (said,) if isinstance(said, str) else tuple(said)
    if not all(map(_FORMS[kind].fullmatch, words)):
        raise ConfigurationError(f"the secrets: {place}.{kind}: a word is not of the form {_FORMS[kind].pattern}")
    return words


def _decoded(text: bytes, shape: type[_T], place: str) -> _T:
    try:
        return msgspec.json.decode(text, type=shape)
    except DECODE_ERRORS as error:
        where = str(error).replace("`$", f"`{place}") if "`$" in str(error) else f"{error} - at `{place}`"
        raise ConfigurationError(f"the secrets: {where}") from None  # what caused it may hold the text


def admit(request: PushRequest, words: WebhookCredentials) -> None:
    """Let a request pass that knows what it must know; raises NotVerified for others."""
    if words.path and not known(request.secret, words.path):
        raise VerificationError(FailureCode.CREDENTIALS, "the secret in the path is wrong or missing")
    if not words.bearer and not words.basic:
        return
    said = request.headers.get("authorization", "")
    if not said and words.basic:
        raise VerificationError(FailureCode.CHALLENGED, "no user and password yet")
    scheme, _, value = said.partition(" ")
    if not known(value.strip(), _EXPECTED.get(scheme.lower(), _nothing)(words)):
        raise VerificationError(FailureCode.CREDENTIALS, "the header authorization is wrong or missing")


def _nothing(_words: WebhookCredentials) -> Sequence[str]:
    return ()


# What follows the first word of Authorization.
_EXPECTED: Final[dict[str, Callable[[WebhookCredentials], Sequence[str]]]] = {
    "bearer": lambda words: words.bearer,
    "basic": lambda words: [b64encode(pair.encode()).decode() for pair in words.basic],
}


def known(said: str, words: Sequence[str]) -> bool:
    """Whether it is one of `words`; how long that takes tells a stranger nothing about them."""
    given = said.encode("utf-8", "surrogatepass")
    right = [compare_digest(given, word.encode()) for word in words]  # all of them, before any answer
    return any(right)


def claim(_request: PushRequest, _trust: Trust, _now: datetime) -> VerifiedPush:
    """A push that nothing but a secret proves: it has been asked for before anything else was looked at."""
    return VerifiedPush(scheme="secret")
