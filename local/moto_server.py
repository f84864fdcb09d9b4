"""Moto as a server on a free port, which counts what is written to DynamoDB and forgets everything at its end."""

from __future__ import annotations

import http.client
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any, Final

from moto.core.utils import unix_time
from moto.dynamodb.models.table import Table
from moto.moto_server import werkzeug_app
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sqs.models import SQSBackend
from werkzeug.serving import make_server

from local.moto_index import quick_queries
from local.moto_queues import quick_sends

_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


class _Counting(DomainDispatcherApplication):
    """moto, which counts what is written to DynamoDB as it arrives, whatever client sent it.

    Left to itself, moto loses updates of DynamoDB that come at the same time: it looks at a condition and then writes.
    So it gets them one after the other. A page in a browser that has a name bound to this address gets nothing.
    """

    def __init__(self, writes: Counter[str]) -> None:
        super().__init__(create_backend_app)
        self._writes, self._dynamodb = writes, Lock()
        self._backends: dict[str, Any] = {}
        self.host = ""  # and port

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not f".{environ.get('HTTP_HOST', '')}".endswith(f".{self.host}"):  # a bucket may stand before it
            start_response("421 Misdirected Request", [("Content-Type", "text/plain")])
            return [b"this is another host\n"]
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if not service.startswith("DynamoDB"):
            return super().__call__(environ, start_response)
        if operation in _WRITES:
            self._writes[operation] += 1
        with self._dynamodb:
            return super().__call__(environ, start_response)

    def get_backend_for_host(self, host: str | None) -> Any:
        """Remember the few there are: moto lists its folder of services for each request."""
        if host is None:
            return None
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


def _list_items(table: Any) -> list[Any]:
    """List the items of a table in the order of its keys, as every query and scan does.

    Moto compares keys pair by pair, and works out the value of both anew each time.
    """
    found = [each for group in table.items.values() for each in (group.values() if table.range_key_attr else [group])]
    return sorted(found, key=lambda item: [key.cast_value for key in (item.hash_key, item.range_key) if key])


def _is_kept(backend: Any, queue_name: str, message: Any) -> bool:
    """Return whether a queue still keeps a message: moto asks for all attributes, and counts every message for that."""
    return bool(message.sent_timestamp / 1000 + backend.get_queue(queue_name).message_retention_period > unix_time())


Table.all_items = _list_items  # type: ignore[method-assign, assignment]
SQSBackend.is_message_valid_based_on_retention_period = _is_kept  # type: ignore[method-assign, assignment]
# Else pages of every origin are let in; a bucket has rules of its own.
werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined]


@contextmanager
def moto_server(host: str = "127.0.0.1") -> Iterator[tuple[str, Counter[str]]]:
    """Serve at `host`. Its endpoint, and what is written to DynamoDB by operation, as long as the context lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it logs every request
    writes: Counter[str] = Counter()
    application = _Counting(writes)
    server = make_server(host, 0, application, threaded=True, request_handler=MotoRequestHandler)
    application.host = f"{host}:{server.port}"
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        with quick_queries(), quick_sends():
            yield f"http://{application.host}", writes
    finally:
        _forget(host, server.port)
        server.shutdown()
        serving.join()
        server.server_close()


def _forget(host: str, port: int) -> None:
    """What moto holds belongs to the process, not to the server: the next stack must not find it."""
    connection = http.client.HTTPConnection(host, port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
