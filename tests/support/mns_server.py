"""A server that speaks the protocol of Alibaba Cloud MNS, as far as a queue is emptied over it.

It checks signatures, knows receipts and for how long they hold, waits for messages, and refuses with MNS's own words.
Time is its own: tests move it. Written after the developer reference of Simple Message Queue ("Sign requests",
"BatchReceiveMessage", "DeleteMessage", "BatchDeleteMessage", "Error responses"), not after our client.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.support.tls import Certificates

KEY_ID: Final = "LTAItest"
SECRET: Final = "the-secret-of-the-access-key"
QUEUE: Final = "directmail"
_NAMESPACE: Final = "http://mns.aliyuncs.com/doc/v1/"
_SKEW: Final = timedelta(minutes=15)
_ERRORS: Final = {
    "AccessDenied": (403, "The OwnerId that your Access Key Id associated to is forbidden."),
    "AccessIDAuthError": (403, "AccessID authentication fail."),
    "InternalError": (500, "Internal error."),
    "InvalidDigest": (400, "The Content-MD5 you specified is not valid."),
    "MessageNotExist": (404, "Message not exist."),
    "QueueNotExist": (404, "The queue name you provided is not exist."),
    "ReceiptHandleError": (400, "The receipt handle you provide is not valid."),
    "SignatureNotMatch": (403, "The request signature we calculated does not match the signature you provided."),
    "TimeExpired": (408, "The http request you sent is expired."),
}


@dataclass
class Stored:
    """A message in the queue; its text is XML already."""

    number: int
    text: str
    visible_at: float = 0.0
    receipt: str = ""
    dequeued: int = 0


class Refused(Exception):
    """What the server says no with, by its code."""


@dataclass
class Queue:
    """One queue. `ahead` is how far its clock is ahead of the world's."""

    visibility: float = 30.0
    ahead: float = 0.0
    token: str = ""  # that of temporary credentials, where there are such
    messages: list[Stored] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)  # method -> code
    authorizations: list[str] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)
    sent: int = 0

    def put(self, *bodies: str) -> None:
        self.put_raw(*map(escape, bodies))

    def put_raw(self, *texts: str) -> None:
        with self.changed:
            for text in texts:
                self.sent += 1
                self.messages.append(Stored(self.sent, text))
            self.changed.notify_all()

    def now(self) -> float:
        return time.time() + self.ahead

    def receive(self, number: int, wait: float) -> list[Stored]:
        deadline = time.monotonic() + wait
        with self.changed:
            while not (found := [each for each in self.messages if each.visible_at <= self.now()][:number]):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Refused("MessageNotExist")
                self.changed.wait(left)
            for each in found:
                each.visible_at = self.now() + self.visibility
                each.dequeued += 1
                each.receipt = f"1-{each.number}&{each.dequeued}-{int(each.visible_at)}"
            return found

    def delete(self, receipt: str) -> None:
        with self.changed:
            found = [each for each in self.messages if receipt and each.receipt == receipt]
            if not receipt.startswith("1-"):
                raise Refused("ReceiptHandleError")
            if not found or found[0].visible_at <= self.now():
                raise Refused("MessageNotExist")
            self.messages.remove(found[0])


