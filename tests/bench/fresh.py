"""How long it takes from nothing to the console: a fresh clone, what it needs, and the page of the local server.

The clone is of this repository's last commit. What pip needs comes from wherever pip is told to look, its cache among
it, so the second of two runs says more of this project and less of the network.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from tests.bench import table
from tests.support.template import ROOT

PATIENCE: Final = 120.0  # seconds until the server has to answer
ANSWERS: Final = ("", "me", "suppressions?limit=1")  # the page, who is there, and the tables


def main() -> None:
    """Print each part of the way."""
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name) / "aftersend"
        rows = [
            ("git clone", _time("git", "clone", "--quiet", "--no-local", str(ROOT), str(clone))),
            ("make setup", _time("make", "--silent", "-C", str(clone), "setup")),
            ("python -m local serve, until the page and the API answer", _open(clone)),
        ]
    shown = [(name, f"{seconds:.1f} s") for name, seconds in rows]
    whole = sum(seconds for _, seconds in rows)
    table.show("From a fresh clone to the console", ("part", "takes"), [*shown, ("all of it", f"{whole:.1f} s")])


def _time(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=sys.stderr)
    return time.perf_counter() - begin


def _open(clone: Path) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (str(clone / ".venv/bin/python"), "-m", "local", "serve", "--port", str(port))
    begin = time.perf_counter()
    with subprocess.Popen(command, cwd=clone, stdout=subprocess.DEVNULL) as server:
        try:
            for path in ANSWERS:
                _wait(f"http://127.0.0.1:{port}/{path}", begin + PATIENCE)
            return time.perf_counter() - begin
        finally:
            server.terminate()


def _wait(url: str, until: float) -> None:
    """Ask until there is an answer; raises URLError where none comes in time."""
    while True:
        try:
            with urlopen(url, timeout=PATIENCE) as answer:
                answer.read()
            return
        except URLError:
            if time.perf_counter() > until:
                raise
            time.sleep(0.1)
