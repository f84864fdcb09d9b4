"""The use case: what becomes of each message of a batch, and what the report says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, ClassVar
from unittest.mock import patch

import pytest

from aftersend.core.errors import ServiceError, StoreUnavailable, Unreadable
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.streaks import ReadBounces
from aftersend.core.writes import Put, ReadOutcomes
from aftersend.ingest import CHUNK, MAX_UNPROVEN, ingest
from aftersend.ports import Letter
from aftersend.sources import SOURCES
from aftersend.sources.message import Message
from tests.support.facts import ANN, BOB, bounce, classify, fact, fake_source, message
from tests.support.oracle import expected, stored
from tests.support.ports import NOW, MemoryArchive, MemoryDeadLetters, MemoryStore, ports

GARBAGE = Message("bad", b"?", NOW, "test")


@pytest.fixture(autouse=True, scope="module")
def _source() -> Iterator[None]:
    with fake_source():
        yield


class Unwell(MemoryStore):
    """A store that fails where `fails` says so."""

    def __init__(self, fails: Any, error: ServiceError | None = None) -> None:
        super().__init__()
        self._fails = fails
        self._error = error or StoreUnavailable("the store is unwell")

    def _check(self, *asked: Any) -> None:
        if self._fails(*asked):
            raise self._error

    def get_outcomes(self, keys: Sequence[Any]) -> Any:
        self._check("outcomes", keys)
        return super().get_outcomes(keys)

    def get_suppressions(self, keys: Sequence[Any]) -> Any:
        self._check("suppressions", keys)
        return super().get_suppressions(keys)

    def answer(self, request: Any) -> Any:
        self._check("answer", request)
        return super().answer(request)


class Closed:
    """An archive or a dead-letter queue that takes nothing."""

    def put(self, *_arguments: Any) -> None:
        raise StoreUnavailable("closed")

    def put_all(self, letters: Sequence[Letter]) -> dict[str, str]:
        return dict.fromkeys((message.id for message, _ in letters), "closed")


def test_a_batch_of_several_bodies_is_one_write_for_each_outcome_and_two_for_a_suppression() -> None:
    """A hard bounce is announced, and then what is known of signs of life is written."""
    store = MemoryStore()
    facts = [fact(Kind.SENT, 0), fact(Kind.DEFERRED, 1, "full"), bounce(2, "hard"), bounce(2, "hard", recipient=BOB)]
    report = ingest([message([each], str(number)) for number, each in enumerate(facts)], ports(store))
    assert store.puts == 2 + 2 * 2
    assert stored(store) == expected(facts, classify, ports().policy)
    assert (report.failed, report.unreadable) == ({}, {})


def test_what_a_batch_counts() -> None:
    """Issue: Metrics: feedback by source and kind, verdicts, suppressions, malformed, conflicts, age of feedback."""
    facts = [fact(Kind.SENT, 0), bounce(2, "hard"), bounce(2, "hard"), fact(Kind.COMPLAINED, 3, recipient=BOB)]
    report = ingest([message(facts), GARBAGE, message([], "none")], ports())
    assert report.sum_by_source()["test"] == {
        "FeedbackSent": 1,
        "FeedbackBounced": 1,
        "FeedbackComplained": 1,
        "VerdictHard": 1,
        "VerdictComplaint": 1,
        "ReasonUserUnknown": 1,
        "ReasonComplaint": 1,
        "SuppressedHard": 1,
        "SuppressedComplaint": 1,
        "NoFeedback": 1,
        "Unreadable": 1,
    }
    assert sorted(report.suppressed) == [(ANN, "hard"), (BOB, "complaint")]
    assert report.ages["test"] == (NOW - fact(Kind.SENT, 0).occurred_at) / timedelta(seconds=1)


def test_a_fact_that_is_not_kept_is_not_counted_whenever_it_comes() -> None:
    """Law 2: "Idempotent … counters included". Of the kind that a message has many of, some are left out."""
    store, sent = MemoryStore(), [fact(Kind.SENT, day) for day in (0, 0.5, 1)]
    counted = [ingest([message(sent)], ports(store)).sum_by_source()["test"].get("FeedbackSent", 0) for _ in range(3)]
    (outcome,) = store.get_outcomes([(ANN, "test:1")]).values()
    assert counted == [len(outcome.feedback), 0, 0]
    assert len(outcome.feedback) < len(sent)


def test_an_empty_batch_is_no_work() -> None:
    """A poll may bring nothing: `ingest` "raises nothing"."""
    used = ports()
    assert ingest([], used).sum_by_source() == {}


def test_a_body_that_cannot_be_read_is_parked_at_once_and_the_others_go_on() -> None:
    """Design §3: "A body that cannot be read is *theirs*: parked at once with the reason"."""
    store, letters = MemoryStore(), MemoryDeadLetters()
    report = ingest([GARBAGE, message([bounce(1)])], ports(store, dead_letters=letters))
    assert letters.parked == [("test", GARBAGE, "no list of facts")]
    assert (report.unreadable, report.failed) == ({"bad": "no list of facts"}, {})
    assert list(store.outcomes_table) == [(ANN, "test:1")]


def test_a_source_without_a_parser_parks_everything() -> None:
    letters = MemoryDeadLetters()
    report = ingest([message([bounce(1)], source="nobody")], ports(dead_letters=letters))
    assert list(report.unreadable) == ["m"]
    assert letters.parked[0][2] == "no parser of this name"


def test_a_body_that_cannot_be_parked_comes_again() -> None:
    report = ingest([GARBAGE, message([bounce(1)])], ports(dead_letters=Closed()))
    assert (report.failed, report.unreadable) == ({"bad": "closed"}, {})


def test_nothing_is_stored_before_everything_is_archived() -> None:
    """Issue: the archive is "written before the batch is acknowledged"; without it the whole batch comes again."""
    store = MemoryStore()
    report = ingest([GARBAGE, message([bounce(1)])], ports(store, archive=Closed()))
    assert report.failed == {"bad": "closed", "m": "closed"}
    assert not store.outcomes_table


def test_a_batch_of_several_sources_is_kept_and_counted_by_source() -> None:
    """Each source has its own objects in the archive, and what one may not be read as says nothing of the others."""
    archive = MemoryArchive()
    facts = [bounce(1, "hard"), bounce(2, "hard", "other:2", source="other", recipient=BOB)]
    bodies = [
        message(facts[:1], "1"),
        message(facts[1:], "2", source="other"),
        message([], "3", source="other"),
        GARBAGE,
    ]
    with patch.dict(SOURCES, {"other": SOURCES["test"]}):
        report = ingest(bodies, ports(archive=archive))
    assert [(source, each.id) for source, each in archive.bodies] == [
        ("test", "1"), ("test", "bad"), ("other", "2"), ("other", "3")
    ]  # fmt: skip
    counted = {"FeedbackBounced": 1, "VerdictHard": 1, "ReasonUserUnknown": 1, "SuppressedHard": 1}
    assert report.sum_by_source() == {"test": counted | {"Unreadable": 1}, "other": counted | {"NoFeedback": 1}}
    assert report.ages.keys() == {"test", "other"}


def test_feedback_is_counted_under_the_source_that_it_came_from() -> None:
    """A report that MailerQ hands on is MailerQ's, though its facts are those of a report by mail."""
    by_other = message([bounce(1, "hard", source="report")])
    assert ingest([by_other], ports()).sum_by_source().keys() == {"test"}


