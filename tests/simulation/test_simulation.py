"""Everything at once under fresh seeds; that a seed gives the same again; and that faults are found."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

import pytest

from tests.simulation.__main__ import SIZE, countdown, describe, describe_shrunk
from tests.simulation.planted import FAULTS, Fault
from tests.simulation.run import simulate
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


def test_histories_have_everything() -> None:
    """Some seeds together meet every kind of fault and every decision."""
    from tests.simulation.faults import KINDS
    from tests.simulation.history import Decided, draw
    from tests.simulation.run import play

    fired = {kind for seed in range(1, 9) for kind in play(seed, 0, draw(seed, SIZE))[0].faults.counts}
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


QUICKLY = FAULTS[:4]  # `make simulate-faults` plants all of them


@pytest.mark.parametrize("fault", QUICKLY, ids=lambda fault: fault.name)
def test_planted_faults_are_found(fault: Fault) -> None:
    """A fault of the kind that unit tests hardly see is found within some seeds."""
    with fault.planted():
        assert any(simulate(seed, SIZE).wrong for seed in range(1, 60))


def test_every_planted_fault_still_fits() -> None:
    """The source of each function still holds what its fault takes out."""
    for fault in FAULTS:
        with fault.planted():
            pass
