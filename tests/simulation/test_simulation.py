"""Everything at once under fresh seeds; that a seed gives the same again; and that faults are found."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from random import Random

import pytest

from tests.simulation.__main__ import SIZE, countdown, describe, describe_shrunk
from tests.simulation.faults import KINDS
from tests.simulation.history import Decided, draw
from tests.simulation.planted import FAULTS
from tests.simulation.run import play, shrink, simulate
from tests.simulation.scheduler import Crashed, Process, Scheduler
from tests.support.template import ROOT

BUDGET = 20.0  # seconds of fresh seeds
KNOWN = range(1, 4)  # seeds that are played each time


def test_fresh_seeds() -> None:
    """Laws 1 to 7, whatever comes and whatever fails. A seed that breaks one is printed, and what is left of it."""
    within, played = countdown(BUDGET), 0
    while within() or not played:
        seed = secrets.randbelow(10**9)
        result = simulate(seed, SIZE)
        played += 1
        if result.wrong:
            pytest.fail("\n".join([*describe(result), *describe_shrunk(seed, SIZE, BUDGET)]), pytrace=False)


@pytest.mark.parametrize("seed", KNOWN)
def test_known_seeds(seed: int) -> None:
    """What is played each time meets what it is there for: crashes, batches handed back, replays and erasures."""
    result = simulate(seed, SIZE)
    assert result.wrong == []
    assert result.happened["batches of process"] > 0
    assert sum(map(len, result.faults)) > 0


def test_what_goes_wrong_ends_who_calls_again_and_again() -> None:
    """A broker hands a body on until it is taken, each time to another process, until all has ended."""
    scheduler = Scheduler(Random(1), 0.0)
    outside = Process("broker")

    def call_again() -> None:
        task = scheduler.current
        assert task is not None
        while True:
            task.process = Process("function")
            try:
                scheduler.pause(1)
            except Crashed:
                task.process = outside
                scheduler.pause(1)

    def fail() -> None:
        raise LookupError

    scheduler.spawn("calls", outside, call_again)
    scheduler.spawn("fails", Process("other"), fail, at=5)
    with pytest.raises(LookupError):
        scheduler.run()
    scheduler.stop()
    assert not scheduler.tasks


def test_histories_have_everything() -> None:
    """Some seeds together meet every kind of fault and every decision."""
    fired: set[str] = set()
    for seed in range(1, 60):
        fired |= play(seed, 0, draw(seed, SIZE))[0].faults.counts.keys()
        if fired == set(KINDS):
            break
    assert fired == set(KINDS)
    acts = {each.act for seed in range(1, 30) for each in draw(seed, SIZE) if isinstance(each, Decided)}
    assert acts == {"release", "suppress", "revert"}


def test_a_seed_gives_the_same_trace_in_any_process() -> None:
    """Neither the hashes of a process nor what ran in it before has a say: the traces are the same to the byte."""
    code = "from tests.simulation.run import simulate; print(simulate(5, 40).traces)"
    traces = [_run(code, hash_seed) for hash_seed in ("0", "4711")]
    assert traces[0] == traces[1] == f"{simulate(5, 40).traces}"


def _run(code: str, hash_seed: str) -> str:
    path = os.pathsep.join([str(ROOT / "layers" / "aftersend"), str(ROOT)])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
    done = subprocess.run(  # this very program
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


# Each with a seed at which it is found; `make simulate-faults` plants all of them, and looks from the first seed on.
SOON = {fault.name: fault for fault in FAULTS}
SEEDS = {
    "the second look after a streak was written is removed": range(1, 10),
    "no recount where a streak or a hard bounce stands": range(1, 20),
    "a failed write of a suppression is not handed back": range(1, 20),
}


@pytest.mark.parametrize("name", SEEDS)
def test_planted_faults_are_found(name: str) -> None:
    """A fault that a unit test hardly sees is found within some seeds, which are sound without it."""
    with SOON[name].planted():
        found = next((seed for seed in SEEDS[name] if simulate(seed, SIZE).wrong), None)
    assert found is not None
    assert simulate(found, SIZE).wrong == []


def test_a_failing_history_is_shrunk() -> None:
    """Of all that happened little is left, and that still fails: the rest has nothing to do with it."""
    fault = SOON["whoever vouches for a message brings only their own fact"]
    with fault.planted():
        seed = next(seed for seed in range(1, 30) if simulate(seed, SIZE).wrong)
        history, _, result = shrink(seed, SIZE, countdown(20))
        assert result.wrong
        assert len(history) < len(draw(seed, SIZE)) / 3
    assert simulate(seed, SIZE, events=history).wrong == []


def test_every_planted_fault_still_fits() -> None:
    """The source of each function still holds what its fault takes out."""
    for fault in FAULTS:
        with fault.planted():
            pass
