"""An erasure may stop anywhere, and anybody may write meanwhile: the address stays suppressed, a repeat completes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from aftersend.core.erasure import make_alias
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, Decision, Feedback, Kind
from aftersend.core.suppression import find_active_causes
from aftersend.core.writes import SuppressionUpdate
from aftersend.lists.context import write_suppression
from aftersend.lists.erase import erase
from aftersend.lists.summary import ErasureResult
from tests.support.facts import ANN, BOB, START, bounce, fact
from tests.support.list_jobs import MemoryDeletions, MemoryListQueries, ingest_facts, job_context, run_export
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore

KEY = b"a key of this deployment"
ALIAS = make_alias(ANN, KEY)

# A hard bounce, a complaint, a streak, a stream that was left; and somebody else, who is to stay.
BEFORE = [
    fact(Kind.BOUNCED, 1, "hard", message="test:hard"),
    fact(Kind.COMPLAINED, 2, message="test:sent"),
    fact(Kind.UNSUBSCRIBED, 3, message="test:sent", scope="news"),
    *[bounce(10 + 2 * number, message=f"test:{number}") for number in range(5)],
    fact(Kind.BOUNCED, 1, "hard", recipient=BOB),
]


class Stopped(BaseException):
    """The function was stopped: nothing of it runs any more."""


class Guarded:
    """A port that does something before the call that is due."""

    def __init__(self, port: Any, before: Callable[[], None]) -> None:
        self._port, self._before = port, before

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._before()
            return getattr(self._port, name)(*arguments)

        return call


def filled() -> MemoryStore:
    return ingest_facts(BEFORE, MemoryStore())


def run(store: MemoryStore, due: int = 0, act: Callable[[], object] = lambda: None) -> tuple[ErasureResult | None, int]:
    """Erase Ann, with something else before the call that is due; what it answered, and how many calls there were."""
    calls = 0

    def before() -> None:
        nonlocal calls
        calls += 1
        if calls == due:
            act()

    given = job_context(
        Guarded(store, before),
        queries=Guarded(MemoryListQueries(store), before),
        deletions=Guarded(MemoryDeletions(store), before),
    )
    try:
        return erase(ANN, ALIAS, given), calls
    except (Stopped, StoreUnavailable):
        return None, calls


def holding(store: MemoryStore) -> set[tuple[str, str]]:
    """The causes by scope that keep Ann from being written to, under whichever name."""
    rows = stored(store).suppressions.values()
    return {(row.scope, kind) for row in rows if row.recipient in (ANN, ALIAS) for kind in find_active_causes(row, NOW)}


def left(store: MemoryStore) -> set[str]:
    """Every recipient who is in a table."""
    return {recipient for recipient, _ in [*store.outcomes_table, *store.suppressions_table]}


def test_everything_goes_but_the_alias() -> None:
    store = filled()
    before = holding(store)
    assert before == {("*", "hard"), ("*", "complaint"), ("*", "streak"), ("news", "unsubscribed")}
    done, _ = run(store)
    assert done == ErasureResult(outcomes=7, suppressions=2, suppressed=True)
    assert left(store) == {BOB, ALIAS}
    assert holding(store) == before
    assert ANN.partition(":")[2] not in repr(store.outcomes_table) + repr(store.suppressions_table)


def test_erased_again_nothing_changes() -> None:
    store = filled()
    run(store)
    tables = stored(store)
    assert run(store)[0] == ErasureResult(outcomes=0, suppressions=0, suppressed=True)
    assert stored(store) == tables


def test_whoever_is_not_suppressed_leaves_nothing() -> None:
    store = ingest_facts([fact(Kind.DELIVERED, 1)], MemoryStore())
    assert run(store)[0] == ErasureResult(outcomes=1, suppressions=0, suppressed=False)
    assert not left(store)


@pytest.mark.parametrize("error", [Stopped, StoreUnavailable])
def test_stopped_anywhere_the_address_stays_suppressed_and_a_repeat_completes(error: type[BaseException]) -> None:
    def stop() -> None:
        raise error("at this very moment")

    store = filled()
    before, (done, calls) = holding(store), run(store)
    whole = stored(store)
    assert done is not None
    assert calls > 12
    for due in range(1, calls + 1):
        store = filled()
        assert run(store, due, stop)[0] is None
        assert holding(store) == before, f"stopped at call {due}"
        run(store)
        assert stored(store) == whole, f"stopped at call {due}"


LATER = [
    [fact(Kind.COMPLAINED, 20, message="test:later")],
    [fact(Kind.BOUNCED, 20, "hard", message="test:later")],
    [bounce(20, message="test:later")],
    [fact(Kind.DELIVERED, 30, message="test:alive"), fact(Kind.OPENED, 31, message="test:alive")],
    [fact(Kind.UNSUBSCRIBED, 20, message="test:later", scope="offers")],
]


@pytest.mark.parametrize("facts", LATER, ids=["complaint", "hard", "soft", "alive", "another stream"])
def test_nothing_that_comes_meanwhile_is_lost(facts: list[Feedback]) -> None:
    """Whatever is written before any call: what suppressed Ann holds in the end, and so does what came in."""
    wished = {("*" if each.scope is None else each.scope, _cause(each)) for each in facts if _cause(each)}
    _, calls = run(filled())
    for due in range(1, calls + 1):
        store = filled()
        run(store, due, lambda store=store: ingest_facts(facts, store))  # type: ignore[misc]
        streak = {("*", "streak")} if facts[0].kind is Kind.BOUNCED else set()  # others may have ended it in time
        assert holding(store) >= {("*", "hard"), ("*", "complaint"), ("news", "unsubscribed"), *wished, *streak}
        run(store)
        assert left(store) == {BOB, ALIAS}


def _cause(each: Feedback) -> str | None:
    if each.kind is Kind.BOUNCED:
        return "hard" if each.evidence and each.evidence.provider_code == "hard" else None
    return {Kind.COMPLAINED: "complaint", Kind.UNSUBSCRIBED: "unsubscribed"}.get(each.kind)


def test_two_erasures_at_once_agree() -> None:
    _, calls = run(filled())
    whole = filled()
    run(whole)
    for due in range(1, calls + 1):
        store = filled()
        run(store, due, lambda store=store: run(store))  # type: ignore[misc]
        assert stored(store) == stored(whole)


def test_what_was_released_before_it_is_read_is_not_kept() -> None:
    def release(store: MemoryStore) -> None:
        decision = Decision(at=NOW - timedelta(seconds=1), by="bob", act=Act.RELEASED, force=True)
        update = SuppressionUpdate((ANN, "*"), decisions=(decision,))
        write_suppression(
            (ANN, "*"),
            store.get_suppressions([(ANN, "*")]).get((ANN, "*")),
            lambda _: (None, update),
            job_context(store),
        )

    store = filled()
    run(store, 1, lambda: release(store))
    assert holding(store) == {("news", "unsubscribed")}


def _released(store: MemoryStore, who: str, day: float) -> None:
    decision = Decision(at=START + timedelta(days=day), by="bob", act=Act.RELEASED, force=True)
    update = SuppressionUpdate((who, "*"), decisions=(decision,))
    write_suppression(
        (who, "*"), store.get_suppressions([(who, "*")]).get((who, "*")), lambda _: (None, update), job_context(store)
    )


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.COMPLAINED])
@pytest.mark.parametrize(("came", "holds"), [(1.3, False), (1.6, True), (2.1, True)])
def test_evidence_after_a_release_of_the_same_day_is_kept(kind: Kind, came: float, holds: bool) -> None:
    """Erased, released, and erased again: an alias knows days only, and the release was at noon of the first."""
    store = ingest_facts([fact(kind, 1.1, "hard")], MemoryStore())
    run(store)
    _released(store, ALIAS, 1.5)
    _released(store, ANN, 1.5)
    ingest_facts([fact(kind, came, "hard", message="test:new")], store)
    before = holding(store)
    assert bool(before) is holds
    run(store)
    assert holding(store) == before
    tables = stored(store)
    run(store)
    assert stored(store) == tables


def test_a_release_while_somebody_is_erased_lifts_the_alias() -> None:
    """At whichever call it comes: the alias, written from what was read before, is released with it."""
    _, calls = run(filled())
    for due in range(1, calls + 1):
        store = filled()

        def both(store: MemoryStore = store) -> None:
            for who in (ANN, ALIAS):
                _released(store, who, 29)

        run(store, due, both)
        run(store)
        assert holding(store) <= {("news", "unsubscribed")}, due


def test_an_export_leaves_aliases_out() -> None:
    store = filled()
    run(store)
    _, file = run_export(job_context(store), layout="csv", active=False)
    assert b"bob@" in file
    assert b"erased" not in file
