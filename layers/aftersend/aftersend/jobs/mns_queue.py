"""A queue of Alibaba Cloud MNS (Simple Message Queue): requests are signed, answers are read with suspicion.

A message that was received is hidden for a while, and comes again unless it is deleted. `sign`, `build_…` and `read_…`
are pure; `Queue` puts HTTPS between them, and keeps its connection as long as it is used.

Sources: Alibaba Cloud, Simple Message Queue developer reference: "Sign requests", "BatchReceiveMessage",
"BatchDeleteMessage", "Error responses".
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from html import escape
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError  # what is parsed is parsed by defusedxml

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from msgspec import Struct

from aftersend.core.errors import StoreUnavailable
from aftersend.http.http1 import ProtocolError, TooLarge
from aftersend.http.transport import Limits, Transport
from aftersend.sources.message import NOT_XML_CHARACTERS

AT_ONCE: Final = 16  # messages in one answer; MNS gives no more
PATIENCE: Final = 5  # seconds for an answer, beyond the time that MNS was asked to wait
_VERSION: Final = "2015-06-06"
_NAMESPACE: Final = "http://mns.aliyuncs.com/doc/v1/"
_LIMITS: Final = Limits(connect=PATIENCE, silence=PATIENCE, body=8 * 1024 * 1024)  # 16 of 64 KB, all escaped
_EMPTY: Final = "MessageNotExist"  # what MNS says of a queue that shows no message
_RUN_OUT: Final = frozenset({"MessageNotExist", "ReceiptHandleError"})  # what it says of receipts that are too old

_REFERENCE: Final = re.compile("&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,9}));")


class AlibabaCredentials(Struct, frozen=True):
    """An access key; `token` is that of temporary ones. Its representation keeps its secrets."""

    key_id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return "AlibabaCredentials()"


class MnsRequest(Struct, frozen=True):
    """What is sent; `target` is the path with its query."""

    method: str
    target: str
    body: bytes = b""


class ReceivedMessage(Struct, frozen=True):
    """A message that is ours until its receipt runs out."""

    body: bytes
    receipt: str


# ---- Pure ------------------------------------------------------------------------------------------------------------


def build_receive(queue: str, wait: int) -> MnsRequest:
    """Return a request for messages that waits up to so many seconds for the first."""
    return MnsRequest("GET", f"/queues/{queue}/messages?numOfMessages={AT_ONCE}&waitseconds={wait}")


def build_delete(queue: str, receipts: Sequence[str]) -> MnsRequest:
    """Return a request to delete at most AT_ONCE messages."""
    listed = "".join(f"<ReceiptHandle>{escape(receipt)}</ReceiptHandle>" for receipt in receipts)
    text = f'<?xml version="1.0" encoding="utf-8"?><ReceiptHandles xmlns="{_NAMESPACE}">{listed}</ReceiptHandles>'
    return MnsRequest("DELETE", f"/queues/{queue}/messages", text.encode())


def sign(request: MnsRequest, credentials: AlibabaCredentials, now: datetime) -> dict[str, str]:
    """Return all headers of the request but for Host: its time is `now` (any zone), and the signature covers it."""
    headers = {"date": format_datetime(now.astimezone(UTC), usegmt=True), "x-mns-version": _VERSION}
    if request.body:
        digest = md5(request.body, usedforsecurity=False).hexdigest()
        headers["content-md5"] = base64.b64encode(digest.encode()).decode()  # of the digits, not of the bytes
        headers["content-type"] = "text/xml;charset=UTF-8"
    signed = "\n".join(
        (
            request.method,
            headers.get("content-md5", ""),
            headers.get("content-type", ""),
            headers["date"],
            f"x-mns-version:{_VERSION}",
            request.target,
        )
    )
    mac = hmac.digest(credentials.secret.encode(), signed.encode(), "sha1")
    headers["authorization"] = f"MNS {credentials.key_id}:{base64.b64encode(mac).decode()}"
    if credentials.token:
        headers["security-token"] = credentials.token
    return headers


def read_messages(status: int, content: bytes) -> list[ReceivedMessage]:
    """Return the messages in an answer to `build_receive`; none where the queue is empty. Raises StoreUnavailable."""
    root = _document(status, content)
    if status == 404 and _code(root) == _EMPTY:
        return []
    if status != 200 or _name(root) != "Messages":
        raise StoreUnavailable(f"MNS: {status} {_code(root)}")
    found = [_children(each) for each in root if _name(each) == "Message"]
    return [
        ReceivedMessage(each.get("MessageBody", "").encode(), each["ReceiptHandle"])
        for each in found
        if each["ReceiptHandle"]
    ]


def read_deleted(status: int, content: bytes, receipts: Sequence[str]) -> dict[str, str]:
    """Return those of `receipts` that were not deleted, and why, of an answer to `build_delete`.

    Raises StoreUnavailable.
    """
    if status == 204:
        return {}
    root = _document(status, content)
    if _name(root) == "Errors":
        errors = [_children(each) for each in root if _name(each) == "Error"]
        return {each["ReceiptHandle"]: _shorten(each.get("ErrorCode", "")) for each in errors}
    if _code(root) in _RUN_OUT:
        return dict.fromkeys(receipts, _code(root))
    raise StoreUnavailable(f"MNS: {status} {_code(root)}")


def _document(status: int, content: bytes) -> Element:
    """The root of an answer. A body may quote what a mail server wrote, and XML cannot carry all of that: what it
    cannot is replaced by blanks, because one such message must not hold up the others for ever.
    """
    text = content.decode("utf-8", "replace")
    try:
        try:
            return _parsed(text)
        except ParseError:
            return _parsed(NOT_XML_CHARACTERS.sub(" ", _REFERENCE.sub(_fit, text)))
    except (ParseError, DefusedXmlException) as error:
        raise StoreUnavailable(f"MNS: {status}, an answer that is no XML") from error


def _parsed(text: str) -> Element:
    root: Element = fromstring(text, forbid_dtd=True)
    return root


def _fit(reference: re.Match[str]) -> str:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return " " if number > 0x10FFFF or NOT_XML_CHARACTERS.match(chr(number)) else reference[0]


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: Element) -> Mapping[str, str]:
    return {"ReceiptHandle": ""} | {_name(each): each.text or "" for each in element}


def _code(root: Element) -> str:
    return _shorten(_children(root).get("Code", ""))


def _shorten(code: str) -> str:
    """A code of MNS's as it may stand in a log: nothing but letters, digits and dots."""
    return re.sub(r"[^A-Za-z0-9.]", "", code)[:64]


