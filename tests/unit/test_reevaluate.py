"""Re-evaluation one case at a time: what is left alone, what is reported, where it stops and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.core.errors import Unreadable
from aftersend.core.model import Act, CauseKind, Decision, Feedback, Kind, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.core.writes import Put, ReadOutcomes
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import EXAMPLES, MARGIN, ReevaluationJob, reevaluate_recipient, run_slice, split
from tests.support.facts import ANN, BOB, START, bounce, classify, fact, fake_source, message
from tests.support.ports import NOW, MemoryStore, ports
from tests.support.reevaluation import RULES, MemoryRecipients, reevaluation, run

POLICY = policy.load()
SOFT_IS_HARD, HARD_IS_SOFT = RULES[1], RULES[2]
ROW = (ANN, "*")


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _stored(*facts: Feedback) -> MemoryStore:
    store = MemoryStore()
    ingest([message(facts)], ports(store, policy=POLICY))
    return store


def _row(store: MemoryStore) -> Suppression | None:
    return store.get_suppressions([ROW]).get(ROW)


def test_what_rests_on_outcomes_that_are_gone_is_left_alone() -> None:
    """Issue: "suppressions whose outcomes are gone are left alone"."""
    store = _stored(bounce(1, "hard"), bounce(3, "hard", "test:2"))
    before = _row(store)
    del store.outcomes_table[ANN, "test:1"], store.outcomes_table[ANN, "test:2"]
    run(ReevaluationJob(), reevaluation(store, POLICY, HARD_IS_SOFT))
    assert _row(store) == before


def test_of_a_cause_what_rests_on_an_outcome_that_is_gone_stays() -> None:
    store = _stored(bounce(1, "hard"), bounce(3, "hard", "test:2"))
    del store.outcomes_table[ANN, "test:1"]
    run(ReevaluationJob(), reevaluation(store, POLICY, HARD_IS_SOFT))
    row = _row(store)
    assert row is not None
    ref = row.causes[CauseKind.HARD].latest
    assert ref is not None
    assert ref.message == "test:1"


def test_what_stays_of_a_cause_with_an_end_ends_as_long_after_its_own_evidence() -> None:
    """A day's pause must not become one without end where a later pause turns out to be none."""
    pauses = [fact(Kind.BOUNCED, day, "SmtpRcptFreq", message=f"test:{day}") for day in (1, 3)]
    store = _stored(*pauses)
    del store.outcomes_table[ANN, "test:1"]
    run(ReevaluationJob(), reevaluation(store, policy.load("[pause]\nsuppress = false"), classify))
    row = _row(store)
    assert row is not None
    pause = row.causes[CauseKind.PAUSE]
    assert (pause.latest and pause.latest.message, pause.until) == ("test:1", START + timedelta(days=2))
    assert find_active_causes(row, NOW) == ()


@pytest.mark.parametrize("judge", [classify, HARD_IS_SOFT])
def test_what_rests_on_a_fact_that_is_no_longer_whole_stays(judge: Any) -> None:
    """Of many bounces of one message the middle ones keep only that they happened: no rule can judge them again."""
    store = MemoryStore()
    for day, code in enumerate(["soft", "soft", "soft", "hard", "soft"]):
        ingest([message([bounce(day, code)])], ports(store, policy=POLICY))
    before = _row(store)
    assert before is not None
    assert before.causes.keys() == {CauseKind.HARD}
    run(ReevaluationJob(), reevaluation(store, POLICY, judge))
    assert _row(store) == before


def test_what_people_decided_stays() -> None:
    store = _stored(bounce(1, "hard"))
    release = Decision(at=NOW, by="a person", act=Act.RELEASED, note="asked")
    row = _row(store)
    assert row is not None
    released = replace(
        row, released_at=NOW, released_by="a person", note="asked", history=(release,), version=row.version + 1
    )
    store.answer(Put(released))
    run(ReevaluationJob(), reevaluation(store, POLICY, HARD_IS_SOFT))
    after = _row(store)
    assert after == replace(released, causes={}, life=None, version=row.version + 2)


class Losing(MemoryStore):
    """A store out of which everything of a recipient is erased just before the first write."""

    def answer(self, request: Any) -> Any:
        if isinstance(request, Put):
            self.outcomes_table.clear()
            self.suppressions_table.clear()
        return super().answer(request)


def test_who_is_erased_meanwhile_stays_erased() -> None:
    store = _stored(bounce(1, "soft"))
    losing = Losing()
    losing.outcomes_table, losing.suppressions_table = store.outcomes_table, store.suppressions_table
    changes = reevaluate_recipient(ANN, reevaluation(losing, POLICY, SOFT_IS_HARD))
    assert (losing.outcomes_table, losing.suppressions_table) == ({}, {})
    assert "outcomes changed" not in changes.counts


