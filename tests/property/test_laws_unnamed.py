"""The laws for facts that name no recipient: they are those of whom their message is, whoever tells it and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import UNNAMED, Evidence, Feedback, Key, Kind, Outcome
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from aftersend.unnamed import MAX_RECIPIENTS, NOBODY, SEVERAL, name_recipient
from tests.support.explorer import Explorer
from tests.support.facts import ANN, BOB, bounce, classify, fact, fake_source, message
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryDeadLetters, MemoryStore, ports

OWNERS: Final = {"test:1": ANN, "test:2": BOB, "test:3": ANN}
SENT: Final = [fact(Kind.SENT, 0, message=name, recipient=who) for name, who in OWNERS.items()]
# What a stranger writes of the same messages, to be the one whose they are.
FORGED: Final = [
    bounce(1, message=name, recipient="email:eve@example.com", evidence=Evidence(provider_code="hard", forgeable=True))
    for name in OWNERS
]


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


class Behind(MemoryStore):
    """A store whose index is so many writes behind."""

    def __init__(self, lag: int) -> None:
        super().__init__()
        self._lag = lag
        self._listed: list[list[Key]] = [[]]

    def find_recipients_of(self, message: str) -> list[str]:
        before = self._listed[-1 - min(self._lag, len(self._listed) - 1)]
        return [recipient for recipient, of in sorted(before) if of == message]

    def _put(self, item: Any) -> Any:
        answer = super()._put(item)
        if answer is None and isinstance(item, Outcome):
            self._listed.append(list(self.outcomes_table))
        self._lag = max(0, self._lag - 1)
        return answer


def _unnamed(kind: Kind, day: float, code: str | None, name: str) -> Feedback:
    return fact(kind, day, code, message=name, recipient=UNNAMED)


receipts: Final = st.lists(
    st.builds(
        lambda refused, day, code, name: _unnamed(
            Kind.BOUNCED if refused else Kind.DELIVERED, day, code if refused else None, name
        ),
        st.booleans(),
        st.sampled_from([1, 2, 2.5, 9]),
        st.sampled_from(["hard", "soft", "block"]),
        st.sampled_from([*OWNERS]),
    ),
    min_size=1,
    max_size=5,
)


def _named(facts: Sequence[Feedback]) -> list[Feedback]:
    return [name_recipient(each, OWNERS[each.message]) if each.recipient == UNNAMED else each for each in facts]


@given(receipts, st.lists(st.sampled_from(FORGED), max_size=3, unique_by=id), st.integers(0, 6), st.data())
def test_what_names_nobody_gives_the_same_tables_in_any_order(
    given_receipts: list[Feedback], forged: list[Feedback], lag: int, data: st.DataObject
) -> None:
    """Laws 1 to 3 and 7, with an index that is behind: what comes before it is known whose it is comes again."""
    facts = data.draw(st.permutations([*SENT, *given_receipts, *forged]))
    store, waiting = Behind(lag), [message([each], str(number)) for number, each in enumerate(facts)]
    size = data.draw(st.integers(1, len(waiting)))
    for _ in range(lag + 3):
        coming, waiting = waiting, []
        for start in range(0, len(coming), size):
            batch = coming[start : start + size]
            report = ingest(batch, ports(store))
            assert not report.failed and not report.unreadable
            waiting += [each for each in batch if each.id in report.unfinished]
        store._lag = 0 if len(waiting) == len(coming) else store._lag
    assert not waiting
    assert not differences(stored(store), expected(_named(facts), classify, ports().policy))


def test_every_interleaving_of_a_receipt_with_what_says_whose_it_is_gives_the_same_tables() -> None:
    """Law 3 and law 4: a worker may be stopped before any call; what waits comes again."""
    sent, receipt = SENT[:1], [_unnamed(Kind.BOUNCED, 1, "hard", "test:1")]

    def work(batch: Sequence[Feedback], store: Any) -> object:
        return ingest([message(batch)], ports(store))

    explorer = Explorer([partial(work, sent), partial(work, receipt)], MemoryStore(), crashes=2)
    right = expected(_named([*sent, *receipt]), classify, ports().policy)
    for state in explorer.ends().values():
        store = explorer.store(state)
        work(receipt, store)  # it waited, or is done already
        wrong = differences(stored(store), right)
        assert not wrong, "\n".join([*explorer.trace(state), *wrong])
    assert explorer.visited > 20


def test_what_comes_too_early_waits_and_has_not_failed() -> None:
    store, letters = MemoryStore(), MemoryDeadLetters()
    early = message([_unnamed(Kind.DELIVERED, 1, None, "test:1")], "early")
    other = message([fact(Kind.SENT, 0, message="test:2", recipient=BOB)], "other")
    report = ingest([early, other], ports(store, dead_letters=letters))
    assert (report.unfinished, report.failed, letters.parked) == (["early"], {}, [])
    assert report.sum_by_source()["test"] == {"Waiting": 1, "FeedbackSent": 1}
    assert [*store.outcomes_table] == [(BOB, "test:2")]


def test_what_else_a_waiting_body_says_is_stored_at_once() -> None:
    store = MemoryStore()
    body = message([_unnamed(Kind.DELIVERED, 1, None, "test:1"), SENT[1]])
    assert ingest([body], ports(store)).unfinished == ["m"]
    assert [*store.outcomes_table] == [(BOB, "test:2")]
    assert ingest([body, message(SENT[:1], "sent")], ports(store)).unfinished == []
    assert stored(store).outcomes[ANN, "test:1"].status == "delivered"


def test_where_no_message_can_come_again_by_itself_it_is_parked() -> None:
    """RabbitMQ takes the whole batch back or nothing: one receipt must not hold up all others for ever."""
    letters = MemoryDeadLetters()
    body = message([_unnamed(Kind.DELIVERED, 1, None, "test:1")])
    report = ingest([body], ports(dead_letters=letters, can_wait=False))
    assert (report.unfinished, letters.parked) == ([], [("test", body, NOBODY)])


@pytest.mark.parametrize("known", ["table", "batch", "both"])
def test_of_several_recipients_none_is_chosen(known: str) -> None:
    """Law 7: "Nobody is suppressed, freed or erased by a stranger or a guess." It is parked, and can be redriven."""
    both = [SENT[0], fact(Kind.SENT, 0, recipient=BOB)]
    receipt = message([_unnamed(Kind.BOUNCED, 1, "hard", "test:1")], "whose")
    store, letters = MemoryStore(), MemoryDeadLetters()
    stored_first = {"table": 2, "batch": 0, "both": 1}[known]
    ingest([message(both[:stored_first])], ports(store))
    report = ingest([message(both[stored_first:], "rest"), receipt], ports(store, dead_letters=letters))
    assert letters.parked == [("test", receipt, SEVERAL)]
    assert (report.unfinished, report.unreadable) == ([], {"whose": SEVERAL})
    assert not store.suppressions_table
    assert not differences(stored(store), expected(both, classify, ports().policy))


def test_a_body_with_something_to_wait_for_is_not_parked_before() -> None:
    store, letters = MemoryStore(), MemoryDeadLetters()
    ingest([message([SENT[0], fact(Kind.SENT, 0, recipient=BOB)])], ports(store))
    body = message([_unnamed(Kind.DELIVERED, 1, None, name) for name in ("test:1", "test:2")])
    assert ingest([body], ports(store, dead_letters=letters)).unfinished == ["m"]
    assert letters.parked == []
    ingest([message([SENT[1]]), body], ports(store, dead_letters=letters))
    assert [why for _, _, why in letters.parked] == [SEVERAL]
    assert stored(store).outcomes[BOB, "test:2"].status == "delivered"


def test_nobody_is_chosen_by_what_anybody_could_have_written() -> None:
    """Law 7. A stranger names themselves, and as many others as they like, for a message whose id they know."""
    store = MemoryStore()
    evidence = Evidence(forgeable=True)
    for number in range(0, MAX_RECIPIENTS // 2):
        forged = fact(Kind.DELIVERED, 1, recipient=f"email:eve{number}@example.com", evidence=evidence)
        ingest([message([forged])], ports(store))
    receipt = message([_unnamed(Kind.BOUNCED, 1, "hard", "test:1")], "receipt")
    assert ingest([receipt], ports(store)).unfinished == ["receipt"]
    ingest([message(SENT[:1]), receipt], ports(store))
    assert list(stored(store).suppressions) == [(ANN, "*")]


def test_what_anybody_could_have_written_and_names_nobody_is_dropped_and_counted() -> None:
    """No body of a stranger is looked up, waits, or lies among the dead letters."""
    store, letters = MemoryStore(), MemoryDeadLetters()
    ingest([message(SENT[:1])], ports(store))
    forged = fact(Kind.BOUNCED, 1, recipient=UNNAMED, evidence=Evidence(provider_code="hard", forgeable=True))
    report = ingest([message([forged])], ports(store, dead_letters=letters))
    assert (report.unfinished, letters.parked) == ([], [])
    assert report.sum_by_source()["test"]["UnprovenDropped"] == 1


def test_who_was_erased_is_not_found_in_an_index_that_is_behind() -> None:
    store = MemoryStore()
    ingest([message(SENT[:1])], ports(store))
    store.outcomes_table.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "find_recipients_of", lambda _message: [ANN])
        report = ingest([message([_unnamed(Kind.BOUNCED, 1, "hard", "test:1")])], ports(store))
    assert (report.unfinished, store.outcomes_table) == (["m"], {})


class Counting(MemoryStore):
    """A store that counts what a batch asks of it, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.read: list[int] = []
        self.fails = ""

    def find_recipients_of(self, message: str) -> list[str]:
        self.asked.append(message)
        if message == self.fails:
            raise StoreUnavailable("the index is unwell")
        return super().find_recipients_of(message)

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        self.read.append(len(keys))
        return super().get_outcomes(keys)

    def _put(self, item: Any) -> Any:
        before = self.read.copy()
        answer = super()._put(item)
        self.read = before  # what the table itself reads to check the condition is no call
        return answer


