"""Keeps what was hard to get, for a while and not much of it. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from itertools import islice
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class TtlCache(Generic[_K, _V]):
    """At most `max_size` values, each younger than `max_age`; the one that came first goes first."""

    def __init__(self, max_age: timedelta, max_size: int) -> None:
        self._max_age = max_age
        self._max_size = max_size
        self._values: dict[_K, tuple[datetime, _V]] = {}

    def get(self, key: _K, now: datetime, make: Callable[[_K], _V]) -> _V:
        """Return the value of `key`, which `make` makes where there is none that is young enough.

        An error of `make` is raised, and not remembered.
        """
        found = self._values.get(key)
        if found is not None and now - found[0] < self._max_age:
            return found[1]
        self._values.pop(key, None)
        made = make(key)
        too_many = max(0, len(self._values) - self._max_size + 1)
        for oldest in list(islice(self._values, too_many)):
            self._values.pop(oldest, None)  # another thread may have done so
        self._values[key] = now, made
        return made
