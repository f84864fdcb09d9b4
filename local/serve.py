"""`python -m local serve`: the bundle's HTTP APIs on this machine, until Ctrl-C; every push is worked at once.

Providers cannot reach this machine, so who pushes here signs with a key of this machine's (`local.signing`). That the
webhooks believe it is wired here, by handing them another way to fetch certificates. Every source that can be pushed is
on.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from aftersend.sources import SOURCES
from local.environment import environment
from local.lambdas import Lambdas
from local.serve_routes import Gateway, Request, Response
from local.signing import TOPIC, Authority, Push
from local.stack import Stack, running
from local.tables import Tables
from local.template import Json

RECEIVE: Final = "Receive"
_LARGEST: Final = 6_291_456  # Lambda hands over no larger request
_PATIENCE: Final = 10.0  # seconds for a request to arrive whole


class Site:
    """A stack, its functions, and its HTTP APIs under one address."""

    def __init__(self, stack: Stack, lambdas: Lambdas, authority: Authority) -> None:
        self.lambdas = lambdas
        self.gateway = Gateway(stack, lambdas)
        self.secret = turn_sources_on(stack)
        self.tables = Tables(stack, lambdas.functions["ProcessSes"])
        believe(lambdas, authority)

    def answer(self, request: Request, host: str) -> tuple[Response, Counter[str]]:
        """The answer to a request, and what the functions behind the queues did then."""
        if request.method == "GET" and request.target == "/":
            return Response(200, {"content-type": "text/plain; charset=utf-8"}, self.overview(host).encode()), Counter()
        response = self.gateway.answer(request, host)
        return response, self.lambdas.drain()

    def overview(self, host: str) -> str:
        """What there is: addresses, what is stored, and how to push."""
        contents = self.tables.contents()
        routes = [f"  {route.method:5} http://{host}{self._address(route.path)}" for route in self.gateway.routes]
        return _OVERVIEW.format(
            routes="\n".join(routes),
            outcomes=len(contents.outcomes),
            suppressions=len(contents.suppressions),
            letters=len(self.tables.dead_letters()),
            url=f"http://{host}/feedback/ses/{self.secret}",
            topic=TOPIC,
        )

    def _address(self, path: str) -> str:
        return path.replace("{secret}", self.secret)


_OVERVIEW: Final = """\
Aftersend on this machine.

{routes}

Stored: {outcomes} outcomes, {suppressions} suppressions; {letters} dead letters.

Push a sample, as Amazon SNS delivers raw:

  curl -i {url} \\
    -H 'x-amz-sns-message-type: Notification' -H 'x-amz-sns-rawdelivery: true' \\
    -H 'x-amz-sns-topic-arn: {topic}' \\
    -H 'content-type: text/plain' --data-binary @events/ses/bounce-permanent-noemail.json
"""


def turn_sources_on(stack: Stack) -> str:
    """Turn on every source that can be pushed; return the last part of the addresses, as the stack has generated it."""
    manager = stack.client("secretsmanager")
    name = stack.resources("AWS::Lambda::Function")[RECEIVE]["Environment"]["Variables"]["WEBHOOK_SECRETS"]
    document = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
    entries: Json = {source: {} for source, row in SOURCES.items() if row.proofs}
    manager.put_secret_value(SecretId=name, SecretString=json.dumps(document | {"sources": entries}))
    return str(document["path"])


def believe(lambdas: Lambdas, authority: Authority) -> None:
    """Have the webhooks fetch certificates from `authority`, and from nowhere else."""
    function = lambdas.functions[RECEIVE]
    with environment(function.variables):
        function.module.ports.fetch = authority.fetch


class Server(HTTPServer):
    """Serves one request after the other: moto loses what threads write at the same time."""

    def __init__(self, site: Site, port: int, say: Callable[[str], None] | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.site = site
        self.say = say or _say
        self.host = f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = _PATIENCE

    def __getattr__(self, name: str) -> Any:
        """Every method is answered: what is not allowed is for the routes to say."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        response, done = self._refused(), Counter[str]()
        if response is None:
            response, done = self._answered()
        # Said before it is sent: who has the answer finds the line there.
        self._tell(response.status, done)
        self._write(response)

    def _answered(self) -> tuple[Response, Counter[str]]:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # who sent it has hung up; API Gateway hands on no half of a body
            return Response(400, {}, b""), Counter()
        return self.server.site.answer(Request(self.command, self.path, self._joined(), body), self.server.host)

    def _joined(self) -> dict[str, str]:
        """The headers; of one that comes twice both values with a comma between them, as API Gateway joins them."""
        found: dict[str, str] = {}
        for name, value in self.headers.items():
            lower = name.lower()
            found[lower] = f"{found[lower]},{value}" if lower in found else value
        return found

    def _refused(self) -> Response | None:
        """A body is taken whose length is given, once, as from API Gateway, and that is not too large."""
        lengths = self.headers.get_all("content-length", ["0"])
        try:
            urlsplit(self.path)
        except ValueError:
            return Response(400, {}, b"")
        if "transfer-encoding" in self.headers or len(lengths) > 1 or not lengths[0].isdecimal():
            return Response(411, {}, b"")
        return Response(413, {}, b"") if int(lengths[0]) > _LARGEST else None

    def _write(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _tell(self, status: int, done: Counter[str]) -> None:
        """One line a request; the path is left out, for it may hold a secret."""
        worked = f", {done['done']} worked" if done["done"] else ""
        again = f", {done['again']} to come again" if done["again"] else ""
        self.server.say(f"{self.command} {status}{worked}{again}")

    def log_message(self, *_: Any) -> None:
        """Nothing: the line above says it."""


def send(push: Push, host: str) -> int:
    """Send a push to the server at `host`; the status of the answer. Providers use https, this machine has none."""
    connection = HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", urlsplit(push.url)._replace(scheme="", netloc="").geturl(), push.body, push.headers)
        return connection.getresponse().status
    finally:
        connection.close()


def serve(port: int) -> int:
    """Run until Ctrl-C or SIGTERM."""
    with _stopping():
        try:
            _run(port)
        except KeyboardInterrupt:
            _say("\nStopped. Nothing is kept.")
    return 0


def _run(port: int) -> None:
    _say("Starting …")
    with running() as stack:
        site = Site(stack, Lambdas(stack), Authority())
        with Server(site, port) as server:
            _say(f"{site.overview(server.host)}\nhttp://{server.host}/ shows this. Ctrl-C stops.")
            server.serve_forever()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM as Ctrl-C, and Ctrl-C even where a shell has switched it off for what runs in the background."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
