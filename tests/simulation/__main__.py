"""One seed, or many, from the command line: `make simulate SEED=… EVENTS=…`.

python -m tests.simulation SEED [EVENTS]     play one seed, and say what happened; where it fails, shrink it
python -m tests.simulation many SEEDS [EVENTS]   play so many fresh seeds, up to the first that fails
python -m tests.simulation faults [SECONDS]  how many seeds each planted fault is found within
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable

from tests.simulation.planted import FAULTS
from tests.simulation.run import Result, shrink, simulate

SIZE = 40  # events, if nobody says how many
PATIENCE = 60.0  # seconds that a history is shrunk


def command(seed: int, size: int) -> str:
    """Return what plays a seed again."""
    return f"make simulate SEED={seed} EVENTS={size}"


def describe(result: Result) -> list[str]:
    """Return what came of a seed, for a person to read."""
    counts = ", ".join(f"{name} {count}" for name, count in sorted(result.happened.items()))
    verdict = "as documented, and the same in every order" if not result.wrong else f"{len(result.wrong)} things wrong"
    return [
        f"seed {result.seed}: {result.events} events in {len(result.traces)} orders, {result.turns} turns",
        f"  happened: {counts}",
        f"  traces: {' '.join(result.traces)}",
        f"  verdict: {verdict}",
        *(f"    {each}" for each in result.wrong[:20]),
    ]


def countdown(seconds: float) -> Callable[[], bool]:
    """Return what says whether there is time left."""
    ends = time.monotonic() + seconds
    return lambda: time.monotonic() < ends


def describe_shrunk(seed: int, size: int, patience: float = PATIENCE) -> list[str]:
    """Shrink a history that fails; return what is left, and how to play all of it again."""
    history, faults, result = shrink(seed, size, countdown(patience))
    return [
        f"play it again: {command(seed, size)}",
        f"shrunk to {len(history)} events and {len(faults)} faults:",
        *(f"    {event}" for event in history),
        *(f"    {fault}" for fault in faults),
        "and still wrong:",
        *(f"    {each}" for each in result.wrong[:10]),
    ]


def _play(seed: int, size: int) -> int:
    result = simulate(seed, size)
    print("\n".join(describe(result)))
    if result.wrong:
        print("\n".join(describe_shrunk(seed, size)))
    return bool(result.wrong)


def _play_many(count: int, size: int) -> int:
    first = secrets.randbelow(10**9)
    for seed in range(first, first + count):
        result = simulate(seed, size)
        if result.wrong:
            print("\n".join([*describe(result), *describe_shrunk(seed, size)]))
            return 1
    print(f"{count} seeds from {first} on: all as documented")
    return 0


def _find_faults(patience: float) -> int:
    """Play seed after seed with each planted fault in place; prints one line for each."""
    missed = 0
    for fault in FAULTS:
        seed, wrong, spend = 0, list[str](), countdown(patience)
        with fault.planted():
            while not wrong and spend():
                seed += 1
                wrong = simulate(seed, SIZE).wrong
        missed += not wrong
        print(f"{f'found at seed {seed}' if wrong else f'NOT FOUND in {seed} seeds'}: {fault.name}", flush=True)
    return bool(missed)


def main(arguments: list[str]) -> int:
    """Do what the arguments say."""
    match arguments:
        case ["many", count, *size]:
            return _play_many(int(count), int(size[0]) if size else SIZE)
        case ["faults", *seconds]:
            return _find_faults(float(seconds[0]) if seconds else PATIENCE)
        case [seed, *size]:
            return _play(int(seed), int(size[0]) if size else SIZE)
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
