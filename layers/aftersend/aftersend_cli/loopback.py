"""The console on this machine's loopback address: its files, and a way to the API of a stack that signs what is asked.

Whoever may reach a port of this machine is not whoever started the command, and a page in the browser may have a name
that leads here. So, before anything else, a request must name this very host; it must show the cookie that only the
first visitor with the token got; and what asks the API must come from this page itself. The credentials never reach
the browser, and no path is logged: addresses stand in paths. A list that is too large for the API passes through here
on its way into the bucket.

Sources: RFC 9110, 15.5.20 (421); Fetch Metadata (Sec-Fetch-Site); RFC 6265bis (SameSite, HttpOnly). Cookies do not tell
ports apart, so this one is named after its port.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from threading import Lock, Thread
from typing import Any, Final
from urllib.parse import parse_qs

from msgspec import Struct

from aftersend.console import ConsoleSite
from aftersend_cli.endpoint import ApiAnswer, Endpoint, encode
from aftersend_cli.errors import CommandError
from aftersend_cli.uploads import LARGEST, IncomingBody, pass_on

HOST: Final = "127.0.0.1"
API: Final = "/api/"  # and a path of the API
UPLOADS: Final = "/uploads/"  # and the id of a job that waits for its list
START: Final = "/start"
IDLE: Final = 30 * 60.0  # seconds without a request, after which it ends
_LARGEST: Final = 6_291_456  # bytes of a request: Lambda takes no more
_SILENCE: Final = 30  # seconds that a connection may say nothing
_READS: Final = frozenset({"GET", "HEAD"})
_HERE: Final = frozenset({"same-origin", "none"})  # of Sec-Fetch-Site: this page, or the person themselves
_PASSED_ON: Final = ("accept", "content-type", "if-match", "if-none-match")  # to the API
_HANDED_BACK: Final = ("content-type", "content-disposition", "etag", "location", "retry-after")  # to the page
_NEVER_KEPT: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "POST", "PUT"})
_PARAMETER: Final = re.compile(r"\\\{\w+\\\}")


class Asked(Struct, frozen=True, kw_only=True):
    """A request as it came; the names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    incoming: IncomingBody | None = None  # of an upload, which is not read whole

    @property
    def path(self) -> str:
        """Return its path, as it was encoded."""
        return self.target.partition("?")[0]


