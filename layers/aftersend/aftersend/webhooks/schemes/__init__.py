"""Who pushed this: one module for each scheme of proof, whichever providers use it. Pure.

The request, the proofs that its source can give, what the operator trusts, the time and the certificate are arguments.
Fetching the certificate is for the caller, and between the two steps, so that nothing is fetched for a push that is
wrong in any other way:

    push = check(request, proofs, trust, now)         all but a signature by a certificate
    verify_signature(push.signature, certificate)     where there is one: else `check` has proven it

Both raise VerificationError. Nothing that is proven here is parsed here: a scheme reads no more of a body than its
proof is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import Proof
from aftersend.webhooks.schemes import (
    digest_in_body,
    eventbridge,
    hmac_body,
    jwt,
    mns,
    public_key,
    secret,
    sns,
    standard_webhooks,
    token_in_body,
    url_form,
)
from aftersend.webhooks.schemes.contract import (
    FailureCode,
    PushAction,
    PushRequest,
    Signature,
    Token,
    Trust,
    VerifiedPush,
    WebhookCredentials,
)
from aftersend.webhooks.schemes.secret import require_secret
from aftersend.webhooks.schemes.signature import load_public_key, verify_signature

__all__ = [
    "SCHEMES",
    "FailureCode",
    "PushAction",
    "PushRequest",
    "Signature",
    "Token",
    "Trust",
    "VerifiedPush",
    "WebhookCredentials",
    "check",
    "load_public_key",
    "require_secret",
    "verify_signature",
]


Check = Callable[[PushRequest, Any, Trust, datetime], VerifiedPush]  # Any: a Proof with the parameters of its scheme

SCHEMES: Final[dict[str, Check]] = {
    "sns_raw": sns.check_raw,
    "sns": sns.check,
    "mns": mns.check,
    "eventbridge": eventbridge.check,
    "secret": secret.check,
    "hmac_body": hmac_body.check,
    "standard_webhooks": standard_webhooks.check,
    "public_key": public_key.check,
    "token_in_body": token_in_body.check,
    "digest_in_body": digest_in_body.check,
    "url_form": url_form.check,
    "jwt": jwt.check,
}


def check(request: PushRequest, proofs: Sequence[Proof], trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push but its signature by a certificate, by the first of `proofs` that it carries.

    Secrets come first, whatever the proof. Where the key of a proof is configured, no proof without one is enough.
    Raises VerificationError, and ConfigurationError for a key that is none.
    """
    credentials = trust.credentials
    require_secret(request, credentials)
    proof = _choose_proof(request, _list_open(proofs, credentials.kinds()))
    if proof.needs and not proof.needs & credentials.kinds():
        raise VerificationError(
            FailureCode.UNPROVABLE, f"one of these must be configured: {', '.join(sorted(proof.needs))}"
        )
    return SCHEMES[proof.scheme](request, proof, trust, now)


def _list_open(proofs: Sequence[Proof], kinds: set[str]) -> Sequence[Proof]:
    """Return the proofs that count here: those whose key is configured, else those that need none, else all."""
    keyed = [proof for proof in proofs if proof.key in kinds]
    return keyed or [proof for proof in proofs if not proof.key] or proofs


def _choose_proof(request: PushRequest, proofs: Iterable[Proof]) -> Proof:
    for proof in proofs:
        if not proof.marks or any(name in request.headers for name in proof.marks):
            return proof
    raise VerificationError(FailureCode.SCHEME, "nothing in it proves who sent it")
