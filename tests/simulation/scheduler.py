"""Runs workers one at a time, and lets a seed decide who goes next: plain code, interleaved at each of its calls.

Every worker is a thread, and one baton goes between them and the scheduler, so only one of all runs at any time. A
worker gives the baton back before each call to the world; which of those that can go on has it next is drawn from the
seed. Time stands while anybody can go on, and then leaps to the first moment that somebody waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from random import Random
from typing import Any

_LITTLE = 0.001  # seconds


class Crashed(BaseException):
    """The process in which this is raised is no more: nothing may catch it but who started it."""


class Process:
    """What crashes as a whole, and has a clock of its own."""

    def __init__(self, name: str, skew: float = 0.0) -> None:
        self.name = name
        self.skew = skew  # seconds that its clock is ahead
        self.pinned: float | None = None  # its clock stands: what a person decides has a moment, however long it takes
        self.crashed = False
        self.calls = 0


class Task:
    """One strand of work in a process."""

    def __init__(self, name: str, process: Process, work: Callable[[], object]) -> None:
        self.name, self.process, self.work = name, process, work
        self.baton = _held()
        self.until = 0.0  # it sleeps till then
        self.waits_for: list[Task] = []
        self.done = False
        self.result: object = None
        self.error: BaseException | None = None
        self.thread: threading.Thread | None = None

    def can_go_on(self, now: float) -> bool:
        """Return whether nothing holds it."""
        return not self.done and self.until <= now and all(each.done for each in self.waits_for)


def _held() -> threading.Lock:
    """A lock that is held: whoever wants it waits for the one that gives it back."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Scheduler:
    """Deals out turns. `now` is in seconds since the Epoch."""

    def __init__(self, random: Random, now: float) -> None:
        self.random, self.now = random, now
        self.tasks: list[Task] = []
        self.current: Task | None = None
        self.turns = 0
        self._back = _held()

    def spawn(self, name: str, process: Process, work: Callable[[], object], at: float = 0.0) -> Task:
        """Add a task that begins at `at`."""
        task = Task(name, process, work)
        task.until = at
        self.tasks.append(task)
        return task

    def run(self) -> None:
        """Go on until every task has ended; raises what a task has raised that was not expected of it."""
        while self.tasks:
            ready = [task for task in self.tasks if task.can_go_on(self.now)]
            if not ready:
                self.now = min(task.until for task in self.tasks if all(each.done for each in task.waits_for))
                continue
            task = ready[self.random.randrange(len(ready))] if len(ready) > 1 else ready[0]
            self.turns += 1
            self._give(task)
            if task.done:
                self.tasks.remove(task)
                if task.error is not None and not task.name.startswith("pool"):
                    raise task.error

    def stop(self) -> None:
        """End every task that is still under way, where something went wrong."""
        for task in list(self.tasks):
            while task.thread is not None and not task.done:
                task.process.crashed = True  # at each turn: whoever calls a function anew does so in another process
                self._give(task)
        self.tasks.clear()

    def _give(self, task: Task) -> None:
        self.current = task
        if task.thread is None:
            task.thread = threading.Thread(target=self._work, args=(task,), daemon=True)
            task.thread.start()
        else:
            task.baton.release()
        self._back.acquire()
        self.current = None

    def _work(self, task: Task) -> None:
        try:
            task.result = task.work()
        except BaseException as error:  # whoever waits for the task gets it
            task.error = error
        task.done = True
        self._back.release()

    def pause(self, seconds: float = 0.0) -> None:
        """Give the baton back, and go on after so long; raises Crashed where the process has crashed meanwhile."""
        task = self.current
        assert task is not None, "only a task can wait"
        task.until = self.now + seconds
        self._hand_over(task)

    def join(self, tasks: list[Task]) -> None:
        """Wait for the end of all of these."""
        task = self.current
        assert task is not None, "only a task can wait"
        task.waits_for = tasks
        self._hand_over(task)
        task.waits_for = []

    def _hand_over(self, task: Task) -> None:
        self._back.release()
        task.baton.acquire()
        if task.process.crashed:
            raise Crashed


class Lock:
    """In the place of `threading.Lock`: whoever finds it held gives the baton back and tries again a little later."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._held = scheduler, False

    def __enter__(self) -> None:
        while self._held:
            self._scheduler.pause(_LITTLE)
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False


class Pool(Executor):
    """An executor whose work is done by tasks of the process that asks."""

    def __init__(self, scheduler: Scheduler, width: int = 8) -> None:
        self._scheduler, self._width = scheduler, width

    def map(  # type: ignore[override]  # without its timeout and chunks
        self, function: Callable[..., Any], *iterables: Iterable[Any]
    ) -> Iterator[Any]:
        """Call `function` for each, all at once; what one raises comes in its place."""
        calls = list(zip(*iterables, strict=False))
        asking = self._scheduler.current
        assert asking is not None, "only a task can ask"
        if len(calls) == 1 or self._width == 1:
            return iter([function(*call) for call in calls])
        tasks = [
            self._scheduler.spawn(f"pool of {asking.name}", asking.process, lambda call=call: function(*call))  # type: ignore[misc]
            for call in calls
        ]
        self._scheduler.join(tasks)
        return _results(tasks)


def _results(tasks: list[Task]) -> Iterator[Any]:
    for task in tasks:
        if task.error is not None:
            raise task.error
        yield task.result
