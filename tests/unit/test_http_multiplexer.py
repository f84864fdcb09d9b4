"""Many at once in one thread: who goes next, who waits, and what becomes of all others where one fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from math import inf
from pathlib import Path
from select import POLLIN, POLLOUT
from typing import Any

import pytest

from aftersend.core.errors import StoreUnavailable
from aftersend.core.steps import Pause
from aftersend.http.http1 import HttpResponse, IncompleteRead
from aftersend.http.multiplexer import Multiplexer, Wait, Waits, run_alone
from aftersend.http.transport import Limits, Transport, build_head
from tests.support import wire as wires
from tests.support.wire import HOST, NOTHING, Reply, Wire, make_reply, wire


class Time:
    """A clock that goes on where somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def make(time: Time, limit: int = 8) -> Multiplexer:
    return Multiplexer(limit, lambda: time.now, time.sleep)


# -- without a socket --


def nap(name: str, *seconds: float, log: list[str]) -> Waits[str]:
    log.append(f"{name} begins")
    for each in seconds:
        yield Pause(each)
    log.append(f"{name} ends")
    return name


def test_all_pause_at_once_and_results_come_in_their_order(time: Time) -> None:
    log: list[str] = []
    finish = make(time).begin(nap(name, seconds, log=log) for name, seconds in (("a", 3), ("b", 1), ("c", 2)))
    assert log == ["a begins", "b begins", "c begins"]
    assert finish() == ["a", "b", "c"]
    assert log[3:] == ["b ends", "c ends", "a ends"]
    assert time.now == 1003, "nobody's pause holds up another's"


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_no_more_than_the_limit_are_under_way(time: Time, limit: int) -> None:
    under_way, most = 0, 0

    def work(number: int) -> Waits[int]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        yield Pause(1 + number % 3)
        under_way -= 1
        return number

    assert make(time, limit).begin(map(work, range(20)))() == [*range(20)]
    assert most == min(limit, 20)


def test_whatever_needs_no_wait_is_done_at_once_however_many_there_are(time: Time) -> None:
    log: list[str] = []
    assert len(make(time, 1).begin(nap("a", log=log) for _ in range(5000))()) == 5000
    assert time.slept == []


def test_nothing_is_no_work(time: Time) -> None:
    assert make(time).begin([])() == []


def test_what_is_begun_goes_on_while_others_are_worked(time: Time) -> None:
    """As the archive does while keys are read; each group has room of its own."""
    log: list[str] = []
    used = make(time, 1)
    first = used.begin([nap("archive", 5, log=log), nap("second", log=log)])
    assert used.begin([nap("read", 2, log=log)])() == ["read"]
    assert log == ["archive begins", "read begins", "read ends"]
    assert first() == ["archive", "second"]
    assert time.now == 1005


def test_going_on_waits_for_nothing(time: Time) -> None:
    log: list[str] = []
    used = make(time)
    finish = used.begin([nap("a", 1, 1, log=log)])
    used.advance()
    assert (log, time.slept) == (["a begins"], [])
    time.now += 1
    used.advance()
    time.now += 1
    used.advance()
    assert (log, time.slept) == (["a begins", "a ends"], [])
    assert finish() == ["a"]


def broken(error: Exception, after: float = 0) -> Waits[str]:
    if after:
        yield Pause(after)
    raise error


def test_whose_side_fails_is_a_result_and_holds_up_no_other(time: Time) -> None:
    log: list[str] = []
    down = StoreUnavailable("down")
    finish = make(time, 2).begin([broken(down), nap("a", 1, log=log), broken(down, 1), nap("b", log=log)])
    assert finish() == [down, "a", down, "b"]


@pytest.mark.parametrize("after", [0, 1])
def test_a_fault_of_ours_is_raised_and_what_is_under_way_is_closed(time: Time, after: float) -> None:
    ended: list[str] = []

    def careful() -> Waits[None]:
        try:
            yield Pause(10)
        finally:
            ended.append("closed")

    used = make(time)
    with pytest.raises(ZeroDivisionError):
        used.begin([careful(), careful(), broken(ZeroDivisionError(), after)])()
    used.close()
    assert ended == ["closed", "closed"]


# -- with sockets --


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for each in made:
        for end in each:
            end.close()


Pairs = list[tuple[socket.socket, socket.socket]]


def wait_for(end: socket.socket, until: float, events: int = POLLIN) -> Waits[bool]:
    return (yield Wait(end.fileno(), events, until))


def test_who_is_ready_goes_on_and_who_is_not_is_told_when_the_time_is_over(time: Time, pairs: Pairs) -> None:
    """The clock stands: what comes over a socket is waited for, and nobody's time is over before it is."""
    pairs[1][1].sendall(b"x")
    used = make(time)
    finish = used.begin([wait_for(pairs[0][0], 1000.001), wait_for(pairs[1][0], inf), wait_for(pairs[2][0], 1001)])
    used.advance()
    pairs[2][1].sendall(b"x")
    time.now = 1000.5
    assert finish() == [False, True, True]