class Reply(Struct, frozen=True):
    """What is sent back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Loopback:
    """Answers the requests of one page. `port` is where it is reached. Safe to share between threads."""

    def __init__(self, port: int, api: Endpoint, settings: Mapping[str, str], token: str | None = None) -> None:
        self._hosts = frozenset({f"{HOST}:{port}", f"localhost:{port}"})
        self._api, self._site = api, ConsoleSite(API, {"upload": UPLOADS, **settings})
        self._routes = load_routes()
        self._cookie = f"aftersend-{port}"
        self._session = secrets.token_urlsafe(32)
        self._lock, self._token = Lock(), token or secrets.token_urlsafe(32)
        self.start = f"http://{HOST}:{port}{START}?t={self._token}"  # where the first visitor goes

    def answer(self, asked: Asked) -> Reply:
        """Return the answer to a request; the order of these questions is what keeps others out."""
        if asked.headers.get("host") not in self._hosts:
            return _refuse(421, "This is another host.")
        if asked.path == START and asked.method == "GET":
            return self._let_in(asked)
        if not self._knows(asked):
            return _refuse(401, "Open the address that the command has printed; it works once. Or start it anew.")
        if asked.path.startswith((API, UPLOADS)):
            return self._answer_page(asked)
        if asked.method not in _READS:
            return _refuse(405, "Files are only read.")
        accepted = asked.headers.get("accept-encoding", "")
        file = self._site.serve_file(asked.path.removeprefix("/"), accepted, asked.headers.get("if-none-match", ""))
        return Reply(file.status, file.headers, file.body)

    def _let_in(self, asked: Asked) -> Reply:
        """Give the cookie to whoever shows the token first; it is worth nothing afterwards."""
        (given,) = parse_qs(asked.target.partition("?")[2]).get("t", [""])[-1:]
        with self._lock:
            right = bool(self._token) and hmac.compare_digest(given.encode(), self._token.encode())
            if right:
                self._token = ""
        if not right:
            return _refuse(403, "This address has been used, or is wrong. Start the command anew.")
        cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
        return Reply(303, {"Location": "/", "Set-Cookie": cookie, "Cache-Control": "no-store"})

    def _knows(self, asked: Asked) -> bool:
        try:
            cookies = SimpleCookie(asked.headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookies[self._cookie].value if self._cookie in cookies else ""
        return hmac.compare_digest(given.encode(), self._session.encode())

    def _answer_page(self, asked: Asked) -> Reply:
        """Answer what only this page may ask."""
        if not self._is_from_page(asked):
            return _refuse(403, "Only this page may ask.")
        if asked.incoming is not None:
            return self._take_upload(asked.path.removeprefix(UPLOADS), asked.incoming)
        return self._ask_api(asked)

    def _is_from_page(self, asked: Asked) -> bool:
        if asked.headers.get("sec-fetch-site") not in _HERE:
            return False
        return asked.method in _READS or asked.headers.get("origin") in {f"http://{host}" for host in self._hosts}

    def _take_upload(self, job: str, body: IncomingBody) -> Reply:
        """Stream a list to where the API, asked anew, says that the job waits for it; no page names an address."""
        try:
            pass_on(body, self._api.ask("GET", f"/jobs/{encode(job)}").json())
        except CommandError as error:
            return _refuse(502, str(error))
        return Reply(204, _NEVER_KEPT)

    def _ask_api(self, asked: Asked) -> Reply:
        """Hand a request on, signed, if the API has such a route."""
        target = asked.target.removeprefix(API.rstrip("/"))
        path = target.partition("?")[0]
        if not any(asked.method == method and fits(path) for method, fits in self._routes):
            return _refuse(404, "The API has no such path.")
        given = {name: asked.headers[name] for name in _PASSED_ON if name in asked.headers}
        try:
            answer = self._api.exchange(asked.method, target, asked.body or None, given)
        except CommandError as error:
            return _refuse(502, str(error))
        return _hand_back(answer)


def _hand_back(answer: ApiAnswer) -> Reply:
    headers = {name: answer.headers[name] for name in _HANDED_BACK if name in answer.headers}
    return Reply(
        answer.status, headers | {"cache-control": "no-store", "x-content-type-options": "nosniff"}, answer.body
    )


def _refuse(status: int, detail: str) -> Reply:
    """Return a problem detail, which the page knows how to show (RFC 9457)."""
    body = json.dumps({"title": detail, "status": status, "detail": detail}).encode()
    return Reply(status, {"content-type": "application/problem+json", "cache-control": "no-store"}, body)


def load_routes() -> list[tuple[str, Callable[[str], Any]]]:
    """Return each method of the API, and what tells whether a path is one of its."""
    document = json.loads(resources.files("aftersend.api").joinpath("openapi.json").read_bytes())
    found: list[tuple[str, Callable[[str], Any]]] = []
    for path, operations in document["paths"].items():
        fits = re.compile(_PARAMETER.sub(".+", re.escape(path))).fullmatch
        found += [(method.upper(), fits) for method in operations if method.upper() in _METHODS]
    return found


class LoopbackServer(ThreadingHTTPServer):
    """Serves one `Loopback`, which is at the port that it got."""

    daemon_threads = True
    loopback: Loopback

    def __init__(self, api: Endpoint, settings: Mapping[str, str], port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.loopback = Loopback(self.server_port, api, settings)
        self.last = time.monotonic()  # when somebody asked

    def wait_until_idle(self, seconds: float = IDLE, pause: Callable[[float], None] = time.sleep) -> None:
        """Return once nobody has asked for so many seconds."""
        while (left := self.last + seconds - time.monotonic()) > 0:
            pause(left)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SILENCE
    server: LoopbackServer

    def _answer(self) -> None:
        self._note()
        is_upload = self.command == "PUT" and self.path.startswith(UPLOADS)
        size, most = self.headers.get("content-length", "0"), LARGEST if is_upload else _LARGEST
        if "transfer-encoding" in self.headers or not size.isdecimal() or int(size) > most:
            self.close_connection = True
            self._send(_refuse(413, f"A request has {most} bytes at most, and says how many."))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        incoming = IncomingBody(self.rfile, int(size), self._note)
        given: dict[str, Any] = {"incoming": incoming} if is_upload else {"body": self.rfile.read(int(size))}
        reply = self.server.loopback.answer(Asked(method=self.command, target=self.path, headers=headers, **given))
        self.close_connection |= is_upload  # whoever was refused may still be sending
        with suppress(ConnectionError):  # or has gone to another page
            self._send(reply)

    def _note(self) -> None:
        """Note that somebody is there: an upload may take longer than nobody may be."""
        self.server.last = time.monotonic()

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815  # so they are called

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in {204, 304}:
            self.send_header("content-length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged: addresses stand in paths."""


@contextmanager
def serve(api: Endpoint, settings: Mapping[str, str], port: int = 0) -> Iterator[LoopbackServer]:
    """Serve at `port`, or at any that is free, until the context ends; raises OSError where it is taken."""
    with LoopbackServer(api, settings, port) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