def test_a_report_says_what_changes_and_names_nobody() -> None:
    """Issue: "statuses, verdicts, suppressions added/removed; counts and a bounded list with keyed digests"."""
    store = _stored(
        bounce(1, "soft"), bounce(2, "hard", recipient=BOB), fact(Kind.DELIVERED, 1, message="test:3", recipient=BOB)
    )
    (ann, bob) = (
        reevaluate_recipient(each, reevaluation(store, POLICY, _swapped), dry_run=True) for each in (ANN, BOB)
    )
    assert ann.counts == {
        "recipients": 1, "outcomes": 1, "outcomes changed": 1, "suppressions changed": 1, "suppressed": 1, "+hard": 1,
        "bounced soft/system_error > bounced hard/user_unknown": 1,
    }  # fmt: skip
    assert bob.counts == {
        "recipients": 1, "outcomes": 2, "outcomes changed": 1, "suppressions changed": 1, "freed": 1, "-hard": 1,
        "bounced hard/user_unknown > bounced soft/system_error": 1,
    }  # fmt: skip
    (line,) = bob.outcomes
    assert line.split()[1:] == ["bounced", "hard/user_unknown", ">", "bounced", "soft/system_error"]
    assert [each.split()[1:] for each in (*ann.suppressions, *bob.suppressions)] == [["*", "+hard"], ["*", "-hard"]]
    assert len({each.split()[0] for each in (*ann.outcomes, *ann.suppressions)}) == 1, "one digest for one address"
    for text in (msgspec.json.encode(ann).decode(), msgspec.json.encode(bob).decode()):
        assert "example" not in text


def _swapped(given: Feedback) -> Any:
    code = given.evidence.provider_code if given.evidence else None
    return classify(bounce(1, {"soft": "hard", "hard": "soft"}[code])) if code else classify(given)


def test_a_change_that_nobody_notices_is_counted_and_not_listed() -> None:
    """A lapse that is still far away: the row changes, and what holds does not."""
    store = _stored(bounce(1, "hard"))
    later = policy.load("[hard]\nlapse_days = 300")
    changes = reevaluate_recipient(ANN, reevaluation(store, later, classify))
    assert changes.counts == {"recipients": 1, "outcomes": 1, "suppressions changed": 1}
    assert not changes.suppressions


def test_a_list_is_bounded() -> None:
    store = _stored(*(bounce(1, "soft", recipient=f"email:{number}@example.com") for number in range(EXAMPLES + 9)))
    (end,) = run(ReevaluationJob(segments=1), reevaluation(store, POLICY, SOFT_IS_HARD))
    assert end.changes.counts["suppressed"] == EXAMPLES + 9
    assert len(end.changes.outcomes) == len(end.changes.suppressions) == EXAMPLES
    assert len(msgspec.json.encode(end)) < 16_384, "far below what a message of a queue may hold"


def test_a_slice_ends_when_time_is_short_and_the_next_one_goes_on() -> None:
    names = [f"email:{letter}@example.com" for letter in "abcdef"]
    store = _stored(*(bounce(1, "soft", recipient=name) for name in names))
    used = reevaluation(store, POLICY, SOFT_IS_HARD)
    (whole,) = split(ReevaluationJob(segments=1), "run")
    first = run_slice(whole, used, lambda: MARGIN - 1)
    assert first.after == (names[1], "test:1")
    assert {name for name, _ in store.suppressions_table} == set(names[:2])
    rest = run_slice(first, used, lambda: MARGIN + 1)
    assert rest.after is None
    assert rest.changes.counts["suppressed"] == len(names)
    assert {name for name, _ in store.suppressions_table} == set(names)


def test_who_goes_over_the_end_of_a_page_is_worked_once() -> None:
    store = _stored(*(bounce(day, "soft", f"test:{day}") for day in range(5)), bounce(1, "hard", recipient=BOB))
    used = reevaluation(store, POLICY, SOFT_IS_HARD)
    assert len(MemoryRecipients(store).scan_recipients(0, 1, None).recipients) == 1, "a page holds two of Ann's five"
    (end,) = run(ReevaluationJob(segments=1), used)
    assert end.changes.counts["recipients"] == 2
    assert end.changes.counts["outcomes"] == 6


def test_a_job_falls_into_segments_of_one_run() -> None:
    parts = split(ReevaluationJob(segments=3, dry_run=True), "m1")
    assert [part.segment for part in parts] == [0, 1, 2]
    assert {(part.run, part.segments, part.dry_run) for part in parts} == {("m1", 3, True)}


@pytest.mark.parametrize("text", ["[]", '{"segments": 0}', '{"segments": 65}', '{"segment": -1}', '{"dryrun": true}'])
def test_what_is_no_job_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=ReevaluationJob)


def test_what_holds_afterwards_is_what_the_new_rules_say() -> None:
    store = _stored(*(bounce(2 * day, "soft", f"test:{day}") for day in range(5)))
    row = _row(store)
    assert row is not None
    assert find_active_causes(row, NOW) == (CauseKind.STREAK,)
    run(ReevaluationJob(), reevaluation(store, policy.load("[streak]\nsuppress = false"), classify))
    assert _row(store) == Suppression(recipient=ANN, version=row.version + 1)


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_item_that_cannot_be_read_is_counted_and_holds_up_no_other(dry_run: bool) -> None:
    """A segment comes again as it began; what fails each time would keep all that comes after it from being done."""

    class Mixed(MemoryStore):
        def answer(self, request: Any) -> Any:
            if request == ReadOutcomes(ANN):
                raise Unreadable("of a newer version")
            return super().answer(request)

    store = Mixed()
    ingest([message([bounce(1, "hard", recipient=who) for who in (ANN, BOB)])], ports(store, policy=POLICY))
    ended = run(ReevaluationJob(segments=1, dry_run=dry_run), reevaluation(store, POLICY, HARD_IS_SOFT))
    assert ended[0].changes.counts["unreadable"] == 1
    assert ended[0].changes.counts["freed"] == 1
