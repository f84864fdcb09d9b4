"""Secrets that a provider has been given: in the path of the address, or in Authorization (RFC 6750, RFC 7617).

What is configured is required; of `bearer` and `basic`, one of the two.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Final

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import Proof
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Trust, VerifiedPush, WebhookCredentials


def require_secret(request: PushRequest, credentials: WebhookCredentials) -> None:
    """Raise VerificationError unless a request carries the secrets that are configured for its source."""
    if credentials.path and not matches_any(request.secret, credentials.path):
        raise VerificationError(FailureCode.CREDENTIALS, "the secret in the path is wrong or missing")
    if not credentials.bearer and not credentials.basic:
        return
    authorization = request.headers.get("authorization", "")
    if not authorization and credentials.basic:
        raise VerificationError(FailureCode.CHALLENGED, "no user and password yet")
    scheme, _, value = authorization.partition(" ")
    if not matches_any(value.strip(), _EXPECTED.get(scheme.lower(), _expect_nothing)(credentials)):
        raise VerificationError(FailureCode.CREDENTIALS, "the header authorization is wrong or missing")


def _expect_nothing(_credentials: WebhookCredentials) -> Sequence[str]:
    return ()


# What follows the first word of Authorization.
_EXPECTED: Final[dict[str, Callable[[WebhookCredentials], Sequence[str]]]] = {
    "bearer": lambda credentials: credentials.bearer,
    "basic": lambda credentials: [b64encode(pair.encode()).decode() for pair in credentials.basic],
}


def matches_any(value: str, secrets: Sequence[str]) -> bool:
    """Return whether `value` is one of `secrets`; how long that takes shows a stranger nothing of them."""
    given = value.encode("utf-8", "surrogatepass")
    found = [compare_digest(given, each.encode()) for each in secrets]  # all of them, before any answer
    return any(found)


def check(_request: PushRequest, _proof: Proof, _trust: Trust, _now: datetime) -> VerifiedPush:
    """Return a push that nothing but a secret proves: it has been asked for before anything else was looked at."""
    return VerifiedPush(scheme="secret")