def signature(method: str, target: str, headers: Any) -> str:
    """What a request must be signed with: every header that begins with x-mns- counts."""
    own = sorted((name.lower(), value) for name, value in headers.items() if name.lower().startswith("x-mns-"))
    lines = [method, headers.get("Content-MD5", ""), headers.get("Content-Type", ""), headers.get("Date", "")]
    text = "\n".join(lines) + "\n" + "".join(f"{name}:{value}\n" for name, value in own) + target
    return base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    queue: Queue

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._check(body)
            status, text = self._answer(body)
        except Refused as refusal:
            status, text = self._error(str(refusal))
        content = text.encode(errors="surrogateescape")  # a test may put what is no UTF-8
        self.send_response(status)
        self.send_header("x-mns-version", "2015-06-06")
        self.send_header("x-mns-request-id", "512B2A634403E52B1956133E")
        if status != 204:
            self.send_header("Content-Type", "text/xml;charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _check(self, body: bytes) -> None:
        headers = self.headers
        scheme, _, proof = headers.get("Authorization", "").partition(" ")
        key_id, _, signed = proof.partition(":")
        if scheme != "MNS" or key_id != KEY_ID or headers.get("security-token", "") != self.queue.token:
            raise Refused("AccessIDAuthError")
        if headers.get("x-mns-version") != "2015-06-06" or not headers.get("Date", "").endswith(" GMT"):
            raise Refused("SignatureNotMatch")
        if abs(parsedate_to_datetime(headers["Date"]) - datetime.fromtimestamp(self.queue.now(), UTC)) > _SKEW:
            raise Refused("TimeExpired")
        if body and headers.get("Content-MD5") != base64.b64encode(hashlib.md5(body).hexdigest().encode()).decode():
            raise Refused("InvalidDigest")
        if not hmac.compare_digest(signed, signature(self.command, self.path, headers)):
            raise Refused("SignatureNotMatch")
        self.queue.authorizations.append(headers["Authorization"])

    def _answer(self, body: bytes) -> tuple[int, str]:
        address = urlsplit(self.path)
        asked = {
            name: values[0] for name, values in parse_qs(address.query, strict_parsing=bool(address.query)).items()
        }
        if address.path != f"/queues/{QUEUE}/messages":
            raise Refused("QueueNotExist")
        if self.command in self.queue.refuse:
            raise Refused(self.queue.refuse[self.command])
        if self.command == "DELETE":
            return self._delete([asked["ReceiptHandle"]] if asked else _listed(body, "ReceiptHandle"), batch=not asked)
        found = self.queue.receive(int(asked.get("numOfMessages", 1)), float(asked.get("waitseconds", 0)))
        if "numOfMessages" in asked:
            return 200, _document("Messages", "".join(f"<Message>{_message(each)}</Message>" for each in found))
        return 200, _document("Message", _message(found[0]))

    def _delete(self, receipts: list[str], *, batch: bool) -> tuple[int, str]:
        errors = ""
        for receipt in receipts:
            try:
                self.queue.delete(receipt)
            except Refused as refusal:
                if not batch:
                    raise
                code = f"<ErrorCode>{refusal}</ErrorCode><ErrorMessage>{_ERRORS[str(refusal)][1]}</ErrorMessage>"
                errors += f"<Error>{code}<ReceiptHandle>{escape(receipt)}</ReceiptHandle></Error>"
        return (404, _document("Errors", errors)) if errors else (204, "")

    def _error(self, code: str) -> tuple[int, str]:
        status, message = _ERRORS[code]
        parts = {
            "Code": code,
            "Message": message,
            "RequestId": "512B2A634403E52B1956133E",
            "HostId": "http://localhost",
        }
        return status, _document("Error", "".join(f"<{name}>{text}</{name}>" for name, text in parts.items()))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # who hangs up because of our certificate is no news
            super().handle_error(request, client_address)


def _listed(body: bytes, name: str) -> list[str]:
    root = ElementTree.fromstring(body)
    assert root.tag.startswith(f"{{{_NAMESPACE}}}")
    return [each.text or "" for each in root.iter(f"{{{_NAMESPACE}}}{name}")]


def _document(name: str, content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{_NAMESPACE}">{content}</{name}>'


def _message(stored: Stored) -> str:
    parts = {
        "MessageId": f"5F290C926D472878-2-14D9529A8FA-{stored.number}",
        "ReceiptHandle": escape(stored.receipt),
        "MessageBody": stored.text,
        "MessageBodyMD5": _md5(stored.text),
        "EnqueueTime": "1772446275123",
        "NextVisibleTime": str(int(stored.visible_at * 1000)),
        "FirstDequeueTime": "1772446275124",
        "DequeueCount": str(stored.dequeued),
        "Priority": "8",
    }
    return "".join(f"<{name}>{text}</{name}>" for name, text in parts.items())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape")).hexdigest().upper()


@contextmanager
def serving(queue: Queue, certificates: Certificates | None = None) -> Iterator[int]:
    """Serve `queue`, over TLS where there are certificates; the port."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"queue": queue}))
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    serving_ = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving_.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        serving_.join()
        server.server_close()
