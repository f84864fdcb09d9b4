"""Runs the benchmarks, all or those that are named: `python -m tests.bench [parse] [endtoend] [coldstart] …`.

Each runs in a process of its own, so that none measures what another has left behind.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).resolve().parent
ORDER: Final = (
    "parse",
    "sources",
    "receipts",
    "providers",
    "endtoend",
    "floor",
    "mass",
    "rows",
    "export",
    "drop",
    "history",
    "listing",
    "statistics",
    "pollers",
    "throttle",
    "money",
    "coldstart",
    "check",
    "coldstart_query",
    "console",
    "fresh",
    "webhooks",
    "readers",
    "classify_corpus",
    "mails_corpus",
)
# These measure against mail that is not in the project.
CORPORA: Final = frozenset({"classify_corpus", "mails_corpus"})
CORPUS: Final = "AFTERSEND_CORPUS"  # the variable that says where it lies


def lack(name: str) -> str | None:
    """What is missing to run a benchmark."""
    if not (FOLDER / f"{name}.py").is_file():
        return "it is not there"
    return f"{CORPUS} does not say where the mail lies" if name in CORPORA and CORPUS not in os.environ else None


def run(name: str) -> bool:
    """Run one benchmark; whether it came through."""
    command = [sys.executable, "-c", f"import tests.bench.{name} as bench; bench.main()"]
    path = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "aftersend")))
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, check=False).returncode == 0


def main() -> None:
    """Run what is named on the command line, or everything that this machine can run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(ORDER))
    names = parser.parse_args().names
    if unknown := set(names) - set(ORDER):
        parser.error(f"no benchmark of the name {min(unknown)}: there are {', '.join(ORDER)}")
    failed = []
    for name in names or ORDER:
        if why := lack(name):
            print(f"{name}: not run: {why}", flush=True)
            failed += [name] if names else []
        elif not run(name):
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
