"""Outgoing webhooks in parts: signatures, addresses, the schedule, the pace, and one attempt against bad receivers."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import create_default_context
from typing import Any, Final

import pytest
from standardwebhooks import Webhook

from aftersend.outgoing.addresses import is_loopback, is_public
from aftersend.outgoing.deliver import MAX_ANSWER, Deliverer
from aftersend.outgoing.pace import Pace
from aftersend.outgoing.schedule import (
    FAILURES,
    GAPS,
    GIVEN_UP,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    EndpointState,
    compute_pause,
    compute_wait,
    is_open,
)
from aftersend.outgoing.signing import decode_secret, sign
from tests.support.events_out import SECRET
from tests.support.receiver import HOST, Behaviour, Receiver, answer, receiving, say

# ---- Standard Webhooks -----------------------------------------------------------------------------------------------


def test_the_vector_of_the_standard() -> None:
    headers = sign([decode_secret(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("body", [b"{}", '{"a": "\N{SNOWMAN} \\u2603"}'.encode(), b" " * 20_000 + b"{}"])
def test_their_library_verifies_with_the_old_and_with_the_new_secret(body: bytes) -> None:
    old, new = SECRET, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    now = int(datetime.now(UTC).timestamp())
    headers = sign([decode_secret(new), decode_secret(old)], "evt_1", now, body)
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers) == json.loads(body)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook("whsec_" + "A" * 44).verify(body, headers)


def test_without_a_secret_there_is_no_signature() -> None:
    assert sign([], "evt_1", 1, b"{}") == {"webhook-id": "evt_1", "webhook-timestamp": "1"}


# ---- Addresses -------------------------------------------------------------------------------------------------------

PUBLIC: Final = ("93.184.215.14", "8.8.8.8", "172.32.0.1", "2606:4700::6810:1", "2a00:1450::1", "::ffff:8.8.8.8")
NOT_PUBLIC: Final = (
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "192.0.0.8", "192.0.0.170", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::169.254.169.254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1"),
    *("fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1"),
    *("64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::", "2002:7f00:1::1", "2001::1", "2001:db8::1", "100::1", "3fff::1"),
    *("2001:0:a9fe:a9fe::1", "5f00::1", "2001:10::1", "2001:20::1", "4000::1", "", "localhost", "127.1", "8.8.8.8.8"),
    *("0x7f000001", "2130706433", "0177.0.0.1", "8.8.8.8%eth0", "2606:4700::1%1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_is(address: str) -> None:
    """The same on every version of Python: the tables are written out."""
    assert not is_public(address)


def test_a_translated_address_is_judged_by_what_it_stands_for() -> None:
    assert is_public("64:ff9b::808:808")
    assert is_loopback("127.0.0.1") and is_loopback("::1") and not is_loopback("10.0.0.1") and not is_loopback("a")


@pytest.mark.parametrize("python", ["python3.11", "python3.13"])
def test_other_versions_of_python_judge_alike(python: str) -> None:
    """`is_global` does not: hence no use of it."""
    source = (Path(__file__).parents[2] / "layers/aftersend/aftersend/outgoing/addresses.py").read_text()
    program = f"{source}\nimport json, sys\nprint(json.dumps([is_public(each) for each in json.load(sys.stdin)]))"
    try:
        done = subprocess.run(
            [python, "-c", program],
            input=json.dumps([*PUBLIC, *NOT_PUBLIC]),
            capture_output=True,
            text=True,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"{python} is not here, or cannot run it: {type(error).__name__}")
    assert json.loads(done.stdout) == [True] * len(PUBLIC) + [False] * len(NOT_PUBLIC)


# ---- One attempt -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiving(tmp_path_factory.mktemp("tls")) as made:
        yield made


class Names:
    """A resolver of names, which says something else each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in found]
        return [
            (family, socket.SOCK_STREAM, 6, "", (each, port) if family == socket.AF_INET else (each, port, 0, 0))
            for family, each in zip(families, found, strict=True)
        ]


