"""What expires: in any order, by whoever notices, once; and as if nobody had noticed, once anything is heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.core.model import Evidence, Feedback, Kind, Status
from aftersend.core.outcome import merge
from aftersend.core.validity import LAG, WAITING, show_at
from aftersend.ingest import ingest
from aftersend.jobs.expire import expire_outcomes, send_due
from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts
from aftersend.storage.queries import _decode_line, show_line_at
from tests.support.explorer import Explorer
from tests.support.facts import ANN, BOB, START, bounce, classify, fact, fake_source, message
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.reevaluation import reevaluation, run

SHORT: Final = "[streak]\nbounces = 2\napart_hours = 24\ngap_days = 3\nlapse_days = 30\n"
POLICY: Final = policy.load(SHORT + "[validity]\ntest = 48\nother = 24")
END: Final = START + timedelta(days=60)

_kinds: Final = st.sampled_from(
    [Kind.SENT] * 6 + [Kind.DEFERRED] * 4 + [Kind.UNKNOWN, Kind.DELIVERED, Kind.OPENED, Kind.COMPLAINED]
    + [Kind.REJECTED, Kind.BOUNCED, Kind.BOUNCED]
)  # fmt: skip
_codes: Final = st.sampled_from(["soft", "soft", "hard", "block"])


@st.composite
def _facts(draw: st.DrawFn) -> Feedback:
    kind = draw(_kinds)
    by_mail = draw(st.booleans()) and kind in (Kind.DEFERRED, Kind.BOUNCED)
    return fact(
        kind,
        draw(st.integers(0, 12)) / 2,
        source="report" if by_mail else draw(st.sampled_from(["test", "test", "other", "third"])),
        message=f"test:{draw(st.integers(0, 3))}",
        recipient=draw(st.sampled_from([ANN, ANN, BOB])),
        evidence=Evidence(provider_code=draw(_codes), forgeable=by_mail),
    )


class _Step(NamedTuple):
    """What happens at a time: some feedback comes in, or what is due by then is written down."""

    at: datetime
    batch: Sequence[Feedback] | None


@st.composite
def _steps(draw: st.DrawFn, facts: list[Feedback]) -> list[_Step]:
    order = draw(st.permutations([*facts, *draw(st.lists(st.sampled_from(facts), max_size=3))]))
    batches: list[Sequence[Feedback] | None] = [[each] for each in order]
    for place in draw(st.lists(st.integers(0, len(batches)), max_size=4)):
        batches.insert(place, None)
    hours = sorted(draw(st.lists(st.integers(0, 24 * 12), min_size=len(batches), max_size=len(batches))))
    return [_Step(START + timedelta(hours=hour), batch) for hour, batch in zip(hours, batches, strict=True)]


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _at(store: Any, now: datetime, rules: policy.Policy = POLICY) -> ReevaluationPorts:
    return replace(reevaluation(store, rules, classify), clock=lambda: now)


def _sweep(store: Any, now: datetime, rules: policy.Policy = POLICY) -> int:
    """Write down what is due, as the schedule and the slices do; how many outcomes were looked at."""
    made, slices = _at(store, now + LAG, rules), list[Any]()
    found = send_due(made, slices.extend, lambda: 60.0)
    for each in slices:
        expire_outcomes(each.due, made)
    return found


def _ingest(store: Any, batch: Sequence[Feedback], now: datetime) -> None:
    report = ingest([message(batch)], ports(store, policy=POLICY, clock=lambda: now))
    assert not report.failed and not report.unreadable


def _run(store: Any, steps: Sequence[_Step]) -> None:
    for at, batch in steps:
        _sweep(store, at - LAG) if batch is None else _ingest(store, batch, at)


@given(st.lists(_facts(), min_size=1, max_size=10), st.data())
def test_any_order_and_any_sweeps_give_the_same_tables(facts: list[Feedback], data: Any) -> None:
    """Law 1: "Any order of the same feedback gives the same tables." Law 2: noticed whenever, and how often."""
    store = MemoryStore()
    _run(store, data.draw(_steps(facts)))
    _sweep(store, END)
    assert not differences(stored(store), expected(facts, classify, POLICY, now=END))
    puts = store.puts
    assert _sweep(store, END) == 0 and store.puts == puts


@given(st.lists(_facts(), min_size=1, max_size=8), st.integers(0, 24 * 12))
def test_what_is_read_is_what_the_sweep_writes(facts: list[Feedback], hours: int) -> None:
    store, now = MemoryStore(), START + timedelta(hours=hours)
    _ingest(store, facts, START)
    before = stored(store).outcomes
    lines = {key: _decode_line(item) for key, item in store.outcomes_table.items()}
    _sweep(store, now)
    assert {key: show_at(outcome, now) for key, outcome in before.items()} == stored(store).outcomes
    after = {key: _decode_line(item) for key, item in store.outcomes_table.items()}
    assert {key: show_line_at(line, now) for key, line in lines.items()} == after


class _Killed(BaseException):
    """The function was stopped where it stood."""


class _Mortal(MemoryStore):
    """A store that lets so many writes through, and then stops whoever writes."""

    left = 10**9

    def answer(self, request: Any) -> Any:
        if type(request).__name__ == "Put":
            if not self.left:
                raise _Killed
            self.left -= 1
        return super().answer(request)


@pytest.mark.parametrize("writes", range(6))
def test_a_slice_that_is_stopped_anywhere_and_comes_again_loses_nothing(writes: int) -> None:
    """Law 4: "A crash between any two writes, followed by redelivery, gives the same tables.\""""
    facts = [fact(Kind.SENT, day, message=f"test:{day}", recipient=each) for day in (0, 2) for each in (ANN, BOB)]
    store = _Mortal()
    _ingest(store, facts, START)
    made, slices = _at(store, END), list[Any]()
    assert send_due(made, slices.extend, lambda: 60.0) == len(facts)
    store.left = writes
    with pytest.raises(_Killed):
        expire_outcomes([key for each in slices for key in each.due], made)
    store.left = 10**9
    for each in slices:  # the messages come again, although some outcomes have left the index
        expire_outcomes(each.due, made)
    assert not differences(stored(store), expected(facts, classify, POLICY, now=END))
    assert {cause for row in stored(store).suppressions.values() for cause in row.causes} == {"streak"}


