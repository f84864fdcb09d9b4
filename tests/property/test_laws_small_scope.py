"""Law 1 and law 2 by exhaustion: every set of up to five facts out of a chosen few, in every order, with repeats.

If from the right tables for a set without one of its facts that fact leads to the right tables for the set, and from
there any of them changes nothing, then every order with any repeats does: each is a chain of such steps. So it is
enough to try each set with each of its facts as the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest

from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.ingest import ingest
from tests.support.facts import bounce, classify, fact, fake_source, message
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT

# Soft bounces near the edges of the short streak (a day apart, three days of gap), and all that can end one, take such
# an end back, or turn a counted bounce into something else.
STREAK = [
    bounce(0, message="test:0"),
    bounce(0.5, message="test:1"),
    bounce(1, message="test:2"),
    bounce(3.5, message="test:3"),
    bounce(2, "hard", "test:1"),
    fact(Kind.COMPLAINED, 2, message="test:1"),
    fact(Kind.COMPLAINT_WITHDRAWN, 3, message="test:1"),
    fact(Kind.OPENED, 0.2, message="test:0"),
    fact(Kind.DELIVERED, 0.2, message="test:5"),
    fact(Kind.DELIVERED, 4, message="test:5"),
    fact(Kind.AUTO_REPLIED, 4, message="test:5"),
    fact(Kind.COMPLAINED, 5, message="test:5"),
    bounce(6, "block", "test:5"),
]
# Of one outcome: everything that can be said of it.
OUTCOME = [
    fact(Kind.SENT, 0),
    fact(Kind.DEFERRED, 1, "soft"),
    fact(Kind.DELIVERED, 2),
    fact(Kind.DELIVERED, 4),
    bounce(3, "soft"),
    bounce(1, "hard"),
    bounce(5, "block"),
    fact(Kind.AUTO_REPLIED, 3),
    fact(Kind.COMPLAINED, 2),
    fact(Kind.COMPLAINED, 4),
    fact(Kind.COMPLAINT_WITHDRAWN, 3),
    fact(Kind.OPENED, 6),
    fact(Kind.UNSUBSCRIBED, 2, scope="news"),
    fact(Kind.SUBSCRIBED, 3, scope="news"),
]
# Reports that anybody could have sent, and what vouches for the messages that they are about.
FORGED = [
    bounce(0, message="test:0", evidence=Evidence(provider_code="soft", forgeable=True)),
    bounce(1, message="test:1", evidence=Evidence(provider_code="soft", forgeable=True)),
    bounce(1, message="test:1", evidence=Evidence(provider_code="hard", forgeable=True)),
    bounce(2, message="test:2"),
    fact(Kind.COMPLAINED, 1, message="test:0", evidence=Evidence(forgeable=True)),
    fact(Kind.UNSUBSCRIBED, 1, message="test:0", scope="news", evidence=Evidence(forgeable=True)),
    fact(Kind.DELIVERED, 0.5, message="test:3", evidence=Evidence(forgeable=True)),
    *(fact(Kind.SENT, -1, message=f"test:{number}") for number in (0, 1, 3)),
    fact(Kind.OPENED, -0.5, message="test:1"),
]


@pytest.mark.parametrize(
    ("facts", "size"), [(STREAK, 5), (OUTCOME, 4), (FORGED, 5)], ids=["streak", "outcome", "forged"]
)
def test_every_order_of_every_small_set(facts: list[Feedback], size: int) -> None:
    """Law 1: "Any order of the same feedback gives the same tables." """
    with fake_source():
        stores: dict[frozenset[Feedback], MemoryStore] = {frozenset(): MemoryStore()}
        for chosen in (each for count in range(1, size + 1) for each in combinations(facts, count)):
            stores[frozenset(chosen)] = _right_from_everywhere(chosen, stores)
    assert len(stores) > 1000


def test_what_vouches_for_a_message_is_not_pushed_out_by_forgeries() -> None:
    """Law 1, and no stranger may choose what is known: forged reports of one message leave the real one its place."""
    forged = [bounce(day, evidence=Evidence(provider_code="hard", forgeable=True)) for day in range(20)]
    real = bounce(15.5, "hard")
    tables = []
    for order in ([real, *forged], [*forged, real]):
        store = MemoryStore()
        with fake_source():
            for each in order:
                ingest([message([each])], ports(store, policy=SHORT))
        tables.append(stored(store))
    assert not differences(*tables)
    [outcome] = tables[0].outcomes.values()
    assert real.id in {each.id for each in outcome.feedback}


@pytest.mark.parametrize("hard", range(6))
def test_what_could_be_forged_counts_whole_once_somebody_vouches_for_the_message(hard: int) -> None:
    """Law 1: any of the reports that could be forged, and whoever vouches for the message first or last."""
    words = ["hard" if number == hard else "soft" for number in range(6)]
    forged = [bounce(day, evidence=Evidence(provider_code=word, forgeable=True)) for day, word in enumerate(words)]
    sent = fact(Kind.SENT, -1)
    for order in ([sent, *forged], [*forged, sent], [*forged[::-1], sent]):
        store = MemoryStore()
        with fake_source():
            for each in order:
                ingest([message([each])], ports(store, policy=SHORT))
        assert not differences(stored(store), expected(order, classify, SHORT))


def _right_from_everywhere(chosen: tuple[Feedback, ...], stores: dict[frozenset[Feedback], MemoryStore]) -> MemoryStore:
    """The store with all of `chosen`, whichever of them came last."""
    right = expected(chosen, classify, SHORT)
    for last in chosen:
        store = _copy(stores[frozenset(chosen) - {last}])
        ingest([message([last])], ports(store, policy=SHORT))
        assert not (wrong := differences(stored(store), right)), "\n".join(_describe(chosen, last, wrong))
    puts = store.puts
    ingest([message(chosen)], ports(store, policy=SHORT))
    assert store.puts == puts, "all of it once more writes nothing"
    return store


def _copy(store: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    copy.outcomes_table, copy.suppressions_table = dict(store.outcomes_table), dict(store.suppressions_table)
    return copy


def _describe(chosen: tuple[Feedback, ...], last: Feedback, wrong: list[str]) -> Iterator[str]:
    yield "in any order, and then the last:"
    for each in [*(other for other in chosen if other is not last), last]:
        code = each.evidence.provider_code if each.evidence else ""
        yield f"    {each.occurred_at:%d. %H:%M} {each.message} {each.kind} {code}"
    yield from wrong
