"""The types of verification: what came, what the operator trusts, what a push turned out to be, why one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

from aftersend.core.errors import VerificationError

_PLAIN: Final = re.compile(r"[A-Za-z0-9:/._-]{1,256}").fullmatch


def quote_name(name: str) -> str:
    """Return a name that a stranger gave, for a log: as it is if it is no more than a name, and never an address."""
    return name if _PLAIN(name) else "(not a name)"


class FailureCode(StrEnum):
    """Why a push is not believed: the code of a VerificationError, and a dimension of the metric VerificationFailed."""

    CHALLENGED = "challenged"  # no Authorization yet: asked for it, as Amazon SNS wants to be
    CREDENTIALS = "credentials"  # a secret of ours is wrong or missing
    UNPROVABLE = "unprovable"  # nothing is configured that could prove it
    SCHEME = "scheme"  # carries no proof of a kind that its source has
    MALFORMED = "malformed"  # what the proof is about cannot be read
    SENDER = "sender"  # a topic, account or subscription that is not on the list
    STALE = "stale"  # too old, or from the future
    DIGEST = "digest"  # the body is not the one that was signed
    CERTIFICATE = "certificate"  # one that the provider does not publish where it does
    SIGNATURE = "signature"  # does not hold
    REPLAYED = "replayed"  # under a token that was used for something else


class WebhookCredentials(Struct, frozen=True, kw_only=True):
    """The secrets and keys of one source. Of several of one kind each is right: so they can be changed in turn."""

    path: tuple[str, ...] = ()  # the last part of the path
    bearer: tuple[str, ...] = ()  # Authorization: Bearer …
    basic: tuple[str, ...] = ()  # Authorization: Basic …, as user:password
    token: tuple[str, ...] = ()  # the signature token of an EventBridge target
    signing_key: tuple[str, ...] = ()  # what both sides know, and the provider signs with
    public_key: tuple[str, ...] = ()  # of the pair that the provider signs with: SubjectPublicKeyInfo, base64 or PEM

    def kinds(self) -> set[str]:
        """Return the kinds that are configured."""
        return {name for name in self.__struct_fields__ if getattr(self, name)}


class Trust(Struct, frozen=True, kw_only=True):
    """Whom the operator trusts, for one source."""

    credentials: WebhookCredentials = WebhookCredentials()
    senders: Mapping[str, frozenset[str]] = {}  # the lists that its proofs name, by that name

    def list_senders(self, name: str) -> frozenset[str]:
        """Return the list that a proof calls `name`; empty where the operator has named nobody."""
        return self.senders.get(name, frozenset())


class PushRequest(Struct, frozen=True, kw_only=True):
    """A push as the provider sent it."""

    source: str
    secret: str = ""  # the last part of the path, where there is one
    method: str = "POST"
    url: str  # as the provider called it, with its query
    query: str = ""  # of it, as it came
    path: str  # the part of it after the host
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def header(self, name: str) -> str:
        """Return what the header `name` (in lower case) says; raises VerificationError where it is missing."""
        value = self.headers.get(name, "")
        if not value:
            raise VerificationError(FailureCode.MALFORMED, f"the header {name} is missing")
        return value


class Signature(Struct, frozen=True, kw_only=True):
    """A signature, and all that is needed to check it but the certificate. It holds if it fits one of the texts."""

    certificate_url: str  # of a host that is the provider's own
    signature: bytes
    texts: tuple[bytes, ...]
    digest: Literal["sha1", "sha256"]


class Token(Struct, frozen=True, kw_only=True):
    """What a provider says once, and what it said it for: by another body it would be said a second time."""

    text: str
    used_for: bytes  # a digest of all that it was said for


class PushAction(StrEnum):
    """What is to be done with a push that is believed."""

    QUEUE = "queue"
    CONFIRM = "confirm"  # the subscription that it announces
    IGNORE = "ignore"  # nothing but an answer


class VerifiedPush(Struct, frozen=True, kw_only=True):
    """A push of which everything is checked but its signature; where it has none, a secret has proven it."""

    scheme: str
    action: PushAction = PushAction.QUEUE
    confirm_url: str = ""  # where a subscription is confirmed
    signature: Signature | None = None  # to be verified before anything is done
    token: Token | None = None  # that nobody may have used for anything else
