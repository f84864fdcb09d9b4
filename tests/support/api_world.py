"""A small world, of which the examples of the routes ask: what the documents of the API show is what comes of it.

The facts are read by the real parser's structures and judged by the real rules; the clock stands.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Final

import msgspec
from msgspec.structs import replace

from aftersend import classify
from aftersend.api.openapi import operation_id
from aftersend.api.routes import load_all
from aftersend.api.routing import Example, Route
from aftersend.aws.errors import NoAnswer
from aftersend.core import policy, spike_guard
from aftersend.core.model import Context, Evidence, Feedback, Kind, Outcome, Reason, Suppression
from aftersend.core.spike_guard import Window
from aftersend.core.statistics import sum_rows
from aftersend.ingest import ingest
from aftersend.settings import Deployment
from aftersend.sources import read
from aftersend.sources.message import Message
from aftersend.storage import items
from aftersend.storage.alarms import Alarms
from aftersend.storage.archive import folder
from aftersend.storage.dead_letters import build_send
from aftersend.storage.last_heard import LastHeard
from aftersend.storage.queue_overview import QueueOverview
from aftersend.storage.statistics import StatisticsTable
from aftersend.storage.unmatched import UnmatchedTextQueries
from tests.simulation.dynamodb import DynamoDB
from tests.support.api import Answer, Api, Clock
from tests.support.clients import FakeDynamoDB, FakeSQS
from tests.support.facts import fake_source
from tests.support.list_jobs import ListJobApi
from tests.support.listing import Listing
from tests.support.ports import MemoryStore, ports
from tests.support.trials import rule_trials, trial_context

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
_HEADER: Final = "X-Notify-Message-ID"
_NEWS: Final = Context(sender="news@example.com", subject="What is new in March")
_ORDER: Final = Context(sender="orders@example.com", subject="Your order", correlation={_HEADER: "order-4711"})


def _at(day: int, hour: int = 8) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def _fact(
    kind: Kind, message: str, recipient: str, at: datetime, context: Context = _NEWS, **evidence: Any
) -> Feedback:
    return Feedback(
        source="ses",
        kind=kind,
        message=f"ses:{message}",
        recipient=f"email:{recipient}",
        occurred_at=at,
        evidence=Evidence(**evidence) if evidence else None,
        context=context,
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
    _fact(
        Kind.BOUNCED,
        "0102-d4",
        "full.box@example.org",
        _at(31, 9),
        context=_ORDER,
        code=552,
        status="5.2.2",
        text="552 5.2.2 Mailbox full",
        provider_code="Transient/MailboxFull",
    ),
    _fact(Kind.CLICKED, "0102-b2", "back.again@example.org", _at(29, 18)),
)


ACCIDENT: Final = Window("accident.example", _at(30, 9), _at(30, 10))


# In their order, which is that of the modules and of the handlers in them: what one writes the next ones see.
EXAMPLES: Final[tuple[tuple[Route, Example], ...]] = tuple(
    (route, example) for route in load_all().routes for example in route.examples
)


class WorldQueues(FakeSQS):
    """The queues of a stack, in which one body of Amazon SES lies that nobody could read."""

    urls: ClassVar = {
        name: name for name in ("FeedbackQueue", "FeedbackDeadLetters", "UnreadableBodies", "SesBouncesQueue")
    }
    counted: ClassVar = {"UnreadableBodies": 1}

    def get_queue_attributes(self, **request: Any) -> Any:
        return {"Attributes": {"ApproximateNumberOfMessages": str(self.counted.get(request["QueueUrl"], 0))}}

    def receive_message(self, **request: Any) -> Any:
        sent = build_send(request["QueueUrl"], BROKEN, "no field eventType")
        times = {"SentTimestamp": str(int(BROKEN.received_at.timestamp() * 1000)), "ApproximateReceiveCount": "1"}
        found = {"MessageId": "7a2c2b1e-0000-4000-8000-000000000001", "ReceiptHandle": "a", "Body": sent["MessageBody"]}
        named = {"MessageAttributes": sent["MessageAttributes"], "Attributes": times}
        return {"Messages": [found | named]} if self.counted.get(request["QueueUrl"]) else {}

    def change_message_visibility_batch(self, **_: Any) -> Any:
        return {}

    def delete_message(self, **_: Any) -> Any:
        raise AssertionError("no example puts it back")


class WorldAlarms:
    """The alarms of a stack, of which one has had no data yet; tests let one ring, or CloudWatch be silent."""

    ringing: ClassVar = ""
    is_silent: ClassVar = False

    def describe_alarms(self, **_: Any) -> Any:
        if self.is_silent:
            raise NoAnswer("ReadTimeout")
        states = {"ComplaintAlarm": "OK", "QueueAgeAlarm": "INSUFFICIENT_DATA"} | {self.ringing: "ALARM"}
        return {
            "MetricAlarms": [
                {
                    "AlarmName": f"mail-{name}-1A2B3C4D",
                    "AlarmDescription": f"What {name} means.",
                    "StateValue": state,
                    "StateUpdatedTimestamp": _at(31, 8),
                }
                for name, state in states.items()
                if name
            ]
        }


class WorldArchive(Listing):
    """The archive of a stack, whose reports by mail have been quiet for nine days; tests let it be silent."""

    is_silent: ClassVar = False

    def __init__(self) -> None:
        times = {"ses": NOW - timedelta(minutes=4), "report": _at(22, 17)}
        super().__init__({f"{folder(source, at)}a.jsonl.gz": at for source, at in times.items()})

    def list_objects_v2(self, **request: Any) -> Any:
        if self.is_silent:
            raise NoAnswer("ReadTimeout")
        return super().list_objects_v2(**request)


BROKEN: Final = Message("m-1", b'{"mail": {"messageId": "0102-e5"}}', _at(30, 7), "ses")


class WorldTexts(FakeDynamoDB):
    """Texts that no rule knows: one, which has come twice."""

    def scan(self, **_: Any) -> Any:
        text = {"source": "ses", "text": "refused [ref #]", "example": "554 refused [ref 42-0815]"}
        about = {"first_at": "2026-03-30T08:00:00.000Z", "code": "554", "status": "-"}
        item = {name: {"S": value} for name, value in (text | about).items()}
        return {"Items": [item | {"schema": {"N": "1"}, "seen": {"SS": ["a", "b"]}}]}


def world() -> Api:
    """The API over these facts."""
    store, rules = MemoryStore((_HEADER,)), policy.load(f'[identifiers]\nfind_by = ["{_HEADER}"]')
    judge = classify.load(None)
    with fake_source():
        body = msgspec.json.encode(FACTS)
        report = ingest([Message("m", body, NOW, "test")], ports(store, classify=judge))
    assert not report.failed and not report.unreadable
    listed = ListJobApi(store, clock=Clock(NOW))
    made, texts = listed.api.context, UnmatchedTextQueries(WorldTexts(), "UnmatchedTexts")
    trial = trial_context(store, rules=rules, jobs=listed.context.jobs, clock=Clock(NOW))
    counted = _count(store)
    context = replace(
        made,
        classify=judge,
        advise=judge.advise_on,
        policy=rules,
        parse=read,
        open_statistics=lambda: counted,
        deployment=Deployment(stack="aftersend", region="eu-west-1"),
        queues=QueueOverview(WorldQueues, WorldQueues.urls),
        alarms=Alarms(WorldAlarms, "mail"),
        last_heard=LastHeard(WorldArchive, "archive"),
        unmatched_texts=texts,
        rule_trials=rule_trials(trial, texts),
    )
    for number in range(60):
        key = f"email:user{number}@accident.example"
        context.spike_windows.record(spike_guard.report_refusal(ACCIDENT, key, Reason.USER_UNKNOWN))
    return Api(context)


def _count(store: MemoryStore) -> StatisticsTable:
    """The counters of what is stored."""
    table = StatisticsTable(DynamoDB({"counters": "StatisticsTable"}), "counters", lambda: NOW)
    rows: list[Outcome | Suppression] = [
        *map(items.decode_outcome, store.outcomes_table.values()),
        *map(items.decode_suppression, store.suppressions_table.values()),
    ]
    for row, cells in sum_rows(rows, lambda _: None).items():
        table.put_row(row, cells)
    return table


@lru_cache(maxsize=1)
def played() -> tuple[tuple[Route, Example, Answer], ...]:
    """Every example with its answer, asked in their order; none of them is a fault, which would be documented."""
    api, found = world(), []
    for route, example in EXAMPLES:
        answer = api(route.method, target(route, example), example.body, example.headers)
        assert answer.status < 500, f"{route.method} {route.path}, {example.name}: {answer.log.fault}"
        found.append((route, example, answer))
    return tuple(found)


def target(route: Route, example: Example) -> str:
    """What an example asks for, as it stands in a URL."""
    path = route.path.format(**example.path)
    return f"{path}?{example.query}" if example.query else path


def answers() -> dict[tuple[str, str], tuple[int, Any]]:
    """The answers as the OpenAPI document shows them."""
    return {(operation_id(route), example.name): (answer.status, _shown(answer)) for route, example, answer in played()}


def _shown(answer: Answer) -> Any:
    if not answer.text:
        return None
    return answer.json if "json" in answer.headers["content-type"] else answer.text
