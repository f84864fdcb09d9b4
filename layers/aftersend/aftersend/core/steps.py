"""Runs a generator that says what to read and write next against whatever answers it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

_Request = TypeVar("_Request")
_Result = TypeVar("_Result")


def run_steps(steps: Generator[_Request, Any, _Result], answer: Callable[[_Request], object]) -> _Result:
    """Carry out every step and return the result; `answer` reads and writes a store, or wraps one that does."""
    given: object = None
    try:
        while True:
            given = answer(steps.send(given))
    except StopIteration as end:
        result: _Result = end.value
        return result
