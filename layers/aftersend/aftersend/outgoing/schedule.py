"""When a webhook that was not taken is tried again, and when an endpoint is left alone. Pure.

An event is tried at once and then in growing gaps for a little more than a day, by its age and not by a count: a
message of a queue is also counted when it is only looked at. An endpoint that fails several times in a row is left
alone for a while, a *breaker*, and then one event tries whether it is back; the others wait meanwhile. So a dead
endpoint costs a call every quarter of an hour, whatever lies in the queue.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from msgspec import Struct

GAPS: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)  # seconds between attempts: 27.6 hours
_AGES: Final = tuple(accumulate(GAPS))
GIVEN_UP: Final = _AGES[-1]  # seconds after which an event is parked
LONGEST_WAIT: Final = 42_000.0  # seconds; a queue hides a message for twelve hours at most
FAILURES: Final = 5  # in a row, and the breaker opens
_FIRST_PAUSE: Final = 30.0  # seconds that it stays open at first, doubled with every failure
LONGEST_PAUSE: Final = 900.0
CROWDED: Final = 60_000  # messages under way at which those for a dead endpoint are parked: half of what a queue allows
SLOW_DOWN: Final = frozenset({429, 502, 503, 504})  # answers that ask for a slower pace


class EndpointState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an endpoint is doing. Times are seconds since 1970."""

    failures: int = 0  # in a row
    open_until: float = 0.0  # of the breaker
    disabled: bool = False  # it answered 410, and wants nothing any more
    last_error: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to remember."""
        return not self.failures and not self.disabled


def compute_wait(age: float, retry_after: float | None = None) -> float | None:
    """Compute in how many seconds an event that is `age` seconds old and was not taken is tried again.

    `retry_after` is what the receiver asks for. None says that it is given up.
    """
    following = next((each for each in _AGES if each > age), None)
    if following is None:
        return None
    return min(max(following - age, retry_after or 0.0, 1.0), LONGEST_WAIT)


def is_open(state: EndpointState, now: float) -> bool:
    """Return whether an endpoint is left alone at `now`."""
    return state.failures >= FAILURES and now < state.open_until


def compute_pause(failures: int) -> float:
    """Compute for how many seconds a breaker opens after so many failures in a row; 0 for not at all."""
    return min(_FIRST_PAUSE * 2 ** min(failures - FAILURES, 10), LONGEST_PAUSE) if failures >= FAILURES else 0.0