SENT: Final = [fact(Kind.SENT, 2 * number, message=f"test:{number}") for number in range(2)]
RACES: Final = {
    "its own delivery, long ago": [fact(Kind.DELIVERED, 0.5, message="test:0")],
    "its own delivery, just now": [fact(Kind.DELIVERED, 9, message="test:0")],
    "a refusal for good": [bounce(3, "hard", "test:1")],
    "a refusal that says nothing of the address": [bounce(3, "block", "test:1")],
    "an earlier first sight": [fact(Kind.SENT, -0.5, message="test:0")],
    "a delivery elsewhere": [fact(Kind.DELIVERED, 3.5, message="test:9")],
    "a bounce elsewhere": [bounce(5, message="test:9")],
}


@pytest.mark.parametrize("name", RACES)
def test_every_interleaving_of_sweep_and_feedback_gives_the_same_tables(name: str) -> None:
    """Law 3: "… worked one after another or at once by concurrent functions, gives the same tables.\""""
    store, batch = MemoryStore(), RACES[name]
    _ingest(store, SENT, START)
    keys = [each.key for each in SENT]
    workers = [
        lambda store: expire_outcomes(keys, _at(store, END)),
        lambda store: _ingest(store, batch, END),
    ]
    explorer = Explorer(workers, store, crashes=1)
    right = expected([*SENT, *batch], classify, POLICY, now=END)
    for state in explorer.ends().values():
        wrong = differences(stored(explorer.store(state)), right)
        assert not wrong, "\n".join([*explorer.trace(state), "left, and should have left:", *wrong])


