"""Every interleaving of concurrent workers, by explicit exploration of states.

A worker is the product's own code, called with a store. Its calls are deterministic, so the answers that it has had so
far say where it stands: it is brought there by running it anew with those answers, and the first call beyond them is
what it wants next. A state is what is stored and the answers of each worker; each state is visited once. A worker may
be stopped dead before any of its calls, a bounded number of times, and is then started again from nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from aftersend.core.model import Key, Outcome, Suppression
from aftersend.core.writes import Answer, Request
from tests.support.ports import MemoryStore

Worker = Callable[[Any], object]  # called with a store
Call = tuple[str, Any]  # the name of a store's method, and its argument


class _Wants(BaseException):
    """The worker has come to a call whose answer is not known yet."""

    def __init__(self, call: Call) -> None:
        self.call = call


class _Replay:
    """A store that gives known answers and stops the worker at the first call beyond them."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self._answers = iter(answers)

    def _next(self, name: str, argument: Any) -> Any:
        for answer in self._answers:
            return answer
        raise _Wants((name, argument))

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        return self._next("get_outcomes", tuple(keys))  # type: ignore[no-any-return]

    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]:
        return self._next("get_suppressions", tuple(keys))  # type: ignore[no-any-return]

    def find_recipients_of(self, message: str) -> list[str]:
        return self._next("find_recipients_of", message)  # type: ignore[no-any-return]

    def answer(self, request: Request) -> Answer:
        return self._next("answer", request)  # type: ignore[no-any-return]


class State(Struct, frozen=True):
    """Where everything stands. Contents and answers are numbers, given out by `Explorer`."""

    world: int
    workers: tuple[tuple[int, ...], ...]  # the answers of each
    crashes: int  # that may still happen


class Explorer:
    """Visits every state that `workers` can reach from what is in `store`."""

    def __init__(self, workers: Sequence[Worker], store: MemoryStore, crashes: int = 0) -> None:
        self._workers = workers
        self._answers: list[Any] = []
        self._worlds: list[tuple[dict[Key, Any], dict[Key, Any]]] = []
        self._numbers: dict[bytes, int] = {}
        self._next_calls: dict[tuple[int, tuple[int, ...]], Call | None] = {}
        self._steps: dict[tuple[int, int, tuple[int, ...]], tuple[int, int]] = {}  # what a call leaves and answers
        self._came_from: dict[State, tuple[State, str] | None] = {}
        self.start = State(self._world_number(store), ((),) * len(workers), crashes)

    @property
    def visited(self) -> int:
        """How many states there were."""
        return len(self._came_from)

    def ends(self) -> dict[int, State]:
        """The distinct contents of the store that all workers can leave behind, each with one way to get there."""
        self._came_from = {self.start: None}
        waiting = [self.start]
        ends: dict[int, State] = {}
        while waiting:
            state = waiting.pop()
            after = self._successors(state)
            if not after:
                ends.setdefault(state.world, state)
            for successor, label in after:
                if successor not in self._came_from:
                    self._came_from[successor] = state, label
                    waiting.append(successor)
        return ends

    def store(self, state: State) -> MemoryStore:
        """The store as it is in `state`."""
        store = MemoryStore()
        outcomes, suppressions = self._worlds[state.world]
        store.outcomes_table, store.suppressions_table = dict(outcomes), dict(suppressions)
        return store

    def trace(self, state: State) -> list[str]:
        """The calls, in their order, that led to `state`."""
        steps: list[str] = []
        while (origin := self._came_from[state]) is not None:
            state, label = origin
            steps.append(label)
        return steps[::-1]

    def _successors(self, state: State) -> list[tuple[State, str]]:
        found = []
        for number, answers in enumerate(state.workers):
            call = self._next_call(number, answers)
            if call is None:
                continue
            place = state.world, number, answers  # many states have it in common, wherever the others stand
            if place not in self._steps:
                self._steps[place] = self._carry_out(state, call)
            world, answer = self._steps[place]
            found.append((self._moved(state, number, (*answers, answer), world), f"{'ABC'[number]} {_shown(call)}"))
            if state.crashes and answers:
                crashed = self._moved(state, number, (), state.world, state.crashes - 1)
                found.append((crashed, f"{'ABC'[number]} crashes before {call[0]} and is started again"))
        return found

    @staticmethod
    def _moved(state: State, number: int, answers: tuple[int, ...], world: int, crashes: int | None = None) -> State:
        workers = (*state.workers[:number], answers, *state.workers[number + 1 :])
        return State(world, workers, state.crashes if crashes is None else crashes)

    def _next_call(self, number: int, answers: tuple[int, ...]) -> Call | None:
        """What a worker wants next; None where it has ended."""
        place = number, answers
        if place not in self._next_calls:
            try:
                self._workers[number](_Replay([self._answers[each] for each in answers]))
            except _Wants as wants:
                self._next_calls[place] = wants.call
            else:
                self._next_calls[place] = None
        return self._next_calls[place]

    def _carry_out(self, state: State, call: Call) -> tuple[int, int]:
        store = self.store(state)
        name, argument = call
        answer = getattr(store, name)(argument)
        world = state.world if not store.puts else self._world_number(store)
        return world, self._number(b"answer" + msgspec.msgpack.encode((type(answer).__name__, _plain(answer))), answer)

    def _world_number(self, store: MemoryStore) -> int:
        contents = store.outcomes_table, store.suppressions_table
        plain = [sorted(table.items()) for table in contents]
        known = self._numbers.get(shape := b"world" + msgspec.msgpack.encode(plain, order="sorted"))
        if known is None:
            known = self._numbers[shape] = len(self._worlds)
            self._worlds.append(contents)
        return known

    def _number(self, shape: bytes, answer: Any) -> int:
        known = self._numbers.get(shape)
        if known is None:
            known = self._numbers[shape] = len(self._answers)
            self._answers.append(answer)
        return known


def _plain(answer: Any) -> Any:
    """The answer in a form that has one encoding."""
    return sorted(answer.items()) if isinstance(answer, dict) else answer


def _shown(call: Call) -> str:
    name, argument = call
    if name == "find_recipients_of":
        return f"asks whose {argument} is"
    if name != "answer":
        return f"reads {name} {' '.join('/'.join(key) for key in argument)}"
    item = getattr(argument, "item", None)
    if item is None:
        return f"{type(argument).__name__}"
    state = item.status if isinstance(item, Outcome) else ",".join(sorted(item.causes)) or "nothing"
    return f"puts {'/'.join(item.key)} version {item.version}: {state}"
