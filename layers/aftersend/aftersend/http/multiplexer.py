"""Work that waits for sockets, as generators, and what runs it: one alone, or many at once in one thread.

A generator yields what it waits for, a `Wait` for a socket or a `Pause`, and is sent whether that came in time. It
never blocks, so one thread keeps any number of them under way: states of a connection are places in its code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from math import ceil, inf
from select import poll
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from aftersend.core.errors import ServiceError
from aftersend.core.steps import Pause

_T = TypeVar("_T")
_AT_ONCE: Final = 0.0


class Wait(Struct, frozen=True):
    """Wait until a socket is ready for one of `events` (of `select.poll`), or until that time of `time.monotonic`."""

    socket: int
    events: int
    until: float


Waits = Generator[Wait | Pause, bool, _T]  # is sent whether the socket is ready; false where the time is over


def run_alone(waits: Waits[_T]) -> _T:
    """Run one to its end, in the calling thread, and return its result; raises what it raises."""
    try:
        wanted = next(waits)
        while True:
            wanted = waits.send(_wait(wanted))
    except StopIteration as end:
        result: _T = end.value
        return result


def _wait(wanted: Wait | Pause) -> bool:
    if isinstance(wanted, Pause):
        time.sleep(wanted.seconds)
        return True
    watch = poll()
    watch.register(wanted.socket, wanted.events)
    return bool(watch.poll(_to_milliseconds(wanted.until - time.monotonic())))


def _to_milliseconds(seconds: float) -> int | None:
    """Return what `poll` takes: rounded up, so that nobody looks again before the time has come; None is for ever."""
    return None if seconds == inf else max(0, ceil(seconds * 1000))


class Group(Generic[_T]):
    """Some that were begun together: at most `limit` of them are under way, the others wait for their turn."""

    def __init__(self, limit: int, all_waits: Iterable[Waits[_T]]) -> None:
        self.results: list[Any] = []  # in the order of what was begun; None until that has ended
        self._limit = self._room = limit
        self._left: Iterator[Waits[_T]] | None = iter(all_waits)

    def take_next(self) -> tuple[int, Waits[_T]] | None:
        """Return the next one with its place; None where there is no room for it, or all have begun."""
        if self._room <= 0 or self._left is None:
            return None
        found = next(self._left, None)
        if found is None:
            self._left = None
            return None
        self._room -= 1
        self.results.append(None)
        return len(self.results) - 1, found

    def settle(self, place: int, result: _T | ServiceError) -> None:
        """Note how one has ended."""
        self.results[place] = result
        self._room += 1

    def is_done(self) -> bool:
        """Whether all have ended."""
        return self._left is None and self._room == self._limit


class _Task(Struct, eq=False):
    """One that is under way, and what it waits for."""

    group: Group[Any]
    place: int
    waits: Waits[Any]
    until: float = inf


class Multiplexer:
    """Runs many at once in the thread that asks, up to `limit` of those that are begun together."""

    def __init__(
        self,
        limit: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take what counts seconds as `Wait.until` does, and what passes some where no socket is waited for."""
        self._limit, self._clock, self._sleep = limit, clock, sleep
        self._poll = poll()
        self._by_socket: dict[int, _Task] = {}
        self._pausing: list[_Task] = []  # in the order in which they came: two runs of the same go the same way
        self._groups: list[Group[Any]] = []
        self._due = inf  # nobody's time is over before

    def close(self) -> None:
        """Give up what is under way."""
        for task in (*self._by_socket.values(), *self._pausing):
            task.waits.close()

    def begin(self, all_waits: Iterable[Waits[_T]]) -> Callable[[], list[_T | ServiceError]]:
        """Begin with some, which get as far as they can without waiting; returns what waits for their results.

        A ServiceError that one of them raises is its result, and holds up no other. All else is raised where it comes
        up: here, or wherever else it is gone on with.
        """
        group: Group[_T] = Group(self._limit, all_waits)
        self._groups.append(group)
        self._fill(group)

        def finish() -> list[_T | ServiceError]:
            while not group.is_done():
                self._turn(inf)
            self._groups.remove(group)
            return group.results

        return finish

    def advance(self) -> None:
        """Go on with everything that can go on, and wait for nothing."""
        if self._by_socket or self._pausing:
            self._turn(_AT_ONCE)

    def _fill(self, group: Group[Any]) -> None:
        while (found := group.take_next()) is not None:
            self._resume(_Task(group, *found), None)

    def _resume(self, task: _Task, ready: bool | None) -> None:
        try:
            wanted = next(task.waits) if ready is None else task.waits.send(ready)
        except StopIteration as end:
            task.group.settle(task.place, end.value)
        except ServiceError as error:
            task.group.settle(task.place, error)
        else:
            self._watch(task, wanted)

    def _watch(self, task: _Task, wanted: Wait | Pause) -> None:
        if isinstance(wanted, Wait):
            self._poll.register(wanted.socket, wanted.events)
            self._by_socket[wanted.socket] = task
            task.until = wanted.until
        else:
            self._pausing.append(task)
            task.until = self._clock() + wanted.seconds
        self._due = min(self._due, task.until)

    def _turn(self, longest: float) -> None:
        """Wait until somebody can go on, for `longest` seconds at most, and go on with all who can.

        Who is ready goes first: however long something else took, what has come meanwhile has come in time.
        """
        patience = min(longest, self._due - self._clock())
        ready = self._poll_sockets(patience)
        now = self._clock()
        for socket, _ in ready:
            self._poll.unregister(socket)
            self._resume(self._by_socket.pop(socket), True)
        if now >= self._due:
            self._expire(now)
        for group in self._groups:
            self._fill(group)

    def _poll_sockets(self, patience: float) -> list[tuple[int, int]]:
        if self._by_socket:
            return self._poll.poll(_to_milliseconds(patience))
        if patience > 0:
            self._sleep(patience)
        return []

    def _expire(self, now: float) -> None:
        """Go on with all whose time has come."""
        self._due = inf
        late = [(socket, task) for socket, task in self._by_socket.items() if task.until <= now]
        rested = [task for task in self._pausing if task.until <= now]
        self._pausing = [task for task in self._pausing if task.until > now]
        for socket, _ in late:
            self._poll.unregister(socket)
            del self._by_socket[socket]
        self._due = min((task.until for task in (*self._by_socket.values(), *self._pausing)), default=inf)
        for task in rested:
            self._resume(task, True)
        for _, task in late:
            self._resume(task, False)
