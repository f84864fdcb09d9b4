"""A sender's last two weeks for the console: some people with a story each, and many of whom nothing is to be said.

The facts are judged and folded by the real rules in memory; what comes of them is put into the tables of a stack, which
is quicker than having its functions work them one after the other, and the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

import msgspec
from moto.dynamodb.models import dynamodb_backends

from aftersend import classify
from aftersend.aws import boto
from aftersend.core import policy, spike_guard
from aftersend.core.model import Context, Evidence, Feedback, Kind, Outcome, Reason, Suppression
from aftersend.core.receiving_system import find_system
from aftersend.core.spike_guard import Window
from aftersend.core.statistics import ALL, Cell, CounterRow, CounterRows, Dimension, Measure, sum_rows
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from aftersend.storage import items
from aftersend.storage.archive import build_put
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.statistics import StatisticsTable
from local.environment import REGION
from local.stack import Stack
from tests.support.facts import fake_source
from tests.support.ports import MemoryStore, ports

DAYS: Final = 14
NEWS: Final = Context(sender="news@example.com", subject="What is new this month", correlation={"campaign": "monthly"})
ORDER: Final = Context(sender="orders@example.com", subject="Your order has left", correlation={"campaign": "orders"})
UNKNOWN: Final = "550 5.1.1 <{0}>: Recipient address rejected: User unknown in virtual mailbox table"
# Nobody's text is believed: markup, signs that turn the order of others, and to whom a mail was forwarded.
HOSTILE: Final = (
    "550 5.1.1 <img src=x onerror=document.title='taken'> \u202euoy rof\u202c "
    "forwarded to secret.person@elsewhere.example, list-owner@lists.example: user unknown"
)
ACCIDENT: Final = "accident.example"
RIDDLE: Final = "550 quuxd frobnication mismatch [ref 42-081{0}]"
# Where many people are, how many of a thousand messages, how many of a thousand of those are refused for good, how.
SYSTEMS: Final = (
    ("gmail.com", 430, 6, "550-5.1.1 The email account that you tried to reach does not exist."),
    ("outlook.com", 190, 17, "550 5.5.0 Requested action not taken: mailbox unavailable"),
    ("yahoo.com", 140, 11, "554 delivery error: dd This user doesn't have an account"),
    ("icloud.com", 90, 7, "550 5.1.1 user does not exist"),
    ("t-online.de", 80, 10, "550 5.1.1 unknown address"),
    ("gmx.net", 60, 9, "550 Requested action not taken: mailbox unavailable"),
    ("small-isp.example", 10, 21, "550 5.1.1 no such user here"),
)


class People:
    """Facts about people with a story, and about everybody else, up to `now` (UTC)."""

    def __init__(self, now: datetime, seed: int = 7) -> None:
        self.now = now.replace(microsecond=0)
        self._random = random.Random(seed)

    def ago(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def fact(
        self, kind: Kind, message: str, who: str, days: float, context: Context = NEWS, scope: str | None = None,
        **evidence: Any,
    ) -> Feedback:  # fmt: skip
        return Feedback(
            source="ses", kind=kind, message=f"ses:{message}", recipient=f"email:{who}", occurred_at=self.ago(days),
            evidence=Evidence(**evidence) if evidence else None, context=context, scope=scope,
        )  # fmt: skip

    def refusal(
        self, message: str, who: str, days: float, text: str, context: Context = NEWS, code: int = 550, **more: Any
    ) -> Feedback:
        given = {"provider_code": "Permanent/General", "remote_mta": f"mx.{who.partition('@')[2]}"}
        return self.fact(Kind.BOUNCED, message, who, days, context, code=code, text=text, **(given | more))

    def stories(self) -> Iterator[Feedback]:
        """What each page has to show at least once."""
        old = "old.account@example.net"
        yield self.fact(Kind.SENT, "0102-a1", old, 26.001)
        yield self.fact(Kind.DELIVERED, "0102-a1", old, 26)
        yield self.fact(Kind.SENT, "0102-b2", old, 4.001)
        yield self.refusal("0102-b2", old, 4, UNKNOWN.format(old), status="5.1.1")
        yield self.fact(Kind.DELIVERED, "0102-b2", "annoyed@example.com", 4)
        yield self.fact(Kind.COMPLAINED, "0102-b2", "annoyed@example.com", 3, provider_code="abuse")
        yield self.fact(Kind.DELIVERED, "0102-b2", "reader@example.com", 4)
        yield self.fact(Kind.OPENED, "0102-b2", "reader@example.com", 3.5)
        yield self.fact(Kind.UNSUBSCRIBED, "0102-b2", "reader@example.com", 3.4, scope="news")
        for number in range(5):
            yield self.refusal(
                f"0102-d{number}", "full.box@example.org", 11 - 2 * number, "552 5.2.2 Mailbox full", ORDER, 552,
                status="5.2.2", provider_code="Transient/MailboxFull",
            )  # fmt: skip
        yield self.refusal("0102-a1", "back.again@example.org", 26, "550 5.1.1 no such user", status="5.1.1")
        yield self.fact(Kind.CLICKED, "0102-b2", "back.again@example.org", 2)
        yield self.refusal("0102-e1", "hostile@example.org", 2, HOSTILE, ORDER, status="5.1.1")
        for number in range(6):
            yield self.refusal("0102-c3", f"riddle{number}@example.org", 1.5, RIDDLE.format(number), provider_code=None)
        yield self.refusal(
            "0102-c3", "max.huber@example.com", 1.5, "550 5.7.26 This mail has been blocked: SPF check failed",
        )  # fmt: skip
        yield self.refusal("0102-c3", "listed@example.com", 1.4, "", provider_code="Permanent/Suppressed")
        for number in range(30):  # more than one page of recipients
            yield self.fact(Kind.DELIVERED, "0102-b2", f"team{number:02}@example.net", 4)
        for number in range(60):
            who = f"user{number:02}@{ACCIDENT}"
            yield self.refusal("0102-f1", who, self._accident + number / 5000, UNKNOWN.format(who), status="5.1.1")

    @property
    def _accident(self) -> float:
        """How many days ago the provider had its accident: in the first half of a whole hour."""
        begin = self.window.begin
        return (self.now - begin - timedelta(minutes=25)) / timedelta(days=1)

    @property
    def window(self) -> AccidentWindow:
        begin = self.ago(1).replace(minute=0, second=0)
        return AccidentWindow(begin, begin + timedelta(hours=1))

    def crowd(self, number: int) -> Iterator[Feedback]:
        """`number` messages of two weeks to people of whom nothing is to be said, one outcome each."""
        shares = [share for _, share, _, _ in SYSTEMS]
        for at in range(number):
            domain, _, refused, text = self._random.choices(SYSTEMS, shares)[0]
            days = self._random.uniform(0.05, DAYS)
            bad_day = domain == "outlook.com" and 7 <= days < 8  # one provider, one day
            who, message = f"person{at}@{domain}", f"0103-{at:06}"
            context = NEWS if self._random.random() < 0.6 else ORDER
            chance = self._random.random() * 1000
            if chance < (250 if bad_day else refused):
                yield self.refusal(message, who, days, text, context)
            elif chance < (250 if bad_day else refused) + 4:
                yield self.refusal(message, who, days, "421 4.7.0 Try again later, rate limited", context, 421)
            else:
                yield self.fact(Kind.DELIVERED, message, who, days, context)
                if self._random.random() < 0.0006:
                    yield self.fact(Kind.COMPLAINED, message, who, max(days - 0.5, 0), context)

    def count_larger_sender(self, messages_a_day: int) -> Iterator[tuple[Cell, int]]:
        """What such a sender's days count, by system and in all; the same shares as those of the crowd."""
        if not messages_a_day:
            return
        for number in range(DAYS):
            day = (self.now - timedelta(days=number)).date().isoformat()
            for domain, share, refused, _ in SYSTEMS:
                whole = round(
                    messages_a_day * share / 1000 * self._random.uniform(0.9, 1.1) * (0.4 if number == 0 else 1)
                )
                rate = (
                    250
                    if domain == "outlook.com" and number == 7
                    else 60
                    if domain == "outlook.com" and number == 6
                    else refused
                )
                hard = round(whole * rate / 1000 * self._random.uniform(0.85, 1.15))
                spam, soft = round(whole * self._random.uniform(0.0001, 0.0005)), round(whole * 0.004)
                counts = {
                    Measure.DELIVERED: whole - hard - soft - spam,
                    Measure.COMPLAINED: spam,
                    Measure.BOUNCED_HARD: hard,
                    Measure.BOUNCED_IGNORE: soft,
                }
                system = find_system(f"email:anybody@{domain}", None)
                for measure, each in counts.items():
                    yield Cell(day, Dimension.SYSTEM, system, measure), each
                    yield Cell(day, Dimension.ALL, ALL, measure), each
                yield Cell(day, Dimension.REASON, "hard/user_unknown", Measure.BOUNCED_HARD), hard
                yield Cell(day, Dimension.REASON, "ignore/rate_limited", Measure.BOUNCED_IGNORE), soft