def test_an_expired_message_is_a_soft_bounce_like_any_other() -> None:
    store = MemoryStore()
    _ingest(store, SENT, START)
    assert not stored(store).suppressions
    report = expire_outcomes([each.key for each in SENT], _at(store, END))
    (row,) = stored(store).suppressions.values()
    streak = row.causes["streak"]  # type: ignore[index]
    assert (streak.count, streak.latest.reason, streak.latest.rule) == (2, "expired", "validity")  # type: ignore[union-attr]
    assert streak.latest.at == SENT[1].occurred_at + timedelta(hours=48)  # type: ignore[union-attr]
    assert report.sum_by_source() == {
        "test": {"FeedbackExpired": 2, "VerdictSoft": 2, "ReasonExpired": 2, "SuppressedStreak": 1}
    }
    assert expire_outcomes([each.key for each in SENT], _at(store, END)).sum_by_source() == {}
    _ingest(store, [fact(Kind.DELIVERED, 0.1, message="test:1")], END)
    assert not stored(store).suppressions
    assert {outcome.status for outcome in stored(store).outcomes.values()} == {Status.EXPIRED, Status.DELIVERED}


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ([fact(Kind.SENT)], 48),
        ([fact(Kind.DEFERRED, 1)], 72),
        ([fact(Kind.SENT), fact(Kind.DEFERRED, 1.5)], 48),  # counted from the first sight: the sender gives up then
        ([fact(Kind.SENT), fact(Kind.DEFERRED, 1, source="other")], 24),  # of several, the shortest counts
        ([fact(Kind.SENT, source="third")], None),
        ([fact(Kind.UNKNOWN)], None),  # nobody has said that it was sent
        ([fact(Kind.SENT, occurred_at=datetime(1970, 1, 1, tzinfo=START.tzinfo))], None),
        ([fact(Kind.DEFERRED, evidence=Evidence(forgeable=True))], None),  # anybody may have sent this
        ([fact(Kind.SENT), fact(Kind.DELIVERED, 9)], None),
        ([fact(Kind.SENT), bounce(9)], None),
    ],
)
def test_when_a_message_is_due(facts: list[Feedback], due: int | None) -> None:
    outcome = merge(None, facts, classify, validity=POLICY.validity)
    assert outcome.due_at == (due if due is None else START + timedelta(hours=due))
    assert (outcome.status in WAITING) or due is None
    if due is not None:
        moment = START + timedelta(hours=due)
        early = merge(None, facts, classify, validity=POLICY.validity, now=moment - timedelta(milliseconds=1))
        assert early == outcome
        late = merge(None, facts, classify, validity=POLICY.validity, now=moment)
        decider = next(each for each in late.feedback if each.id == late.decided_by)
        assert (late.status, decider.occurred_at) == (Status.EXPIRED, moment)


def test_another_validity_holds_from_the_next_write_on() -> None:
    longer, off = policy.load(SHORT + "[validity]\ntest = 96"), policy.load(SHORT)
    store, at = MemoryStore(), START + timedelta(hours=50)
    _ingest(store, SENT[:1], START)
    assert _sweep(store, at, longer) == 1  # it stands in the index by what held then, and is not due
    (outcome,) = stored(store).outcomes.values()
    assert (outcome.status, outcome.due_at) == (Status.SENT, START + timedelta(hours=96))
    assert _sweep(store, END, off) == 0
    _sweep(store, END, longer)
    (outcome,) = stored(store).outcomes.values()
    assert outcome.status is Status.EXPIRED
    for rules, status in ((off, Status.SENT), (POLICY, Status.EXPIRED)):
        run(ReevaluationJob(), _at(store, END, rules))
        assert {outcome.status for outcome in stored(store).outcomes.values()} == {status}
