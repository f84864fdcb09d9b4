"""How a push can prove who sent it, as data: a source's row names the proofs that its provider can give.

Pure data on purpose: `aftersend.webhooks.schemes` has one implementation for each `scheme`, and knows no provider.
Which secrets and lists the operator has configured is not said here either.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

# What a provider can be given to send along: the last part of the path, or the header Authorization.
SECRETS: Final = frozenset({"path", "bearer", "basic"})


class Proof(Struct, frozen=True, kw_only=True):
    """One way in which a push proves who sent it."""

    scheme: str  # a key of aftersend.webhooks.schemes.SCHEMES
    secrets: frozenset[str]  # kinds of secrets that such a push can carry
    needs: frozenset[str] = frozenset()  # of these at least one must be configured, or nothing would be proven
    senders: str = ""  # the list of senders that are believed, a field of WebhookSettings; a source that has one is on
    narrowed: str = ""  # another list there: which of their channels are believed; all, where it is empty

    @property
    def lists(self) -> tuple[str, ...]:
        """The lists of the operator's that it asks for: fields of WebhookSettings."""
        return tuple(name for name in (self.senders, self.narrowed) if name)


def secret(*kinds: str) -> Proof:
    """Return the proof by nothing but a secret, of `kinds` (all of SECRETS, if none is named)."""
    carried = frozenset(kinds) or SECRETS
    return Proof(scheme="secret", secrets=carried, needs=carried)


def sns(topics: str = "topics") -> Proof:
    """Return the proof of Amazon SNS: its signature, for a topic on the list that is called `topics`."""
    return Proof(scheme="sns", secrets=SECRETS, senders=topics)


def sns_raw(topics: str = "topics") -> Proof:
    """Return the proof of Amazon SNS with raw message delivery: a secret, for nobody signs such a message."""
    return Proof(scheme="sns_raw", secrets=SECRETS, needs=SECRETS, senders=topics)


def mns() -> Proof:
    """Return the proof of Alibaba Cloud MNS: its signature and the secret in the path, for an account on the list."""
    return Proof(
        scheme="mns",
        secrets=frozenset({"path"}),
        needs=frozenset({"path"}),
        senders="accounts",
        narrowed="subscriptions",
    )


def eventbridge() -> Proof:
    """Return the proof of Alibaba Cloud EventBridge: its signature, and the secret in the path or the token."""
    carried = frozenset({"path", "token"})
    return Proof(scheme="eventbridge", secrets=carried, needs=carried)
