"""`python -m local serve`: the bundle on this machine until Ctrl-C, its HTTP APIs and the functions behind its queues.

Requests are answered while functions work: each function has processes of its own (`local.processes`).
"""

from __future__ import annotations

import json
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from aftersend.sources import SOURCES
from local import hooks
from local.dates import move
from local.processes import Processes
from local.publish import Publisher
from local.pushes import Pusher
from local.samples import Sample, samples
from local.serve_routes import Response
from local.server import OVERVIEW, Server, Site, say_line
from local.signing import Authority
from local.stack import COUNTED, Stack, running

HERE: Final = "127.0.0.1"
SERVED: Final = {**COUNTED, **hooks.HERE}  # there is something to show, and something that goes out
# What switches on functions that only `sam local invoke` reaches: no broker is here, and no queue of Alibaba's.
EVERYTHING: Final = {
    "BrokerArn": "arn:aws:mq:eu-west-1:111122223333:broker:mail:b-00000000",
    "BrokerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:broker",
    "MnsEndpoint": "https://1234567890123456.mns.eu-central-1.aliyuncs.com",
    "MnsSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:mns",
    "SyncSesSuppressions": "true",
    **SERVED,
}
_AT_ONCE: Final = 40  # samples before the functions are told of them
_JSON: Final = {"content-type": "application/json"}


class Notes:
    """Lines that a person can do without, while there are many of them."""

    def __init__(self) -> None:
        self.quiet = False

    def __call__(self, text: str) -> None:
        """Write a line to the console."""
        if not self.quiet:
            say_line(text)


class Served(Struct):
    """What runs: a server, and the functions behind it."""

    stack: Stack
    authority: Authority
    server: Server
    processes: Processes
    publisher: Publisher
    notes: Notes

    def send_samples(self, seed: int = 7) -> int:
        """Send every sample, in an order that only `seed` decides, its dates moved to these days; return how many."""
        chosen = [each for each in samples() if self.publisher.reaches(each.source)]
        random.Random(seed).shuffle(chosen)  # noqa: S311  # an order to show, not a secret
        today = datetime.now(UTC).date()
        for start in range(0, len(chosen), _AT_ONCE):
            self.publisher.send([move(sample, today) for sample in chosen[start : start + _AT_ONCE]])
            self.processes.wake()
        return len(chosen)

    def push(self, source: str, name: str, body: bytes) -> Response:
        """Sign a body as `source` signs, and send it."""
        if source not in SOURCES:
            why = f"no source {source!r}; there are {', '.join(sorted(SOURCES))}"
            return Response(404, _JSON, json.dumps({"did": why}).encode(), why)
        sample = Sample(source, Path(Path(name).name or "body.json"), body)
        status, did = self.publisher.push(sample)
        return Response(200, _JSON, json.dumps({"status": status, "did": did}).encode())


@contextmanager
def served(stack: Stack, port: int = 0) -> Iterator[Served]:
    """Have the stack served at `port`, 0 for any free one, as long as the context lasts."""
    authority, notes = Authority(), Notes()
    processes = Processes(stack, authority.certificate, say_line, notes)
    try:
        site = Site(stack, processes.functions, processes.functions["ProcessSes"].variables, authority)
        for name in sorted({route.function for route in site.gateway.routes}):
            processes.functions[name].warm()
        with Server(site, port, note=notes, after=processes.wake) as server:
            made = Served(stack, authority, server, processes, Publisher(stack, Pusher(server, authority)), notes)
            site.push = made.push
            if "DeliverWebhooks" in processes.functions:
                site.webhooks.register(stack, server.host)
            yield made
    finally:
        processes.close()


def serve(port: int, *, with_samples: bool = False, invoke: str | None = None, gateway: str = HERE) -> int:
    """Run until Ctrl-C or SIGTERM."""
    with _stopping():
        try:
            _run(port, with_samples=with_samples, invoke=invoke, gateway=gateway)
        except KeyboardInterrupt:
            say_line("\nStopped. Nothing is kept.")
    return 0


def _run(port: int, *, with_samples: bool, invoke: str | None, gateway: str) -> None:
    say_line("Starting …")
    with running(host=gateway, parameters=EVERYTHING if invoke else SERVED) as stack, served(stack, port) as made:
        host = made.server.host
        say_line(f"{made.server.site.overview(host)}\nhttp://{host}{OVERVIEW} shows this. Ctrl-C stops.")
        if invoke:
            write_environment(stack, made.processes, Path(invoke))
            say_line(_INVOKE.format(file=invoke, endpoint=stack.endpoint))
        with _sending(made) if with_samples else nullcontext():
            made.server.serve_forever()


_INVOKE: Final = """\

Functions in containers work on the same tables:

  sam local invoke ProcessSes --event events/invoke/ProcessSes-sqs-sns.json \\
    --env-vars {file} --parameter-overrides LocalEndpoint={endpoint}
"""


def write_environment(stack: Stack, processes: Processes, path: Path) -> None:
    """Write what `sam local invoke --env-vars` takes: the variables of every function, as this stack gives them."""
    declared = stack.resources("AWS::Lambda::Function")
    found = {
        name: {key: function.variables[key] for key in declared[name]["Environment"]["Variables"]}
        for name, function in processes.functions.items()
    }
    path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


@contextmanager
def _sending(made: Served) -> Iterator[None]:
    """Have the samples sent beside; what is still to be sent when this ends is not."""

    def send() -> None:
        made.notes.quiet = True
        try:
            number = made.send_samples()
        except (OSError, RuntimeError) as error:
            say_line(f"The samples were not sent: {error}")
        else:
            say_line(f"{number} samples were sent; their times lie in the last days.")
        finally:
            made.notes.quiet = False

    threading.Thread(target=send, daemon=True).start()
    yield


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM as Ctrl-C, and Ctrl-C even where a shell has switched it off for what runs in the background."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
