"""`python -m local serve`: pushes over HTTP to the webhooks of the embedded stack, and what is stored of them then."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from aftersend.aws import boto
from aftersend.core import policy
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED
from aftersend.core.statistics import Disagreement, compare_rows, recount, sum_rows
from aftersend.lists.service import FIRST_RUN
from aftersend.sources import SOURCES, read
from aftersend.storage.statistics import StatisticsTable
from aftersend_cli import jobs
from aftersend_cli.__main__ import main as command
from aftersend_cli.endpoint import API, TOKEN
from aftersend_cli.uploads import Readable, upload
from local import signing
from local.__main__ import main
from local.demo import facts
from local.pushes import serving
from local.samples import Sample, samples
from local.serve import SERVED, Served, served
from local.server import OVERVIEW, UPLOADS, Server, send
from local.signing import Authority
from local.stack import running
from tests.support.network import free_ports
from tests.support.template import ROOT
from tests.support.webhooks import STRANGER


def sample(name: str) -> str:
    return (ROOT / "events" / "ses" / f"{name}.json").read_text()


@pytest.fixture(scope="module")
def made() -> Iterator[Served]:
    with running(parameters=SERVED) as stack, served(stack) as everything, serving(everything.server):
        yield everything


@pytest.fixture
def server(made: Served) -> Server:
    return made.server


@pytest.fixture
def authority(made: Served) -> Authority:
    return made.authority


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Functions work beside: what they do is there after a moment."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def url(server: Server, source: str) -> str:
    return f"https://{server.host}/feedback/{source}/{server.site.secret}"


def ask(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> Any:
    connection = HTTPConnection(server.host, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def outcomes(server: Server) -> dict[str, str]:
    return {each.message: each.status.value for each in server.site.tables.contents().outcomes}


def test_signed_pushes_of_sns_reach_the_tables(server: Server, authority: Authority) -> None:
    now = datetime.now(UTC)
    assert send(signing.sns_confirmation(authority, url(server, "ses"), now), server.host) == 200
    for name in ("story-life.1-send", "story-life.7-complaint"):
        assert send(signing.sns(authority, url(server, "ses"), sample(name), now), server.host) == 200
    wait_until(lambda: "complained" in outcomes(server).values())


def test_what_is_stored_is_counted(made: Served, server: Server) -> None:
    """The function behind the streams of both tables is fed as Lambda feeds it."""
    name = made.stack.physical_ids("AWS::DynamoDB::Table")["StatisticsTable"]
    table = StatisticsTable(boto.adapt_client(made.stack.client("dynamodb"), "dynamodb"), name)
    find_stream = policy.load().find_stream

    def disagreements() -> list[Disagreement] | None:
        contents, stored = server.site.tables.contents(), dict(table.scan_rows())
        live = sum_rows([*contents.outcomes, *contents.suppressions], find_stream)
        return compare_rows(stored, recount(stored, live)) if stored else None

    wait_until(lambda: disagreements() == [])
    day = min(row.day for row, _ in table.scan_rows())
    status, text = ask(server, "GET", f"/statistics?from={day}&to={day}&by=source")
    assert status == 200
    assert json.loads(text)["totals"]


def test_events_go_out_to_a_receiver_that_shows_them(made: Served, server: Server) -> None:
    """Issue: "a webhook receiver that shows what arrives": signed, from the streams, over the queue."""
    receiver = server.site.webhooks

    def find_types() -> set[str]:
        return {each["type"] for each in receiver.received}

    wait_until(lambda: {"outcome.complained", "suppression.added"} <= find_types())
    status, text = ask(server, "GET", "/local/webhooks")
    assert (status, receiver.refused) == (200, 0)
    assert "suppression.added  email:" in text
    forged = json.dumps(receiver.received[0]).encode()
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    assert ask(server, "POST", "/local/webhooks", headers, forged)[0] == 401


def test_pushes_that_are_not_signed_so_do_not_and_the_console_says_why(
    server: Server, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    before, now = outcomes(server), datetime.now(UTC)
    forged, signed = "bounce-permanent-noemail", "delivery"
    assert send(signing.sns(STRANGER, url(server, "ses"), sample(forged), now), server.host) == 403
    assert send(signing.sns(authority, url(server, "ses"), sample(signed), now), server.host) == 200
    wait_until(lambda: outcomes(server) != before)  # what comes after it is there, so it would be there, too
    (message,) = outcomes(server).keys() - before.keys()
    assert message.removeprefix("ses:") in sample(signed)
    assert "POST 403: signature: the signature does not hold" in capsys.readouterr().out


def test_a_push_that_is_delivered_raw(server: Server) -> None:
    assert send(signing.sns_raw(url(server, "ses"), sample("bounce-permanent-noemail")), server.host) == 200
    wait_until(lambda: "bounced" in outcomes(server).values())


@pytest.mark.parametrize("make", [signing.mns_json, signing.mns_xml, signing.mns_simplified, signing.eventbridge])
def test_pushes_of_alibaba_are_taken(server: Server, authority: Authority, make: Any) -> None:
    push = make(authority, url(server, "directmail"), "env_id=1&event=Open", datetime.now(UTC))
    assert send(push, server.host) == 204


def test_what_is_there(server: Server) -> None:
    status, text = ask(server, "GET", "/local")
    assert status == 200
    assert f"ANY    http://{server.host}/feedback/{{source}}/{server.site.secret}" in text
    assert "outcomes" in text


def test_the_console_stands_at_the_root_and_only_under_this_host(server: Server) -> None:
    status, page = ask(server, "GET", "/", {"accept-encoding": "gzip;q=0"})
    assert (status, "<title>Aftersend</title>" in page) == (200, True)
    assert server.site.secret not in page
    (script,) = re.findall(r'<script type="module" src="([^"]+)">', page)
    assert ask(server, "GET", f"/{script}")[0] == ask(server, "HEAD", f"/{script}")[0] == 200
    assert ask(server, "GET", "/assets-0123456789abcdef/app.js")[0] == 404
    for path in ("/", f"/{script}", "/local", "/suppressions/somebody@example.com"):
        assert ask(server, "GET", path, {"host": "rebound.example"})[0] == 421


def test_the_command_that_is_shown_works(server: Server) -> None:
    _, text = ask(server, "GET", "/local")
    command = text[text.index("curl -i") :].partition("\n\n")[0].replace("\\\n", " ")
    done = subprocess.run(["bash", "-c", command], check=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0].split()[1] == "200"


def test_a_file_is_dropped_as_the_page_says(server: Server) -> None:
    (address,) = re.findall(r"curl -T bodies\.jsonl http://[^/]+(/\S+)", ask(server, "GET", "/local")[1])
    body = json.dumps(json.loads(sample("bounce-permanent-general")))
    status, text = ask(server, "PUT", address, body=f"{body}\n".encode())
    assert status == 202
    job = json.loads(text)["job"]
    wait_until(lambda: '"sent":1' in ask(server, "GET", job)[1])
    message = json.loads(body)["mail"]["messageId"]
    wait_until(lambda: outcomes(server).get(f"ses:{message}") == "bounced")


def test_a_file_of_events_is_put_where_firehose_puts_it(server: Server) -> None:
    (address,) = re.findall(r"curl -T events\.jsonl http://[^/]+(/\S+)", ask(server, "GET", OVERVIEW)[1])
    body = json.dumps(json.loads(sample("bounce-permanent-general"))).replace("010201955e750a4d", "010201955e750a4e")
    status, text = ask(server, "PUT", address, body=f"{body}\n".encode())
    assert status == 202
    assert json.loads(text)["object"].startswith("source=ses/firehose/")
    message = json.loads(body)["mail"]["messageId"]
    wait_until(lambda: outcomes(server).get(f"ses:{message}") == "bounced")


def test_a_list_is_put_where_its_job_waits_whatever_its_size(server: Server) -> None:
    """The way of the console, for lists that the API does not take with a request."""
    row = f"put@example.org,BOUNCE,2026-03-01T00:00:00Z,{'x' * 60_000}\n"
    body = f"emailaddress,reason,lastupdatetime,note\n{row * 120}".encode()
    assert len(body) > 6 << 20
    job = json.loads(ask(server, "POST", f"/suppressions/import/uploads?dry_run=true&bytes={len(body)}")[1])["id"]
    assert ask(server, "PUT", f"{UPLOADS}{job}", {"origin": "http://evil.example"}, b"evil")[0] == 403
    assert ask(server, "PUT", f"{UPLOADS}{job}", body=body) == (204, "")
    assert ask(server, "POST", f"/jobs/{job}/start")[0] == 202
    wait_until(lambda: '"done"' in ask(server, "GET", f"/jobs/{job}")[1])
    done = json.loads(ask(server, "GET", f"/jobs/{job}")[1])
    assert (done["imported"]["rows"], done["imported"]["new"], done["read"]) == (120, 1, len(body))
    status, why = ask(server, "PUT", f"{UPLOADS}{job}", body=body)
    assert (status, why) == (502, "this job waits for no list\n")
    assert ask(server, "PUT", f"{UPLOADS}{job}", {"content-length": str((1 << 30) + 1)})[0] == 413


def test_the_command_sends_a_large_list_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[int] = []

    def count(body: Readable, url: str, size: int) -> None:
        sent.append(size)
        upload(body, url, size)

    path = tmp_path / "list.csv"
    path.write_text("emailaddress,reason,lastupdatetime\ncommand@example.org,BOUNCE,2026-03-01T00:00:00Z\n")
    monkeypatch.setattr(jobs, "AT_ONCE", 10)
    monkeypatch.setattr(jobs, "upload", count)
    monkeypatch.setenv(API, f"http://{server.host}")
    monkeypatch.setenv(TOKEN, "test")
    assert command(["import", str(path), "--apply", "--yes"]) == 0
    assert "1 rows: 1 new" in capsys.readouterr().out
    assert sent == [path.stat().st_size]
    assert ask(server, "HEAD", "/suppressions/command@example.org")[0] == 200


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
    assert say(server, f"POST {target} HTTP/1.1\r\nhost: {server.host}\r\n{header}\r\n\r\n[]".encode()) == status


def test_a_header_that_comes_twice_says_both(server: Server, authority: Authority) -> None:
    """Of a type of SNS that comes twice, none is right."""
    push = signing.sns(authority, url(server, "ses"), sample("delivery"), datetime.now(UTC))
    head = "".join(f"{name}: {value}\r\n" for name, value in push.headers.items())
    again = f"X-Amz-Sns-Message-Type: Notification\r\ncontent-length: {len(push.body)}\r\n\r\n"
    start = f"POST /feedback/ses/{server.site.secret} HTTP/1.1\r\nhost: {server.host}\r\n"
    assert say(server, (start + head + again).encode() + push.body) == 403


def test_it_says_one_line_for_each_request_and_no_secret(
    made: Served, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked at an address of its own: webhooks of the stack come to the other one, whenever they come."""
    before, lines = outcomes(server), list[str]()
    raw = signing.sns_raw(url(server, "ses"), sample("bounce-permanent-suppressed"))
    with serving(Server(server.site, 0, say=lines.append, after=made.processes.wake)) as own:
        assert send(raw, own.host) == 200
        ask(own, "GET", "/local")
        ask(own, "GET", f"/{own.site.secret}")
        wait_until(lambda: outcomes(server) != before)  # functions have said what they have to say
    assert [line[:19] for line in lines] == ["POST 200", "GET 200", "GET 404: Not Found:"]
    assert server.site.secret not in "\n".join((*lines, capsys.readouterr().out))


