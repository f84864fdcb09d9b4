"""SAM's runtime emulator on this machine, without a container: real build artifacts behind Lambda's real Runtime API.

runtime_python()   the Python that Lambda runs, found on this machine, or Unavailable
runtime()          Lambda's side of the process, fetched once: its runtime client and its boto3
build()            what `sam build` makes
Emulator           one function, started cold; invoked over HTTP as Lambda invokes it
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import samcli  # type: ignore[import-untyped]

from tests.support.network import free_ports
from tests.support.template import ROOT, SHARED

VERSION: Final[str] = SHARED["Runtime"].removeprefix("python")
CACHE: Final = ROOT / ".cache"
_EMULATOR: Final = Path(samcli.__file__).parent / "local" / "rapid" / "aws-lambda-rie-x86_64"
_SAM: Final = [sys.executable, "-m", "samcli"]
_PATIENCE: Final = 60.0  # seconds until an answer
_TELL: Final = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"


class Unavailable(Exception):
    """This machine cannot run the emulator; the message says what is missing."""


class Crashed(Exception):
    """The function did not start, or was ended; the message is its log."""


class Build(NamedTuple):
    """Where `sam build` put things."""

    function: Path
    layer: Path

    @property
    def path(self) -> list[Path]:
        """What Lambda would have before its own in sys.path."""
        return [self.function, self.layer / "python"]


@lru_cache(maxsize=1)
def runtime_python() -> str:
    """The Python that Lambda runs: on PATH, or one of pyenv's. A name alone proves nothing: shims run nothing."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable("SAM's runtime emulator needs Linux on x86_64")
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{VERSION}.*/bin/python3"), reverse=True)
    for candidate in (sys.executable, f"python{VERSION}", *map(str, pyenv)):
        if (command := shutil.which(candidate)) is None:
            continue
        answer = subprocess.run([command, "-c", _TELL], capture_output=True, text=True, check=False).stdout.split()
        if answer[:1] == [VERSION]:
            return answer[1]
    raise Unavailable(f"no Python {VERSION} found on PATH or in ~/.pyenv/versions")


@lru_cache(maxsize=1)
def runtime() -> Path:
    """A folder with what Lambda's runtime brings along, as pinned for development, and compiled, as Lambda has it."""
    python, requirements = runtime_python(), ROOT / "requirements-dev.txt"
    pins = re.findall(r"^(?:awslambdaric|boto3|botocore)==.+$", requirements.read_text(), re.MULTILINE)
    folder = CACHE / f"runtime-{VERSION}-{hashlib.sha256(''.join(pins).encode()).hexdigest()[:12]}"
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=CACHE) as scratch:
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            install += ["--target", scratch, "--only-binary", ":all:", "--implementation", "cp"]
            install += ["--python-version", VERSION, "--platform", "manylinux2014_x86_64", "--no-compile"]
            subprocess.run([*install, "--constraint", requirements, "awslambdaric", "boto3"], check=True)
            subprocess.run([python, "-m", "compileall", "-q", scratch], check=True)
            shutil.copytree(scratch, folder, dirs_exist_ok=True)
    return folder


def build(into: Path, function: str = "ProcessSes", layer: str = "AftersendLayer") -> Build:
    """Run `sam build`; raises RuntimeError with its words."""
    environment = os.environ | {"PYTHON": sys.executable, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"}
    command = [*_SAM, "build", "--no-cached", "--build-dir", str(into), "--template", str(ROOT / "template.yaml")]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"sam build failed:\n{done.stderr}")
    return Build(into / function, into / layer)


class Emulator:
    """One function, started cold with the context, stopped with it. What it writes is in `log`."""

    def __init__(
        self,
        path: Sequence[Path],
        environment: Mapping[str, str],
        log: Path,
        handler: str,
        options: Sequence[str] = (),
    ) -> None:
        self._api, self._front = free_ports(2)
        self.log = log
        self._command = [str(_EMULATOR), "--log-level", "warning", *options]
        self._command += ["--runtime-api-address", f"127.0.0.1:{self._api}"]
        self._command += ["--runtime-interface-emulator-address", f"127.0.0.1:{self._front}"]
        self._command += [runtime_python(), "-m", "awslambdaric", handler]
        self._environment = _lambda_environment() | dict(environment)
        self._environment["PYTHONPATH"] = os.pathsep.join(map(str, [*path, runtime()]))

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        _wait_for(self._front)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """The function's answer. One that raised answers too: with `errorType` and `errorMessage`."""
        address = f"http://127.0.0.1:{self._front}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(address, json.dumps(event).encode(), {"Content-Type": "application/json"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=_PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            raise Crashed(self.log.read_text()) from None

    def lines(self) -> list[dict[str, Any]]:
        """What the function wrote as JSON, line by line: its logs and its metrics."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def runtime_pid(self) -> int:
        """The process that runs the handler."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        (child,) = " ".join(thread.read_text() for thread in threads).split()
        return int(child)


def _lambda_environment() -> dict[str, str]:
    """What Lambda itself sets, as far as anything here looks at it."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's disk is read-only
        "AWS_LAMBDA_FUNCTION_NAME": "process-ses",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(SHARED["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(SHARED["Timeout"]),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
