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


def apply_in(order: Sequence[Feedback | PlannedDecision]) -> Any:
    """What the API says at the end, of everything, but for versions."""
    store, clock = MemoryStore(), Clock()
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
    their words meet those of sources depends on how long a source takes.
    """
    if any(each.kind is Kind.COMPLAINED for each in facts):  # else what is refused depends on what was known
        decisions = [PlannedDecision(each.day, each.act, each.scope, True) for each in decisions]
    decisions = sorted(decisions, key=lambda planned: planned.day)
    places = sorted(data.draw(st.lists(st.integers(0, len(facts)), min_size=len(decisions), max_size=len(decisions))))
    shuffled: list[Feedback | PlannedDecision] = list(data.draw(st.permutations(facts)))
    for place, planned in reversed(list(zip(places, decisions, strict=True))):
        shuffled.insert(place, planned)
    assert apply_in(shuffled) == apply_in([*facts, *decisions])


@given(_facts, _decisions)
def test_what_was_released_last_holds_only_through_later_evidence(
    facts: list[Feedback], decisions: list[PlannedDecision]
) -> None:
    # By force, because a complaint would be in the way else.
    decisions = [PlannedDecision(each.day, each.act, each.scope, True) for each in decisions]
    last = PlannedDecision(max(each.day for each in decisions) + 0.5, "release", "*", True)
    store, clock = MemoryStore(), Clock()
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


@given(_facts)
def test_everything_is_released_by_force(facts: list[Feedback]) -> None:
    """And no evidence that comes again suppresses again."""
    store, clock = MemoryStore(), Clock()
    api = Api(api_context(store, clock=clock))
    for _ in range(2):
        with fake_source():
            assert not ingest([message(facts)], ports(store)).failed
        for scope in ("*", "news"):
            assert api("DELETE", f"{ONE}?scope={scope}&note=x&force=true").json["suppressed"] is False
    assert api("HEAD", f"{ONE}?scope=news").status == 404
