"""Credentials as they are now: those of the environment, which stay, or those that a local address hands out.

A function that starts from a snapshot (SnapStart) has none in its environment, where they would be as old as the
snapshot: its runtime serves them at an address of its own, and anew before they run out.

Sources: AWS SDKs and tools reference guide, "Container credential provider"; Lambda developer guide, "Activating and
managing Lambda SnapStart", of which the shape of the answer is that of Lambda's runtime emulator.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from aftersend.aws.account import Account, ContainerEndpoint
from aftersend.http.http1 import ProtocolError
from aftersend.http.transport import Limits, Transport

EARLY: Final = 900.0  # seconds before they run out that new ones are asked for
PAUSE: Final = 60.0  # seconds between two questions, whatever the answer was
_LIMITS: Final = Limits(connect=1.0, silence=2.0, body=65_536)


class Credentials(Struct, frozen=True):
    """What a request is signed with. Its representation shows nothing."""

    key_id: str
    secret: str
    token: str = ""  # of temporary credentials

    def __repr__(self) -> str:
        return "Credentials()"


class _Answer(Struct, frozen=True, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


class ContainerCredentials:
    """Credentials that a local address hands out. May be shared between threads."""

    def __init__(self, endpoint: ContainerEndpoint, clock: Callable[[], float] = time.time) -> None:
        self._endpoint, self._clock = endpoint, clock  # not of a monotonic clock, which stands still in a snapshot
        self._lock = Lock()
        self._held: Credentials | None = None
        self._expires = self._ask_at = 0.0

    def read(self) -> Credentials:
        """Return credentials that have not run out.

        Those that have not are good enough where no new ones can be had. Raises OSError or ProtocolError where there
        are none.
        """
        with self._lock:
            now = self._clock()
            if self._held is None or now >= self._ask_at:
                self._refresh(now)
            assert self._held is not None
            return self._held

    def forget(self) -> None:
        """Ask anew, next time."""
        with self._lock:
            self._held = None

    def _refresh(self, now: float) -> None:
        self._ask_at = now + PAUSE
        try:
            answer = self._ask()
        except (OSError, ProtocolError):
            if self._held is None or now >= self._expires:
                self._held = None
                raise
            return
        self._held = Credentials(answer.access_key_id, answer.secret_access_key, answer.token)
        self._expires = answer.expiration.timestamp()
        self._ask_at = max(self._ask_at, self._expires - EARLY)

    def _ask(self) -> _Answer:
        address = urlsplit(self._endpoint.url)
        target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
        with Transport(f"{address.scheme}://{address.netloc}", _LIMITS) as transport:
            headers = {"host": transport.host, "accept": "application/json"}
            if self._endpoint.authorization:
                headers["authorization"] = self._endpoint.authorization
            response = transport.send("GET", target, headers)
        if response.status != 200:
            raise ProtocolError(f"no credentials: {response.status}")
        try:
            return msgspec.json.decode(response.content, type=_Answer)
        except msgspec.DecodeError:
            raise ProtocolError("credentials that make no sense") from None  # its message may quote them


_made: Final[dict[ContainerEndpoint, ContainerCredentials]] = {}  # one for all clients of a process


def find_reader(account: Account) -> Callable[[], Credentials]:
    """Return what gives the credentials of the account, asked for before each request; see `read` for its errors."""
    if account.container is None:
        own = Credentials(account.key_id, account.secret, account.token)
        return lambda: own
    return _made.setdefault(account.container, ContainerCredentials(account.container)).read


def forget() -> None:
    """Have every credential that is handed out be asked for anew."""
    for each in _made.values():
        each.forget()
