"""Functions in processes of their own, as Lambda runs them: one is asked while another is busy.

A function that is asked while all its processes are busy gets another one; each stays for the next event. A process
whose handler raises ends, and its last line on standard error is the reason. `python -m local.processes` is the inside
of one: a first line with what to load, then one line for each event, and one back.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import IO, Any, Final

from local.lambdas import (
    FunctionFailed,
    Invocation,
    Mapping,
    StreamMapping,
    list_mappings,
    list_streams,
    load_handler,
    read_variables,
)
from local.samples import ROOT
from local.signing import Published
from local.stack import Stack
from local.template import Json

_COMMAND: Final = (sys.executable, "-m", "local.processes")
_GATHERED: Final = 5.0  # seconds that changes of the tables wait to be counted together
_PATIENCE: Final = 2.0  # seconds after which a queue is looked at, although nobody said that something came


class _Process:
    """One process of a function."""

    def __init__(self, start: Json, variables: dict[str, str]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._process = subprocess.Popen(  # noqa: S603  # ourselves
            _COMMAND,
            cwd=ROOT,
            env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._write(start)

    def invoke(self, event: Json) -> Invocation:
        """Run the handler; raises FunctionFailed where the process ended."""
        assert self._process.stdout is not None
        self._write(event)
        line = self._process.stdout.readline()
        if not line:
            raise FunctionFailed(self._last_words())
        return Invocation(**json.loads(line))

    def kill(self) -> None:
        """End it, whatever it does; who waits for its answer hears of that."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Give back what it held; nobody waits for it any more."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            assert pipe is not None
            pipe.close()

    def _write(self, value: Json) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise FunctionFailed(self._last_words()) from None

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), f"exit code {self._process.returncode}")


class ProcessFunction:
    """One function of the template, in as many processes as are needed at a time."""

    def __init__(self, name: str, properties: Json, certificate: bytes) -> None:
        self.name = name
        self.variables = read_variables(name, properties)
        self._start = {"name": name, "properties": properties, "certificate": certificate.decode()}
        self._lock, self._idle, self._all = threading.Lock(), list[_Process](), list[_Process]()
        self._closed = False

    def __call__(self, event: Json) -> Json:
        """What the handler answers to `event`."""
        return self.invoke(event).answer

    def invoke(self, event: Json) -> Invocation:
        """The same, with what it logged; raises FunctionFailed where it raised an error, which the text names."""
        process = self._take()
        try:
            done = process.invoke(event)
        except FunctionFailed as error:
            self._drop(process)
            raise FunctionFailed(f"{self.name}: {error}") from None
        with self._lock:
            self._idle.append(process)
        return done

    def stop(self) -> None:
        """End all its processes; it cannot be asked any more."""
        with self._lock:
            self._closed = True
            for each in self._all:
                each.kill()

    def close(self) -> None:
        """Give back what its processes held."""
        for each in self._all:
            each.close()

    def warm(self) -> None:
        """Start a process for the first event, and do not wait for it."""
        process = self._take()
        with self._lock:
            self._idle.append(process)

    def _take(self) -> _Process:
        with self._lock:
            if self._closed:
                raise FunctionFailed("this server stops")
            if self._idle:
                return self._idle.pop()
            made = _Process(self._start, self.variables)
            self._all.append(made)
            return made

    def _drop(self, process: _Process) -> None:
        with self._lock:
            if not self._closed:
                self._all.remove(process)
                process.close()


class Processes:
    """Every function of a stack, and threads that feed them from their queues until it is closed."""

    def __init__(
        self, stack: Stack, certificate: bytes, say: Callable[[str], None], note: Callable[[str], None]
    ) -> None:
        made = stack.resources("AWS::Lambda::Function").items()
        self.functions = {name: ProcessFunction(name, properties, certificate) for name, properties in made}
        self._say, self._note = say, note  # what went wrong, and what went as it should
        self._news, self._stopped = threading.Condition(), False
        self._threads = [
            threading.Thread(target=self._work, args=(each,), daemon=True)
            for each in list_mappings(stack, self.functions)
        ]
        self._threads += [
            threading.Thread(target=self._count, args=(each,), daemon=True)
            for each in list_streams(stack, self.functions)
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Have every queue looked at, now."""
        with self._news:
            self._news.notify_all()

    def close(self) -> None:
        """Stop, and end all processes; what they work on is lost, as everything is."""
        with self._news:
            self._stopped = True
            self._news.notify_all()
        for function in self.functions.values():
            function.stop()
        for thread in self._threads:
            thread.join()
        for function in self.functions.values():
            function.close()

    def _count(self, stream: StreamMapping) -> None:
        """Gather changes for a while before they are counted, as the template has it."""
        while not self._stopped:
            try:
                for done, _ in stream.drain():
                    self._note(f"  {stream.name}: {done} changes counted")
            except FunctionFailed as error:
                if not self._stopped:
                    self._say(f"{error}; the batch comes again")
            with self._news:
                self._news.wait_for(lambda: self._stopped, _GATHERED)

    def _work(self, mapping: Mapping) -> None:
        while not self._stopped:
            try:
                self._drain(mapping)
            except FunctionFailed as error:
                if not self._stopped:
                    self._say(f"{error}; the batch comes again")
            with self._news:
                if not self._stopped:
                    self._news.wait(_PATIENCE)

    def _drain(self, mapping: Mapping) -> None:
        started = time.monotonic()
        for done, again in mapping.drain():
            seconds, started = time.monotonic() - started, time.monotonic()
            comes = f", {again} to come again" if again else ""
            self._note(f"  {mapping.name}: {done} worked{comes}, {seconds:.1f} s")
            self.wake()


class _Context:
    """What handlers ask of Lambda's context: the time until they would be stopped."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return milliseconds."""
        return max(0, int((self._end - time.monotonic()) * 1000))


def main() -> None:
    """Load a handler, and answer event after event, until there are no more."""
    requests, replies, logs = sys.stdin.buffer, os.fdopen(os.dup(1), "wb"), io.StringIO()
    start: dict[str, Any] = json.loads(requests.readline())
    with redirect_stdout(logs):
        module, handle = load_handler(start["name"], start["properties"])
        if hasattr(getattr(module, "ports", None), "fetch"):  # nobody publishes the certificate of this machine
            module.ports.fetch = Published(start["certificate"].encode()).fetch
        for line in requests:
            logs.seek(0)
            logs.truncate()
            answer = handle(json.loads(line), _Context(float(start["properties"].get("Timeout", 60)))) or {}
            replies.write(json.dumps({"answer": answer, "logs": logs.getvalue()}).encode() + b"\n")
            replies.flush()


if __name__ == "__main__":
    main()