def test_an_archive_that_does_not_take_one_source_holds_up_no_other() -> None:
    class Half(MemoryArchive):
        def put(self, messages: Sequence[Message]) -> None:
            if messages[0].source == "other":
                raise StoreUnavailable("closed")
            super().put(messages)

    store = MemoryStore()
    report = ingest([message([bounce(1)], "1"), message([], "2", source="other")], ports(store, archive=Half()))
    assert report.failed == {"2": "closed"}
    assert list(store.outcomes_table) == [(ANN, "test:1")]


def test_only_the_bodies_of_a_source_are_opened_by_what_opens_them() -> None:
    opened: list[bytes] = []

    def unpack(body: bytes) -> bytes:
        opened.append(body)
        return body

    bodies = [message([bounce(1)], "1"), message([], "2", source="other")]
    with patch.dict(SOURCES, {"other": SOURCES["test"]}):
        ingest(bodies, ports(unpack={"other": unpack}))
    assert opened == [bodies[1].body]


def test_of_what_anybody_could_have_sent_one_body_costs_a_few_writes() -> None:
    """A stranger's mail with 200 recipients is one mail; what is vouched for, or not forgeable, is not bounded."""
    forged = [fact(Kind.BOUNCED, recipient=f"email:a{each}@example.org", evidence=FORGED) for each in range(200)]
    for facts, prove, most in (
        (forged, None, MAX_UNPROVEN),
        (forged, lambda each: each.message, 200),
        (forged, lambda each: each.message if each.recipient == forged[150].recipient else None, MAX_UNPROVEN + 1),
        ([bounce(1), *forged, bounce(2)], None, MAX_UNPROVEN + 1),
    ):
        store = MemoryStore()
        report = ingest([message(facts)], ports(store, prove=prove))
        assert len(store.outcomes_table) == most
        dropped = len({each.key for each in facts}) - most
        assert report.sum_by_source()["test"].get("UnprovenDropped", 0) == dropped, "nothing is dropped silently"


