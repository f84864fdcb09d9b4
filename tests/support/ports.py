"""The ports of `ingest` in memory: what a test puts in the place of DynamoDB, S3, SQS, threads and the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from aftersend.aws.tasks import MultiplexedClient, MultiplexedTasks, PooledTasks
from aftersend.core import policy
from aftersend.core.model import Key, Outcome, Suppression
from aftersend.core.spike_guard import Traffic, Window, merge_traffic
from aftersend.core.steps import Steps
from aftersend.core.streaks import Bounce, ReadBounces
from aftersend.core.writes import Answer, Put, ReadOutcomes, Refused, Request
from aftersend.ports import Letter, Ports
from aftersend.sources.message import Message
from aftersend.storage import items
from aftersend.storage.store import StoreSteps, TableNames, make_row
from tests.support.facts import classify

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
RETENTION: Final = timedelta(days=180)

Table = dict[Key, items.Item]


class MemoryStore:
    """Two tables with conditional puts. Items pass through the real codec, so what is read has been written."""

    def __init__(self, find_by: tuple[str, ...] = ()) -> None:
        self.find_by = find_by
        self.outcomes_table: Table = {}
        self.suppressions_table: Table = {}
        self.puts = 0

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        found = (items.decode_outcome(self.outcomes_table[key]) for key in keys if key in self.outcomes_table)
        return {outcome.key: outcome for outcome in found}

    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]:
        found = (
            items.decode_suppression(self.suppressions_table[key]) for key in keys if key in self.suppressions_table
        )
        return {suppression.key: suppression for suppression in found}

    def find_recipients_of(self, message: str) -> list[str]:
        """As the index does where it is not behind."""
        return [recipient for recipient, of in sorted(self.outcomes_table) if of == message]

    def answer(self, request: Request) -> Answer:
        match request:
            case Put(item):
                return self._put(item)
            case ReadOutcomes(recipient, None):
                keys = [key for key in self.outcomes_table if key[0] == recipient]
                return list(self.get_outcomes(keys).values())
            case ReadOutcomes(recipient, messages):
                return list(self.get_outcomes([(recipient, message) for message in messages or ()]).values())
            case ReadBounces():
                return self._find_bounces(request)

    def _find_bounces(self, wanted: ReadBounces) -> list[Bounce]:
        """As the index does: by its key, which is text."""
        ranges = [items.build_bounce_range(group, wanted.oldest, wanted.newest) for group in wanted.groups]
        found = [
            items.decode_bounce(item)
            for key, item in self.outcomes_table.items()
            if key[0] == wanted.recipient and "bounce" in item
            if any(least <= item["bounce"]["S"] <= greatest for least, greatest in ranges)
        ]
        return sorted(found, key=lambda each: each.ref.order, reverse=not wanted.oldest_first)[: wanted.limit]

    def _put(self, item: Outcome | Suppression) -> Refused | None:
        self.puts += 1
        if isinstance(item, Outcome):
            current: Outcome | Suppression | None = self.get_outcomes([item.key]).get(item.key)
        else:
            current = self.get_suppressions([item.key]).get(item.key)
        if (current.version if current else 0) != item.version - 1:
            return Refused(current)
        table = self.outcomes_table if isinstance(item, Outcome) else self.suppressions_table
        table[item.key] = make_row(item, RETENTION, NOW, self.find_by)
        return None


class MemoryArchive:
    """Keeps every body by source."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, Message]] = []

    def put(self, messages: Sequence[Message]) -> None:
        (source,) = {message.source for message in messages}  # an object holds bodies of one source
        self.bodies += [(source, message) for message in messages]


class MemoryDeadLetters:
    """Keeps what could not be read, with the reason."""

    def __init__(self) -> None:
        self.parked: list[tuple[str, Message, str]] = []

    def put(self, message: Message, why: str) -> None:
        self.put_all([(message, why)])

    def put_all(self, letters: Sequence[Letter]) -> dict[str, str]:
        self.parked += [(message.source, message, why) for message, why in letters]
        return {}


class MemoryWatch:
    """Keeps what is known of each window."""

    def __init__(self) -> None:
        self.windows: dict[Window, Traffic] = {}

    def record(self, traffic: Traffic) -> Traffic:
        known = self.windows.get(traffic.window)
        self.windows[traffic.window] = merge_traffic(known, traffic) if known else traffic
        return self.windows[traffic.window]


class AtOnce:
    """A port whose methods work at once, as one in steps: there are none, and then their result."""

    def __init__(self, port: Any) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Callable[..., Steps[Any]]:
        method = getattr(self.port, name.removesuffix("_in_steps"))

        def steps(*arguments: Any) -> Steps[Any]:
            yield from ()
            return method(*arguments)

        return steps


class Inline(Executor):
    """An executor that works at once, in order, in the calling thread."""

    def map(  # type: ignore[override]  # without its timeout and chunks
        self, function: Callable[..., Any], *iterables: Iterable[Any]
    ) -> Iterator[Any]:
        return iter([function(*arguments) for arguments in zip(*iterables, strict=True)])


def ports(store: Any = None, *, pool: Executor | None = None, **others: Any) -> Ports:
    """Ports for `ingest`, all in memory but for those that are given, which work at once.

    They are worked as functions work theirs, in one thread, or in the threads of a pool where one is given.
    """
    in_steps = {"store": store or MemoryStore(), "archive": MemoryArchive()}
    in_steps |= {name: others.pop(name) for name in IN_STEPS if name in others}
    given: dict[str, Any] = {name: AtOnce(port) for name, port in in_steps.items()}
    given |= {
        "dead_letters": MemoryDeadLetters(),
        "policy": policy.load(),
        "classify": classify,
        "open_tasks": partial(PooledTasks, {}, pool) if pool else partial(MultiplexedTasks, {}, 8),
        "clock": lambda: NOW,
    }
    return Ports(**(given | others))


def connected_ports(client: Any, names: TableNames, at_once: int = 8) -> Ports:
    """Ports for `ingest` as functions have them: the tables behind a client, worked in one thread if it is ours."""
    clients = {"dynamodb": client}
    ours = isinstance(client, MultiplexedClient)
    open_tasks = partial(MultiplexedTasks, clients, at_once) if ours else partial(PooledTasks, clients, Inline())
    return replace(ports(open_tasks=open_tasks), store=StoreSteps(names, lambda: NOW))


IN_STEPS: Final = ("archive", "unmatched_texts", "spike_windows")
