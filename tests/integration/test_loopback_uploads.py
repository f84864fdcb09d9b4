"""Lists that pass through the console on loopback: whose, where to, how large, and what is in memory of them."""

from __future__ import annotations

import io
import json
import socket
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, Final

import pytest

from aftersend_cli.endpoint import ApiAnswer, Endpoint
from aftersend_cli.loopback import Asked, Loopback, LoopbackServer, Reply, serve
from aftersend_cli.uploads import LARGEST, IncomingBody
from tests.integration.test_command_api import answering

PORT: Final = 8400
HOST: Final = f"127.0.0.1:{PORT}"
PAGE: Final = {"host": HOST, "sec-fetch-site": "same-origin", "origin": f"http://{HOST}"}
JOB: Final = "0" * 31 + "a"
LIST: Final = b"recipient\nann@example.com\n"


class Waiting(Endpoint):
    """An API with a job that waits for its list at an address."""

    def __init__(self, url: str | None) -> None:
        super().__init__("https://api.example.com", "secret")
        self.asked: list[str] = []
        self.job = {"id": JOB} | ({"upload": {"method": "PUT", "url": url}} if url else {})

    def exchange(self, method: str, target: str, body: bytes | None, headers: Any) -> ApiAnswer:
        self.asked.append(f"{method} {target}")
        return ApiAnswer(200, {"content-type": "application/json"}, json.dumps(self.job).encode())


def put(
    api: Endpoint, headers: dict[str, str] | None = None, path: str = f"/uploads/{JOB}", *, is_known: bool = True
) -> tuple[Reply, IncomingBody]:
    """What a page gets that sends the list, and what of the list has not been read then."""
    loopback = Loopback(PORT, api, {})
    entered = loopback.answer(Asked(method="GET", target=loopback.start.partition(HOST)[2], headers={"host": HOST}))
    cookie = {"cookie": entered.headers["Set-Cookie"].partition(";")[0]} if is_known else {}
    body = IncomingBody(io.BytesIO(LIST), len(LIST))
    return loopback.answer(
        Asked(method="PUT", target=path, headers=cookie | PAGE | (headers or {}), incoming=body)
    ), body


def test_a_list_goes_where_the_api_says_that_its_job_waits() -> None:
    with answering(200) as (url, taken):
        api = Waiting(f"{url}/jobs/list?signed=1")
        reply, _ = put(api)
    assert (reply.status, reply.headers["cache-control"]) == (204, "no-store")
    assert api.asked == [f"GET /jobs/{JOB}"]
    ((target, headers, body),) = taken
    assert (target, body) == ("/jobs/list?signed=1", LIST)
    assert not {"cookie", "authorization", "origin"} & {*headers}


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/uploads/http://evil.example/", "GET /jobs/http%3A%2F%2Fevil.example%2F"),
        ("/uploads/..%2Freview", "GET /jobs/..%252Freview"),
        (f"/uploads/{JOB}?url=http://127.0.0.1:1/", f"GET /jobs/{JOB}"),
        ("/uploads/", "GET /jobs/"),
    ],
)
def test_a_page_names_a_job_and_no_address(path: str, asked: str) -> None:
    with answering(200) as (url, taken):
        api = Waiting(f"{url}/list")
        put(api, path=path)
    assert api.asked == [asked]
    assert [each.target for each in taken] == ["/list"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"cookie": "aftersend-8400=wrong"}, 401),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_what_another_page_sends_is_not_even_read(headers: dict[str, str], status: int) -> None:
    api = Waiting("http://127.0.0.1:1/")
    reply, body = put(api, headers)
    assert (reply.status, body.left, api.asked) == (status, len(LIST), [])


def test_without_the_cookie_nothing_is_taken() -> None:
    api = Waiting("http://127.0.0.1:1/")
    reply, body = put(api, is_known=False)
    assert (reply.status, body.left, api.asked) == (401, len(LIST), [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (None, "this job waits for no list"),
        ("http://elsewhere.example/", "the API names no address of HTTPS to upload to"),
        ("http://127.0.0.1:1/", "the upload was not taken: "),
    ],
)
def test_a_page_hears_why_its_list_was_not_taken(url: str | None, why: str) -> None:
    """A browser hears nothing before it has sent everything."""
    reply, body = put(Waiting(url))
    assert (reply.status, body.left) == (502, 0)
    assert json.loads(reply.body)["detail"].startswith(why)


