"""What people decide through the API and what sources say come in any order, and give the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from aftersend.core.model import Feedback, Kind
from aftersend.ingest import ingest
from tests.support.api import Api, Clock, api_context
from tests.support.facts import START, bounce, fact, fake_source, message
from tests.support.ports import NOW, MemoryStore, ports

ONE = "/suppressions/ann@example.com"


class PlannedDecision(Struct, frozen=True):
    """What a person says at a time."""

    day: float
    act: str  # add, release, keep
    scope: str
    force: bool

    def make(self, api: Api, clock: Clock) -> None:
        clock.now = START + timedelta(days=self.day)
        if self.act == "add":
            answer = api("PUT", f"{ONE}?scope={self.scope}", {"note": "no"})
        else:
            answer = api("DELETE", f"{ONE}?scope={self.scope}&note=yes&force={str(self.force).lower()}")
        assert answer.status in (200, 201), answer.text


_days = st.integers(0, 28).map(float)
_messages = st.sampled_from(["test:1", "test:2", "test:3", "test:4", "test:5", "test:6"])
_refusals = st.builds(bounce, _days, st.sampled_from(["hard", "soft", "full", "listed"]), _messages)
_signs = st.builds(fact, st.sampled_from([Kind.DELIVERED, Kind.OPENED]), _days, message=_messages)
_wishes = st.builds(
    fact,
    st.sampled_from([Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED]),
    _days,
    message=_messages,
    scope=st.sampled_from([None, "news"]),
)
_rows = st.integers(0, 20).map(lambda day: [bounce(day + step, "soft", f"test:{step + 1}") for step in range(6)])
_facts = st.builds(
    lambda some, row: [*some, *row], st.lists(_refusals | _signs | _wishes, max_size=8), st.just([]) | _rows
)
# A second of a day of its own for each, so that no two people decide at the same moment.
_decisions = st.lists(
    st.builds(
        PlannedDecision,
        _days,
        st.sampled_from(["add", "release", "release"]),
        st.sampled_from(["*", "news"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda planned: planned.day,
)


KNOWN = fact(Kind.DELIVERED, -1, message="test:0")  # somebody of whom nothing is stored cannot be released


def known() -> MemoryStore:
    """A store that knows whom it is about."""
    store = MemoryStore()
    with fake_source():
        assert not ingest([message([KNOWN])], ports(store)).failed
    return store


def apply_in(order: Sequence[Feedback | PlannedDecision]) -> Any:
    """What the API says at the end, of everything, but for versions."""
    store, clock = known(), Clock()
    api = Api(api_context(store, clock=clock))
    for each in order:
        if isinstance(each, PlannedDecision):
            each.make(api, clock)
        else:
            with fake_source():
                assert not ingest([message([each])], ports(store)).failed
    answers = []
    for day in (20, 29, 45):
        clock.now = START + timedelta(days=day)
        checked = [
            api("POST", "/suppressions/check", {"recipients": ["ann@example.com"], "scope": scope}).json["results"]
            for scope in ("*", "news", "orders")
        ]
        shown = [api("GET", f"{ONE}?scope={scope}") for scope in ("*", "news")]
        answers.append((checked, [_unversioned(each.json) for each in shown if each.status == 200]))
    return answers


def _unversioned(shown: Any) -> Any:
    return {name: value for name, value in shown.items() if name != "version"}


@given(_facts, _decisions, st.data())
def test_evidence_before_and_after_decisions_gives_the_same(
    facts: list[Feedback], decisions: list[PlannedDecision], data: st.DataObject
) -> None:
    """Design §1: "later evidence can suppress again, older evidence cannot". People speak in the order of time; when
    their words meet those of sources depends on how long a source takes. Nobody knows of what has not happened yet: a
    release reaches past what stands, so evidence from after it comes after it.
    """
    if any(each.kind in (Kind.COMPLAINED, Kind.UNSUBSCRIBED) for each in facts):  # else it depends on what was known
        decisions = [PlannedDecision(each.day, each.act, each.scope, True) for each in decisions]
    decisions = sorted(decisions, key=lambda planned: planned.day)
    shuffled, in_time = _mixed(data.draw(st.permutations(facts)), decisions, data), _mixed(facts, decisions, None)
    assert apply_in(shuffled) == apply_in(in_time)


def _mixed(
    facts: Sequence[Feedback], decisions: list[PlannedDecision], data: st.DataObject | None
) -> list[Feedback | PlannedDecision]:
    """Decisions in their order; each fact after those before it in time, at once or as late as it likes."""
    spoken = [START + timedelta(days=each.day) for each in decisions]
    places: list[list[Feedback]] = [[] for _ in range(len(decisions) + 1)]
    for each in facts:
        earliest = sum(moment < each.occurred_at for moment in spoken)
        places[data.draw(st.integers(earliest, len(decisions))) if data else earliest].append(each)
    order: list[Feedback | PlannedDecision] = list(places[0])
    for planned, later in zip(decisions, places[1:], strict=True):
        order += [planned, *later]
    return order


@given(_facts, _decisions)
def test_what_was_released_last_holds_only_through_later_evidence(
    facts: list[Feedback], decisions: list[PlannedDecision]
) -> None:
    decisions = [
        PlannedDecision(each.day, each.act, each.scope, True) for each in decisions
    ]  # complaints are in the way else
    last = PlannedDecision(max(each.day for each in decisions) + 0.5, "release", "*", True)
    store, clock = known(), Clock()
    api = Api(api_context(store, clock=clock))
    with fake_source():
        assert not ingest([message(facts)], ports(store)).failed
    for planned in [*sorted(decisions, key=lambda each: each.day), last]:
        planned.make(api, clock)
    moment = START + timedelta(days=last.day)
    clock.now = max(NOW, moment)
    for cause in api("GET", ONE).json["causes"]:
        if cause["holds"]:
            assert cause["latest"]["at"] > moment.isoformat()[:19]


@given(_facts, st.sampled_from([28, 10, 27.5, 0]))
def test_everything_is_released_by_force(facts: list[Feedback], today: float) -> None:
    """Whatever it is dated; and no evidence that comes again suppresses again."""
    store, clock = known(), Clock(START + timedelta(days=today))
    api = Api(api_context(store, clock=clock))
    for _ in range(2):
        with fake_source():
            assert not ingest([message(facts)], ports(store)).failed
        for scope in ("*", "news"):
            assert api("DELETE", f"{ONE}?scope={scope}&note=x&force=true").json["suppressed"] is False
    assert api("HEAD", f"{ONE}?scope=news").status == 404