def _deliverer(receiver: Receiver, *, seconds: float = 3.0, names: Names | None = None) -> Deliverer:
    context = create_default_context(cafile=str(receiver.certificates.authority))
    return Deliverer(context=context, resolve=names or Names(["127.0.0.1"]), judge=is_loopback, seconds=seconds)


def _url(receiver: Receiver, host: str = HOST) -> str:
    return f"https://{host}:{receiver.port}/hooks?a=b"


HUGE: Final = b"x" * 300_000


@pytest.mark.parametrize(
    ("behaviour", "summary", "taken"),
    [
        (answer(200, body=b"thanks"), "HTTP 200", True),
        (answer(204), "HTTP 204", True),
        (answer(500), "HTTP 500", False),
        (answer(410), "HTTP 410", False),
        (answer(302, headers="location: http://169.254.169.254/latest/meta-data/\r\n"), "HTTP 302", False),
        (answer(200, body=HUGE), "HTTP 200", True),
        (say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthen it"), "HTTP 200", True),
        (say(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 201 Made\r\n\r\n"), "HTTP 201", True),
        (say(b"HTTP/1.1 200 O"), "an answer that ends too early", False),
        (say(), "no answer", False),
        (say(b"220 mail.example.com ESMTP\r\n\r\n"), "not an answer of HTTP/1", False),
        (say(b"HTTP/2 200\r\n\r\n"), "not an answer of HTTP/1", False),
        (say(b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_ANSWER + 40_000)), "an answer without an end", False),
    ],
)
def test_what_an_answer_means(receiver: Receiver, behaviour: Behaviour, summary: str, taken: bool) -> None:
    receiver.behaviour = behaviour
    found = _deliverer(receiver).deliver(_url(receiver), {"webhook-id": "evt_1"}, b"{}")
    assert (found.summary, found.is_taken) == (summary, taken)
    assert "meta-data" not in found.summary


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("soon", None),
        ("-1", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("9" * 60, 999999999.0),
    ],
)
def test_a_receiver_may_ask_for_patience(receiver: Receiver, value: str, seconds: float | None) -> None:
    receiver.behaviour = answer(429, headers=f"Retry-After: {value}\r\n")
    assert _deliverer(receiver).deliver(_url(receiver), {}, b"{}").retry_after == seconds


@pytest.mark.parametrize(
    "behaviour",
    [say(b"", pause=2.0), say(*[b"HTTP/1.1 100 Go\r\n\r\n"] * 40, pause=0.05), say(*[b"H"] * 40, pause=0.05)],
)
def test_who_hangs_or_drips_is_left_in_time(receiver: Receiver, behaviour: Behaviour) -> None:
    receiver.behaviour = behaviour
    found = _deliverer(receiver, seconds=0.3).deliver(_url(receiver), {}, b"{}")
    assert found.error == "TimeoutError", "each has more to say, and would end in another way"


def test_what_is_sent_is_what_was_signed(receiver: Receiver) -> None:
    receiver.behaviour = answer()
    body = '{"a": "\N{SNOWMAN}"}'.encode()
    assert _deliverer(receiver).deliver(_url(receiver), {"webhook-id": "evt_9", "x": "y"}, body).is_taken
    got = receiver.received[-1]
    assert (got.body, got.id, got.headers["x"], got.headers["host"]) == (body, "evt_9", "y", f"{HOST}:{receiver.port}")


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["8.8.8.8"], ["127.0.0.1", "::ffff:10.0.0.1"]],
)
def test_nothing_goes_to_a_name_with_an_address_that_is_refused(receiver: Receiver, addresses: list[str]) -> None:
    """Here this machine stands for what is public, and the public internet for what is not."""
    before = len(receiver.received)
    found = _deliverer(receiver, names=Names(addresses)).deliver(_url(receiver), {}, b"{}")
    assert found.error == "the name stands for an address that is not public"
    assert len(receiver.received) == before


def test_a_name_that_means_something_else_the_next_time_is_asked_once(receiver: Receiver) -> None:
    """DNS rebinding: the address that was judged is the one that is dialled."""
    receiver.behaviour = answer()
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    deliverer = _deliverer(receiver, names=names)
    assert deliverer.deliver(_url(receiver), {}, b"{}").is_taken
    assert names.asked == 1
    assert deliverer.deliver(_url(receiver), {}, b"{}").error  # and it is judged on every attempt


