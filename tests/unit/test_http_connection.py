"""One connection, state by state, over a pair of sockets: every wait is answered by hand, so no test waits for a time.

A peer takes a request in pieces and answers in pieces, drips, falls silent, or is gone; in each state the connection
says what it waits for, and until when, and ends as it should.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from select import POLLIN, POLLOUT, poll
from typing import Any, TypeVar

import pytest

from aftersend.http.connection import Connection
from aftersend.http.http1 import HttpResponse, IncompleteRead, ProtocolError, TooLarge
from aftersend.http.multiplexer import Wait, Waits
from tests.support import wire as wires
from tests.support.wire import HOST

RESPONSE = b"HTTP/1.1 200 OK\r\nx-amz-crc32: 1\r\ncontent-length: 5\r\n\r\n12345"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n123\r\n2;x=1\r\n45\r\n0\r\nt: 1\r\n\r\n"
SILENCE, ENDS = 5.0, 1e12
_T = TypeVar("_T")


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection, and its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for each in (ours, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection = Connection(ours)
        yield connection, theirs
        connection.close()


def drive(waits: Waits[_T], act: Callable[[Wait], bool | None] = lambda _: None) -> _T:
    """Run to the end. At each wait the peer acts: it returns False where the time is over, else what it waits for is
    there at once, or nothing would ever come.
    """
    try:
        wanted = next(waits)
        while True:
            assert isinstance(wanted, Wait)
            in_time = act(wanted) is not False
            assert not in_time or _is_ready(wanted), "it waits for what does not come"
            wanted = waits.send(in_time)
    except StopIteration as end:
        result: _T = end.value
        return result


def _is_ready(wanted: Wait) -> bool:
    watch = poll()
    watch.register(wanted.socket, wanted.events)
    return bool(watch.poll(1000))


def speak(peer: socket.socket, *pieces: bytes) -> Callable[[Wait], None]:
    """A peer that says one more piece whenever something is waited for, and then goes."""
    left = iter(pieces)

    def act(_: Wait) -> None:
        piece = next(left, None)
        if piece is None:
            peer.close()
        else:
            peer.sendall(piece)

    return act


def note(waits: list[Wait], act: Callable[[Wait], bool | None]) -> Callable[[Wait], bool | None]:
    """What does `act`, and keeps what was waited for."""

    def noted(wanted: Wait) -> bool | None:
        waits.append(wanted)
        return act(wanted)

    return noted


def receive(connection: Connection, max_body: int = 100) -> Waits[HttpResponse]:
    return connection.receive(max_body, SILENCE, ENDS)


# -- answers --


@pytest.mark.parametrize("raw", [RESPONSE, CHUNKED], ids=["length", "chunked"])
def test_an_answer_may_be_split_anywhere(raw: bytes) -> None:
    for cut in range(1, len(raw)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            found = drive(receive(Connection(ours)), speak(theirs, raw[:cut], raw[cut:]))
        assert (found.status, found.content, found.last) == (200, b"12345", False), cut


@pytest.mark.parametrize("raw", [RESPONSE, CHUNKED], ids=["length", "chunked"])
def test_an_answer_may_come_byte_by_byte(pair: tuple[Connection, socket.socket], raw: bytes) -> None:
    connection, peer = pair
    waits: list[Wait] = []
    say = speak(peer, *(raw[at : at + 1] for at in range(len(raw))))
    found = drive(receive(connection), note(waits, say))
    assert found.content == b"12345"
    assert len(waits) == len(raw), "whoever drips does not keep others waiting"
    assert {each.events for each in waits} == {POLLIN}


def test_a_peer_that_is_gone_amid_an_answer_has_given_none(pair: tuple[Connection, socket.socket]) -> None:
    for cut in range(len(RESPONSE)):
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises((IncompleteRead, ConnectionResetError)):
            drive(receive(Connection(ours)), speak(theirs, *filter(None, [RESPONSE[:cut]])))


def test_more_than_was_asked_for_is_bounded(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    with pytest.raises(TooLarge):
        drive(receive(connection, 4), speak(peer, RESPONSE))


def test_what_is_no_answer_is_refused(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    with pytest.raises(ProtocolError):
        drive(receive(connection), speak(peer, b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))


# -- requests --


def test_a_request_may_go_out_in_pieces(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    message = bytes(range(256)) * 1000
    heard: list[bytes] = []

    def hear(wanted: Wait) -> None:
        assert wanted.events == POLLOUT
        heard.append(peer.recv(7000))
        peer.setblocking(False)
        while len(heard[-1]) and not _is_writable(wanted):
            heard.append(peer.recv(7000))
        peer.setblocking(True)

    drive(connection.send(message, SILENCE, ENDS), hear)
    peer.setblocking(False)
    while sum(map(len, heard)) < len(message):
        heard.append(peer.recv(65_536))
    assert b"".join(heard) == message
    assert len(heard) > 10


def _is_writable(wanted: Wait) -> bool:
    watch = poll()
    watch.register(wanted.socket, POLLOUT)
    return bool(watch.poll(0))


def test_a_peer_that_is_gone_amid_a_request_is_noticed(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        drive(connection.send(b"x" * 1_000_000, SILENCE, ENDS), lambda _: peer.close())


# -- time --

STATES: dict[str, Callable[[Connection], Waits[Any]]] = {
    "sending": lambda connection: connection.send(b"x" * 1_000_000, SILENCE, ENDS),
    "receiving": receive,
    "shaking hands": lambda connection: connection.encrypt(ssl.create_default_context(), "example.com", SILENCE, ENDS),
}


@pytest.mark.parametrize("state", STATES)
def test_silence_has_an_end_in_every_state(pair: tuple[Connection, socket.socket], state: str) -> None:
    connection, _ = pair
    waits: list[Wait] = []
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        drive(STATES[state](connection), note(waits, lambda _: False))
    (only,) = waits
    assert SILENCE <= only.until - began <= SILENCE + 1


def test_nothing_is_waited_for_beyond_the_end_of_the_whole(pair: tuple[Connection, socket.socket]) -> None:
    """However little a drip leaves of the silence: the end of the whole does not move."""
    connection, peer = pair
    ends = time.monotonic() + 3
    waits: list[Wait] = []
    say = speak(peer, *(RESPONSE[at : at + 1] for at in range(len(RESPONSE))))
    drive(connection.receive(100, SILENCE, ends), note(waits, say))
    assert {wanted.until for wanted in waits} == {ends}
    with pytest.raises(TimeoutError):
        drive(connection.receive(100, SILENCE, time.monotonic() - 1))


def test_shaking_hands_has_one_end_however_it_drips(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    record, untils = bytes([22, 3, 3, 0, 200, 2, 0, 0, 196, 3, 3]), []

    def act(wanted: Wait) -> bool:
        untils.append(wanted.until)
        peer.sendall(record[len(untils) - 1 : len(untils)])
        return len(untils) < len(record)

    with pytest.raises(TimeoutError):
        drive(connection.encrypt(ssl.create_default_context(), "example.com", SILENCE, ENDS), act)
    assert len(untils) > 5
    assert max(untils) - min(untils) < 1e-6


# -- connecting --


def test_a_peer_that_cannot_be_reached_is_waited_for_once() -> None:
    unconnected = socket.socket()
    connection, waits = Connection(unconnected), list[Wait]()
    with socket.socket() as full:  # of a queue of one, which is taken: what comes then hears nothing
        full.bind((HOST, 0))
        full.listen(0)
        taken = [socket.socket() for _ in range(3)]
        for each in taken:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        with pytest.raises(TimeoutError):
            drive(connection.connect(full.getsockname(), SILENCE, ENDS), note(waits, lambda _: False))
        for each in taken:
            each.close()
    connection.close()
    assert [each.events for each in waits] == [POLLOUT]


def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        connection = Connection(socket.socket())
        with pytest.raises(ConnectionRefusedError):
            drive(connection.connect(free.getsockname(), SILENCE, ENDS))
        connection.close()


# -- TLS --


class Tls:
    """The other side of TLS, byte by byte by hand: nothing of it waits for anybody."""

    def __init__(self, peer: socket.socket, context: ssl.SSLContext) -> None:
        self._peer, self._in, self._out = peer, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=True)
        peer.setblocking(False)

    def take(self) -> None:
        """Take what has come over the wire."""
        try:
            self._in.write(self._peer.recv(1 << 20))
        except BlockingIOError:
            return

    def send(self, size: int = 1 << 20) -> bool:
        """Send what TLS wants to send, up to so many bytes; whether there was any."""
        piece = self._out.read(size)
        self._peer.sendall(piece)
        return bool(piece)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side of TLS, and a client's that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    server, authority = wires.certificate(folder, "localhost")
    return server, ssl.create_default_context(cafile=str(authority))


@pytest.mark.parametrize("size", [1, 100, 1 << 20], ids=["byte by byte", "in pieces", "whole"])
def test_hands_are_shaken_however_it_comes_in_pieces(
    pair: tuple[Connection, socket.socket], trust: tuple[ssl.SSLContext, ssl.SSLContext], size: int
) -> None:
    connection, peer = pair
    secured = _shake(connection, peer, trust, size)
    waits: list[Waits[Any]] = [connection.send(b"question", SILENCE, ENDS)]
    drive(waits[0])
    secured.take()
    assert secured.tls.read(100) == b"question"
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 40000\r\n\r\n" + b"x" * 40_000  # several records of TLS
    secured.tls.write(large)

    def answer(_: Wait) -> None:
        secured.send(3000)

    found = drive(connection.receive(50_000, SILENCE, ENDS), answer)
    assert found.content == b"x" * 40_000


def _shake(connection: Connection, peer: socket.socket, trust: tuple[ssl.SSLContext, ssl.SSLContext], size: int) -> Tls:
    secured, done = Tls(peer, trust[0]), False

    def act(_: Wait) -> None:
        nonlocal done
        if secured.send(size):
            return
        while not done:
            secured.take()
            try:
                secured.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            if secured.send(size):
                return

    drive(connection.encrypt(trust[1], "localhost", SILENCE, ENDS), act)
    while not done:
        secured.take()
        try:
            secured.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            continue
    while secured.send():
        pass
    return secured


def test_a_peer_that_is_gone_while_hands_are_shaken(
    pair: tuple[Connection, socket.socket], trust: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    connection, peer = pair
    with pytest.raises((ssl.SSLError, ConnectionError)):
        drive(connection.encrypt(trust[1], "localhost", SILENCE, ENDS), lambda _: peer.close())


def test_nobody_is_trusted_under_another_name(
    pair: tuple[Connection, socket.socket], trust: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    connection, peer = pair
    secured = Tls(peer, trust[0])

    def act(_: Wait) -> None:
        secured.take()
        with pytest.raises(ssl.SSLWantReadError):
            secured.tls.do_handshake()
        secured.send()

    with pytest.raises(ssl.SSLCertVerificationError):
        drive(connection.encrypt(trust[1], "example.com", SILENCE, ENDS), act)


# -- idle --


@pytest.mark.parametrize("act", [lambda peer: peer.close(), lambda peer: peer.sendall(RESPONSE)], ids=["gone", "more"])
def test_what_happens_to_an_idle_connection_is_seen(
    pair: tuple[Connection, socket.socket], act: Callable[[socket.socket], None]
) -> None:
    connection, peer = pair
    assert not connection.is_readable()
    act(peer)
    assert connection.is_readable()
