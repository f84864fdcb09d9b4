"""Moto as a server on a free port, which counts what is written to DynamoDB and forgets everything at its end."""

from __future__ import annotations

import http.client
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_HOST: Final = "127.0.0.1"
_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


class _Counting(DomainDispatcherApplication):
    """moto, which counts what is written to DynamoDB as it arrives, whatever client sent it."""

    def __init__(self, writes: Counter[str]) -> None:
        super().__init__(create_backend_app)
        self._writes = writes

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if service.startswith("DynamoDB_") and operation in _WRITES:
            self._writes[operation] += 1
        return super().__call__(environ, start_response)


@contextmanager
def moto_server() -> Iterator[tuple[str, Counter[str]]]:
    """Its endpoint, and what is written to DynamoDB by operation, as long as the context lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it logs every request
    writes: Counter[str] = Counter()
    server = make_server(_HOST, 0, _Counting(writes), threaded=True, request_handler=MotoRequestHandler)
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://{_HOST}:{server.port}", writes
    finally:
        _forget(_HOST, server.port)
        server.shutdown()
        serving.join()
        server.server_close()


def _forget(host: str, port: int) -> None:
    """What moto holds belongs to the process, not to the server: the next stack must not find it."""
    connection = http.client.HTTPConnection(host, port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