# ---- The network -----------------------------------------------------------------------------------------------------


class MnsQueue:
    """One queue. A context: what is open is closed with it. Every failure is a StoreUnavailable."""

    def __init__(self, endpoint: str, queue: str, credentials: AlibabaCredentials) -> None:
        self._transport = Transport(f"https://{urlsplit(endpoint).netloc}", _LIMITS)
        self._queue = queue
        self._credentials = credentials

    def __enter__(self) -> MnsQueue:
        return self

    def __exit__(self, *_: Any) -> None:
        self._transport.close()

    def receive(self, wait: int) -> list[ReceivedMessage]:
        """Receive up to AT_ONCE messages; none where none came within `wait` seconds."""
        return read_messages(*self._send(build_receive(self._queue, wait), wait + PATIENCE))

    def delete(self, receipts: Sequence[str]) -> dict[str, str]:
        """Delete at most AT_ONCE messages; those that were not, and why: a receipt may have run out."""
        return read_deleted(*self._send(build_delete(self._queue, receipts), PATIENCE), receipts)

    def _send(self, request: MnsRequest, within: int) -> tuple[int, bytes]:
        headers = {"host": self._transport.host} | sign(request, self._credentials, datetime.now(UTC))
        try:
            answer = self._transport.send(request.method, request.target, headers, request.body, within=within)
        except TooLarge as error:
            raise StoreUnavailable("MNS: an answer that is too large") from error
        except (OSError, ProtocolError) as error:
            raise StoreUnavailable(f"MNS: {type(error).__name__}") from error
        return answer.status, answer.content
