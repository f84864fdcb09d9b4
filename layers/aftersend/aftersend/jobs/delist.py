"""Takes who was released here off the lists of the provider who had reported them. One job, whichever provider.

An address leaves a provider's lists when a person has released it, nothing of it is left to suppress it here, and this
provider had reported some of what was released. Lists that hold a person's own wishes, complaints and who left, are
left alone unless the release was made with force; a list that holds both, unless a bounce is known that explains it.
What was done, and what the provider refused, is written into the history of the suppression, which also says that it
need not be done again. If a run is stopped in between, the next one finds an address that is on no list any more.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS, ConfigurationError, HostUnavailable
from aftersend.core.model import Act, CauseKind, Decision, Suppression
from aftersend.core.suppression import find_active_causes, list_evidence
from aftersend.core.text import truncate
from aftersend.http.http1 import HttpResponse, IncompleteRead, ProtocolError, TooLarge
from aftersend.http.transport import InvalidURL
from aftersend.sources.provider_lists import ADDRESS, PLACE, Holds, ProviderList, ProviderLists

_MAX_NOTE: Final = 500  # bytes
PACE: Final = 0.2  # seconds between two calls: no provider allows fewer than five a second
_CHANNEL: Final = "email:"
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)  # what does not hold even then was released or withdrawn


class ListKey(Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator's secret says of one provider: a key, and where it is not the usual, host and places."""

    key: str
    host: str = ""
    places: tuple[str, ...] = ()  # domains of Mailgun, message streams of Postmark


def read_key(text: str, provider: ProviderLists) -> ListKey:
    """Return what the secret in `text` says, with nothing left open; raises ConfigurationError that names the field."""
    try:
        found = msgspec.json.decode(text, type=ListKey)
    except DECODE_ERRORS:  # its text may hold the key
        raise ConfigurationError("the key: an object with key, and where needed host and places") from None
    if not found.key or not found.key.isascii() or not found.key.isprintable():
        raise ConfigurationError("the key: key: empty, or not in ASCII")
    if (host := found.host or provider.hosts[0]) not in provider.hosts:
        raise ConfigurationError(f"the key: host: one of {', '.join(provider.hosts)}")
    places = (found.places or provider.places) if provider.needs_place else ("",)
    if not places:
        raise ConfigurationError("the key: places: this provider has a list for each, so they must be named")
    return ListKey(found.key, host, places)


def find_lists(row: Suppression, name: str, provider: ProviderLists) -> tuple[ProviderList, ...]:
    """Return the lists of the provider called `name` that a suppression asks to be taken off."""
    released = row.released_at
    if row.scope != "*" or not row.recipient.startswith(_CHANNEL) or released is None:
        return ()
    if find_active_causes(row, _ALWAYS):  # here it is suppressed all the same
        return ()
    reported = {kind for kind, cause in row.causes.items() if any(ref.source == name for ref in list_evidence(cause))}
    if not reported or any(_is_done(each, name, released) for each in row.history):
        return ()
    wanted = _WANTED[row.forced_at is not None, CauseKind.HARD in reported]
    return tuple(each for each in provider.lists if each.holds in wanted)


# Which lists are wanted, by whether somebody has released with force, and whether a hard bounce is known.
_WANTED: Final[Mapping[tuple[bool, bool], frozenset[Holds]]] = {
    (True, True): frozenset(Holds),
    (True, False): frozenset(Holds),
    (False, True): frozenset({Holds.FAILURES, Holds.BOTH}),
    (False, False): frozenset({Holds.FAILURES}),
}


def _is_done(decision: Decision, name: str, released: datetime) -> bool:
    return decision.act is Act.DELISTED and decision.by == name and decision.at >= released


def describe(row: Suppression, results: Mapping[str, str], name: str, now: datetime) -> Decision:
    """Return what was done at `now` (UTC) at a provider, for the history; `results` says it of each list.

    It comes after the release, also where the clock of whoever released is ahead of ours.
    """
    note = truncate("; ".join(f"{each}: {became}" for each, became in results.items()), _MAX_NOTE)
    return Decision(at=max(now, row.released_at or now), by=name, act=Act.DELISTED, note=note)


class SenderPort(Protocol):
    """What brings requests to one host: `aftersend.http.transport.Transport` is one."""

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> HttpResponse: ...  # noqa: D102


class Delisting:
    """Carries out at one provider what `find_lists` found."""

    def __init__(
        self, provider: ProviderLists, key: ListKey, sender: SenderPort, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._provider, self._key, self._sender, self._pause = provider, key, sender, pause

    def take_off(self, address: str, lists: tuple[ProviderList, ...]) -> dict[str, str]:
        """Return what became of an address on each list: removed, not on it, or refused.

        Raises HostUnavailable where the provider does not answer now, ConfigurationError where it refuses the key.
        """
        return {name: self._ask(one, place, address) for name, one, place in self._list_all(lists)}

    def _list_all(self, lists: tuple[ProviderList, ...]) -> Iterator[tuple[str, ProviderList, str]]:
        for each in lists:
            for place in self._key.places if PLACE in each.path else ("",):
                yield (f"{each.name} of {place}" if place else each.name), each, place

    def _ask(self, one: ProviderList, place: str, address: str) -> str:
        target = one.path.replace(PLACE, quote(place, safe="")).replace(ADDRESS, quote(address, safe=""))
        body = one.body.replace(ADDRESS, msgspec.json.encode(address).decode()).encode()
        headers = {
            "host": self._key.host,
            "user-agent": "aftersend",
            "accept": "application/json",
            self._provider.header: self._authorize(),
            **({"content-type": "application/json"} if body else {}),
        }
        try:
            response = self._sender.send(one.method, target, headers, body)
        except (OSError, ProtocolError, IncompleteRead, TooLarge, InvalidURL) as error:
            raise HostUnavailable(f"{self._key.host} does not answer: {type(error).__name__}") from error
        finally:
            self._pause(PACE)
        return self._read(response, one)

    def _authorize(self) -> str:
        key, user = self._key.key, self._provider.user
        pair = f"{user}:{key}" if user else key
        words = {"bearer": f"Bearer {key}", "basic": f"Basic {b64encode(pair.encode()).decode()}", "header": key}
        return words[self._provider.auth]

    def _read(self, response: HttpResponse, one: ProviderList) -> str:
        if response.status in (401, 403):
            raise ConfigurationError(f"{self._key.host} refuses the key ({response.status})")
        if response.status not in _RESULTS:
            raise HostUnavailable(f"{self._key.host} answers with {response.status}")
        result = _RESULTS[response.status]
        return REFUSED if result == REMOVED and _says(response.content, *one.failed) else result


REMOVED, ABSENT, REFUSED = "removed", "not on it", "refused"
_RESULTS: Final[Mapping[int, str]] = (
    dict.fromkeys((200, 201, 202, 204), REMOVED)
    | dict.fromkeys((304, 404), ABSENT)
    | dict.fromkeys((400, 409, 422), REFUSED)
)


def _says(content: bytes, member: str, text: str) -> bool:
    """Return whether one of the entries in an answer has this member with this text."""
    if not member:
        return False
    try:
        found: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
    except DECODE_ERRORS as error:
        raise HostUnavailable("an answer that cannot be read") from error
    entries = (each for listed in found.values() if isinstance(listed, list) for each in listed)
    return any(isinstance(each, dict) and each.get(member) == text for each in entries)
