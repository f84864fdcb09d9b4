"""The HTTP APIs of the stack on this machine, and what else is asked of the server that `python -m local serve` runs.

Providers cannot reach this machine, so who pushes here signs with a key of this machine's (`local.signing`). That the
webhooks believe it is wired here, by handing them another way to fetch certificates. Every source that can be pushed is
on.

Whoever is on this machine may ask; a page in a browser may not. So a request must name this server in `Host`, which a
name that somebody has bound to 127.0.0.1 does not, and one that names another `Origin` is refused.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from aftersend.console import ConsoleSite
from aftersend.lists.drop import make_drop_id
from aftersend.lists.job import DROP_FOLDER
from aftersend.sources import SOURCES
from aftersend_cli.errors import CommandError
from aftersend_cli.uploads import LARGEST, IncomingBody, pass_on
from local.environment import environment
from local.firehose import pack_file, put_file
from local.hooks import PATH as WEBHOOKS
from local.hooks import WebhookReceiver
from local.lambdas import Invocable, Lambdas
from local.serve_routes import Gateway, Request, Response
from local.signing import TOPIC, Authority, Push
from local.stack import Stack
from local.tables import Tables
from local.template import Json

RECEIVE: Final = "Receive"
OVERVIEW: Final = "/local"  # what there is, with the addresses of the webhooks
PUSH: Final = "/local/push/"  # and a source: signs the body, and pushes it here
UPLOADS: Final = "/local/uploads/"  # and the id of a job that waits for its list, which is passed on
DROP: Final = "/local/drop/"  # and a source, and the name of a file: puts it into the bucket
FIREHOSE: Final = "/local/firehose"  # puts a file of events into the archive, a line each, as Firehose does
_LARGEST: Final = 6_291_456  # Lambda hands over no larger request
_PATIENCE: Final = 10.0  # seconds for a request to arrive whole
_HOME: Final = "127.0.0.1"

Pushing = Callable[[str, str, bytes], Response]  # source, name of the file, body


class Site:
    """A stack, its functions, and its HTTP APIs under one address."""

    def __init__(
        self,
        stack: Stack,
        functions: Mapping[str, Invocable],
        variables: dict[str, str],
        authority: Authority,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Take how a webhook that came is shown, if not as a line."""
        self._stack = stack
        self.gateway = Gateway(stack, functions)
        self.secret = turn_sources_on(stack, authority)
        self.tables = Tables(stack, variables)
        self._console = ConsoleSite(settings={"upload": UPLOADS})
        self.push: Pushing | None = None  # set by whoever can push
        self.webhooks = WebhookReceiver(say or say_line)
        self._files, self._bucket = stack.client("s3"), stack.physical_ids("AWS::S3::Bucket")["ListFiles"]

    def answer(self, request: Request, host: str) -> Response:
        """Return the answer to a request."""
        path, _, query = request.target.partition("?")
        if request.method in ("GET", "HEAD") and (path == "/" or path.startswith("/assets-")):
            return self._show_console(path.removeprefix("/"), request.headers)
        if request.method == "GET" and path == OVERVIEW:
            headers = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}
            return Response(200, headers, self.overview(host).encode())
        if request.method == "POST" and path.startswith(PUSH) and self.push is not None:
            (name,) = parse_qs(query).get("name", [""])[-1:]
            return self.push(path.removeprefix(PUSH), name, request.body)
        if path == WEBHOOKS:
            return self.webhooks.answer(request)
        taken = self._take_file(path, request.body) if request.method == "PUT" else None
        return taken or self.gateway.answer(request, host)

    def _take_file(self, path: str, body: bytes) -> Response | None:
        """Put a file where files come in, by its path; None where it is none of those."""
        if path.startswith(DROP):
            return self._drop(unquote(path.removeprefix(DROP)), body)
        if path != FIREHOSE:
            return None
        key = put_file(self._stack, pack_file(body.splitlines()))
        return Response(202, {"content-type": "application/json"}, json.dumps({"object": key}).encode())

    def take_upload(self, job: str, body: IncomingBody, host: str) -> Response:
        """Put a list where its job waits for it, whatever its size."""
        shown = self.gateway.answer(Request("GET", f"/jobs/{job}", {}), host)
        try:
            pass_on(body, json.loads(shown.body))
        except CommandError as error:
            return _refuse(502, str(error))
        return Response(204, {"cache-control": "no-store"}, b"")

    def _show_console(self, path: str, headers: Mapping[str, str]) -> Response:
        """Return a file of the console, which asks the API at this very address."""
        given = {name.lower(): value for name, value in headers.items()}
        file = self._console.serve_file(path, given.get("accept-encoding", ""), given.get("if-none-match", ""))
        reason = "" if file.status < 400 else "the console has no such file"
        return Response(file.status, dict(file.headers), file.body, reason)

    def _drop(self, name: str, body: bytes) -> Response:
        """Put a file of feedback into the bucket, and say which job works it."""
        key = f"{DROP_FOLDER}{name}"
        self._files.put_object(Bucket=self._bucket, Key=key, Body=body)
        job = json.dumps({"job": f"/jobs/{make_drop_id(key)}"})
        return Response(202, {"content-type": "application/json"}, job.encode())

    def overview(self, host: str) -> str:
        """What there is: addresses, what is stored, and how to push."""
        routes = [f"  {route.method:6} http://{host}{self._address(route.path)}" for route in self.gateway.routes]
        outcomes, suppressions = self.tables.count()
        return _OVERVIEW.format(
            host=host,
            routes="\n".join(routes),
            outcomes=count(outcomes, "outcome"),
            suppressions=count(suppressions, "suppression"),
            letters=count(len(self.tables.dead_letters()), "dead letter"),
            url=f"http://{host}/feedback/ses/{self.secret}",
            topic=TOPIC,
            drop=f"http://{host}{DROP}ses/bodies.jsonl",
            firehose=f"http://{host}{FIREHOSE}",
            webhooks=f"http://{host}{WEBHOOKS}",
        )

    def _address(self, path: str) -> str:
        return path.replace("{secret}", self.secret)


