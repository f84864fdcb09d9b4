"""The laws on what MailerQ tells: the same attempts out of several queues, the real parser, the real rules."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend import classify
from aftersend.core.model import Outcome
from aftersend.core.outcome import merge
from aftersend.ingest import ingest
from aftersend.sources import read
from tests.support import mailerq
from tests.support.mailerq import Story, Told
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT, deliveries


@lru_cache(maxsize=1)
def _rules() -> classify.Classifier:
    return classify.load()


def _outcome(told: Iterable[Told]) -> Outcome:
    """What these bodies come to, one after another; all of them are about one message."""
    outcome: Outcome | None = None
    for body, queue in told:
        outcome = merge(outcome, read("mailerq", body, {"x-queue": queue}), _rules())
    assert outcome is not None
    return outcome


@given(st.data())
def test_any_delivery_of_the_same_bodies_gives_the_same_tables(data: st.DataObject) -> None:
    """Laws 1 to 3: any order, repetition and batching of the same bodies, out of whatever queues."""
    told = [each for story in data.draw(st.lists(mailerq.stories(), min_size=1, max_size=3)) for each in _all(story)]
    store = MemoryStore()
    for batch in data.draw(deliveries(told)):
        messages = [mailerq.carried(each, str(number)) for number, each in enumerate(batch)]
        report = ingest(messages, ports(store, policy=SHORT, classify=_rules()))
        assert not report.failed and not report.unreadable
    facts = [fact for body, queue in told for fact in read("mailerq", body, {"x-queue": queue})]
    assert not differences(stored(store), expected(facts, _rules(), SHORT))


def _all(story: Story) -> list[Told]:
    return story.retries() + story.ends()


@given(mailerq.stories(), st.data())
def test_the_story_is_the_same_whether_the_retry_queue_was_read_or_not(story: Story, data: st.DataObject) -> None:
    """Each end alone tells the whole; every other copy, in any order and repeated, adds nothing."""
    whole = _outcome(story.ends()[:1])
    assert all(_outcome([end]) == whole for end in story.ends())
    copies = data.draw(st.lists(st.sampled_from(_all(story)), max_size=8))
    assert _outcome(data.draw(st.permutations([*story.ends()[:1], *copies]))) == whole


@given(mailerq.stories(ends=mailerq.FAILURES), st.data())
def test_an_attempt_that_was_to_be_repeated_and_then_ended_it_counts_once(story: Story, data: st.DataObject) -> None:
    """MailerQ told the retry queue of the last attempt before it gave up: one more fact, and the same outcome."""
    whole = _outcome(story.ends()[:1])
    told = data.draw(st.permutations([*story.ends()[:1], *story.given_up(), *story.retries()]))
    outcome = _outcome(told)
    assert len(outcome.feedback) == len(whole.feedback) + 1
    assert replace(outcome, feedback=(), decided_by="") == replace(whole, feedback=(), decided_by="")
    assert outcome.decided_by == whole.decided_by


@given(mailerq.stories())
def test_bodies_that_came_before_write_nothing(story: Story) -> None:
    """Design §3: "A union that changes nothing writes nothing." """
    store = MemoryStore()
    used = ports(store, classify=_rules())
    ingest([mailerq.carried(each, str(number)) for number, each in enumerate(_all(story))], used)
    puts = store.puts
    for each in _all(story):
        ingest([mailerq.carried(each)], used)
    assert store.puts == puts