def test_a_bucket_that_refuses_is_no_success() -> None:
    with answering(403) as (url, _):
        reply, _ = put(Waiting(url))
    assert (reply.status, json.loads(reply.body)["detail"]) == (
        502,
        "the upload was not taken: HTTP Error 403: Forbidden",
    )


# ---- Over the wire ---------------------------------------------------------------------------------------------------


class Bucket:
    """Takes one body and counts it, which is nowhere whole."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/list"

    def take(self) -> int:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as wire:
            head = b"".join(iter(wire.readline, b"\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            taken = 0
            while taken < length and (piece := wire.read(min(1 << 20, length - taken))):
                taken += len(piece)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        return taken


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    yield made
    made.listener.close()


@pytest.fixture
def server(bucket: Bucket) -> Iterator[LoopbackServer]:
    with serve(Waiting(bucket.url), {}) as made:
        yield made


def enter(server: LoopbackServer) -> tuple[HTTPConnection, dict[str, str]]:
    """A browser that was let in, and what its page sends along."""
    host = f"127.0.0.1:{server.server_port}"
    wire = HTTPConnection(host, timeout=30)
    wire.request("GET", server.loopback.start.partition(host)[2])
    entered = wire.getresponse()
    entered.read()
    cookie = str(entered.headers["Set-Cookie"]).partition(";")[0]
    return wire, {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"}


def test_a_large_list_passes_through_and_is_never_whole_in_memory(server: LoopbackServer, bucket: Bucket) -> None:
    wire, headers = enter(server)
    server.last -= 1000
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(bucket.take)
        tracemalloc.start()
        pieces = (bytes(1 << 20) for _ in range(48))
        wire.request("PUT", f"/uploads/{JOB}", pieces, headers | {"Content-Length": str(48 << 20)})
        answer = wire.getresponse()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (answer.status, answer.read(), taken.result()) == (204, b"", 48 << 20)
    assert peak < 12 << 20
    assert time.monotonic() - server.last < 100  # somebody is there
    wire.close()


@pytest.mark.parametrize(
    "headers", [{"Content-Length": str(LARGEST + 1)}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "x"}]
)
def test_what_is_larger_than_any_list_or_of_no_length_is_refused(
    server: LoopbackServer, headers: dict[str, str]
) -> None:
    wire, mine = enter(server)
    wire.putrequest("PUT", f"/uploads/{JOB}", skip_accept_encoding=True)
    for name, value in (mine | headers).items():
        wire.putheader(name, value)
    wire.endheaders()
    assert wire.getresponse().status == 413
    wire.close()


def test_only_an_upload_may_be_so_large(server: LoopbackServer) -> None:
    wire, headers = enter(server)
    for method, path in (("POST", f"/uploads/{JOB}"), ("PUT", "/api/review"), ("PUT", "/api/uploads/1")):
        wire.putrequest(method, path)
        for name, value in (headers | {"Content-Length": str(7 << 20)}).items():
            wire.putheader(name, value)
        wire.endheaders()
        answer = wire.getresponse()
        assert (answer.status, answer.will_close, answer.read()[:1]) == (413, True, b"{")


def test_a_stranger_is_refused_before_they_have_sent_anything(server: LoopbackServer) -> None:
    wire = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    wire.putrequest("PUT", f"/uploads/{JOB}")
    wire.putheader("Content-Length", str(LARGEST))
    wire.endheaders()
    answer = wire.getresponse()
    assert (answer.status, answer.will_close) == (401, True)
    wire.close()


def test_whoever_hangs_up_half_way_leaves_nothing_behind(
    server: LoopbackServer, bucket: Bucket, capfd: pytest.CaptureFixture[str]
) -> None:
    wire, headers = enter(server)
    wire.putrequest("PUT", f"/uploads/{JOB}")
    for name, value in (headers | {"Content-Length": str(1 << 20)}).items():
        wire.putheader(name, value)
    wire.endheaders(b"recipient\n")
    wire.close()
    assert bucket.take() < 1 << 20  # which is less than S3 was told, and no object
    again = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    again.request("GET", "/", headers=headers)
    assert again.getresponse().status == 200
    again.close()
    assert capfd.readouterr().err == ""
