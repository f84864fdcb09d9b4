"""Who pushed this: one entry for each scheme of proof, and which of them each source may use. Pure.

The request, what the operator trusts, the time and the certificate are arguments; fetching the certificate is for the
caller, and between the two steps, so that nothing is fetched for a push that is wrong in any other way:

    made = claim(request, trust, now)      everything cheap is checked; NotVerified where it is wrong
    prove(made.seal, certificate)          unless it has no seal: then a secret has proven it

Nothing that is proven here is parsed here: a scheme reads no more of a body than its proof is about.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import Struct

from aftersend.core.errors import VerificationError
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
from aftersend.webhooks.schemes.signature import key_of, prove

__all__ = [
    "SOURCES",
    "FailureCode",
    "PushAction",
    "PushRequest",
    "Signature",
    "Trust",
    "VerifiedPush",
    "WebhookCredentials",
    "claim",
    "key_of",
    "prove",
]


class Scheme(Struct, frozen=True, kw_only=True):
    """A kind of proof, told by a header that only it has."""

    claim: Callable[[PushRequest, Trust, datetime], VerifiedPush]
    mark: str = ""  # empty: no header tells
    needs: frozenset[str] = frozenset()  # secrets of which at least one must be configured beside it


class Source(Struct, frozen=True, kw_only=True):
    """How a source may prove that it is the one, and what it expects."""

    schemes: tuple[str, ...]  # the first whose mark is there
    secrets: frozenset[str]  # kinds that it can send
    largest: int  # bytes of a body
    done: int  # the HTTP status that says that a push has been taken


_SENT: Final = frozenset({"path", "bearer", "basic"})

SCHEMES: Final[dict[str, Scheme]] = {
    "sns_raw": Scheme(claim=sns.claim_raw, mark=sns.RAW_MARK, needs=_SENT),
    "sns": Scheme(claim=sns.claim, mark=sns.MARK),
    "mns": Scheme(claim=mns.claim, mark=mns.MARK, needs=frozenset({"path"})),
    "eventbridge": Scheme(claim=eventbridge.claim, mark=eventbridge.MARK, needs=frozenset({"path", "token"})),
    "secret": Scheme(claim=secret.claim, needs=_SENT),
}

_KB: Final = 1024
SOURCES: Final[dict[str, Source]] = {
    "ses": Source(schemes=("sns_raw", "sns"), secrets=_SENT, largest=1000 * _KB, done=200),
    # MNS takes messages of 64 KB, and EventBridge as much; written as XML or JSON they may grow. MNS wants a 204.
    "directmail": Source(
        schemes=("mns", "eventbridge"), secrets=frozenset({"path", "token"}), largest=384 * _KB, done=204
    ),
    "mailerq": Source(schemes=("secret",), secrets=_SENT, largest=1000 * _KB, done=204),
}

KINDS: Final = {name: source.secrets for name, source in SOURCES.items()}


def claim(request: PushRequest, trust: Trust, now: datetime) -> VerifiedPush:
    """What a push claims to be, proven but for its seal. Raises NotVerified."""
    secret.admit(request, trust.credentials)
    scheme = _scheme(request)
    if scheme.needs and not scheme.needs & trust.credentials.kinds():
        raise VerificationError(
            FailureCode.UNPROVABLE, f"one of these must be configured: {', '.join(sorted(scheme.needs))}"
        )
    return scheme.claim(request, trust, now)


def _scheme(request: PushRequest) -> Scheme:
    for name in SOURCES[request.source].schemes:
        if not SCHEMES[name].mark or SCHEMES[name].mark in request.headers:
            return SCHEMES[name]
    raise VerificationError(FailureCode.SCHEME, "nothing in it proves who sent it")
