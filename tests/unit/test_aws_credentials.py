"""Credentials that a local address hands out, as to functions that begin as copies of a snapshot (SnapStart)."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest
from botocore.credentials import ContainerProvider

from aftersend.aws import credentials, services, snapshot
from aftersend.aws.account import ContainerEndpoint, read_account
from aftersend.aws.credentials import EARLY, PAUSE, ContainerCredentials, Credentials
from aftersend.aws.errors import NoAnswer
from aftersend.http.http1 import ProtocolError
from tests.support.wire import NOTHING, OK, Reply, Wire, make_reply, wire

NOW: Final = 1_800_000_000.0
SHOWN: Final = "what-is-shown"
PUT: Final[dict[str, Any]] = {"TableName": "T", "Item": {"recipient": {"S": "email:ann@example.com"}}}


def _answer(number: int, lasts: float = 3600.0, **more: Any) -> Reply:
    until = datetime.fromtimestamp(NOW + lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    known = {"AccessKeyId": f"AKID{number}", "SecretAccessKey": "s3cr3t", "Token": f"t{number}", "Expiration": until}
    return make_reply(200, json.dumps(known | more).encode())


def _held(number: int) -> Credentials:
    return Credentials(f"AKID{number}", "s3cr3t", f"t{number}")


class _Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def _asking(server: Wire, clock: _Clock | None = None) -> ContainerCredentials:
    return ContainerCredentials(
        ContainerEndpoint(f"{server.endpoint}/2021-04-23/credentials", SHOWN), clock or _Clock()
    )


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("aftersend.aws.client.time.sleep", lambda _: None)
    yield
    credentials._made.clear()


def test_they_are_asked_for_once_and_anew_before_they_run_out() -> None:
    clock = _Clock()
    with wire(_answer(1), _answer(2, 7200)) as server:
        held = _asking(server, clock)
        assert [held.read() for _ in range(3)] == [_held(1)] * 3
        clock.now = NOW + 3600 - EARLY - 1
        assert held.read() == _held(1)
        clock.now += 1
        assert held.read() == _held(2)
        heard = server.heard
    assert [(each.method, each.target, each.headers["authorization"]) for each in heard] == [
        ("GET", "/2021-04-23/credentials", SHOWN)
    ] * 2


def test_those_that_are_good_still_are_kept_where_no_new_ones_can_be_had() -> None:
    """But no longer than they last, and nobody is asked at every call."""
    clock = _Clock()
    with wire(_answer(1), make_reply(500, b""), NOTHING, _answer(2, 7200)) as server:
        held = _asking(server, clock)
        assert held.read() == _held(1)
        clock.now = NOW + 3600 - EARLY
        assert [held.read() for _ in range(3)] == [_held(1)] * 3
        assert len(server.heard) == 2
        clock.now += PAUSE
        assert held.read() == _held(1)
        clock.now += PAUSE
        assert held.read() == _held(2)


def test_those_that_ran_out_are_never_used_again() -> None:
    clock = _Clock()
    with wire(_answer(1), make_reply(500, b""), _answer(2, 7200)) as server:
        held = _asking(server, clock)
        held.read()
        clock.now = NOW + 3600
        with pytest.raises(ProtocolError, match="500"):
            held.read()
        assert held.read() == _held(2)


def test_a_time_that_is_past_is_not_asked_about_at_every_call() -> None:
    """Lambda's runtime emulator knows none, and says the year 1."""
    clock = _Clock()
    with wire(_answer(1, Expiration="0001-01-01T00:00:00Z")) as server:
        held = _asking(server, clock)
        assert [held.read() for _ in range(3)] == [_held(1)] * 3
        clock.now += PAUSE
        held.read()
        assert len(server.heard) == 2


@pytest.mark.parametrize(
    "reply",
    [
        make_reply(403, b'{"SecretAccessKey": "s3cr3t"}'),
        make_reply(200, b"{}"),
        make_reply(200, b"not JSON: s3cr3t"),
        make_reply(302, b"", "location: http://example.com/"),
        _answer(1, Expiration="s3cr3t"),
        _answer(1, Token=None),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_credentials_and_is_not_quoted(reply: Reply) -> None:
    with wire(reply) as server, pytest.raises(ProtocolError) as raised:
        _asking(server).read()
    assert "s3cr3t" not in str(raised.value)
    assert SHOWN not in f"{ContainerEndpoint('http://127.0.0.1', SHOWN)} {_held(1)}" + repr(_held(1))
    assert "s3cr3t" not in repr(_held(1))


def test_boto3_takes_the_same_from_the_same_address() -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with wire(_answer(7, Expiration=later)) as server:
        url = f"{server.endpoint}/2021-04-23/credentials?a=b"
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": SHOWN,
            "AWS_REGION": "eu-west-1",
        }
        theirs: Any = ContainerProvider(environ=environ).load()
        frozen = theirs.get_frozen_credentials()
        ours = read_account(environ)
        assert ours is not None
        assert credentials.find_reader(ours)() == Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        first, second = server.heard
    assert (first.target, first.headers["authorization"]) == (second.target, second.headers["authorization"])


# -- in calls --


def _client(server: Wire, table: Wire) -> Any:
    account = read_account(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.endpoint}/credentials",
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": table.endpoint,
        }
    )
    assert account is not None
    return services.make_client("dynamodb", account)


def _who(table: Wire) -> list[tuple[str, str]]:
    """By which key each request was signed, and the token that came with it."""
    return [
        (each.headers["authorization"].partition("Credential=")[2][:5], each.headers["x-amz-security-token"])
        for each in table.heard
    ]


def test_a_call_is_signed_with_what_is_handed_out_and_all_clients_ask_once() -> None:
    with wire(_answer(1)) as server, wire(OK) as table:
        for _ in range(3):
            _client(server, table).put_item(**PUT)
        assert _who(table) == [("AKID1", "t1")] * 3
        assert len(server.heard) == 1


def test_a_call_waits_for_credentials_as_for_any_answer() -> None:
    with wire(make_reply(500, b""), _answer(1)) as server, wire(OK) as table:
        _client(server, table).put_item(**PUT)
        assert _who(table) == [("AKID1", "t1")]
    credentials._made.clear()
    with wire(make_reply(500, b"")) as server, wire(OK) as table, pytest.raises(NoAnswer, match="ProtocolError"):
        _client(server, table).put_item(**PUT)
    assert table.heard == []


# -- after a restore --


def test_a_copy_of_a_snapshot_begins_with_credentials_and_connections_of_its_own() -> None:
    with wire(_answer(1), _answer(2)) as server, wire(OK) as table:
        used = _client(server, table)
        used.put_item(**PUT)
        used.put_item(**PUT)
        snapshot.renew()
        used.put_item(**PUT)
        assert _who(table) == [("AKID1", "t1"), ("AKID1", "t1"), ("AKID2", "t2")]
        assert [each.connection for each in table.heard] == [1, 1, 2]


def test_no_two_copies_of_a_snapshot_draw_the_same_numbers() -> None:
    taken, drawn = random.getstate(), set()
    for _ in range(10):
        random.setstate(taken)
        snapshot.renew()
        drawn.add(random.random())
    assert len(drawn) == 10


@pytest.mark.parametrize(("started", "registered"), [("snap-start", [snapshot.renew]), ("on-demand", []), ("", [])])
def test_only_a_function_of_a_snapshot_has_anything_done_when_it_is_restored(
    started: str, registered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", SimpleNamespace(register_after_restore=found.append))
    snapshot.register({"AWS_LAMBDA_INITIALIZATION_TYPE": started})
    assert found == registered
