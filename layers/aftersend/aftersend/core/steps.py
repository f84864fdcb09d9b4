"""Work as a generator that says what it needs next, so that who carries it out decides how; and what runs one. Pure.

The order of reads and writes yields requests to a store (`writes`); a store yields calls of a service. Whoever carries
them out does one after another, in a pool of threads, or many at once in one thread (`aftersend.aws.tasks`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from msgspec import Struct

_Request = TypeVar("_Request")
_Result = TypeVar("_Result")
_T = TypeVar("_T")


class Call(Struct, frozen=True):
    """A call of one of AWS's services: the operation by boto3's name, the keyword arguments of boto3's method."""

    service: str
    operation: str
    request: dict[str, Any]


class Pause(Struct, frozen=True):
    """Go on after so many seconds."""

    seconds: float


Steps = Generator[Call | Pause, Any, _T]  # is sent the answer to each call; where a call fails, that is raised in it


def run_steps(steps: Generator[_Request, Any, _Result], answer: Callable[[_Request], object]) -> _Result:
    """Carry out every step and return the result; `answer` reads and writes a store, or wraps one that does."""
    given: object = None
    try:
        while True:
            given = answer(steps.send(given))
    except StopIteration as end:
        result: _Result = end.value
        return result
