"""What of a record's CPU is bytes on the wire, what is our own code, and what is waking up, in batches of 1 and of 100.

Four ways of the same work. *Bytes alone*: the very requests of a run are sent again over connections that stand, as
many at once as functions have, and answers are read to their end; nothing is signed, parsed or decided. *Without a
wire*: the whole of it, with the answers of that run at hand, so that nothing is ever waited for and caches stay warm.
*Asleep between*: the same, but that the process sleeps for half a millisecond before each answer. The code is the same,
and so are the instructions; what it costs more is what a processor pays for being woken: code and data have to come
back into its caches. *Whole*: as functions work. A batch of one is nothing but waits. The last line has what each of
them is to boto3's transactions, which `endtoend` compares the whole with.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from select import POLLIN, poll, select
from statistics import median
from typing import Any, Final
from unittest.mock import patch

from msgspec import Struct, field

from aftersend.http.http1 import HttpResponse
from aftersend.http.multiplexer import Waits
from aftersend.http.transport import Transport
from tests.bench import table
from tests.bench.endtoend import AT_ONCE, ROUNDS, Batch, Bench, bring, opening, run
from tests.bench.load import BATCH, Load
from tests.engines import Engine

ASLEEP: Final = 0.0005  # seconds before an answer
MESSAGES: Final = {1: 75, BATCH: 300}
_TARGET: Final = b"x-amz-target: "

Address = tuple[str, int]
Request = tuple[Address, bytes]


class Recording(Struct):
    """The requests of each batch, and the answers to each kind of request, in their order."""

    batches: list[list[Request]] = field(default_factory=list)
    answers: dict[bytes, list[HttpResponse]] = field(default_factory=lambda: defaultdict(list))


@contextmanager
def recording(found: Recording) -> Iterator[None]:
    """Keep what is sent and answered meanwhile."""
    exchange = Transport.exchange

    def keep(self: Transport, message: bytes, ends: float) -> Waits[HttpResponse]:
        found.batches[-1].append(((self._name, self._port), message))
        response = yield from exchange(self, message, ends)
        found.answers[_find_target(message)].append(response)
        return response

    with patch.object(Transport, "exchange", keep):
        yield


@contextmanager
def answering(found: Recording, asleep: float) -> Iterator[None]:
    """Answer every request meanwhile with what was kept, after so many seconds."""
    left = {target: iter(responses) for target, responses in found.answers.items()}

    def answer(_self: Transport, message: bytes, _ends: float) -> Waits[HttpResponse]:
        yield from ()
        if asleep:
            time.sleep(asleep)
        return next(left[_find_target(message)])

    with patch.object(Transport, "exchange", answer):
        yield


def _find_target(message: bytes) -> bytes:
    return message.partition(_TARGET)[2].partition(b"\r\n")[0]


@contextmanager
def same_tables(engine: Engine) -> Iterator[None]:
    """Have all who ask meanwhile for a table of some name have the same one: answers name it."""
    made: dict[str, str] = {}
    create = type(engine).table

    def find(self: Engine, name: str, **others: Any) -> str:
        if name not in made:
            made[name] = create(self, name, **others)
        return made[name]

    with patch.object(type(engine), "table", find):
        yield


class Wire:
    """Connections over which bytes are sent and read, and nothing else is done."""

    def __init__(self) -> None:
        self._idle: defaultdict[Address, list[socket.socket]] = defaultdict(list)

    def close(self) -> None:
        """Close all of them."""
        for each in self._idle.values():
            for one in each:
                one.close()

    def exchange(self, requests: Sequence[Request]) -> None:
        """Send all of them, so many at once, and read the answers."""
        watch, busy, left = poll(), dict[int, tuple[socket.socket, Address]](), iter(requests)

        def begin() -> None:
            if (found := next(left, None)) is not None:
                address, message = found
                connection = self._idle[address].pop() if self._idle[address] else _connect(address)
                connection.send(message)
                watch.register(connection.fileno(), POLLIN)
                busy[connection.fileno()] = connection, address

        for _ in range(AT_ONCE):
            begin()
        while busy:
            for number, _ in watch.poll():
                watch.unregister(number)
                connection, address = busy.pop(number)
                _read(connection)
                self._idle[address].append(connection)
                begin()


def _connect(address: Address) -> socket.socket:
    connection = socket.create_connection(address)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    return connection


def _read(connection: socket.socket) -> None:
    """Read an answer that says its length to its end."""
    head, _, content = connection.recv(65_536).partition(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]) - len(content)
    while left > 0:
        select([connection], [], [])
        left -= len(connection.recv(1_048_576))


def measure(bench: Bench, brought: Load) -> list[float]:
    """Return microseconds of CPU a record: of the bytes alone, without a wire, asleep between, and of the whole."""
    found, wire = Recording(), Wire()
    with same_tables(bench.engine):
        work = bench.ours(None, at_once=1)  # answers come in one order then
        with recording(found):
            for batch in brought.batches:
                found.batches.append([])
                work(batch)
        dry, woken = (
            median(_run_dry(bench.ours(None, at_once=1), brought, found, asleep) for _ in range(ROUNDS))
            for asleep in (0.0, ASLEEP)
        )
    bare = median(_time(wire, found) for _ in range(ROUNDS + 1))
    wire.close()
    whole = median(run(bench.ours(None), brought).microseconds for _ in range(ROUNDS))
    return [bare / brought.records * 1e6, dry, woken, whole]


def _run_dry(work: Batch, brought: Load, found: Recording, asleep: float) -> float:
    with answering(found, asleep):
        return run(work, brought).microseconds


def _time(wire: Wire, found: Recording) -> float:
    before = time.process_time()
    for requests in found.batches:
        wire.exchange(requests)
    return time.process_time() - before


def main() -> None:
    """Print the table."""
    with opening() as bench:
        costs = {size: measure(bench, bring(each, batch=size)) for size, each in MESSAGES.items()}
        others = [run(bench.transactions(None), bring(MESSAGES[BATCH], seed=each)) for each in range(ROUNDS)]
        theirs = median(each.microseconds for each in others)
    rows = [[f"batches of {size}", *(f"{cost:.0f}" for cost in found)] for size, found in costs.items()]
    ratios = [one / other for one, other in zip(costs[1], costs[BATCH], strict=True)]
    rows.append([f"1 to {BATCH}", *(f"{ratio:.1f}" for ratio in ratios)])
    rows.append([f"{BATCH} to transactions", *(f"{cost / theirs:.2f}" for cost in costs[BATCH])])
    table.show(
        "Of what a record's CPU is made, µs", ("", "bytes alone", "without a wire", "asleep between", "whole"), rows
    )


if __name__ == "__main__":
    main()
