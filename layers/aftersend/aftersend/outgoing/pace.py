"""Keeps calls to one endpoint apart, so that no second brings more than it allows."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

_SLOWEST: Final = 64.0  # times slower than allowed, at most


class Pace:
    """When the next call to each endpoint may begin. May be shared between threads.

    Calls are spread evenly and none is saved up. Where a receiver asks for it they come half as often, and by and by
    as often as before. `clock` gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._clock, self._sleep = clock, sleep
        self._next: dict[str, float] = {}
        self._slower: dict[str, float] = {}
        self._lock = Lock()

    def wait(self, name: str, per_second: float, at_most: float) -> float:
        """Wait for the turn of a call, and return 0; or return in how many seconds it is, if over `at_most`."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next.get(name, now))
            if turn - now > at_most:
                return turn - now
            self._next[name] = turn + self._slower.get(name, 1.0) / per_second
        if turn > now:
            self._sleep(turn - now)
        return 0.0

    def slow_down(self, name: str) -> None:
        """Have calls come half as often."""
        with self._lock:
            self._slower[name] = min(_SLOWEST, self._slower.get(name, 1.0) * 2)

    def speed_up(self, name: str) -> None:
        """Have them come a little more often, up to what is allowed."""
        with self._lock:
            if name in self._slower:
                self._slower[name] = max(1.0, self._slower[name] * 0.8)
