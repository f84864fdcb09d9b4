"""What bulk work is given to work with, and how it writes a suppression that somebody else may be writing too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct

from aftersend.core.errors import ContentionExhausted, VersionMoved
from aftersend.core.model import Key, Reverted, Suppression
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.writes import MAX_TRIES, Answer, Request, SuppressionUpdate, run_steps, update_suppression
from aftersend.lists.job import Job
from aftersend.storage.items import Item
from aftersend.storage.queries import Page

CHUNK = 100  # keys read at once

_T = TypeVar("_T")


class Store(Protocol):
    """Where suppressions are kept: `aftersend.storage.store.Store` is one."""

    def suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]: ...  # noqa: D102
    def answer(self, request: Request) -> Answer: ...  # noqa: D102


class Reader(Protocol):
    """What else is asked of the tables: `aftersend.lists.reader.Reader` is one."""

    def page(self, after: Key | None) -> tuple[list[Suppression], Key | None]: ...  # noqa: D102
    def on_day(self, day: str, after: Item | None) -> Page[Suppression]: ...  # noqa: D102


class Jobs(Protocol):
    """Where jobs are kept: `aftersend.lists.jobs.Jobs` is one."""

    def take(self, id_: str, now: datetime) -> Job | None: ...  # noqa: D102
    def put(self, job: Job) -> Job: ...  # noqa: D102


class Objects(Protocol):
    """Where lists and exports lie: `aftersend.lists.objects.Objects` is one."""

    def put(self, key: str, body: bytes) -> None: ...  # noqa: D102
    def pieces(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]: ...  # noqa: D102
    def begin(self, key: str, content_type: str) -> str: ...  # noqa: D102
    def part(self, key: str, upload: str, number: int, body: bytes) -> str: ...  # noqa: D102
    def finish(self, key: str, upload: str, parts: tuple[str, ...]) -> None: ...  # noqa: D102


class Shop(Struct, frozen=True, kw_only=True):
    """Everything that a job is worked with."""

    store: Store
    reader: Reader
    jobs: Jobs
    objects: Objects
    policy: Policy
    classify: Classify
    pool: Executor
    clock: Callable[[], datetime]
    timer: Callable[[], float]  # seconds that pass
    pending: Callable[[str], Sequence[Reverted]]  # windows of a provider's accident that nobody has judged yet


def stored(keys: Sequence[Key], shop: Shop) -> dict[Key, Suppression]:
    """The suppressions that exist of any number of keys."""
    chunks = [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]
    found: dict[Key, Suppression] = {}
    for some in shop.pool.map(shop.store.suppressions, chunks):
        found |= some
    return found


Wanted = Callable[[Suppression], tuple[_T, SuppressionUpdate | None]]


def written(key: Key, known: Suppression | None, wanted: Wanted[_T], shop: Shop) -> _T:
    """What `wanted` says of a suppression, and its errand done, if it wants one, on the very version it was told of.

    `known` is what was read. Raises StoreUnavailable, or ContentionExhausted after MAX_TRIES refusals.
    """
    for _ in range(MAX_TRIES):
        said, errand = wanted(known or Suppression(recipient=key[0], scope=key[1]))
        if errand is None:
            return said
        try:
            run_steps(update_suppression(errand, known, shop.policy), shop.store.answer)
        except VersionMoved:
            known = shop.store.suppressions([key]).get(key)
        else:
            return said
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being written")