# ---- Pages in a browser ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:{port}"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"host": "127.0.0.1.evil.example:{port}"}, 421),
        ({"host": "127.0.0.1:{port}.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://127.0.0.1:{port}"}, 403),
        ({"origin": "http://127.0.0.1:{port}"}, 200),
        ({"host": "localhost:{port}"}, 200),
        ({"host": "LOCALHOST:{port}"}, 200),
    ],
)
def test_who_may_ask(server: Server, headers: dict[str, str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that has a name bound to 127.0.0.1 says so in `Host`, and one that posts from elsewhere in `Origin`."""
    given = {name: text.format(port=server.server_port) for name, text in headers.items()}
    assert ask(server, "GET", "/", given)[0] == status
    assert f"GET {status}{': ' if status >= 400 else ''}" in capsys.readouterr().out


def test_a_host_that_is_missing_or_named_twice_is_none(server: Server) -> None:
    assert say(server, b"GET / HTTP/1.1\r\n\r\n") == 421
    host = f"host: {server.host}\r\n"
    assert say(server, f"GET / HTTP/1.1\r\n{host}{host}\r\n".encode()) == 421
    assert say(server, f"GET / HTTP/1.1\r\n{host}\r\n".encode()) == 200


def test_the_embedded_services_answer_no_such_page_either(made: Served) -> None:
    connection = HTTPConnection(made.stack.endpoint.removeprefix("http://"), timeout=60)
    target = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    connection.request("POST", "/", "{}", {"host": "evil.example", **target})
    assert connection.getresponse().status == 421
    connection.close()


# ---- Samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_sample_of_every_source_is_pushed(source: str, made: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The first that says something of a recipient."""
    found = (each for each in samples() if each.source == source and _names(each) and each.path.suffix != ".gz")
    chosen = next(found)
    keys = {fact.key for fact in facts(chosen)}
    assert main(["push", source, str(chosen.path), "--to", made.server.host]) == 0
    assert capsys.readouterr().err == ""
    wait_until(lambda: keys <= {each.key for each in made.server.site.tables.contents().outcomes})


def _names(sample: Sample) -> bool:
    """Whether a sample says something, and of whom."""
    try:
        facts = read(sample.source, sample.body(), sample.headers)
    except MalformedFeedback:
        return False
    return bool(facts) and all(fact.recipient != UNNAMED for fact in facts)


def test_a_sample_that_is_refused_says_so(made: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "large.json").write_bytes(b" " * (5 << 20))
    assert main(["push", "mailerq", str(tmp_path / "large.json"), "--to", made.server.host]) == 1
    assert "large.json: pushed with the proof 'secret', answered 413" in capsys.readouterr().err


def test_a_push_to_nobody_says_what_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    assert main(["push", "ses", str(ROOT / "events/ses/delivery.json"), "--to", f"127.0.0.1:{port}"]) == 1
    assert "start `python -m local serve` first" in capsys.readouterr().err


# ---- Work beside -----------------------------------------------------------------------------------------------------

LIST: Final = b"recipient,kind,at\nperson@example.com,hard,2026-03-01T00:00:00Z\n"
IMPORT: Final = "/suppressions/import?dry_run=false&format=aftersend"


class HeldLists:
    """Holds what reads lists in the embedded S3, until it is let go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.let_go = threading.Event(), threading.Event()
        answer = DomainDispatcherApplication.__call__

        def hold(application: Any, environ: dict[str, Any], start_response: Any) -> Any:
            if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith("/list"):
                self.began.set()
                assert self.let_go.wait(60)
            return answer(application, environ, start_response)

        monkeypatch.setattr(DomainDispatcherApplication, "__call__", hold)


def test_questions_are_answered_while_a_job_runs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list takes longer than an answer may; the function that works it is asked something else meanwhile, too."""
    held = HeldLists(monkeypatch)
    with ThreadPoolExecutor(1) as beside:
        importing = beside.submit(ask, server, "POST", IMPORT, {"content-type": "text/csv"}, LIST)
        try:
            assert held.began.wait(60)
            began = time.monotonic()
            for path in ("/jobs?limit=1", *["/suppressions?limit=1"] * 5):
                assert ask(server, "GET", path)[0] == 200
            assert not importing.done(), "an answer has waited for the job"
            time.sleep(max(0, began + FIRST_RUN - time.monotonic()))
        finally:
            held.let_go.set()
        status, text = importing.result()
    job = json.loads(text)
    assert (status, job["state"]) == (202, "queued")
    assert ask(server, "GET", f"/jobs/{job['id']}")[0] == 200


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
