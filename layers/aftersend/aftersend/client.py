"""For senders in Python: who of these may be written to, read from the table of suppressions itself.

    from aftersend.client import Suppressions

    suppressions = Suppressions(table="aftersend-Suppressions-1ABCDEFGH")
    for address in suppressions.allowed(["Ann <ann@example.com>", "bob@example.org"], scope="news"):
        ...
    for given, found in suppressions.check(["ann@example.com", "ann at example"]).items():
        print(given, found.allowed, found.error, found.until, suppressions.advise(found))

Each entry names one recipient, in any spelling, or has an error of its own: `allowed` leaves it out, `check` says why.
Reads are strongly consistent and cost nothing but themselves. A table that does not answer raises; nobody is allowed by
accident. Two things have to be given, or they are not looked at: the key under which erased addresses stay suppressed,
and the table of spike windows, which knows of a provider's accident, in which evidence does not hold for now.

`Reporter` hands back what became of a message where nobody but its sender hears of it: see `aftersend.reporter`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend import aws
from aftersend.core import spike_guard
from aftersend.core.active_causes import ActiveCause, advise_on_cause, describe_active_causes, find_end
from aftersend.core.erasure import is_alias, make_alias
from aftersend.core.model import Key, Reverted
from aftersend.core.policy import Policy, load
from aftersend.core.recipient import parse_recipient, split_channel
from aftersend.reporter import Reporter
from aftersend.storage.spike_windows import IncidentCache, SpikeWindows
from aftersend.storage.store import BATCH, Store, TableNames

if TYPE_CHECKING:
    from aftersend.classify.engine import Classifier

__all__ = ["Checked", "Reporter", "Suppressions"]

EVERYWHERE: Final = "*"


class Checked(Struct, frozen=True, kw_only=True):
    """Whether one entry of a list may be written to: where it names nobody, `error` says why, and quotes nothing."""

    recipient: str | None = None  # canonical; None where the entry does not name exactly one
    why: list[ActiveCause] = []  # nothing, where nothing holds
    error: str | None = None

    @property
    def until(self) -> datetime | None:
        """When (UTC) it may be written to again, as far as is known; None where that is now, or has no end."""
        return find_end(self.why)

    @property
    def allowed(self) -> bool:
        """Whether it may be written to."""
        return self.recipient is not None and not self.why


class Suppressions:
    """The table of suppressions, for asking. Safe to share between threads.

    `client` is boto3's for DynamoDB; without one, one is made as the environment says. `policy` is the stack's, where
    that is not the one that is shipped: it says what is an accident. `rules` is the document of the stack's own rules,
    if it has any: what they advise goes before what is shipped.
    """

    def __init__(
        self,
        table: str,
        client: Any = None,
        *,
        digest_key: bytes | None = None,
        spike_windows: str | None = None,
        policy: Policy | None = None,
        rules: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        connected = _connect(client)
        self._store = Store(connected, TableNames(outcomes="", suppressions=table))
        self._key, self._clock, self._rules = digest_key, clock, rules
        self._incidents: IncidentCache | None = None
        if spike_windows:
            windows = SpikeWindows(connected, spike_windows, (policy or load()).guard)
            self._incidents = IncidentCache(windows, clock)

    def allowed(self, recipients: Iterable[str], scope: str = EVERYWHERE) -> list[str]:
        """Return those of `recipients` that may be written to, in their order and spelling.

        `scope` is the stream of the message; without it, only what holds for all streams counts. An entry that does not
        name exactly one recipient is left out, as nobody may be written to there; `check` says which are. Raises
        StoreUnavailable where the table does not answer.
        """
        given = _list(recipients)
        found = self.check(given, scope)
        return [each for each in given if found[each].allowed]

    def check(self, recipients: Iterable[str], scope: str = EVERYWHERE) -> dict[str, Checked]:
        """Return of each of `recipients`, as it is spelled, whether it may be written to, and why not.

        An entry that does not name exactly one recipient has an `error`; all others are answered. Raises
        StoreUnavailable where the table does not answer.
        """
        named = {given: _parse(given) for given in _list(recipients)}
        why = self._find_causes({each.recipient for each in named.values() if each.recipient is not None}, scope)
        return {given: replace(each, why=why.get(each.recipient or "", [])) for given, each in named.items()}

    def advise(self, checked: Checked) -> list[str]:
        """Return what to do about each cause in `why`, in that order: a sentence each, of the rule that decided.

        The rules are read when they are first asked for. Raises ConfigurationError for a mistake in `rules`.
        """
        channel = split_channel(checked.recipient)[0] if checked.recipient else None
        return [advise_on_cause(each, channel, self._classifier.advise_on) for each in checked.why]

    @cached_property
    def _classifier(self) -> Classifier:
        from aftersend import classify  # noqa: PLC0415  # whoever only asks who is allowed does not wait for it

        return classify.load(self._rules)

    def _find_causes(self, names: Iterable[str], scope: str) -> dict[str, list[ActiveCause]]:
        owners = dict(self._list_keys(names, scope))
        keys, now = list(owners), self._clock()
        why: dict[str, list[ActiveCause]] = {}
        for start in range(0, len(keys), BATCH):
            for key, stored in sorted(self._store.get_suppressions(keys[start : start + BATCH]).items()):
                pending = () if is_alias(key[0]) else self._find_pending(key[0])
                why.setdefault(owners[key], []).extend(describe_active_causes(stored, now, pending))
        return why

    def _find_pending(self, name: str) -> list[Reverted]:
        """The windows of an accident, in which evidence against `name` does not hold."""
        return spike_guard.find_reverted_windows(self._incidents.find_incidents(), name) if self._incidents else []

    def _list_keys(self, names: Iterable[str], scope: str) -> Iterator[tuple[Key, str]]:
        """Yield the key of every item that can speak against one of `names`, and against which."""
        for name in names:
            for recipient in (name, make_alias(name, self._key)) if self._key else (name,):
                yield (recipient, EVERYWHERE), name
                yield (recipient, scope), name


def _list(recipients: Iterable[str]) -> list[str]:
    """The entries; a text in their place would be read letter by letter."""
    if isinstance(recipients, str | bytes):
        raise TypeError("recipients are a list of texts, not one text")
    return list(recipients)


def _parse(given: str) -> Checked:
    try:
        return Checked(recipient=parse_recipient(given))
    except ValueError as error:
        return Checked(error=str(error))


def _connect(client: Any) -> Any:
    if client is None:
        return aws.connect("dynamodb")
    from aftersend.aws import boto  # noqa: PLC0415  # whoever gives a client of boto3's has imported it

    return boto.adapt_client(client, "dynamodb")
