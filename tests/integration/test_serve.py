"""`python -m local serve`: pushes over HTTP to the webhooks of the embedded stack, and what is stored of them then."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, Final

import pytest

from local import signing
from local.lambdas import Lambdas
from local.serve import Server, Site, send
from local.signing import Authority
from local.stack import running
from tests.support.template import ROOT
from tests.support.webhooks import STRANGER

AUTHORITY: Final = Authority()


def sample(name: str) -> str:
    return (ROOT / "events" / "ses" / f"{name}.json").read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as stack, Server(Site(stack, Lambdas(stack), AUTHORITY), 0) as made:
        serving = threading.Thread(target=made.serve_forever, daemon=True)
        serving.start()
        yield made
        made.shutdown()
        serving.join()


def url(server: Server, source: str) -> str:
    return f"https://{server.host}/feedback/{source}/{server.site.secret}"


def ask(server: Server, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
    connection = HTTPConnection(server.host, timeout=60)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def outcomes(server: Server) -> dict[str, str]:
    return {each.message: each.status.value for each in server.site.tables.contents().outcomes}


def test_signed_pushes_of_sns_reach_the_tables(server: Server) -> None:
    now = datetime.now(UTC)
    assert send(signing.sns_confirmation(AUTHORITY, url(server, "ses"), now), server.host) == 200
    for name in ("story-life.1-send", "story-life.7-complaint"):
        assert send(signing.sns(AUTHORITY, url(server, "ses"), sample(name), now), server.host) == 200
    assert list(outcomes(server).values()) == ["complained"]


def test_pushes_that_are_not_signed_so_do_not(server: Server) -> None:
    before = outcomes(server)
    push = signing.sns(STRANGER, url(server, "ses"), sample("bounce-permanent-noemail"), datetime.now(UTC))
    assert send(push, server.host) == 403
    assert outcomes(server) == before


def test_a_push_that_is_delivered_raw(server: Server) -> None:
    assert send(signing.sns_raw(url(server, "ses"), sample("bounce-permanent-noemail")), server.host) == 200
    assert "bounced" in outcomes(server).values()


@pytest.mark.parametrize("make", [signing.mns_json, signing.mns_xml, signing.mns_simplified, signing.eventbridge])
def test_pushes_of_alibaba_are_taken(server: Server, make: Any) -> None:
    push = make(AUTHORITY, url(server, "directmail"), "env_id=1&event=Open", datetime.now(UTC))
    assert send(push, server.host) == 204


def test_what_is_there(server: Server) -> None:
    status, text = ask(server, "GET", "/")
    assert status == 200
    assert f"POST  http://{server.host}/feedback/{{source}}/{server.site.secret}" in text
    assert "outcomes" in text


def test_the_command_that_is_shown_works(server: Server) -> None:
    _, text = ask(server, "GET", "/")
    command = text[text.index("curl") :].replace("\\\n", " ")
    done = subprocess.run(["bash", "-c", command], check=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0].split()[1] == "200"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/feedback/ses", 405), ("PUT", "/feedback/ses/x", 405), ("DELETE", "/feedback/ses", 405)],
)
def test_other_requests(server: Server, method: str, path: str, status: int) -> None:
    assert ask(server, method, path)[0] == status


def test_bodies_without_a_length_or_too_large_are_not_read(server: Server) -> None:
    assert ask(server, "POST", "/feedback/ses", {"content-length": "x"})[0] == 411
    assert ask(server, "POST", "/feedback/ses", {"transfer-encoding": "chunked"})[0] == 411
    assert ask(server, "POST", "/feedback/ses", {"content-length": str(7 << 20)})[0] == 413


def say(server: Server, text: bytes) -> int:
    """Send just this and hang up; the status of the answer."""
    with socket.create_connection((server.server_name, server.server_port), timeout=60) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    ("target", "header", "status"),
    [
        ("http://[/feedback/mailerq/{secret}", "content-length: 2", 400),
        ("/feedback/mailerq/{secret}", "content-length: 3", 400),
        ("/feedback/mailerq/{secret}", "content-length: 2\r\ncontent-length: 1", 411),
        ("/feedback/mailerq/{secret}", "content-length: 2", 204),
    ],
    ids=["no address", "half of a body", "two lengths", "as it should be"],
)
def test_what_api_gateway_hands_to_nobody(server: Server, target: str, header: str, status: int) -> None:
    target = target.format(secret=server.site.secret)
    assert say(server, f"POST {target} HTTP/1.1\r\n{header}\r\n\r\n[]".encode()) == status


def test_a_header_that_comes_twice_says_both(server: Server) -> None:
    """Of a type of SNS that comes twice, none is right."""
    push = signing.sns(AUTHORITY, url(server, "ses"), sample("delivery"), datetime.now(UTC))
    head = "".join(f"{name}: {value}\r\n" for name, value in push.headers.items())
    again = f"X-Amz-Sns-Message-Type: Notification\r\ncontent-length: {len(push.body)}\r\n\r\n"
    start = f"POST /feedback/ses/{server.site.secret} HTTP/1.1\r\n"
    assert say(server, (start + head + again).encode() + push.body) == 403


def test_it_says_one_line_for_each_request_and_no_secret(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    send(signing.sns_raw(url(server, "ses"), sample("delivery")), server.host)
    ask(server, "GET", "/")
    printed = capsys.readouterr().out
    assert printed.splitlines() == ["POST 200, 1 worked", "GET 200"]
    assert server.site.secret not in printed


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_stopped(how: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "local", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running_:
        assert running_.stdout is not None
        lines = iter(running_.stdout.readline, "")
        assert any("Ctrl-C stops" in line for line in lines)
        running_.send_signal(how)
        rest, errors = running_.communicate(timeout=60)
    assert (rest, errors, running_.returncode) == ("\nStopped. Nothing is kept.\n", "", 0)
