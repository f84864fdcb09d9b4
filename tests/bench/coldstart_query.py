"""Cold start of `query` as it is built, against a handler that only imports boto3 and builds a DynamoDB client.

As in `coldstart`: a start is what the first invocation takes longer than the second. Both are asked for a list of
parameters that does not exist, so that the whole way through the router is walked and no table is asked.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench import table
from tests.bench.coldstart import BARE, Handler, Start, _cpu, account
from tests.support import emulator
from tests.support.api import ARN, event
from tests.support.emulator import Emulator
from tests.support.template import variables

GOAL: Final = 0.5
ASKED: Final = event("GET", "/suppressions?nonsense=1", by={"iam": {"userArn": ARN}})


def start(handler: Handler, log: Path) -> Start:
    """Start `handler` cold, once."""
    with Emulator(handler.path, handler.environment, log, "app.handler") as started:
        first = _timed(started, handler.name)
        pid = started.runtime_pid()
        spent = _cpu(pid)
        second = _timed(started, handler.name)
        return Start(first - second, 2 * spent - _cpu(pid))


def _timed(started: Emulator, name: str) -> float:
    before = time.perf_counter()
    answer = started.invoke(ASKED)
    taken = (time.perf_counter() - before) * 1000
    if name == "query":
        assert answer["statusCode"] == 422, answer
    return taken


def measure(runs: int) -> dict[str, list[Start]]:
    """`runs` starts of each handler, in turns."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "bare").mkdir()
        (root / "bare" / "app.py").write_text(BARE)
        environment = account()
        built = emulator.build(root / "build", "Query")
        handlers = [
            Handler("boto3 and a DynamoDB client", [root / "bare"], environment),
            Handler("query", built.path, environment | variables("Query")),
        ]
        for handler in handlers:
            start(handler, root / "log")  # fills the disk's cache
        starts: dict[str, list[Start]] = {handler.name: [] for handler in handlers}
        for _ in range(runs):
            for handler in handlers:
                starts[handler.name].append(start(handler, root / "log"))
        return starts


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.coldstart_query")
    parser.add_argument("--runs", type=int, default=15, help="starts of each handler (default 15)")
    options = parser.parse_args(argv)
    try:
        starts = measure(options.runs)
    except emulator.Unavailable as lack:
        sys.stderr.write(f"cold start of query: not measured: {lack}\n")
        return 0
    medians = {
        name: Start(median(each.wall for each in found), median(each.cpu for each in found))
        for name, found in starts.items()
    }
    bare, query = medians.values()
    rows = [
        (name, f"{each.wall:.0f}", f"{each.cpu:.0f}", f"{each.wall / bare.wall:.2f}", f"{each.cpu / bare.cpu:.2f}")
        for name, each in medians.items()
    ]
    met = table.goal("cold start of query ÷ bare handler, processor time", query.cpu / bare.cpu, GOAL)
    header = ("handler", "clock ms", "processor ms", "÷ bare", "÷ bare")
    table.show(f"Cold start of query, medians of {options.runs} starts each", header, rows, [met])
    return 0


if __name__ == "__main__":
    sys.exit(main())
