"""One call to AWS against a server that does what services, networks and strangers on the way may do."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from aftersend.aws import client, services
from aftersend.aws.account import Account
from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Suppression
from aftersend.core.steps import Pause
from aftersend.core.writes import Refused
from aftersend.http import transport
from aftersend.http.multiplexer import Multiplexer, Waits
from aftersend.http.transport import Limits
from aftersend.storage import items
from aftersend.storage.store import Store, TableNames
from tests.support import wire as wires
from tests.support.ports import NOW
from tests.support.wire import HOST, NOTHING, OK, Reply, Wire, make_reply, refusal, table, wire

ITEM = {"recipient": {"S": "email:ann@example.com"}, "version": {"N": "3"}, "open": {"BOOL": True}}
PUT: dict[str, Any] = {"TableName": "T", "Item": ITEM}
FAULT = refusal("InternalServerError", 500)
BUSY = refusal("ProvisionedThroughputExceededException")
TORN = Reply(make_reply(200, b"{}" * 50).content[:-7], "close")
FALSE_SUM = make_reply(200, b"{}", "x-amz-crc32: 1")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which nobody waits for."""
    pauses: list[float] = []
    monkeypatch.setattr("aftersend.aws.client.time.sleep", pauses.append)
    return pauses


@pytest.fixture(autouse=True, params=["alone", "multiplexed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are the same whether one waits for each, or many are under way in one thread."""
    if request.param == "multiplexed":
        monkeypatch.setattr("aftersend.aws.json_service.run_alone", _run_among_others)


def _run_among_others(waits: Waits[Any]) -> Any:
    used = Multiplexer(2)
    try:
        *_, result = used.begin([_yield_once(), _skip_pauses(waits)])()
    finally:
        used.close()
    return result


def _yield_once() -> Waits[None]:
    yield Pause(0)


def _skip_pauses(waits: Waits[Any]) -> Waits[Any]:
    try:
        wanted = next(waits)
        while True:
            if isinstance(wanted, Pause):
                time.sleep(wanted.seconds)
                wanted = waits.send(True)
            else:
                wanted = waits.send((yield wanted))
    except StopIteration as end:
        return end.value
    finally:
        waits.close()


def dynamodb(endpoint: str, **given: Any) -> Any:
    return services.make_client("dynamodb", _account(endpoint, **given))


def _account(endpoint: str, **given: Any) -> Account:
    return Account(
        **{"key_id": "AKID", "secret": "s3cr3t", "region": "eu-west-1", "endpoints": {"AWS_ENDPOINT_URL": endpoint}}
        | given
    )


def test_an_answer_is_what_the_service_said() -> None:
    with wire(table({"Item": ITEM})) as server:
        assert dynamodb(server.endpoint).get_item(TableName="T", Key={}) == {"Item": ITEM}
    (request,) = server.heard
    assert (request.method, request.target, json.loads(request.body)) == ("POST", "/", {"TableName": "T", "Key": {}})
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert request.headers["content-type"] == "application/x-amz-json-1.0"
    assert request.headers["host"] == server.endpoint.removeprefix("http://")
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "x-amz-security-token" not in request.headers


def test_temporary_credentials_bring_their_token() -> None:
    with wire(OK) as server:
        dynamodb(server.endpoint, token="a token").put_item(**PUT)
    assert server.heard[0].headers["x-amz-security-token"] == "a token"
    assert "x-amz-security-token" in server.heard[0].headers["authorization"]


def test_a_connection_is_kept() -> None:
    with wire(OK) as server:
        used = dynamodb(server.endpoint)
        for _ in range(5):
            used.put_item(**PUT)
    assert [request.connection for request in server.heard] == [1] * 5


def test_threads_share_connections_and_never_one_at_a_time() -> None:
    def put(number: int) -> Any:
        return used.get_item(TableName=str(number))

    with wire(OK) as server, ThreadPoolExecutor(4) as pool:
        used = dynamodb(server.endpoint)
        assert list(pool.map(put, range(200))) == [{}] * 200
    assert {json.loads(request.body)["TableName"] for request in server.heard} == {str(each) for each in range(200)}
    assert 1 <= server.connections <= 4


# -- connections that were hung up on --


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_farewell_is_seen_before_the_next_request(then: Any, pauses: list[float]) -> None:
    with wire(Reply(OK.content, then), OK) as server:
        used = dynamodb(server.endpoint)
        used.put_item(**PUT)
        _until_it_is_readable(used)
        used.put_item(**PUT)
    assert [request.connection for request in server.heard] == [1, 2]
    assert pauses == []


@pytest.mark.parametrize("then", ["close", "reset"])
def test_what_nobody_heard_goes_over_a_fresh_connection_and_counts_for_nothing(then: Any, pauses: list[float]) -> None:
    """The other side hangs up in the very moment in which the second request is on its way."""
    with wire(OK, Reply(b"", then), FAULT, FAULT, OK) as server:
        used = dynamodb(server.endpoint)
        used.put_item(**PUT)
        used.put_item(**PUT)
    assert [request.connection for request in server.heard] == [1, 1, 2, 2, 2]
    assert len(pauses) == 2, "three tries, though four requests were sent"


def test_a_fresh_connection_that_is_hung_up_on_counts() -> None:
    with wire(NOTHING) as server, pytest.raises(NoAnswer, match="ConnectionResetError"):
        dynamodb(server.endpoint).put_item(**PUT)
    assert len(server.heard) == client.TRIES


def test_a_connection_that_lay_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a freeze, the other side has long gone, and no farewell came through."""
    with wire(OK) as server, ThreadPoolExecutor(2) as pool:
        used = dynamodb(server.endpoint)
        list(pool.map(lambda _: used.put_item(**PUT), range(8)))
        opened = server.connections
        monkeypatch.setattr(transport, "IDLE_SECONDS", -1)
        used.put_item(**PUT)
        assert server.connections == opened + 1


def test_a_connection_with_more_than_the_answer_is_not_used_again() -> None:
    with wire(Reply(OK.content + table({"Item": "of another"}).content), OK) as server:
        used = dynamodb(server.endpoint)
        used.put_item(**PUT)
        assert used.put_item(**PUT) == {}
    assert server.connections == 2


def test_what_nobody_asked_for_is_not_the_next_answer() -> None:
    with wire(Reply(OK.content, later=table({"Item": "of another"}).content), OK) as server:
        used = dynamodb(server.endpoint)
        used.put_item(**PUT)
        _until_it_is_readable(used)
        assert used.put_item(**PUT) == {}
    assert server.connections == 2


def _until_it_is_readable(used: Any) -> None:
    """What the other side did has arrived here."""
    [(connection, _)] = used._client._transport._idle
    deadline = time.monotonic() + 60
    while not connection.is_readable():
        assert time.monotonic() < deadline


# -- answers that are none --


@pytest.mark.parametrize(
    "broken",
    [
        TORN,
        FALSE_SUM,
        FAULT,
        NOTHING,
        Reply(b"HTTP/1.1 2", "close"),
        Reply(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "close"),
        make_reply(200, b'{"Item": {'),
        make_reply(200, b"[]"),
        make_reply(503, b"<html>the way is closed</html>"),
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "wait"),
    ],
    ids=["torn", "checksum", "fault", "nothing", "half", "ssh", "json", "list", "proxy", "huge"],
)
def test_what_may_pass_is_tried_again_and_three_times_at_most(broken: Reply, pauses: list[float]) -> None:
    with wire(broken, broken, OK) as server:
        assert dynamodb(server.endpoint).put_item(**PUT) == {}
    assert len(server.heard) == 3
    assert 0 <= pauses[0] <= client.PAUSE
    assert 0 <= pauses[1] <= client.PAUSE * 2
    with wire(broken) as server, pytest.raises(CallFailed):
        dynamodb(server.endpoint).put_item(**PUT)
    assert len(server.heard) == 3


def test_a_service_that_asks_for_patience_is_given_it(pauses: list[float]) -> None:
    """Throttling passes within seconds and not within a third of one."""
    with wire(*[BUSY] * (client.THROTTLED_TRIES - 1), OK) as server:
        assert dynamodb(server.endpoint).put_item(**PUT) == {}
    assert len(server.heard) == client.THROTTLED_TRIES
    longest = [client.THROTTLED_PAUSE * 2**number for number in range(client.THROTTLED_TRIES - 1)]
    assert all(0 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert 5 < sum(longest) < client.MAX_SECONDS / 2
    with wire(BUSY) as server, pytest.raises(Refusal, match="ProvisionedThroughputExceeded"):
        dynamodb(server.endpoint).put_item(**PUT)
    assert len(server.heard) == client.THROTTLED_TRIES


def test_an_answer_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte before each time-out is no answer: the call as a whole has a bound, its tries together, and asks once."""
    monkeypatch.setattr(client, "LIMITS", Limits(silence=30))
    monkeypatch.setattr(client, "MAX_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over, met = Event(), list[socket.socket]()
        Thread(target=_drip, args=(listener, over, met), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="TimeoutError"):
            dynamodb(f"http://127.0.0.1:{listener.getsockname()[1]}").put_item(**PUT)
        took = time.monotonic() - began
        over.set()
    assert len(met) == 1
    assert 0.9 < took < 60, "dripping to its end, it would have taken 500 s"


def _drip(listener: socket.socket, over: Event, met: list[socket.socket]) -> None:
    """Answers everybody, a byte every tenth of a second."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            met.append(connection)
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
                while not over.wait(0.1):
                    connection.sendall(b" ")


@pytest.mark.parametrize(
    ("broken", "kind", "name"),
    [
        (TORN, NoAnswer, "IncompleteRead"),
        (FALSE_SUM, NoAnswer, "ProtocolError"),
        (BUSY, Refusal, "ProvisionedThroughputExceededException"),
        (FAULT, Refusal, "InternalServerError"),
        (make_reply(503, b"<html>the way is closed</html>"), Refusal, "503"),
        (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "wait"), NoAnswer, "TooLarge"),
    ],
    ids=["torn", "checksum", "busy", "fault", "proxy", "huge"],
)
def test_the_last_failure_says_what_it_was(broken: Reply, kind: type[Exception], name: str) -> None:
    with wire(broken) as server, pytest.raises(kind) as raised:
        dynamodb(server.endpoint).put_item(**PUT)
    assert str(raised.value) == name


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"], ids=["silent", "slow"])
def test_nobody_waits_for_ever(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIMITS", Limits(silence=0.2))
    with wire(Reply(begun, "wait")) as server:
        with pytest.raises(NoAnswer, match="TimeoutError"):
            dynamodb(server.endpoint).put_item(**PUT)
        _until_it_has_met(server, client.TRIES)


def test_pauses_are_spread(pauses: list[float]) -> None:
    random.seed(20260301)
    with wire(FAULT) as server:
        for _ in range(20):
            with pytest.raises(Refusal):
                dynamodb(server.endpoint).put_item(**PUT)
    assert len(set(pauses)) == len(pauses) == 40
    assert max(pauses[1::2]) > client.PAUSE > max(pauses[::2])


@pytest.mark.parametrize(
    "code",
    ["ConditionalCheckFailedException", "ValidationException", "AccessDeniedException", "ExpiredTokenException"],
)
def test_a_no_is_not_asked_for_twice(code: str, pauses: list[float]) -> None:
    with wire(refusal(code)) as server, pytest.raises(Refusal) as raised:
        dynamodb(server.endpoint).put_item(**PUT)
    assert raised.value.code == str(raised.value) == code
    assert (len(server.heard), pauses) == (1, [])


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        endpoint = f"http://{HOST}:{free.getsockname()[1]}"
        with pytest.raises(NoAnswer, match="ConnectionRefusedError"):
            dynamodb(endpoint).put_item(**PUT)


def test_a_server_that_does_not_even_shake_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIMITS", Limits(connect=0.3))
    with wire(OK) as server:
        with pytest.raises(NoAnswer, match="TimeoutError"):
            dynamodb(server.endpoint.replace("http:", "https:")).put_item(**PUT)
        _until_it_has_met(server, client.TRIES)
    assert server.heard == []


def _until_it_has_met(server: Wire, connections: int) -> None:
    """It has heard of them all: on a busy machine that may be later than their end."""
    deadline = time.monotonic() + 60
    while server.connections < connections and time.monotonic() < deadline:
        server.over.wait(0.001)
    assert server.connections == connections


def test_a_header_with_a_line_break_is_not_sent() -> None:
    with wire(OK) as server, pytest.raises(ValueError, match="line break"):
        dynamodb(server.endpoint, token="x\r\nx-amz-target: DynamoDB_20120810.DeleteTable").put_item(**PUT)
    assert server.heard == []


# -- TLS --


@pytest.fixture
def trusted(tmp_path: Path) -> Iterator[tuple[Wire, Path]]:
    """A server with a certificate that nobody trusts but a client that is made to."""
    context, certificate = wires.certificate(tmp_path)
    with wire(OK, tls=context) as server:
        yield server, certificate


def test_tls_with_a_certificate_that_is_trusted(trusted: tuple[Wire, Path]) -> None:
    server, certificate = trusted
    used = dynamodb(server.endpoint, authorities=str(certificate))
    for _ in range(3):
        assert used.put_item(**PUT) == {}
    assert (len(server.heard), server.connections) == (3, 1)


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(trusted: tuple[Wire, Path]) -> None:
    server, _ = trusted
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        dynamodb(server.endpoint).put_item(**PUT)
    assert (server.heard, server.connections) == ([], 1)


def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path) -> None:
    context, certificate = wires.certificate(tmp_path, "dynamodb.eu-west-1.example.com")
    with wire(OK, tls=context) as server, pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        dynamodb(server.endpoint, authorities=str(certificate)).put_item(**PUT)
    assert server.heard == []


@pytest.mark.parametrize("then", ["close", "reset"])
def test_tls_that_was_hung_up_on(then: Any, tmp_path: Path, pauses: list[float]) -> None:
    context, certificate = wires.certificate(tmp_path)
    with wire(OK, Reply(b"", then), OK, tls=context) as server:
        used = dynamodb(server.endpoint, authorities=str(certificate))
        assert used.put_item(**PUT) == used.put_item(**PUT) == {}
    assert [request.connection for request in server.heard] == [1, 1, 2]
    assert pauses == []


def test_more_than_the_answer_in_one_record_of_tls_is_not_the_next_answer(tmp_path: Path) -> None:
    """The rest of a record is deciphered with the end of the answer; a look at the socket does not see it."""
    context, certificate = wires.certificate(tmp_path)
    long = table({"Item": {"text": {"S": "x" * 20_000}}})
    with wire(Reply(long.content + table({"Item": "of another"}).content), OK, tls=context) as server:
        used = dynamodb(server.endpoint, authorities=str(certificate))
        assert used.get_item(TableName="T", Key={})["Item"] == {"text": {"S": "x" * 20_000}}
        assert used.get_item(TableName="T", Key={}) == {}
    assert server.connections == 2


def test_tls_that_is_torn(tmp_path: Path) -> None:
    context, certificate = wires.certificate(tmp_path)
    with wire(TORN, OK, tls=context) as server:
        assert dynamodb(server.endpoint, authorities=str(certificate)).put_item(**PUT) == {}
    assert len(server.heard) == 2


# -- what the store makes of it --

TABLES = TableNames(outcomes="Outcomes", suppressions="Suppressions")


@pytest.mark.parametrize("answer", [refusal("ExpiredTokenException"), FAULT, NOTHING], ids=["expired", "fault", "none"])
def test_what_fails_is_ours_and_names_no_address(answer: Reply) -> None:
    with wire(answer) as server, pytest.raises(StoreUnavailable) as raised:
        Store(dynamodb(server.endpoint), TABLES).get_suppressions([("email:ann@example.com", "*")])
    assert "ann" not in str(raised.value)


def test_a_refusal_hands_back_what_is_stored() -> None:
    """`ReturnValuesOnConditionCheckFailure`: the item comes with the refusal, and nothing is read."""
    stored = Suppression(recipient="email:ann@example.com", version=4)
    item = items.encode_suppression(stored, TABLES.retention, NOW)
    with wire(refusal("ConditionalCheckFailedException", Item=item)) as server:
        found = Store(dynamodb(server.endpoint), TABLES).put(Suppression(recipient="email:ann@example.com", version=4))
    assert found == Refused(stored)
    assert json.loads(server.heard[0].body)["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert len(server.heard) == 1