def count(number: int, name: str) -> str:
    """Return "1 outcome", "2 outcomes"."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


_OVERVIEW: Final = """\
Aftersend on this machine. The console, for a browser: http://{host}/

{routes}

Stored: {outcomes}, {suppressions}; {letters}.

Push any sample, or a body of your own, signed as its source signs:

  python -m local push ses events/ses/bounce-permanent-noemail.json

or without that, as Amazon SNS delivers raw:

  curl -i {url} \\
    -H 'x-amz-sns-message-type: Notification' -H 'x-amz-sns-rawdelivery: true' \\
    -H 'x-amz-sns-topic-arn: {topic}' \\
    -H 'content-type: text/plain' --data-binary @events/ses/bounce-permanent-noemail.json

Put a file of bodies into the drop bucket, a line each:

  curl -T bodies.jsonl {drop}

Or put one where Amazon Data Firehose brings the mass of SES's events:

  curl -T events.jsonl {firehose}

Events that go out, as a receiver of webhooks gets them: {webhooks}
"""


def turn_sources_on(stack: Stack, authority: Authority) -> str:
    """Turn on every source that can be pushed, with the keys that `authority` signs with.

    Return the last part of the addresses, as the stack has generated it.
    """
    manager = stack.client("secretsmanager")
    name = stack.resources("AWS::Lambda::Function")[RECEIVE]["Environment"]["Variables"]["WEBHOOK_SECRETS"]
    document = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
    entries: Json = {source: authority.list_keys(row.proofs) for source, row in SOURCES.items() if row.proofs}
    manager.put_secret_value(SecretId=name, SecretString=json.dumps(document | {"sources": entries}))
    return str(document["path"])


def believe(lambdas: Lambdas, authority: Authority) -> None:
    """Have the webhooks fetch certificates from `authority`, and from nowhere else."""
    function = lambdas.functions[RECEIVE]
    with environment(function.variables):
        function.module.ports.fetch = authority.fetch


def _refuse(status: int, reason: str) -> Response:
    return Response(status, {"content-type": "text/plain; charset=utf-8"}, f"{reason}\n".encode(), reason)


class Server(ThreadingHTTPServer):
    """Serves a site. `say` gets a line for each request that is refused, `note` for all others, its own thread each.

    `after` is called once a request was answered.
    """

    daemon_threads = True

    def __init__(
        self,
        site: Site,
        port: int,
        say: Callable[[str], None] | None = None,
        note: Callable[[str], None] | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__((_HOME, port), _Handler)
        self.site, self.after = site, after
        self.say = say or say_line
        self.note = note or self.say
        self.host = f"{_HOME}:{self.server_port}"
        names = {_HOME, "localhost"}
        self.names = {f"{name}:{self.server_port}" for name in names} | (names if self.server_port == 80 else set())


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = _PATIENCE

    def __getattr__(self, name: str) -> Any:
        """Every method is answered: what is not allowed is for the routes to say."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        response = self._refused() or self._answered()
        # Said before it is sent: who has the answer finds the line there. The path is left out: it may hold a secret.
        if response.reason:
            self.server.say(f"{self.command} {response.status}: {response.reason}")
        else:
            self.server.note(f"{self.command} {response.status}")
        self._write(response)
        self.server.after()

    def _answered(self) -> Response:
        length = int(self.headers.get("content-length", 0))
        if self._is_upload:
            job = self.path.removeprefix(UPLOADS)
            return self.server.site.take_upload(job, IncomingBody(self.rfile, length), self.server.host)
        body = self.rfile.read(length)
        if len(body) < length:  # who sent it has hung up; API Gateway hands on no half of a body
            return Response(400, {}, b"", f"the body has {len(body)} bytes, and was to have {length}")
        return self.server.site.answer(Request(self.command, self.path, self._joined(), body), self.server.host)

    @property
    def _is_upload(self) -> bool:
        return self.command == "PUT" and self.path.startswith(UPLOADS)

    def _joined(self) -> dict[str, str]:
        """The headers; of one that comes twice both values with a comma between them, as API Gateway joins them."""
        found: dict[str, str] = {}
        for name, value in self.headers.items():
            lower = name.lower()
            found[lower] = f"{found[lower]},{value}" if lower in found else value
        return found

    def _refused(self) -> Response | None:
        """Refuse what is not meant for this server, and what API Gateway does not hand on.

        A body is taken whose length is given, once, and that is not too large.
        """
        hosts, origin = self.headers.get_all("host", []), self.headers.get("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self.server.names:
            return _refuse(421, f"Host is {', '.join(hosts) or 'missing'}, and this server is {self.server.host} only")
        if origin is not None and origin.lower().removeprefix("http://") not in self.server.names:
            return _refuse(403, f"a page of {origin} asks; only programs of this machine may")
        lengths = self.headers.get_all("content-length", ["0"])
        try:
            urlsplit(self.path)
        except ValueError:
            return _refuse(400, "the target is no address")
        if "transfer-encoding" in self.headers or len(lengths) > 1 or not lengths[0].isdecimal():
            return _refuse(411, "the length of the body must be given, once")
        most = LARGEST if self._is_upload else _LARGEST
        if int(lengths[0]) > most:
            return _refuse(413, f"the body is larger than {most} bytes")
        return None

    def _write(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):  # a browser hangs up where somebody has gone to another page
                self.wfile.write(response.body)

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


_saying: Final = threading.Lock()


def say_line(text: str) -> None:
    """Write a line to the console, whole, whatever else is written at the same time."""
    with _saying:
        sys.stdout.write("".join(char if char.isprintable() or char == "\n" else "?" for char in text) + "\n")
        sys.stdout.flush()
