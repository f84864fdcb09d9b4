"""Who pushed this: one module for each scheme of proof, whichever providers use it. Pure.

The request, the proofs that its source can give, what the operator trusts, the time and the certificate are arguments.
Fetching the certificate is for the caller, and between the two steps, so that nothing is fetched for a push that is
wrong in any other way:

    push = check(request, proofs, trust, now)         all but the signature
    verify_signature(push.signature, certificate)     unless it has none: then a secret has proven it

Both raise VerificationError. Nothing that is proven here is parsed here: a scheme reads no more of a body than its
proof is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import Proof
from aftersend.webhooks.schemes import eventbridge, mns, secret, sns
from aftersend.webhooks.schemes.contract import (
    FailureCode,
    PushAction,
    PushRequest,
    Signature,
    Trust,
    VerifiedPush,
    WebhookCredentials,
)
from aftersend.webhooks.schemes.signature import load_public_key, verify_signature

__all__ = [
    "SCHEMES",
    "FailureCode",
    "PushAction",
    "PushRequest",
    "Scheme",
    "Signature",
    "Trust",
    "VerifiedPush",
    "WebhookCredentials",
    "check",
    "load_public_key",
    "verify_signature",
]


class Scheme(Struct, frozen=True, kw_only=True):
    """How a kind of proof is checked, and the header by which a push is known to carry it."""

    check: Callable[[PushRequest, Proof, Trust, datetime], VerifiedPush]
    header: str = ""  # empty: no header shows it, and every push is taken to carry it


SCHEMES: Final[dict[str, Scheme]] = {
    "sns_raw": Scheme(check=sns.check_raw, header=sns.RAW_HEADER),
    "sns": Scheme(check=sns.check, header=sns.HEADER),
    "mns": Scheme(check=mns.check, header=mns.HEADER),
    "eventbridge": Scheme(check=eventbridge.check, header=eventbridge.HEADER),
    "secret": Scheme(check=secret.check),
}


def check(request: PushRequest, proofs: Iterable[Proof], trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push but its signature, by the first of `proofs` that it carries.

    Secrets come first, whatever the proof. Raises VerificationError.
    """
    secret.require_secret(request, trust.credentials)
    proof = _choose_proof(request, proofs)
    if proof.needs and not proof.needs & trust.credentials.kinds():
        raise VerificationError(
            FailureCode.UNPROVABLE, f"one of these must be configured: {', '.join(sorted(proof.needs))}"
        )
    return SCHEMES[proof.scheme].check(request, proof, trust, now)


def _choose_proof(request: PushRequest, proofs: Iterable[Proof]) -> Proof:
    for proof in proofs:
        header = SCHEMES[proof.scheme].header
        if not header or header in request.headers:
            return proof
    raise VerificationError(FailureCode.SCHEME, "nothing in it proves who sent it")
