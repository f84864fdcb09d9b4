"""The console on loopback: who is let in, what reaches the API, and what never leaves this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from aftersend_cli.endpoint import ApiAnswer, Endpoint
from aftersend_cli.errors import NotKnownError
from aftersend_cli.loopback import IDLE, Asked, Loopback, LoopbackServer, Reply, load_routes, serve
from tests.support import wsgi
from tests.support.api_world import world

PORT = 8400
HOST = f"127.0.0.1:{PORT}"
SETTINGS: dict[str, str] = {}
PAGE = {"host": HOST, "sec-fetch-site": "same-origin", "origin": f"http://{HOST}"}


class Recorded(Endpoint):
    """An API that notes what it was asked, and has one answer."""

    def __init__(self) -> None:
        super().__init__("https://api.example.com", "secret")
        self.asked: list[tuple[str, str, bytes | None, dict[str, str]]] = []
        self.headers = {"etag": '"3"', "content-type": "application/json", "set-cookie": "a=b", "server": "x"}

    def exchange(self, method: str, target: str, body: bytes | None, headers: Any) -> ApiAnswer:
        self.asked.append((method, target, body, dict(headers)))
        return ApiAnswer(200, self.headers, b"{}")


class Visitor:
    """Somebody at the loopback address, whose browser keeps cookies."""

    def __init__(self) -> None:
        self.api = Recorded()
        self.loopback = Loopback(PORT, self.api, SETTINGS)
        self.cookie = ""

    def ask(self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        given = {"host": HOST, "sec-fetch-site": "none"} if headers is None else headers
        return self.loopback.answer(
            Asked(method=method, target=target, headers={"cookie": self.cookie} | given, body=body)
        )

    def enter(self) -> Reply:
        reply = self.ask("GET", self.loopback.start.partition(HOST)[2])
        self.cookie = reply.headers.get("Set-Cookie", "").partition(";")[0]
        return reply


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


# ---- Who is let in ---------------------------------------------------------------------------------------------------


def test_the_first_with_the_token_gets_a_cookie_that_no_script_reads(visitor: Visitor) -> None:
    assert visitor.ask("GET", "/").status == 401
    reply = visitor.enter()
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert reply.headers["Set-Cookie"].startswith(f"aftersend-{PORT}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {*reply.headers["Set-Cookie"].split("; ")}
    assert visitor.ask("GET", "/").status == 200
    cookie, visitor.cookie = visitor.cookie, ""
    assert visitor.enter().status == 403  # it was used
    visitor.cookie = cookie
    assert visitor.ask("GET", "/").status == 200


@pytest.mark.parametrize("token", ["", "?t=", "?t=wrong", "?t=%C3%A9", "?x=1"])
def test_a_wrong_token_lets_nobody_in_and_does_not_use_it_up(visitor: Visitor, token: str) -> None:
    assert visitor.ask("GET", f"/start{token}").status == 403
    assert visitor.enter().status == 303


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", f"localhost.evil.example:{PORT}", "127.0.0.1", "localhost:1", ""]
)
def test_another_name_for_this_address_is_told_nothing(visitor: Visitor, host: str) -> None:
    """A page of a stranger may have a name that leads here, and then its script is of the same origin."""
    visitor.enter()
    for target in ("/", "/api/jobs", "/start?t=x", "/assets-0/app.js"):
        assert visitor.ask("GET", target, PAGE | {"host": host}).status == 421
    assert visitor.api.asked == []


@pytest.mark.parametrize("cookie", ["", "a=b", f"aftersend-{PORT}=", f"aftersend-{PORT}=wrong", "aftersend-1=x", ";;="])
def test_without_the_cookie_nothing_is_served(visitor: Visitor, cookie: str) -> None:
    visitor.enter()
    visitor.cookie = cookie
    assert visitor.ask("GET", "/").status == visitor.ask("GET", "/api/jobs", PAGE).status == 401
    assert visitor.api.asked == []


# ---- What reaches the API --------------------------------------------------------------------------------------------


def test_what_the_page_asks_is_handed_on_without_cookies(visitor: Visitor) -> None:
    visitor.enter()
    target = "/suppressions/ann%40example.com?scope=news&note=a%26b"
    headers = PAGE | {"if-match": '"2"', "accept": "*/*", "x-amz-date": "1", "authorization": "Bearer mine"}
    reply = visitor.ask("DELETE", f"/api{target}", headers)
    assert visitor.api.asked == [("DELETE", target, None, {"accept": "*/*", "if-match": '"2"'})]
    assert reply.status == 200
    assert reply.headers["etag"] == '"3"' and reply.headers["cache-control"] == "no-store"
    assert not {"set-cookie", "server"} & {*reply.headers}


@pytest.mark.parametrize(
    "others",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": f"https://{HOST}"},
    ],
)
def test_what_another_page_sends_goes_no_further(visitor: Visitor, others: dict[str, str]) -> None:
    visitor.enter()
    assert visitor.ask("PUT", "/api/suppressions/ann%40example.com", PAGE | others).status == 403
    assert visitor.ask("PUT", "/api/suppressions/ann%40example.com", {"host": HOST}).status == 403
    assert visitor.api.asked == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/nothing"), ("PUT", "/review"), ("OPTIONS", "/review"), ("GET", "//review"), ("GET", "")],
)
def test_only_what_the_api_has_is_handed_on(visitor: Visitor, method: str, path: str) -> None:
    visitor.enter()
    assert visitor.ask(method, f"/api{path}", PAGE).status in {404, 405}
    assert visitor.api.asked == []


def test_every_route_of_the_api_is_known(visitor: Visitor) -> None:
    visitor.enter()
    assert len(load_routes()) > 20
    for method, path in (("GET", "/review"), ("POST", "/suppressions/check"), ("GET", "/recipients/a%2Fb%40c")):
        assert visitor.ask(method, f"/api{path}", PAGE).status == 200
    assert len(visitor.api.asked) == 3


def test_what_nobody_answers_is_no_answer(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> ApiAnswer:
        raise NotKnownError("api.example.com does not answer")

    visitor.enter()
    monkeypatch.setattr(visitor.api, "exchange", fail)
    reply = visitor.ask("GET", "/api/review", PAGE)
    assert (reply.status, json.loads(reply.body)["detail"]) == (502, "api.example.com does not answer")


def test_files_are_only_read(visitor: Visitor) -> None:
    visitor.enter()
    assert visitor.ask("POST", "/", PAGE).status == 405
    reply = visitor.ask("GET", "/", {"host": HOST, "accept-encoding": "gzip"})
    assert (
        reply.headers["Content-Encoding"] == "gzip" and "script-src 'self'" in reply.headers["Content-Security-Policy"]
    )
    assert visitor.ask("GET", "/", {"host": HOST, "if-none-match": reply.headers["ETag"]}).status == 304


# ---- Over the wire ---------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with wsgi.serving(world().context) as url, serve(Endpoint(url, wsgi.TOKEN.removeprefix("Bearer ")), {}) as made:
        yield made


def test_an_answer_of_the_api_comes_through(server: LoopbackServer) -> None:
    host = f"127.0.0.1:{server.server_port}"
    wire = HTTPConnection(host)
    wire.request("GET", server.loopback.start.partition(host)[2])
    entered = wire.getresponse()
    assert (entered.status, entered.read()) == (303, b"")
    cookie = str(entered.headers["Set-Cookie"]).partition(";")[0]
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"}
    wire.request("GET", "/api/recipients/old.account%40example.net", headers=headers)
    answer = wire.getresponse()
    assert answer.status == 200 and "answer" in json.loads(answer.read())["suppressions"][0]
    body = json.dumps({"recipients": ["old.account@example.net"]})
    wire.request("POST", "/api/suppressions/check", body, headers | {"Content-Type": "application/json"})
    assert wire.getresponse().read().startswith(b"{")
    wire.request("HEAD", "/", headers=headers)
    head = wire.getresponse()
    assert (head.status, head.read()) == (200, b"")
    wire.close()


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "9999999"}, {"Transfer-Encoding": "chunked"}, {"Content-Length": "x"}]
)
def test_what_is_too_large_or_of_no_length_is_refused(server: LoopbackServer, headers: dict[str, str]) -> None:
    wire = HTTPConnection("127.0.0.1", server.server_port)
    wire.putrequest("POST", "/api/suppressions/import", skip_accept_encoding=True)
    for name, value in headers.items():
        wire.putheader(name, value)
    wire.endheaders()
    assert wire.getresponse().status == 413
    wire.close()


def test_it_ends_once_nobody_has_asked_for_a_while(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        server.last -= seconds if len(pauses) > 1 else seconds / 2

    server.wait_until_idle(IDLE, pause)
    assert len(pauses) == 2 and IDLE / 2 - 5 < pauses[1] < IDLE