def test_a_certificate_must_be_of_the_name(receiver: Receiver) -> None:
    receiver.behaviour = answer()
    before = len(receiver.received)
    assert (
        _deliverer(receiver).deliver(_url(receiver, "other.example.com"), {}, b"{}").error == "SSLCertVerificationError"
    )
    assert len(receiver.received) == before


def test_the_next_address_is_tried_where_one_takes_no_connection(receiver: Receiver) -> None:
    receiver.behaviour = answer()
    names = Names(["::1", "127.0.0.1"])  # nobody listens at the first
    assert _deliverer(receiver, names=names).deliver(_url(receiver), {}, b"{}").is_taken


def test_names_that_cannot_be_resolved_fail() -> None:
    def refuse(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror

    def hang(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        time.sleep(0.5)
        return []

    url = "https://hooks.example.com/"
    assert Deliverer(resolve=refuse).deliver(url, {}, b"").error == "gaierror"
    assert Deliverer(resolve=lambda *_, **__: []).deliver(url, {}, b"").error == "the name has no address"
    assert Deliverer(resolve=hang, seconds=0.1).deliver(url, {}, b"").error == "TimeoutError"
    assert (
        Deliverer().deliver("https://127.0.0.1/", {}, b"").error == "the name stands for an address that is not public"
    )


# ---- When it is tried again ------------------------------------------------------------------------------------------


def test_the_gaps_grow_and_a_day_is_tried() -> None:
    age, gaps = 0.0, []
    while (wait := compute_wait(age)) is not None:
        gaps.append(wait)
        age += wait
    assert gaps == list(GAPS)
    assert timedelta(hours=24) < timedelta(seconds=GIVEN_UP) < timedelta(hours=30)
    assert max(GAPS) * 1.1 <= LONGEST_WAIT <= 12 * 3600  # with jitter; SQS hides nothing longer


@pytest.mark.parametrize(
    ("age", "asked", "wait"), [(0, 120, 120.0), (400, 1, 1705.0), (0, 10**9, LONGEST_WAIT), (304.9, None, 1.0)]
)
def test_what_a_receiver_asks_for_is_a_lower_bound(age: float, asked: float | None, wait: float) -> None:
    assert compute_wait(age, asked) == pytest.approx(wait)


def test_a_breaker_opens_after_some_failures_and_longer_each_time() -> None:
    pauses = [compute_pause(failures) for failures in range(30)]
    assert pauses[:FAILURES] == [0.0] * FAILURES
    assert all(0 < one <= other for one, other in zip(pauses[FAILURES:], pauses[FAILURES + 1 :], strict=False))
    assert pauses[-1] == LONGEST_PAUSE
    assert is_open(EndpointState(failures=FAILURES, open_until=10.0), 9.9)
    assert not is_open(EndpointState(failures=FAILURES, open_until=10.0), 10.0)
    assert not is_open(EndpointState(failures=FAILURES - 1, open_until=10.0), 9.0)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_calls_keep_their_distance_and_more_of_it_where_that_is_asked_for() -> None:
    clock = Clock()
    pace = Pace(clock, clock.sleep)

    def take(calls: int) -> float:
        begun = clock.now
        for _ in range(calls):
            assert pace.wait("a", 10.0, 60.0) == 0.0
        return clock.now - begun

    assert take(11) == pytest.approx(1.0)
    pace.slow_down("a")
    pace.slow_down("a")
    take(1)
    assert take(5) == pytest.approx(5 * 0.4)
    assert pace.wait("b", 10.0, 0.0) == 0.0, "another endpoint has a pace of its own"
    for _ in range(20):
        pace.speed_up("a")
    take(1)
    assert take(10) == pytest.approx(1.0)
    assert pace.wait("a", 0.01, 60.0) == 0.0
    assert pace.wait("a", 0.01, 60.0) == pytest.approx(100.0), "it is said when, and nobody waits"