def test_what_has_come_meanwhile_has_come_in_time(time: Time, pairs: Pairs) -> None:
    """Whoever is looked at late because something else took long has not failed."""
    used = make(time)
    ends = [each[0] for each in pairs]
    finish = used.begin([wait_for(ends[0], 1001), wait_for(ends[1], 1001, POLLOUT), wait_for(ends[2], 1001)])
    pairs[0][1].sendall(b"x")
    time.now = 2000
    assert finish() == [True, True, False]


def test_one_alone_waits_for_a_socket_or_for_its_time(pairs: Pairs) -> None:
    pairs[0][1].sendall(b"x")
    assert run_alone(wait_for(pairs[0][0], inf)) is True
    assert run_alone(wait_for(pairs[1][0], 0)) is False


# -- exchanges with servers --

MESSAGE = build_head("POST", "/", {"host": "h", "content-length": "2"}) + b"\r\n{}"
OK = make_reply(200, b"{}")


def ask(transport: Transport, message: bytes = MESSAGE) -> Waits[HttpResponse | Exception]:
    """One exchange; its failure is its result."""
    try:
        return (yield from transport.exchange(message, inf))
    except (OSError, IncompleteRead) as error:
        return error


def exchange_all(limit: int, *all_waits: Waits[Any]) -> list[Any]:
    used = Multiplexer(limit)
    try:
        return used.begin(all_waits)()
    finally:
        used.close()


@pytest.mark.parametrize("limit", [1, 4])
def test_more_work_than_connections(limit: int) -> None:
    with wire(OK) as server, Transport(server.endpoint, Limits()) as transport:
        found = exchange_all(limit, *(ask(transport) for _ in range(60)))
    assert [each.content for each in found] == [b"{}"] * 60
    assert len(server.heard) == 60
    assert 1 <= server.connections <= limit


def test_the_fast_do_not_wait_for_the_slow() -> None:
    """One server says nothing, one drips, one hangs up, at one port nobody listens; the fourth is not held up."""
    begun = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"
    limits = Limits(silence=0.4)
    with (
        wire(OK) as fast,
        wire(Reply(b"", "wait")) as silent,
        wire(Reply(begun, "wait", b"}")) as dripping,
        wire(NOTHING) as gone,
        Transport(fast.endpoint, limits) as one,
        Transport(silent.endpoint, limits) as two,
        Transport(dripping.endpoint, limits) as three,
        Transport(gone.endpoint, limits) as four,
        Transport(f"http://{HOST}:{_free_port()}", limits) as five,
    ):
        ended: list[str] = []

        def note(name: str, waits: Waits[Any]) -> Waits[Any]:
            result = yield from waits
            ended.append(name)
            return result

        several = [("silent", two), ("dripping", three), ("gone", four), ("nobody", five), *[("fast", one)] * 20]
        found = exchange_all(8, *(note(name, ask(transport)) for name, transport in several))
    assert [type(each).__name__ for each in found[:4]] == [
        "TimeoutError", "TimeoutError", "ConnectionResetError", "ConnectionRefusedError"
    ]  # fmt: skip
    assert [each.content for each in found[4:]] == [b"{}"] * 20
    assert {*ended[-2:]} == {"silent", "dripping"}, "all others were done before their time was over"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[tuple[Wire, Transport]]:
    """A server with a certificate of its own making, and what trusts it."""
    context, certificate = wires.certificate(tmp_path)
    with wire(OK, tls=context) as server, Transport(server.endpoint, Limits(connect=5), str(certificate)) as transport:
        yield server, transport


def test_several_shake_hands_at_once(trusted: tuple[Wire, Transport]) -> None:
    server, transport = trusted
    large = build_head("POST", "/", {"host": "h", "content-length": "300000"}) + b"\r\n" + b"x" * 300_000
    found = exchange_all(3, *(ask(transport, large if number % 5 == 0 else MESSAGE) for number in range(12)))
    assert [each.content for each in found] == [b"{}"] * 12
    assert 1 < server.connections <= 3
    assert sorted(len(each.body) for each in server.heard)[-3:] == [300_000] * 3


def test_whoever_is_given_up_leaves_no_connection_open() -> None:
    """In whatever state it is: connected, shaking hands, or waiting for an answer."""
    with wire(Reply(b"HTTP/1.1 200", "wait")) as server:
        plain, secured = Transport(server.endpoint, Limits()), Transport(server.endpoint.replace("p:", "ps:"), Limits())
        used = Multiplexer(8)
        used.begin([ask(plain), ask(secured), ask(plain)])
        for _ in range(50):
            used.advance()
            server.over.wait(0.001)
        used.close()
        assert plain._idle == secured._idle == []
        assert server.connections == 3


def test_a_connection_that_died_while_idle_is_replaced_and_counts_for_nothing() -> None:
    """Whether that is seen beforehand or not: a request that nobody heard goes over a fresh one."""
    answers = OK, OK, Reply(OK.content, "close"), Reply(b"", "close"), OK, OK
    with wire(*answers) as server, Transport(server.endpoint, Limits()) as transport:
        found = exchange_all(2, ask(transport), ask(transport))
        found += exchange_all(2, ask(transport), ask(transport))  # both over what is idle: whichever comes second dies
        found += exchange_all(2, ask(transport))
    assert [each.content for each in found] == [b"{}"] * 5
