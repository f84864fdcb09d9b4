"""What carries out the calls that steps ask for: one by one, in a pool of threads, or many at once in one thread.

Steps (`aftersend.core.steps`) yield calls, and are sent the answer to each, or have its CallFailed raised in them. With
clients of our own all that `ingest` begins together is under way in one thread. boto3's clients block, so with them
each needs a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

from aftersend.aws.errors import CallFailed
from aftersend.core.errors import ServiceError
from aftersend.core.steps import Call, Pause, Steps
from aftersend.http.multiplexer import Multiplexer, Waits, run_alone

if TYPE_CHECKING:
    from concurrent.futures import Executor

_T = TypeVar("_T")


@runtime_checkable
class MultiplexedClient(Protocol):
    """A client whose calls wait for nothing: those of `aftersend.aws.services`."""

    def call(self, operation: str, request: Mapping[str, Any]) -> Waits[Any]: ...  # noqa: D102


def run_calls(steps: Steps[_T], clients: Mapping[str, Any], sleep: Callable[[float], None] = time.sleep) -> _T:
    """Carry out every call with the client of its service, one after another, and return the result.

    Raises what the steps raise.
    """
    return run_alone(_carry_out(steps, partial(_block, clients, sleep)))


def wait_for_calls(steps: Steps[_T], clients: Mapping[str, MultiplexedClient]) -> Waits[_T]:
    """Carry out every call, with the client of its service, as waits."""
    return _carry_out(steps, partial(_begin, clients))


def _carry_out(steps: Steps[_T], begin: Callable[[Call | Pause], Waits[Any]]) -> Waits[_T]:
    """Carry out whatever the steps ask for by what `begin` returns for it."""
    try:
        wanted = next(steps)
        while True:
            try:
                answer = yield from begin(wanted)
            except CallFailed as failure:
                wanted = steps.throw(failure)
            else:
                wanted = steps.send(answer)
    except StopIteration as end:
        result: _T = end.value
        return result
    finally:
        steps.close()


def _begin(clients: Mapping[str, MultiplexedClient], wanted: Call | Pause) -> Waits[Any]:
    if isinstance(wanted, Pause):
        return _rest(wanted)
    return clients[wanted.service].call(wanted.operation, wanted.request)


def _rest(pause: Pause) -> Waits[bool]:
    return (yield pause)


def _block(clients: Mapping[str, Any], sleep: Callable[[float], None], wanted: Call | Pause) -> Waits[Any]:
    """Return the answer of a client that blocks: nothing is ever waited for here."""
    yield from ()
    if isinstance(wanted, Pause):
        return sleep(wanted.seconds)
    return getattr(clients[wanted.service], wanted.operation)(**wanted.request)


class MultiplexedTasks:
    """Keeps up to `limit` of what is begun together under way in the thread that asks. A context."""

    def __init__(
        self, clients: Mapping[str, MultiplexedClient], limit: int, make: Callable[[int], Multiplexer] = Multiplexer
    ) -> None:
        self._clients, self._multiplexer = clients, make(limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is under way, where something was raised; else nothing is."""
        self._multiplexer.close()

    def begin(self, all_steps: Iterable[Steps[_T]]) -> Callable[[], list[_T | ServiceError]]:
        """Begin with some, and return what waits for their results; see `aftersend.ports.Tasks`."""
        return self._multiplexer.begin(wait_for_calls(steps, self._clients) for steps in all_steps)

    def advance(self) -> None:
        """Go on with everything that can go on, and wait for nothing."""
        self._multiplexer.advance()


class PooledTasks:
    """Does what is begun in the threads of a pool, each in its own. A context, after which nothing is under way."""

    def __init__(self, clients: Mapping[str, Any], pool: Executor, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clients, self._pool, self._sleep = clients, pool, sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to close: threads end by themselves."""

    def begin(self, all_steps: Iterable[Steps[_T]]) -> Callable[[], list[_T | ServiceError]]:
        """Begin with some, and return what waits for their results; see `aftersend.ports.Tasks`."""
        return partial(list, self._pool.map(self._attempt, all_steps))

    def advance(self) -> None:
        """Nobody has to go on with them."""

    def _attempt(self, steps: Steps[_T]) -> _T | ServiceError:
        try:
            return run_calls(steps, self._clients, self._sleep)
        except ServiceError as error:
            return error
