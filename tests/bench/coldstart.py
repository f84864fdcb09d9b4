"""Cold start of `process` as it is built, against a handler that only imports boto3 and builds a DynamoDB client.

Both run behind SAM's runtime emulator. A start is what the first invocation takes longer than the second; the event
holds no records, so that nothing is measured but the start. `process` has its own client for AWS, with a context for
TLS that boto3 makes only when it connects; the rules of the classifier are loaded with the first refusal, so a start
with one that is judged is measured too. An empty handler, and one that makes Powertools' Logger and Metrics, say how
much of a start is Lambda's own and how much is theirs. Runs are interleaved, and the medians are compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from local.environment import false_account
from tests.bench import table
from tests.support import emulator
from tests.support.emulator import Emulator
from tests.support.template import variables

GOAL: Final = 0.45
BARE: Final = """import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    return {"batchItemFailures": []}
"""
EMPTY: Final = """def handler(event, context):
    return {"batchItemFailures": []}
"""
POWERTOOLS: Final = f"""from aws_lambda_powertools import Logger, Metrics

logger, metrics = Logger(), Metrics(namespace="Aftersend")


{EMPTY}"""
# `process` as it is built, which has judged a refusal by its words when it stands ready.
JUDGING: Final = """from app import handler, made
from aftersend.sources import read

BODY = b'''{"notificationType": "Bounce", "mail": {"messageId": "m-1", "timestamp": "2026-03-02T10:00:00Z"},
"bounce": {"bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2026-03-02T10:00:00Z",
"bouncedRecipients": [{"emailAddress": "ann@example.com", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}}'''
assert [made.ports.classify(fact).klass for fact in read("ses", BODY)] == ["hard"]
"""
_NO_RECORDS: Final[dict[str, list[str]]] = {"Records": []}


class Handler(NamedTuple):
    """Something that Lambda could start."""

    name: str
    path: Sequence[Path]
    environment: Mapping[str, str]
    entry: str = "app.handler"


class Start(NamedTuple):
    """What a start took, in milliseconds: by the clock, and of a processor."""

    wall: float
    cpu: float


def start(handler: Handler, log: Path) -> Start:
    """Start `handler` cold, once."""
    with Emulator(handler.path, handler.environment, log, handler.entry) as started:
        first = _timed(started)
        pid = started.runtime_pid()
        spent = _cpu(pid)
        second = _timed(started)
        return Start(first - second, 2 * spent - _cpu(pid))


def _timed(started: Emulator) -> float:
    before = time.perf_counter()
    started.invoke(_NO_RECORDS)
    return (time.perf_counter() - before) * 1000


def _cpu(pid: int) -> float:
    """Milliseconds of processor time that a process has had, all threads together."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1_000_000


def account() -> dict[str, str]:
    """Return an environment as Lambda's, in which nobody is asked anything: endpoints are AWS's own."""
    return {name: value for name, value in false_account("").items() if name != "AWS_ENDPOINT_URL"}


def measure(runs: int) -> dict[str, list[Start]]:
    """`runs` starts of each handler, in turns."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in {"bare": BARE, "empty": EMPTY, "powertools": POWERTOOLS}.items():
            (root / name).mkdir()
            (root / name / "app.py").write_text(text)
        (root / "judging").mkdir()
        (root / "judging" / "judging.py").write_text(JUDGING)
        environment, built = account(), emulator.build(root / "build").path
        settings = environment | variables("ProcessSes")
        handlers = [
            Handler("boto3 and a DynamoDB client", [root / "bare"], environment),
            Handler("process", built, settings),
            Handler("process, and a refusal judged", [root / "judging", *built], settings, "judging.handler"),
            Handler("nothing", [root / "empty"], environment),
            Handler("Logger and Metrics of Powertools", [root / "powertools", *built], environment),
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
    parser = argparse.ArgumentParser(prog="python -m tests.bench.coldstart", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="starts of each handler (default 15)")
    options = parser.parse_args(argv)
    try:
        starts = measure(options.runs)
    except emulator.Unavailable as lack:
        sys.stderr.write(f"cold start: not measured: {lack}\n")
        return 0
    medians = {name: _median(found) for name, found in starts.items()}
    bare, process, *_ = medians.values()
    rows = [
        (name, f"{each.wall:.0f}", f"{each.cpu:.0f}", f"{each.wall / bare.wall:.2f}", f"{each.cpu / bare.cpu:.2f}")
        for name, each in medians.items()
    ]
    met = table.goal("cold start of process ÷ bare handler, processor time", process.cpu / bare.cpu, GOAL)
    header = ("handler", "clock ms", "processor ms", "÷ bare", "÷ bare")
    table.show(f"Cold start, medians of {options.runs} starts each", header, rows, [met])
    return 0


def _median(starts: Sequence[Start]) -> Start:
    return Start(median(each.wall for each in starts), median(each.cpu for each in starts))


if __name__ == "__main__":
    sys.exit(main())
