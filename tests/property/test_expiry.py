"""What DynamoDB deletes by its age changes nothing that holds: a release outlives the evidence that it lifts.

TTL deletes within two days of `expires_at`, in no order (DynamoDB developer guide, "Time to Live").
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.core.model import Act, CauseKind, Decision, Feedback, Key, Kind, Reason, Reverted, Suppression
from aftersend.core.steps import run_steps
from aftersend.core.suppression import find_active_causes
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from aftersend.storage.items import Item, encode_suppression
from tests.support.facts import ANN, START, bounce, classify, fact, fake_source, message
from tests.support.ports import NOW, RETENTION, MemoryStore, ports
from tests.support.reevaluation import reevaluation, run
from tests.support.strategies import SHORT, feedback

_LAG = timedelta(days=2)
# Before their outcomes expire, 180 days after what was said last.
_openings = st.builds(
    lambda number, day: fact(Kind.OPENED, day, message=f"test:{number}"), st.integers(0, 4), st.integers(8, 170)
)
_subscribed = [fact(Kind.UNSUBSCRIBED, 0), fact(Kind.SUBSCRIBED, 1, message="test:2")]


@pytest.fixture(autouse=True, scope="module")
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _holding(store: MemoryStore, now: datetime) -> set[tuple[Key, CauseKind]]:
    rows = store.get_suppressions(list(store.suppressions_table)).values()
    return {(row.key, cause) for row in rows for cause in find_active_causes(row, now)}


def _delete(table: dict[Key, Item], now: datetime) -> None:
    for key, item in list(table.items()):
        if "expires_at" in item and int(item["expires_at"]["N"]) < now.timestamp():
            del table[key]


@given(
    feedback(), st.lists(_openings, max_size=3), st.none() | st.integers(0, 14), st.booleans(), st.integers(175, 420)
)
@example([bounce(0, "hard")], [fact(Kind.OPENED, 10)], 1, False, 185)
@example([bounce(0, "hard")], [], 1, False, 182)
@example(_subscribed, [fact(Kind.OPENED, 20)], None, False, 185)
def test_what_was_released_or_withdrawn_does_not_hold_again_when_that_is_forgotten(
    facts: list[Feedback], late: list[Feedback], released: int | None, force: bool, day: int
) -> None:
    """Issue: "released means evidence up to now no longer counts", whatever is deleted in between."""
    store, now = MemoryStore(), START + timedelta(days=day)
    ingest([message(facts)], ports(store, policy=SHORT))
    if released is not None:
        decision = Decision(at=START + timedelta(days=released), by="ann", act=Act.RELEASED, force=force)
        update = SuppressionUpdate((ANN, "*"), decisions=(decision,), recount=True)
        run_steps(update_suppression(update, store.get_suppressions([update.key]).get(update.key), SHORT), store.answer)
    ingest([message(late)], ports(store, policy=SHORT))
    before = _holding(store, now)
    _delete(store.suppressions_table, now)
    _delete(store.outcomes_table, now - _LAG)
    run(ReevaluationJob(segments=1), reevaluation(store, SHORT, classify))
    assert _holding(store, now) == before


def test_a_reverted_window_is_not_forgotten_with_what_it_took_back() -> None:
    """Evidence from the window may arrive for as long as outcomes are kept, although the row holds no cause."""
    window = Reverted(START, START + timedelta(hours=6), Reason.MAILBOX_FULL)
    item = encode_suppression(Suppression(recipient=ANN, reverted=(window,)), RETENTION, NOW)
    assert int(item["expires_at"]["N"]) == int((window.until + RETENTION).timestamp())
