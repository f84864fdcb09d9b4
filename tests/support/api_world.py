"""A small world to ask about, and a script of questions: what the documents of the API show is what comes of it.

The facts are read by the real parser's structures and judged by the real rules; the clock stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aftersend import classify
from aftersend.api.description import Example
from aftersend.core import spike_guard
from aftersend.core.model import Context, Evidence, Feedback, Kind, Reason
from aftersend.core.spike_guard import Window
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from tests.support.api import Answer, Api, Clock
from tests.support.list_jobs import ListJobApi
from tests.support.ports import MemoryStore, ports
from tests.support.words import told

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
_NEWS: Final = Context(sender="news@example.com", subject="What is new in March")


def _at(day: int, hour: int = 8) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def _fact(kind: Kind, message: str, recipient: str, at: datetime, **evidence: Any) -> Feedback:
    return Feedback(
        source="ses",
        kind=kind,
        message=f"ses:{message}",
        recipient=f"email:{recipient}",
        occurred_at=at,
        evidence=Evidence(**evidence) if evidence else None,
        context=_NEWS,
    )


_UNKNOWN: Final = "550 5.1.1 <old.account@example.net>: Recipient address rejected: User unknown"
FACTS: Final = (
    _fact(Kind.DELIVERED, "0102-a1", "old.account@example.net", _at(2)),
    _fact(
        Kind.BOUNCED,
        "0102-b2",
        "old.account@example.net",
        _at(27, 9),
        code=550,
        status="5.1.1",
        text=_UNKNOWN,
        provider_code="Permanent/General",
    ),
    _fact(Kind.BOUNCED, "0102-b2", "max.huber@example.com", _at(27, 9), code=550, text="550 SPF check failed"),
    _fact(Kind.DELIVERED, "0102-b2", "annoyed@example.com", _at(27, 9)),
    _fact(Kind.COMPLAINED, "0102-b2", "annoyed@example.com", _at(28, 7), provider_code="abuse"),
    _fact(Kind.BOUNCED, "0102-c3", "riddle@example.org", _at(30), code=554, text="554 refused [ref 42-0815]"),
    _fact(Kind.BOUNCED, "0102-a1", "back.again@example.org", _at(3), code=550, status="5.1.1", text="550 no such user"),
    _fact(Kind.CLICKED, "0102-b2", "back.again@example.org", _at(29, 18)),
)


ACCIDENT: Final = Window("accident.example", _at(30, 9), _at(30, 10))


class Step(Struct, frozen=True, kw_only=True):
    """One question of the script."""

    operation: str
    name: str
    method: str
    path: str  # with its names in braces
    place: Mapping[str, str] = {}  # what stands for them, percent-encoded
    query: str = ""
    body: Any = None
    headers: Mapping[str, str] = {}

    @property
    def target(self) -> str:
        path = self.path.format(**self.place)
        return f"{path}?{self.query}" if self.query else path


_ONE: Final = "/suppressions/{recipient}"
_OLD: Final = {"recipient": "old.account@example.net"}
_ANNOYED: Final = {"recipient": "annoyed@example.com"}

SCRIPT: Final = (
    Step(
        operation="check",
        name="three-addresses",
        method="POST",
        path="/suppressions/check",
        body={
            "recipients": ["Old Account <Old.Account@Example.net>", "max.huber@example.com", "annoyed@example.com"],
            "scope": "news",
        },
    ),
    Step(operation="probe", name="suppressed", method="HEAD", path=_ONE, place=_OLD),
    Step(operation="probe", name="free", method="HEAD", path=_ONE, place={"recipient": "max.huber@example.com"}),
    Step(
        operation="listSuppressions",
        name="complaints-of-march",
        method="GET",
        path="/suppressions",
        query="from=2026-03-01&to=2026-03-31&cause=complaint&active=true",
    ),
    Step(operation="getSuppression", name="hard-bounce", method="GET", path=_ONE, place=_OLD),
    Step(operation="getRecipient", name="one-page", method="GET", path="/recipients/{recipient}", place=_OLD),
    Step(
        operation="getMessage",
        name="first-of-three",
        method="GET",
        path="/messages/{message}",
        place={"message": "ses:0102-b2"},
        query="limit=1",
    ),
    Step(
        operation="suppress",
        name="asked-by-telephone",
        method="PUT",
        path=_ONE,
        place={"recipient": "caller@example.org"},
        body={"note": "Asked us by telephone to be left alone until summer.", "until": "2026-06-21T00:00:00Z"},
    ),
    Step(
        operation="release",
        name="complaint-without-force",
        method="DELETE",
        path=_ONE,
        place=_ANNOYED,
        query="note=Wrote+to+us+that+it+was+a+mistake.",
    ),
    Step(
        operation="release",
        name="complaint-by-force",
        method="DELETE",
        path=_ONE,
        place=_ANNOYED,
        query="note=Wrote+to+us+that+it+was+a+mistake.&force=true",
        headers={"If-Match": '"1"'},
    ),
    Step(
        operation="release",
        name="somebody-was-faster",
        method="DELETE",
        path=_ONE,
        place=_ANNOYED,
        query="note=Wrote+to+us+that+it+was+a+mistake.&force=true",
        headers={"If-Match": '"1"'},
    ),
    Step(operation="review", name="one-of-each", method="GET", path="/review", query="limit=2"),
    Step(
        operation="resolveOutcome",
        name="nothing-to-worry-about",
        method="POST",
        path="/review/outcomes",
        body={
            "recipient": "riddle@example.org",
            "message": "ses:0102-c3",
            "decision": "keep",
            "note": "Their filter was broken that day.",
        },
    ),
    Step(
        operation="resolveSuppression",
        name="alive-after-all",
        method="POST",
        path="/review/suppressions",
        body={
            "recipient": "back.again@example.org",
            "decision": "release",
            "note": "Clicked in our newsletter, so the mailbox works again.",
        },
    ),
    Step(operation="listIncidents", name="one-that-is-open", method="GET", path="/incidents"),
    Step(
        operation="judgeIncident",
        name="their-fault",
        method="POST",
        path="/incidents/judge",
        body={
            "domain": "accident.example",
            "since": "2026-03-30T09:00:00Z",
            "until": "2026-03-30T10:00:00Z",
            "reason": "user_unknown",
            "decision": "revert",
            "note": "They have told us that their directory was down.",
        },
    ),
    Step(operation="exportPage", name="as-csv", method="GET", path="/suppressions/export", query="active=true"),
    Step(operation="erase", name="forgotten", method="DELETE", path="/recipients/{recipient}", place=_OLD),
)


def world() -> Api:
    """The API over these facts."""
    store = MemoryStore()
    judge = classify.load(None)
    with told():
        body = msgspec.json.encode(FACTS)
        report = ingest([Message("m", body, NOW)], ports(store, classify=judge))
    assert not report.failed and not report.malformed
    desk = replace(ListJobApi(store, clock=Clock(NOW)).desk, classify=judge)
    for number in range(60):
        key = f"email:user{number}@accident.example", "ses:0102-d4"
        desk.watch.tell(spike_guard.report_refusal(ACCIDENT, key, Reason.USER_UNKNOWN))
    return Api(desk)


@lru_cache(maxsize=1)
def played() -> tuple[tuple[Step, Answer], ...]:
    """Every question of the script with its answer, asked in their order."""
    api = world()
    return tuple((each, api(each.method, each.target, each.body, each.headers)) for each in SCRIPT)


def examples() -> list[Example]:
    """The script as the OpenAPI document shows it."""
    return [
        Example(
            operation=step.operation,
            name=step.name,
            status=answer.status,
            parameters={**step.place, **dict(parse_qsl(step.query))},
            body=step.body,
            answer=_shown(answer),
        )
        for step, answer in played()
    ]


def _shown(answer: Answer) -> Any:
    if not answer.text:
        return None
    return answer.json if "json" in answer.headers["content-type"] else answer.text
