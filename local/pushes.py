"""Sends samples as their sources push them: signed, or with the secret of the address, to the real door over HTTP.

DirectMail's notifications come from MNS, in its three formats by turns, and its CloudEvents from EventBridge; the
webhook tool of MailerQ posts what lies in its queue.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from typing import Final

from local import signing
from local.lambdas import Lambdas
from local.samples import Sample
from local.serve import Server, Site, send
from local.serve_routes import Request, Response
from local.signing import Authority, Push
from local.stack import Stack

SOURCES: Final = ("directmail", "mailerq")

_FORMATS: Final = (signing.mns_json, signing.mns_xml, signing.mns_simplified)


class Door(Site):
    """The door alone: what it has queued is worked when the demo says so."""

    def answer(self, request: Request, host: str) -> tuple[Response, Counter[str]]:
        """The answer to a request."""
        return self.gateway.answer(request, host), Counter()


class Pusher:
    """Pushes to a door that is open. Its address is signed as https, which API Gateway speaks and this server does not.

    `host` is where the door and the API listen.
    """

    def __init__(self, server: Server, authority: Authority) -> None:
        self.host, self._authority = server.host, authority
        self._url = f"https://{server.host}/feedback/{{}}/{server.site.secret}"
        self._formats = cycle(_FORMATS)

    def push(self, sample: Sample) -> int:
        """Push one sample; the status of the answer."""
        url, body = self._url.format(sample.source), sample.body()
        if sample.source == "mailerq":
            kind = "application/json; charset=utf-8"
            return send(Push(url, {"content-type": kind, **sample.headers}, body), self.host)
        return send(self._signed(url, body), self.host)

    def _signed(self, url: str, body: bytes) -> Push:
        """The body as it comes from Alibaba Cloud; what is wrapped by MNS already is signed as it is."""
        now, text = datetime.now(UTC), body.decode("utf-8", "replace")
        if text.startswith("<"):
            return signing.mns(self._authority, url, body, "text/xml;charset=utf-8", now)
        if '"TopicOwner"' in text:
            return signing.mns(self._authority, url, body, "text/json;charset=utf-8", now)
        if text.startswith(("{", "[")):
            return signing.eventbridge(self._authority, url, text, now)
        if not text.isprintable():  # XML has no place for every character
            return signing.mns_json(self._authority, url, text, now)
        return next(self._formats)(self._authority, url, text, now)


@contextmanager
def opened(stack: Stack, lambdas: Lambdas) -> Iterator[Pusher]:
    """The door of a stack, on a free port."""
    authority = Authority()
    with Server(Door(stack, lambdas, authority), 0, lambda _: None) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield Pusher(server, authority)
        finally:
            server.shutdown()
            thread.join()