def _batch() -> list[Message]:
    receipts = [_unnamed(Kind.DELIVERED, day, None, name) for name in OWNERS for day in (1, 2)]
    return [message([each], str(number)) for number, each in enumerate(receipts)]


def test_a_batch_asks_once_for_each_message_and_reads_them_together() -> None:
    """Without such facts nothing is asked: `read` is then what every batch reads."""
    store = Counting()
    ingest([message(SENT)], ports(store))
    assert (store.asked, store.read) == ([], [3])
    ingest(_batch(), ports(store))
    assert sorted(store.asked) == [*OWNERS]
    assert store.read[1:] == [3, 3]


def test_a_look_up_that_fails_fails_only_whom_it_is_about() -> None:
    store = Counting()
    ingest([message(SENT)], ports(store))
    store.fails = "test:2"
    report = ingest(_batch(), ports(store))
    assert report.failed == {"2": "the index is unwell", "3": "the index is unwell"}
    assert report.waiting == set()


def test_a_message_of_more_than_are_looked_at_has_several() -> None:
    store, letters = MemoryStore(), MemoryDeadLetters()
    many = [fact(Kind.SENT, 0, recipient=f"email:r{number:03}@example.com") for number in range(MAX_RECIPIENTS + 2)]
    ingest([message(many)], ports(store))
    ingest([message([_unnamed(Kind.DELIVERED, 1, None, "test:1")])], ports(store, dead_letters=letters))
    assert [why for _, _, why in letters.parked] == [SEVERAL]


def test_joined_facts_say_that_their_recipient_was_found() -> None:
    receipt = _unnamed(Kind.BOUNCED, 1, "soft", "test:1")
    joined = name_recipient(receipt, ANN)
    assert joined.evidence is not None and joined.evidence.derived
    assert joined.key == (ANN, "test:1")
    assert joined.id != receipt.id
    assert name_recipient(receipt, ANN) == joined
