"""Which problems are there: what went wrong in groups, counted or estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.api import problem_groups
from aftersend.core.model import Context, Evidence, Feedback, Kind
from tests.support.api import Api, api_context
from tests.support.facts import bounce, fact
from tests.support.ports import Inline
from tests.unit.test_api_suppressions import stored

SPAN = "from=2026-03-01T00:00:00Z&to=2026-03-09T00:00:00Z"


def refused(number: int, text: str, domain: str, code: str = "hard", **others: Any) -> Feedback:
    recipient = f"email:person{number}@{domain}"
    proof = Evidence(text=text.format(recipient.partition(":")[2]), code=550, provider_code=code)
    return bounce(1 + number / 100, code, f"test:{number}", recipient=recipient, evidence=proof, **others)


FACTS = (
    *(refused(number, "550 5.1.1 <{}>: user unknown", "gmail.com") for number in range(9)),
    *(refused(number, "550 5.2.1 mailbox of {} is gone", "gmail.com") for number in range(10, 13)),
    *(refused(number, "554 blocked, see example.com/42", "gmx.de", "block") for number in range(20, 25)),
    fact(Kind.COMPLAINED, 3, message="test:30", context=Context(correlation={"campaign": "may"})),
)


def ask(query: str = "", facts: Any = FACTS) -> Any:
    answer = Api(api_context(stored(*facts)))("GET", f"/problems?{SPAN}{query}")
    assert answer.status == 200, answer.text
    return answer.json


def test_what_is_one_thing_to_a_person_is_one_group() -> None:
    found = ask()
    shown = [(each["count"], each.get("class"), each["system"], each["whose"]) for each in found["groups"]]
    assert shown == [
        (9, "hard", "gmail", "address"),
        (5, "block", "gmx", "sender"),
        (3, "hard", "gmail", "address"),
        (1, "complaint", "other", "recipient"),
    ]
    first = found["groups"][0]
    assert first["example"]["message"] == "test:8"  # the newest
    assert (first["first_at"], first["last_at"]) == ("2026-03-02T00:00:00Z", first["example"]["at"])
    assert "person8" not in first["pattern"] and "unknown" in first["pattern"]
    assert (found["counted"], found["complete"], found["looked_back_to"]) == (18, True, "2026-03-01T00:00:00Z")
    assert "sampled" not in first


def test_filters_are_those_of_the_list() -> None:
    assert [each["count"] for each in ask("&system=gmail")["groups"]] == [9, 3]
    assert [each["count"] for each in ask("&class=block")["groups"]] == [5]
    assert [each["count"] for each in ask("&identifier=campaign:may")["groups"]] == [1]
    assert ask("&domain=example.net") == {
        "groups": [],
        "counted": 0,
        "complete": True,
        "looked_back_to": "2026-03-01T00:00:00Z",
    }
    assert (len(ask("&limit=1")["groups"]), ask("&limit=1")["counted"]) == (1, 18)


def test_of_many_the_words_of_some_are_read_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_groups, "MAX_READ", 9)
    found = ask()
    kinds = {(each["system"], each.get("sampled", False)) for each in found["groups"]}
    assert kinds == {("gmail", True), ("gmx", True), ("other", False)}
    assert sum(each["count"] for each in found["groups"] if each["system"] == "gmail") == 12
    assert found["counted"] == 18


def test_no_answer_counts_more_than_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_groups, "MAX_COUNTED", 6)
    found = ask()
    assert (found["counted"], found["complete"]) == (6, False)
    assert found["looked_back_to"] > "2026-03-01T00:00:00Z"


def test_a_week_is_asked_for_in_few_turns_and_its_words_are_read_together() -> None:
    context = api_context(stored(*FACTS))
    asked: list[int] = []
    reads: list[int] = []
    context = replace(context, pool=Turns(asked))
    store: Any = context.store
    read = store.get_outcomes

    def get_outcomes(keys: list[Any]) -> Any:
        reads.append(len(keys))
        return read(keys)

    store.get_outcomes = get_outcomes
    assert Api(context)("GET", f"/problems?{SPAN}").status == 200
    # Eight days of five statuses in eight parts; the outcomes of all groups at once.
    assert asked == [40, 80, 160, 40, 1]
    assert reads == [18]


class Turns(Inline):
    """A pool that notes how many things it does at once."""

    def __init__(self, asked: list[int]) -> None:
        self._asked = asked

    def map(self, function: Callable[..., Any], *iterables: Iterable[Any]) -> Iterator[Any]:  # type: ignore[override]
        given = [list(each) for each in iterables]
        self._asked.append(len(given[0]))
        return super().map(function, *given)