class AccidentWindow(msgspec.Struct, frozen=True):
    """The hour in which a provider refused everybody."""

    begin: datetime
    end: datetime


def fill(stack: Stack, people: People, crowd: int, messages_a_day: int = 0) -> MemoryStore:
    """Put the stories, and a crowd beside them, into the tables of `stack`; return what was stored.

    Counters may be those of a larger sender, of `messages_a_day`, whose outcomes nobody looks at.
    """
    store = fold([*people.stories(), *people.crowd(crowd)], people.now)
    bucket = stack.physical_ids("AWS::S3::Bucket")["Archive"]
    stack.client("s3").put_object(**build_put(bucket, [Message("latest", b"{}", people.now, "ses")]))
    tables = stack.physical_ids("AWS::DynamoDB::Table")
    client = stack.client("dynamodb")
    # Moto in this very process: through its server, each batch takes a hundred times as long.
    backend = next(iter(dynamodb_backends.values()))[REGION]
    for name, rows in (("Outcomes", store.outcomes_table), ("Suppressions", store.suppressions_table)):
        stored = backend.tables[next(id_ for logical, id_ in tables.items() if logical.startswith(name))]
        # What is put here is counted below, and not once more by the function that reads the stream.
        with patch.object(stored.stream_shard, "add"):
            for item in rows.values():
                stored.put_item(item)
    counters = StatisticsTable(boto.adapt_client(client, "dynamodb"), tables["StatisticsTable"])
    for row, cells in count(store, people, messages_a_day).items():
        counters.put_row(row, cells)
    table = next(id_ for logical, id_ in tables.items() if logical.startswith("SpikeWindows"))
    window = Window(ACCIDENT, people.window.begin, people.window.end)
    told = [
        spike_guard.report_refusal(window, f"email:user{number:02}@{ACCIDENT}", Reason.USER_UNKNOWN)
        for number in range(60)
    ]
    traffic = told[0]
    for each in told[1:]:
        traffic = spike_guard.merge_traffic(traffic, each)
    SpikeWindows(boto.adapt_client(client, "dynamodb"), table, policy.load().guard).record(traffic)
    return store


def count(store: MemoryStore, people: People, messages_a_day: int) -> CounterRows:
    """What the counters of a stack are that holds this, and what a larger sender's are beside it."""
    stored: list[Outcome | Suppression] = [
        *map(items.decode_outcome, store.outcomes_table.values()),
        *map(items.decode_suppression, store.suppressions_table.values()),
    ]
    total = sum_rows(stored, policy.load().find_stream)
    for cell, number in people.count_larger_sender(messages_a_day):
        row = total.setdefault(CounterRow(cell.day, cell.dimension), {})
        row[cell] = row.get(cell, 0) + number
    return total


def fold(facts: list[Feedback], now: datetime) -> MemoryStore:
    """What the tables hold after these facts."""
    store = MemoryStore(("campaign",))
    with fake_source():
        body = msgspec.json.encode(facts)
        report = ingest(
            [Message("m", body, now, "test")], ports(store, classify=classify.load(None), clock=lambda: now)
        )
    assert not report.failed and not report.unreadable
    return store


def now() -> datetime:
    return datetime.now(UTC)