def test_what_nothing_proves_turns_no_metric_of_the_real_ones() -> None:
    """Alarms add up what is reported, and a stranger must not ring them."""
    forged = [fact(kind, 1, evidence=FORGED) for kind in (Kind.BOUNCED, Kind.COMPLAINED, Kind.DELIVERED)]
    assert ingest([message(forged)], ports()).sum_by_source() == {
        "test": {"UnprovenBounced": 1, "UnprovenComplained": 1, "UnprovenDelivered": 1}
    }


FORGED = Evidence(code=550, status="5.1.1", text="user unknown", forgeable=True)

FAULTS = {
    "its outcome is not stored": lambda _, asked: isinstance(asked, Put) and asked.item.key == (BOB, "test:1"),
    "its suppression is not stored": lambda _, asked: isinstance(asked, Put) and asked.item.key == (BOB, "*"),
    "its outcomes are not read": lambda _, asked: asked == ReadOutcomes(BOB),
    "its bounces are not read": lambda _, asked: isinstance(asked, ReadBounces) and asked.recipient == BOB,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_failed_key_fails_only_the_messages_that_touch_it(fault: str) -> None:
    """Design §5: "one failed key fails only the records that touch it"."""
    code = "soft" if fault == "its bounces are not read" else "hard"
    both = [bounce(1, code, recipient=who) for who in (ANN, BOB)]
    bodies = [message(both[:1], "ann"), message(both[1:], "bob"), message(both, "both")]
    store = Unwell(FAULTS[fault])
    report = ingest(bodies, ports(store))
    assert sorted(report.failed) == ["bob", "both"]
    assert (ANN, "test:1") in store.outcomes_table
    store._fails = lambda *_: False
    assert not ingest(bodies, ports(store)).failed
    assert stored(store) == expected(both, classify, ports().policy)


@pytest.mark.parametrize("name", ["outcomes", "suppressions"])
def test_a_read_that_fails_takes_only_its_own_keys_along(name: str) -> None:
    facts = [
        bounce(1, "hard", f"test:{number}", recipient=f"email:{number}@example.com") for number in range(CHUNK + 5)
    ]
    store = Unwell(lambda called, keys: called == name and (facts[0].recipient in {key[0] for key in keys}))
    report = ingest([message([each], each.message) for each in facts], ports(store))
    assert sorted(report.failed) == sorted(each.message for each in facts[:CHUNK])
    assert len(store.suppressions_table) == 5


@pytest.mark.parametrize("name", ["outcomes", "suppressions"])
def test_an_item_that_cannot_be_read_takes_no_other_key_along(name: str) -> None:
    """Design §5: "one failed key fails only the records that touch it"; this one fails whenever it is read."""
    facts = [
        bounce(1, "hard", f"test:{number}", recipient=f"email:{number}@example.com") for number in range(CHUNK + 5)
    ]
    strange = facts[7].recipient

    def read(called: str, keys: Any) -> bool:
        return called == name and strange in {key[0] for key in keys}

    store = Unwell(read, Unreadable("of a newer version"))
    report = ingest([message([each], each.message) for each in facts], ports(store))
    assert report.failed == {facts[7].message: "of a newer version"}
    assert len(store.suppressions_table) == len(facts) - 1


def test_a_fault_in_our_own_code_is_not_taken_for_the_stores() -> None:
    def broken(_: Feedback) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ingest([message([bounce(1)])], ports(classify=broken))


def test_threads_may_share_the_work() -> None:
    facts = [bounce(1, "hard", f"test:{number}", recipient=f"email:{number}@example.com") for number in range(250)]
    store = MemoryStore()
    with ThreadPoolExecutor(4) as pool:
        ingest([message(facts)], ports(store, pool=pool))
    assert stored(store) == expected(facts, classify, ports().policy)


def test_texts_that_no_rule_knows_are_handed_on() -> None:
    class Counter:
        counted: ClassVar[list[str]] = []

        def count(self, unknown: Feedback, now: Any) -> None:
            self.counted.append(unknown.id)

    odd = bounce(1, evidence=Evidence(provider_code="unclear", text="the hamster is asleep"))
    ingest([message([odd, bounce(2, "hard")])], ports(unmatched_texts=Counter()))
    assert Counter.counted == [odd.id]


def test_forged_bounces_cost_no_read_of_what_their_victim_ever_got_and_no_count_of_their_texts() -> None:
    """Whoever writes mails about somebody must not make us read all that they were ever sent."""

    class Reads(MemoryStore):
        def answer(self, request: Any) -> Any:
            read.append(request) if isinstance(request, (ReadOutcomes, ReadBounces)) else None
            return super().answer(request)

    class Counts:
        def count(self, fact: Feedback, _now: Any) -> None:
            counted.append(fact)

    read: list[ReadOutcomes | ReadBounces] = []
    counted: list[Feedback] = []
    used = ports(Reads(), unmatched_texts=Counts())
    ingest([message([bounce(0, "hard", "test:0")])], used)
    read.clear()
    words = ["soft", "hard", "unclear", "block"]
    forged = [
        bounce(
            number,
            message=f"test:{number}",
            evidence=Evidence(provider_code=words[number % 4], text="x", forgeable=True),
        )
        for number in range(1, 20)
    ]
    ingest([message([*forged, fact(Kind.DELIVERED, 21, message="test:21", evidence=Evidence(forgeable=True))])], used)
    assert (read, counted) == ([], [])
    ingest([message([fact(Kind.SENT, 0, message="test:3")])], used)
    assert len(read) > 0 and counted == []


@pytest.mark.parametrize("meanwhile", [[bounce(1)], [bounce(1), bounce(2)], [bounce(2)]])
def test_a_fact_that_two_workers_store_at_once_is_counted_by_one_of_them(meanwhile: list[Feedback]) -> None:
    """Law 2, "counters included"; the two may even have made the very same item."""

    class Overtaken(MemoryStore):
        overtaken = False

        def answer(self, request: Any) -> Any:
            if isinstance(request, Put) and not self.overtaken:
                self.overtaken = True
                reports.append(ingest([message(meanwhile)], ports(self)))
            return super().answer(request)

    reports: list[Any] = []
    reports.append(ingest([message([bounce(1)])], ports(Overtaken())))
    counted = sum((report.counts for report in reports), start=Counter[tuple[str, str, str]]())
    assert counted["test", "Feedback", Kind.BOUNCED] == len({each.id for each in [bounce(1), *meanwhile]})
    assert counted["test", "Conflicts", ""] == 1
