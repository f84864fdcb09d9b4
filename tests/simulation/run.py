"""One seed: its history in several orders, judged by the oracle; and what is left of a history that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aftersend.storage import items
from tests.simulation.history import Event, draw
from tests.simulation.oracle import Oracle
from tests.simulation.scheduler import Crashed
from tests.simulation.world import World
from tests.support.oracle import Tables, differences, tables

ORDERS = 3  # of each seed

_T = TypeVar("_T")


@dataclass
class Result:
    """What came of a seed."""

    seed: int
    events: int
    turns: int = 0
    traces: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    faults: list[list[str]] = field(default_factory=list)  # that befell calls, for each order
    wrong: list[str] = field(default_factory=list)


def simulate(
    seed: int,
    size: int,
    *,
    events: Sequence[Event] | None = None,
    orders: Sequence[int] = range(ORDERS),
    without: Sequence[str] = (),
) -> Result:
    """Play the history of a seed in each of some orders; `events` are what is left of it, `without` faults not to come.

    All that is not as it must be is in `Result.wrong`.
    """
    history = draw(seed, size) if events is None else events
    result = Result(seed, len(history))
    first: Tables | None = None
    for order in orders:
        world, wrong = play(seed, order, history, without)
        result.turns += world.scheduler.turns
        result.traces.append(world.trace.hexdigest())
        result.happened += world.happened + world.faults.counts
        result.faults.append(world.faults.fired)
        result.wrong += [f"order {order}: {each}" for each in wrong]
        if wrong:
            continue
        found = contents(world)
        first = first or found
        result.wrong += [f"order {order} against the first: {each}" for each in differences(first, found)]
    return result


def play(seed: int, order: int, events: Sequence[Event], without: Sequence[str] = ()) -> tuple[World, list[str]]:
    """Play a history in one order; return the world, and what is wrong in it."""
    world = World(seed, order, without)
    with world.installed():
        try:
            world.play(events)
        except (Exception, Crashed) as error:  # whatever a function lets out is a finding
            return world, [f"{type(error).__name__}: {error}"]
        finally:
            world.scheduler.stop()
    return world, Oracle(world, events).check()


def contents(world: World) -> Tables:
    """Return both tables, but for their versions."""
    stored = world.dynamodb.tables
    return tables(
        map(items.decode_outcome, stored["Outcomes"].items.values()),
        map(items.decode_suppression, stored["Suppressions"].items.values()),
    )


def shrink(seed: int, size: int, spend: Callable[[], bool]) -> tuple[list[Event], list[str], Result]:
    """Find events and faults that suffice for the seed to fail, as long as `spend` allows another try.

    Returns the events, the faults that are left, and what is wrong then.
    """
    history: list[Event] = list(draw(seed, size))
    last = simulate(seed, size)
    orders = _failing_orders(last)

    def fails(events: Sequence[Event], without: Sequence[str]) -> bool:
        nonlocal last
        result = simulate(seed, size, events=events, orders=orders, without=without)
        if result.wrong:
            last = result
        return bool(result.wrong)

    history = _reduce(history, lambda left: fails(left, ()), spend)
    fails(history, ())
    fired = sorted({each for order in last.faults for each in order})
    kept = _reduce(fired, lambda left: fails(history, sorted({*fired} - {*left})), spend)
    return history, kept, last


def _failing_orders(result: Result) -> list[int]:
    """The one order that fails by itself, else all."""
    alone = sorted({int(each.split()[1].strip(":")) for each in result.wrong if " against " not in each})
    return alone[:1] or list(range(ORDERS))


def _reduce(whole: list[_T], fails: Callable[[list[_T]], bool], spend: Callable[[], bool]) -> list[_T]:
    """Delta debugging (Zeller): leave out ever smaller parts, as long as it still fails."""
    parts = 2
    while len(whole) > 1 and parts <= len(whole):
        length = -(-len(whole) // parts)
        for start in range(0, len(whole), length):
            if not spend():
                return whole
            rest = whole[:start] + whole[start + length :]
            if fails(rest):
                whole, parts = rest, max(parts - 1, 2)
                break
        else:
            if length == 1:
                break
            parts *= 2
    return whole
