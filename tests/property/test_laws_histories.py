"""Laws 1 and 2 over long histories: more bounces than are read at once, and everybody who may come between.

Feedback, reverts, re-evaluations and an erasure come in any order. Whatever they leave is what the definitions make of
all feedback at once; an erasure forgets, so everything is told once more after it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend.core.erasure import CHANNEL
from aftersend.core.model import Feedback, Reverted
from aftersend.core.policy import Policy, load
from aftersend.core.steps import run_steps
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import reevaluate_recipient
from aftersend.lists.erase import erase
from tests.support.facts import ANN, classify, fake_source, message
from tests.support.list_jobs import job_context
from tests.support.oracle import Tables, differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.reevaluation import MemoryRecipients, reevaluation
from tests.support.strategies import SHORT, long_histories, reports, reverts, streaks

POLICIES = [
    SHORT,
    load("[streak]\nbounces = 3\napart_hours = 12\ngap_days = 4\nlapse_days = 5\nfull_lapse_days = 2"),
    load("[streak]\nbounces = 4\napart_hours = 0\ngap_days = 2\n[report]\nrequire_proof = false"),
    load("[streak]\nbounces = 3\n[classes]\nuser_unknown = 'soft'"),
]

Step = list[Feedback] | SuppressionUpdate | str


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _take(step: Step, store: MemoryStore, policy: Policy) -> None:
    match step:
        case SuppressionUpdate():
            before = store.get_suppressions([step.key]).get(step.key)
            run_steps(update_suppression(step, before, policy), store.answer)
        case "re-evaluation":
            reevaluate_recipient(ANN, reevaluation(store, policy, classify, MemoryRecipients(store)))
        case "erasure":
            erase(ANN, f"{CHANNEL}:alias", job_context(store))
        case list():
            bodies = [message([each], str(place)) for place, each in enumerate(step)]  # of one body few may be unproven
            report = ingest(bodies, ports(store, policy=policy))
            assert not report.failed and not report.unreadable


def _forget_alias(tables: Tables) -> Tables:
    rows = {key: row for key, row in tables.suppressions.items() if not key[0].startswith(CHANNEL)}
    return Tables(tables.outcomes, rows)


@settings(max_examples=150)
@given(
    long_histories() | streaks() | reports(),
    st.just([]) | reverts(),
    st.lists(st.sampled_from(["re-evaluation", "re-evaluation", "erasure"]), max_size=2),
    st.sampled_from(POLICIES),
    st.data(),
)
def test_whatever_comes_between_a_long_history_leaves_the_same(
    facts: list[Feedback], windows: list[Reverted], others: list[str], policy: Policy, data: st.DataObject
) -> None:
    """Law 1: "Any order of the same feedback gives the same tables"; law 2: "Feedback seen once or a hundred times"."""
    shuffled = data.draw(st.permutations(facts))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(facts)), max_size=12)))
    batches = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(facts)], strict=True) if start < end]
    repeated: list[Step] = [*batches, *([SuppressionUpdate((ANN, "*"), windows=tuple(windows))] if windows else [])]
    store = MemoryStore()
    for step in data.draw(st.permutations([*repeated, *others])):
        _take(step, store, policy)
    if "erasure" in others:
        for step in data.draw(st.permutations(repeated)):
            _take(step, store, policy)
    right = expected(facts, classify, policy, reverted={(ANN, "*"): windows} if windows else None)
    wrong = differences(_forget_alias(stored(store)), right)
    assert not wrong, "\n".join(wrong)
