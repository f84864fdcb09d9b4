"""A revert takes back what a domain reported for a reason in a window, in whatever order it and the evidence come."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core.model import Act, CauseKind, Evidence, Feedback, Kind, Reason, Suppression
from aftersend.core.spike_guard import find_group
from aftersend.core.suppression import find_active_causes
from aftersend.lists.job import JobState, RevertProgress, RevertRequest
from tests.support.facts import START, fact
from tests.support.list_jobs import ANN, ingest_facts, job_context, make_ticking_timer, run_request
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore

# "hard" and "full" are words that the judge of the tests reads as user_unknown and mailbox_full.
BOUNCES = st.builds(
    lambda who, hour, code, number: fact(
        Kind.BOUNCED,
        hour / 24,
        recipient=f"email:{who}",
        message=f"test:{number}",
        evidence=Evidence(provider_code=code),
    ),
    st.sampled_from(["ann@apple.example", "bob@apple.example", "ann@other.example"]),
    st.integers(0, 72),
    st.sampled_from(["hard", "full"]),
    st.integers(0, 5),
)
FACTS = st.lists(BOUNCES, max_size=10)
WINDOW = RevertRequest(
    dry_run=False,
    domain="apple.example",
    reason=Reason.USER_UNKNOWN,
    since=START + timedelta(hours=12),
    until=START + timedelta(hours=36),
    note="six hours of nonsense",
)


def revert(store: MemoryStore, request: RevertRequest = WINDOW, id_: str = "job") -> RevertProgress:
    job = run_request(job_context(store, timer=make_ticking_timer()), request, id_=id_)
    assert job.state is JobState.DONE
    assert isinstance(job.progress, RevertProgress)
    return job.progress


def inside(row: Suppression) -> bool:
    evidence = [each for cause in row.causes.values() for each in (cause.first, *cause.between, cause.latest) if each]
    return find_group(row.recipient) == WINDOW.domain and any(
        WINDOW.since <= each.at <= WINDOW.until and each.reason == WINDOW.reason for each in evidence
    )


@given(facts=FACTS)
def test_what_lies_in_the_window_does_not_hold_and_all_else_does(facts: list[Feedback]) -> None:
    store = ingest_facts(facts, MemoryStore())
    before = stored(store).suppressions
    progress = revert(store)
    after = stored(store).suppressions
    affected = {key for key, row in before.items() if inside(row)}
    assert {key for key in after if after[key].reverted} == affected
    assert {key for key in after if after[key] != before[key]} == affected
    freed = {key for key in before if find_active_causes(before[key], NOW) and not find_active_causes(after[key], NOW)}
    assert (progress.found, progress.changed, progress.freed) == (len(affected), len(affected), len(freed))
    for key in affected:
        causes = after[key].causes.values()
        evidence = [each for cause in causes for each in (cause.first, *cause.between, cause.latest) if each]
        out = [each for each in evidence if not WINDOW.since <= each.at <= WINDOW.until or each.reason != WINDOW.reason]
        assert bool(find_active_causes(after[key], NOW)) == bool(out) or not find_active_causes(before[key], NOW)


@given(facts=FACTS)
def test_the_same_revert_again_changes_nothing(facts: list[Feedback]) -> None:
    store = ingest_facts(facts, MemoryStore())
    revert(store)
    before, puts = stored(store), store.puts
    again = revert(store, replace(WINDOW, note="another note"), "again")
    assert (again.changed, again.freed) == (0, 0)
    assert (stored(store), store.puts) == (before, puts)


@given(facts=FACTS)
def test_a_dry_run_reports_what_a_revert_does_and_does_nothing(facts: list[Feedback]) -> None:
    store = ingest_facts(facts, MemoryStore())
    puts = store.puts
    dry = revert(store, replace(WINDOW, dry_run=True), "dry")
    assert store.puts == puts
    assert dry == revert(store)


@given(facts=FACTS, later=FACTS)
def test_evidence_before_and_after_gives_the_same(facts: list[Feedback], later: list[Feedback]) -> None:
    """Evidence that comes after the revert does not count where the address was found; where it was not, the same
    revert again finds it.
    """
    first = ingest_facts([*facts, *later], MemoryStore())
    revert(first)
    then = ingest_facts(facts, MemoryStore())
    revert(then)
    ingest_facts(later, then)
    revert(then)
    ends = stored(first).suppressions, stored(then).suppressions
    for key in ends[0]:
        assert ends[0][key].causes == ends[1][key].causes
        assert not inside(ends[1][key]) or ends[1][key].reverted
        if ends[0][key].reverted:
            assert ends[0][key] == ends[1][key]


def test_a_revert_says_who_and_why() -> None:
    store = ingest_facts([fact(Kind.BOUNCED, 1, "hard", recipient="email:ann@apple.example")], MemoryStore())
    revert(store)
    (row,) = stored(store).suppressions.values()
    (decision,) = row.history
    assert (decision.act, decision.by, decision.at, decision.note) == (
        Act.REVERTED,
        ANN,
        NOW,
        "six hours of nonsense",
    )
    assert not find_active_causes(row, NOW)


def test_a_revert_counts_rows_anew() -> None:
    """Two of five bounces of a row lie in the window: three are none, though the first and the last lie outside."""
    words = {2: "full", 4: "full"}
    bounces = [
        fact(Kind.BOUNCED, day, words.get(day, "soft"), recipient="email:ann@apple.example", message=f"test:{day}")
        for day in (0, 2, 4, 6, 8)
    ]
    store = ingest_facts(bounces, MemoryStore())
    (row,) = stored(store).suppressions.values()
    assert find_active_causes(row, NOW) == (CauseKind.STREAK,)
    since, until = START + timedelta(days=1), START + timedelta(days=5)
    revert(store, replace(WINDOW, reason=Reason.MAILBOX_FULL, since=since, until=until))
    assert not any(row.causes for row in stored(store).suppressions.values())
