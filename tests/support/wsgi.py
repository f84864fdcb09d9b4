"""The API behind a WSGI server, as it is behind API Gateway: who shows the right token has a name, nobody else has.

It hands paths on as API Gateway does: decoded, and ended at a question mark that was encoded. One request at a time,
as a function of Lambda has it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, make_server

from aftersend.api import app
from aftersend.api.context import ApiContext
from tests.support.api import ARN

TOKEN: Final = "Bearer test"
_LONGEST: Final = 1 << 20  # bytes of the first line
Environ = dict[str, Any]


class Application:
    """A WSGI application over one context."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer, log = app.answer(event(environ), self._context)
        assert not log.fault, log.fault
        body = str(answer["body"] or "").encode()
        headers = [*answer["headers"].items(), ("Content-Length", str(len(body)))]
        start_response(f"{answer['statusCode']} -", headers)
        return [body]


def event(environ: Environ) -> dict[str, Any]:
    """What API Gateway would make of the request."""
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace").partition("?")[0]
    names = {name.removeprefix("HTTP_").replace("_", "-").lower(): environ[name] for name in environ}
    headers = {name: value for name, value in names.items() if f"HTTP_{name.replace('-', '_').upper()}" in environ}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    let_in = headers.get("authorization") == TOKEN
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": environ["QUERY_STRING"],
        "headers": headers,
        "requestContext": {
            "stage": "$default",
            "requestId": "test",
            "http": {"method": environ["REQUEST_METHOD"], "path": path},
            **({"authorizer": {"iam": {"userArn": ARN}}} if let_in else {}),
        },
        **({"body": base64.b64encode(body).decode()} if body else {}),
        "isBase64Encoded": bool(body),
    }


class Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing: paths hold addresses."""

    def handle(self) -> None:
        """Answer one request as the library does, but for its own bound of a line: ours say what is too long."""
        self.raw_requestline = self.rfile.readline(_LONGEST)
        if self.parse_request():
            out: Any = self.wfile
            handler = ServerHandler(self.rfile, out, self.get_stderr(), self.get_environ(), multithread=False)
            handler.request_handler = self  # type: ignore[attr-defined]  # as the library sets it
            handler.run(self.server.get_app())  # type: ignore[attr-defined]  # of a server of WSGI


@contextmanager
def serving(context: ApiContext) -> Iterator[str]:
    """The address of a server over this context, as long as the `with` lasts."""
    with make_server("127.0.0.1", 0, Application(context), handler_class=Silent) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
