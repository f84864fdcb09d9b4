"""What all tests share: Hypothesis's profiles, the DynamoDB engines, and what the header of a run says of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests import engines
from tests.support.roles import CALLS, granted, unused

settings.register_profile(
    "usual", deadline=None, max_examples=100, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", parent=settings.get_profile("usual"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types for it
    """Deals out whole files, which make their stack once, and all that share one build as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        return "e2e" if nodeid.startswith("tests/e2e/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    return _ByFile(config, log)


def pytest_report_header() -> str:
    return engines.summary()


def pytest_sessionfinish(session: pytest.Session) -> None:
    engines.stop()
    if hasattr(session.config, "workeroutput"):  # of a worker of xdist; the run that started it adds them up
        session.config.workeroutput["calls"] = [[*call, count] for call, count in CALLS.items()]


@pytest.hookimpl(optionalhook=True)  # of xdist, where it runs
def pytest_testnodedown(node: Any) -> None:
    for *call, count in getattr(node, "workeroutput", {}).get("calls", ()):
        CALLS[tuple(call)] += count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what roles allow that no test has called: list it, and let a person decide."""
    if CALLS:
        left = unused({*CALLS})
        terminalreporter.section("roles of functions")
        terminalreporter.write_line(
            f"{CALLS.total()} calls traced, {len(CALLS)} kinds; {len(granted())} rights, {len(left)} unused:"
        )
        for function, action, name, part in left:
            terminalreporter.write_line(f"  {function}: {action} on {name}{part}")


@pytest.fixture(
    params=[pytest.param(name, marks=() if name == "moto" else pytest.mark.engine) for name in engines.NAMES]
)
def engine(request: pytest.FixtureRequest) -> Iterator[engines.Engine]:
    """Every DynamoDB engine that this machine can run."""
    yield from _open(request.param)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.engine) for name in engines.CONCURRENT])
def concurrent_engine(request: pytest.FixtureRequest) -> Iterator[engines.Engine]:
    """Every engine that keeps its promises when several threads write."""
    yield from _open(request.param)


def _open(name: str) -> Iterator[engines.Engine]:
    try:
        with engines.running(name) as engine:
            yield engine
    except engines.Unavailable as lack:
        pytest.skip(str(lack))
