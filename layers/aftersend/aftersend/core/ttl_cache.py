"""Keeps what was hard to get, for a while and not much of it. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class TtlCache(Generic[_K, _V]):
    """At most `most` values, each as old as `age` at most; the one that came first goes first."""

    def __init__(self, age: timedelta, most: int) -> None:
        self._age = age
        self._most = most
        self._values: dict[_K, tuple[datetime, _V]] = {}

    def get(self, key: _K, now: datetime, make: Callable[[_K], _V]) -> _V:
        """The value of `key`; made where there is none, or none that is new enough. An error of `make` is not kept."""
        kept = self._values.get(key)
        if kept is not None and now - kept[0] < self._age:
            return kept[1]
        self._values.pop(key, None)
        made = make(key)
        for oldest in list(self._values)[: len(self._values) - self._most + 1]:
            self._values.pop(oldest, None)  # another thread may have done so
        self._values[key] = now, made
        return made
