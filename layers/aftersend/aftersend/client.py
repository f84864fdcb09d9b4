"""For senders in Python: who of these may be written to, read from the table of suppressions itself.

    from aftersend.client import Suppressions

    suppressions = Suppressions(table="aftersend-Suppressions-1ABCDEFGH")
    for address in suppressions.allowed(["Ann <ann@example.com>", "bob@example.org"], scope="news"):
        ...

Reads are strongly consistent and cost nothing but themselves. What cannot be read raises; nobody is allowed by
accident. Two things have to be given, or they are not looked at: the key under which erased addresses stay
suppressed, and the table of spike windows, which knows of a provider's accident, in which evidence does not hold for
now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from aftersend import aws
from aftersend.core import spike_guard
from aftersend.core.active_causes import ActiveCause, describe_active_causes
from aftersend.core.erasure import is_alias, make_alias
from aftersend.core.model import Key, Reverted
from aftersend.core.policy import Policy, load
from aftersend.core.recipient import canonicalize_recipient
from aftersend.storage.spike_windows import IncidentCache, SpikeWindows
from aftersend.storage.store import BATCH, Store, TableNames

EVERYWHERE: Final = "*"
_OTHER_CHANNELS: Final = frozenset({"sms", "push"})
_MOST: Final = 1000  # bytes of a recipient in any spelling


class Suppressions:
    """The table of suppressions, for asking. Safe to share between threads.

    `client` is boto3's for DynamoDB; without one, one is made as the environment says. `policy` is the stack's, where
    that is not the one that is shipped: it says what is an accident.
    """

    def __init__(
        self,
        table: str,
        client: Any = None,
        *,
        digest_key: bytes | None = None,
        spike_windows: str | None = None,
        policy: Policy | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        connected = _connect(client)
        self._store = Store(connected, TableNames(outcomes="", suppressions=table))
        self._key, self._clock = digest_key, clock
        self._incidents: IncidentCache | None = None
        if spike_windows:
            windows = SpikeWindows(connected, spike_windows, (policy or load()).guard)
            self._incidents = IncidentCache(windows, clock)

    def allowed(self, recipients: Iterable[str], scope: str = EVERYWHERE) -> list[str]:
        """Return those of `recipients` that may be written to, in their order and spelling.

        `scope` is the stream of the message; without it, only what holds for all streams counts. Raises ValueError for
        what is no recipient, and StoreUnavailable where the table does not answer.
        """
        given = list(recipients)
        found = self.check(given, scope)
        return [each for each in given if not found[each]]

    def check(self, recipients: Iterable[str], scope: str = EVERYWHERE) -> dict[str, list[ActiveCause]]:
        """Return why each of `recipients`, as it is spelled, must not be written to: an empty list, where it may be.

        Raises ValueError for what is no recipient, and StoreUnavailable where the table does not answer.
        """
        named = {given: canonicalize(given) for given in recipients}
        owners = dict(self._list_keys(named.values(), scope))
        keys, now = list(owners), self._clock()
        why: dict[str, list[ActiveCause]] = {name: [] for name in named.values()}
        for start in range(0, len(keys), BATCH):
            for key, stored in sorted(self._store.get_suppressions(keys[start : start + BATCH]).items()):
                pending = () if is_alias(key[0]) else self._find_pending(key[0])
                why[owners[key]] += describe_active_causes(stored, now, pending)
        return {given: why[name] for given, name in named.items()}

    def _find_pending(self, name: str) -> list[Reverted]:
        """The windows of an accident, in which evidence against `name` does not hold."""
        return spike_guard.find_reverted_windows(self._incidents.find_incidents(), name) if self._incidents else []

    def _list_keys(self, names: Iterable[str], scope: str) -> Iterator[tuple[Key, str]]:
        """Yield the key of every item that can speak against one of `names`, and against which."""
        for name in names:
            for recipient in (name, make_alias(name, self._key)) if self._key else (name,):
                yield (recipient, EVERYWHERE), name
                yield (recipient, scope), name


def canonicalize(given: str) -> str:
    """Return the canonical form of a recipient: an e-mail address in any spelling, "sms:+14255550156", "push:apns:…".

    Raises ValueError for anything else; the message quotes nothing of it.
    """
    text = given.strip()
    if not text.isprintable() or len(text.encode()) > _MOST:
        raise ValueError(f"a recipient is a text of at most {_MOST} bytes without control characters")
    name = canonicalize_recipient(text, _OTHER_CHANNELS)
    channel, _, rest = name.partition(":")
    if channel == "email" and not all(rest.rpartition("@")):
        raise ValueError("a recipient is an e-mail address, or begins with sms: or push:")
    return name


def _connect(client: Any) -> Any:
    if client is None:
        return aws.connect("dynamodb")
    from aftersend.aws import boto  # noqa: PLC0415  # whoever gives a client of boto3's has imported it

    return boto.adapt_client(client, "dynamodb")
