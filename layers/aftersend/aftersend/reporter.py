"""For senders in Python: hands on the answers of push services and SMSCs, which nobody but the sender gets.

    from aftersend.client import Reporter

    reporter = Reporter(webhook="https://api.example.com/feedback/fcm/SECRET")
    reporter.report(token, response, message="order-4711")  # a response of requests, httpx, aiohttp …, or an exception

or, in the account of the stack, straight into its feedback queue: `Reporter(queue=url, source="fcm")`. Many answers
cost one request where they are gathered: `with Reporter(…) as reporter: reporter.add(…)`. `docs/answers.md` has what
becomes of them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from aftersend.aws import connect
from aftersend.core.errors import StoreUnavailable
from aftersend.core.times import format_time
from aftersend.sources.answers import REGISTERED
from aftersend.storage.queue import OutgoingMessage, QueueSender

MAX_ENTRIES: Final = 500  # of one body
MAX_BYTES: Final = 200_000  # of one body: well below what a webhook and a queue take
MAX_TEXT: Final = 4_096  # characters of an answer's body that are handed on: it is an error, or a name
HEADERS: Final = frozenset({"apns-id", "location", "retry-after"})  # that are handed on: no others are read
WAITS: Final = (0.5, 2.0)  # seconds before the second and the third try
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_TAKEN: Final = range(200, 300)

Entry = dict[str, Any]


class Reporter:
    """Where answers are handed on to: a webhook of the stack, or its feedback queue. Safe to share between threads.

    `webhook` is the address of the source, with its secret; `queue` the URL of the feedback queue, for which `source`
    says whose answers they are and `client` is boto3's for SQS, if not one as the environment says.
    """

    def __init__(
        self,
        *,
        webhook: str | None = None,
        queue: str | None = None,
        source: str | None = None,
        client: Any = None,
        timeout: float = 10.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if (webhook is None) == (queue is None):
            raise ValueError("give the address of a webhook, or the URL of a queue")
        if queue is not None and not source:
            raise ValueError("a queue is for many sources: say whose answers these are")
        self._webhook, self._source, self._timeout = webhook, source or "", timeout
        self._sender = QueueSender(_connect(client), queue) if queue is not None else None
        self._clock, self._sleep = clock, sleep
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def report(self, recipient: str | list[str] | None, answer: Any = None, **fields: Any) -> None:
        """Hand one answer on, now; see `add` for the arguments. Raises StoreUnavailable where it was not taken."""
        self.report_many([self._build(recipient, answer, fields)])

    def add(self, recipient: str | list[str] | None, answer: Any = None, **fields: Any) -> None:
        """Keep one answer, and hand all on when they are many, or by `flush`.

        `recipient` is the token or number, as it was sent to. `answer` is the response of an HTTP library, the
        exception that came in its place, or what an SDK made of either. Of `fields`, `message` is your own id of the
        message, `retry` says whether you try again, `at` when the answer came (now, if it is not given), and
        `correlation` has identifiers of your own; `status`, `headers`, `body` and `error` go before what is found in
        `answer`. Raises StoreUnavailable as `flush` does.
        """
        entry = self._build(recipient, answer, fields)
        with self._lock:
            self._entries.append(entry)
            full = len(self._entries) >= MAX_ENTRIES
        if full:
            self.flush()

    def register(self, recipient: str, **fields: Any) -> None:
        """Report that an app has registered this token, for the first time or again: it is alive from then on."""
        self.report(recipient, event=REGISTERED, **fields)

    def flush(self) -> None:
        """Hand on all that was kept. Raises StoreUnavailable where some of it was not taken, which is kept then."""
        with self._lock:
            entries, self._entries = self._entries, []
        self.report_many(entries, keep=self._keep)

    def report_many(self, entries: Iterable[Entry], keep: Callable[[list[Entry]], None] | None = None) -> None:
        """Hand on entries of the envelope as they are, in as few requests as they take.

        Raises StoreUnavailable where one of those was not taken; it and all after it go to `keep` before. Whatever is
        handed on twice counts once.
        """
        bodies = list(_pack(entries))
        for number, (body, _) in enumerate(bodies):
            try:
                self._send(body)
            except StoreUnavailable:
                if keep is not None:
                    keep([entry for _, rest in bodies[number:] for entry in rest])
                raise

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def _keep(self, entries: list[Entry]) -> None:
        with self._lock:
            self._entries = entries + self._entries

    def _build(self, recipient: str | list[str] | None, answer: Any, fields: Mapping[str, Any]) -> Entry:
        given = dict(fields)
        at = given.pop("at", None) or self._clock()
        entry = {"recipient": recipient, "at": format_time(at) if isinstance(at, datetime) else at}
        entry |= describe_answer(answer) | given
        return {name: value for name, value in entry.items() if value is not None}

    def _send(self, body: bytes) -> None:
        for wait in (*WAITS, None):
            try:
                self._queue(body) if self._sender is not None else self._post(body)
            except _NotNow as error:
                if wait is None:
                    raise StoreUnavailable(str(error)) from error
                self._sleep(wait)
            else:
                return

    def _queue(self, body: bytes) -> None:
        assert self._sender is not None
        results = self._sender.send([OutgoingMessage(self._source, body)])
        if results.refused:
            raise StoreUnavailable(f"the queue refused it: {results.refused[0]}")
        if results.failed:
            raise _NotNow(f"the queue did not take it: {results.failed[0]}")

    def _post(self, body: bytes) -> None:
        # Whoever only asks who is allowed does not wait for it.
        from urllib.error import HTTPError  # noqa: PLC0415
        from urllib.request import Request, urlopen  # noqa: PLC0415

        assert self._webhook is not None
        if not self._webhook.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise ValueError("the address of a webhook begins with https://")
        request = Request(self._webhook, body, {"content-type": "application/x-ndjson"}, method="POST")  # noqa: S310
        try:
            with urlopen(request, timeout=self._timeout) as response:  # noqa: S310  # its scheme is checked above
                status = int(response.status)
        except HTTPError as error:
            with error:
                status = error.code
        except OSError as error:  # no connection, a timeout, a certificate that is wrong
            raise _NotNow(f"the webhook did not answer: {type(error).__name__}") from error
        if status in _AGAIN:
            raise _NotNow(f"the webhook answered {status}")
        if status not in _TAKEN:
            raise StoreUnavailable(f"the webhook answered {status}: is its address right, and the source on?")


class _NotNow(Exception):
    """It was not taken, and may be if it is tried again."""


def describe_answer(answer: Any) -> Entry:
    """Describe in the terms of the envelope what a library gave for an answer: a response, or an error.

    Knows what `requests`, `httpx`, `urllib3`, `http.client`, `pywebpush`, `aioapns` and `firebase_admin` give by the
    names of their attributes, and takes a mapping as it is.
    """
    if answer is None:
        return {}
    if isinstance(answer, Mapping):
        return dict(answer)
    if (failure := getattr(answer, "exception", None)) is not None and not callable(failure):
        return describe_answer(failure)  # of several tokens, one that failed
    if isinstance(answer, BaseException):
        return _describe_error(answer)
    status = _find_status(answer)
    if status is None and isinstance(name := getattr(answer, "message_id", None), str):
        return {"status": 200, "body": {"name": name}}
    found: Entry = {"status": status, "headers": _list_headers(answer), "body": _find_body(answer)}
    return {name: value for name, value in found.items() if value not in (None, {}, "")}


def _describe_error(error: BaseException) -> Entry:
    for name in ("response", "http_response"):
        if (response := getattr(error, name, None)) is not None:
            return describe_answer(response)
    name = type(error).__name__
    return {"error": "timeout" if isinstance(error, TimeoutError) or "timeout" in name.lower() else name}


def _find_status(answer: Any) -> int | None:
    for name in ("status_code", "status"):
        value = getattr(answer, name, None)
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
    return None


def _list_headers(answer: Any) -> dict[str, str]:
    headers: Any = getattr(answer, "headers", None)
    every = headers.items() if hasattr(headers, "items") else ()
    found = {str(name).lower(): str(value) for name, value in every if str(name).lower() in HEADERS}
    own = getattr(answer, "notification_id", None)
    return found | ({"apns-id": own} if isinstance(own, str) else {})


def _find_body(answer: Any) -> Any:
    if (reason := getattr(answer, "description", None)) is not None:
        return {"reason": reason, "timestamp": getattr(answer, "timestamp", None)}
    for name in ("text", "content", "data", "body"):
        value = getattr(answer, name, None)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            return value[:MAX_TEXT]
        if isinstance(value, dict | list):
            return value
    return None


def _pack(entries: Iterable[Entry]) -> Iterable[tuple[bytes, list[Entry]]]:
    """Bodies of JSON Lines, none too large, each with the entries that are in it."""
    lines: list[bytes] = []
    held: list[Entry] = []
    load = 0
    for entry in entries:
        line = json.dumps(entry, ensure_ascii=False, default=str).encode()
        if lines and (len(lines) == MAX_ENTRIES or load + len(line) > MAX_BYTES):
            yield b"\n".join(lines), held
            lines, held, load = [], [], 0
        lines.append(line)
        held.append(entry)
        load += len(line) + 1
    if lines:
        yield b"\n".join(lines), held


def _connect(client: Any) -> Any:
    if client is None:
        return connect("sqs")
    from aftersend.aws import boto  # noqa: PLC0415  # whoever gives a client of boto3's has imported it

    return boto.adapt_client(client, "sqs")
