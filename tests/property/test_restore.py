"""Restored tables are joined with those in use: what either knows is there afterwards, decisions too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.model import Act, CauseKind, Decision, Evidence, Feedback, Kind, Reason, Reverted, Suppression
from aftersend.core.steps import run_steps
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.storage import items
from aftersend.storage.store import Store
from aftersend_cli import restore
from aftersend_cli.scanning import scan_table
from tests.engines import Engine
from tests.support.facts import ANN, START, bounce, classify, fact, fake_source, message
from tests.support.oracle import differences, expected, scanned, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT, feedback, streaks

KEY = ANN, "*"


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _ingest(store: Any, facts: list[Feedback]) -> None:
    report = ingest([message([each], str(place)) for place, each in enumerate(facts)], ports(store, policy=SHORT))
    assert not report.failed


def _restore(lost: MemoryStore, store: Any) -> None:
    for item in list(lost.outcomes_table.values()):
        restore.join_outcome(store, classify, SHORT, items.decode_outcome(item))
    for item in list(lost.suppressions_table.values()):
        restore.join_suppression(store, SHORT, items.decode_suppression(item))


def _decide(store: MemoryStore, *decisions: Decision, windows: tuple[Reverted, ...] = ()) -> None:
    update = SuppressionUpdate(KEY, decisions=decisions, windows=windows, recount=True)
    run_steps(update_suppression(update, store.get_suppressions([KEY]).get(KEY), SHORT), store.answer)


@given(feedback() | streaks(), st.data())
def test_what_either_of_them_knows_is_there_afterwards(facts: list[Feedback], data: Any) -> None:
    """Any part may be in the backup, in the tables in use, or in both."""
    lost, store = MemoryStore(), MemoryStore()
    backed_up, in_use = (data.draw(st.lists(st.sampled_from(facts))) for _ in range(2))
    _ingest(lost, backed_up)
    _ingest(store, in_use)
    _restore(lost, store)
    assert not differences(stored(store), expected([*backed_up, *in_use], classify, SHORT))
    puts = store.puts
    _restore(lost, store)
    assert store.puts == puts, "a second time writes nothing"


def test_what_is_in_use_vouches_for_what_is_in_the_backup() -> None:
    forged = fact(Kind.COMPLAINED, 1, evidence=Evidence(forgeable=True))
    lost, store = MemoryStore(), MemoryStore()
    _ingest(lost, [forged])
    _ingest(store, [fact(Kind.SENT)])
    _restore(lost, store)
    assert list(_row(store).causes) == [CauseKind.COMPLAINT]


def _row(store: MemoryStore) -> Suppression:
    return store.get_suppressions([KEY])[KEY]


def test_decisions_of_both_are_there_afterwards() -> None:
    lost, store = MemoryStore(), MemoryStore()
    _ingest(lost, [bounce(1, "hard")])
    _ingest(store, [bounce(9, "hard", "test:2")])
    window = Reverted(START, START + timedelta(days=2), Reason.USER_UNKNOWN)
    release = Decision(at=START + timedelta(days=3), by="a", act=Act.RELEASED, note="asked")
    _decide(lost, release, windows=(window,))
    _decide(store, Decision(at=START + timedelta(days=10), by="b", act=Act.RESOLVED))
    _restore(lost, store)
    row = _row(store)
    assert [(each.by, each.act) for each in row.history] == [("a", Act.RELEASED), ("b", Act.RESOLVED)]
    assert (row.released_at, row.released_by, row.note, row.reverted) == (release.at, "a", "asked", (window,))


def test_a_release_that_the_history_has_forgotten_still_holds() -> None:
    lost, store = MemoryStore(), MemoryStore()
    _ingest(lost, [bounce(1, "hard")])
    _decide(lost, Decision(at=START + timedelta(days=2), by="a", act=Act.RELEASED, force=True, note="asked"))
    _decide(lost, *(Decision(at=START + timedelta(days=3 + day), by="b", act=Act.RESOLVED) for day in range(40)))
    assert Act.RELEASED not in {each.act for each in _row(lost).history}
    _ingest(store, [bounce(1, "hard")])
    _restore(lost, store)
    row = _row(store)
    assert (row.released_at, row.released_by, row.note, row.forced_at) == (
        START + timedelta(days=2), "a", "asked", START + timedelta(days=2),
    )  # fmt: skip


def test_tables_of_an_engine_are_read_whole(engine: Engine) -> None:
    names, client = engine.tables(), engine.connect()
    facts = [bounce(1, "soft", f"test:{number}", recipient=f"email:{number}@example.com") for number in range(40)]
    _ingest(Store(client, names), facts)
    found = {each.key for each in scan_table(client, names.outcomes, items.decode_outcome)}
    assert found == scanned(engine.client(), names).outcomes.keys()
    assert len(found) == 40
