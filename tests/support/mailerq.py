"""Bodies of MailerQ, made for tests: a message that was tried, again and again, out of any of its queues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st

from aftersend.sources.message import Message
from tests.support.facts import START

Body = dict[str, Any]
QueuedBody = tuple[bytes, str]  # a body, and the queue it lay in: "" where nobody knows

ANN: Final = "ann@example.net"
ACCEPTED: Final = ("message/accepted", 250, "2.0.0", "2.0.0 queued")
GAVE_UP: Final = ("process/timeout", None, None, None)
FAILURES: Final = [
    ("rcptto/error", 550, "5.1.1", "5.1.1 user unknown"),
    ("rcptto/error", 452, "4.2.2", "4.2.2 mailbox full"),
    ("rcptto/error", 451, "5.0.0", "Please come back later"),
    ("mailfrom/error", 553, "5.1.8", "5.1.8 sender unknown"),
    ("message/error", 554, "5.7.1", "5.7.1 message looks like spam"),
    ("intro/error", 421, "4.7.0", "4.7.0 too many connections"),
    ("authpassword/error", 535, None, "user unknown"),
    ("dns/error", 512, "5.1.2", "domain does not exist"),
    ("connect/timeout", None, None, None),
    ("data/lost", None, None, None),
    ("bind/error", None, None, None),
]
STATES: Final = (
    *("process", "suppression", "storage", "responsive", "personalize", "rewrite", "amqp", "bind", "dns", "connect"),
    *("handshake", "idle", "unknown", "intro", "ehlo", "helo", "starttls", "authplain", "authlogin", "authusername"),
    *("authpassword", "authcram", "authresponse", "mailfrom", "rcptto", "data", "message"),
)
RESULTS: Final = ("timeout", "lost", "invalid", "error")
OVERRIDES: Final = ("fatal", "individual", "strange", "greylisted", "fallback")


def attempt(pair: str, *answer: Any, hours: float = 0, **others: Any) -> Body:
    """One attempt, `hours` after the first; `answer` is code, status and description, as far as given."""
    state, _, result = pair.partition("/")
    time = (START + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S")
    values = zip(("code", "status", "description"), answer, strict=False)
    return {"state": state, "result": result, "time": time} | {name: x for name, x in values if x is not None} | others


def message(*attempts: Body, recipient: str = ANN, number: int = 1, **others: Any) -> Body:
    """A message with all its attempts; MailerQ knows it by its number."""
    known = {"envelope": "bounces@example.com", "recipient": recipient, "message-id": f"id{number}"}
    return {**known, **others, "results": list(attempts)}


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()


def carried(queued: QueuedBody, name: str = "m") -> Message:
    body, queue = queued
    return Message(name, body, START, "mailerq", {"x-queue": queue} if queue else {})


class Story:
    """The life of one message: what each queue holds of it."""

    def __init__(self, attempts: list[Body], **others: Any) -> None:
        self._attempts = attempts
        self._others = others

    def retries(self) -> list[QueuedBody]:
        """What the retry queue holds after each attempt that another one followed."""
        ended = self._attempts[-1]["state"] == "process"
        count = len(self._attempts) - (2 if ended else 1)
        return [self._queue_body(made, "retry") for made in range(1, count + 1)]

    def ends(self) -> list[QueuedBody]:
        """What the queues of results hold of the end."""
        accepted = self._attempts[-1]["result"] == "accepted"
        queues = ("results", "success" if accepted else "failure", "")
        return [self._queue_body(len(self._attempts), queue) for queue in queues]

    def given_up(self) -> list[QueuedBody]:
        """What the retry queue held of the last attempt, too, where MailerQ planned another and then gave up."""
        return [self._queue_body(len(self._attempts), "retry")]

    def _queue_body(self, made: int, queue: str) -> QueuedBody:
        return raw(message(*self._attempts[:made], **self._others)), queue


_flags: Final = st.sampled_from([True, False, 1, 0, "true", "false"])
_overrides: Final[st.SearchStrategy[Body]] = st.dictionaries(st.sampled_from(OVERRIDES), _flags, max_size=2)


@st.composite
def stories(draw: st.DrawFn, ends: Sequence[Any] = (ACCEPTED, GAVE_UP, *FAILURES[:4])) -> Story:
    """A message that was refused for a while and then delivered, refused for good, or given up."""
    tried: st.SearchStrategy[tuple[Any, Body]] = st.tuples(st.sampled_from(FAILURES), _overrides)
    refused = draw(st.lists(tried, min_size=1, max_size=8))
    last = draw(st.sampled_from(ends))
    attempts = [attempt(*answer, hours=place, **details) for place, (answer, details) in enumerate(refused)]
    return Story([*attempts, attempt(*last, hours=len(refused))], number=draw(st.integers(1, 4)))
