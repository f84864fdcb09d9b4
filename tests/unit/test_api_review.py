"""`GET /review` and what a person says then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aftersend.core.model import Evidence, Kind
from tests.support.api import ARN, Api, Clock, api_context
from tests.support.facts import ANN, BOB, bounce, fact
from tests.support.ports import NOW, MemoryStore
from tests.unit.test_api_suppressions import holding, stored

UNCLEAR = {"recipient": "ann@example.com", "message": "test:1", "note": "looked at it"}
ALIVE = {"recipient": "bob@example.org", "note": "looked at it"}


def waiting() -> MemoryStore:
    """Ann has an outcome that nobody can judge and one with a content problem, Bob is contradicted."""
    return stored(
        bounce(1, "unclear"),
        bounce(2, "large", "test:2"),
        bounce(1, "hard", "test:3", recipient=BOB),
        fact(Kind.CLICKED, 3, message="test:4", recipient=BOB),
        fact(Kind.DELIVERED, 3, message="test:5"),
    )


def lists(api: Api, query: str = "") -> tuple[list[str], list[str]]:
    """Recipients of suppressions and messages of outcomes, over all pages."""
    pages = list(api.pages(f"/review{query}"))
    suppressions = [each["recipient"] for page in pages for each in page.get("suppressions", [])]
    return suppressions, [each["message"] for page in pages for each in page.get("outcomes", [])]


def test_what_waits_is_listed_and_nothing_else() -> None:
    assert lists(Api(api_context(waiting()))) == ([BOB], ["test:1", "test:2"])
    assert lists(Api(api_context())) == ([], [])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?of=suppressions", ([BOB], [])),
        ("?of=outcomes", ([], ["test:1", "test:2"])),
        ("?why=content", ([], ["test:2"])),
        ("?why=undetermined", ([], ["test:1"])),
        ("?why=contradicted", ([BOB], [])),
        ("?of=suppressions&why=content", ([], [])),
        ("?limit=1", ([BOB], ["test:1", "test:2"])),
        ("?limit=2", ([BOB], ["test:1", "test:2"])),
    ],
)
def test_one_may_look_at_a_part(query: str, found: Any) -> None:
    assert lists(Api(api_context(waiting())), query) == found


def test_an_outcome_comes_with_its_whole_story() -> None:
    (found,) = Api(api_context(waiting()))("GET", "/review?why=undetermined").json["outcomes"]
    assert found["feedback"][0]["evidence"] == {"provider_code": "unclear"}
    assert found["verdict"]["advice"].startswith("Read the diagnostic text")


def test_what_the_index_still_has_and_was_resolved_meanwhile_is_left_out() -> None:
    store = waiting()
    queries = api_context(store).queries
    later = stored(store=waiting())
    api = Api(api_context(later))
    api("POST", "/review/outcomes", UNCLEAR | {"decision": "keep"})
    api("POST", "/review/suppressions", ALIVE | {"decision": "keep"})
    api.context = api_context(later, queries=queries)
    assert lists(api) == ([], ["test:2"])


@pytest.mark.parametrize("query", ["?of=people", "?why=boredom", "?limit=26", "?limit=0", "?all=true"])
def test_what_is_no_review_is_refused(query: str) -> None:
    assert Api(api_context())("GET", f"/review{query}").status == 422


# ---- Outcomes -------------------------------------------------------------------------------------------------------


def test_keeping_an_outcome_resolves_it() -> None:
    api = Api(api_context(waiting()))
    answer = api("POST", "/review/outcomes", UNCLEAR | {"decision": "keep"})
    assert (answer.status, answer.headers["etag"]) == (200, '"2"')
    assert "review" not in answer.json
    assert (answer.json["resolved"]["by"], answer.json["resolved"]["note"]) == (ARN, "looked at it")
    assert lists(api, "?why=undetermined") == ([], [])
    assert api("HEAD", "/suppressions/ann@example.com").status == 404


def test_suppressing_resolves_it_and_suppresses_by_hand() -> None:
    api = Api(api_context(waiting()))
    assert "review" not in api("POST", "/review/outcomes", UNCLEAR | {"decision": "suppress"}).json
    shown = api("GET", "/suppressions/ann@example.com")
    assert holding(shown) == ["manual"]
    assert [(each["act"], each["note"]) for each in shown.json["history"]] == [("added", "looked at it")]


def test_releasing_resolves_it_and_releases() -> None:
    store = stored(bounce(1, "unclear"), bounce(1.5, "hard", "test:2"))
    api = Api(api_context(store))
    assert "review" not in api("POST", "/review/outcomes", UNCLEAR | {"decision": "release"}).json
    assert api("HEAD", "/suppressions/ann@example.com").status == 404


def test_a_complaint_is_not_released_by_the_way() -> None:
    api = Api(api_context(stored(bounce(1, "unclear"), fact(Kind.COMPLAINED, 2, message="test:2"))))
    refused = api("POST", "/review/outcomes", UNCLEAR | {"decision": "release"})
    assert (refused.status, refused.json["type"]) == (409, "urn:aftersend:problem:release-requires-force")
    assert lists(api, "?why=undetermined") == ([], ["test:1"])
    assert api("POST", "/review/outcomes", UNCLEAR | {"decision": "release", "force": True}).status == 200
    assert api("HEAD", "/suppressions/ann@example.com").status == 404


def test_later_feedback_may_need_a_look_again() -> None:
    store = waiting()
    api = Api(api_context(store))
    api("POST", "/review/outcomes", UNCLEAR | {"decision": "keep"})
    stored(bounce(2, "unclear"), store=store)
    assert lists(api, "?why=undetermined") == ([], [])
    stored(bounce(31, "unclear"), store=store)
    assert lists(api, "?why=undetermined") == ([], ["test:1"])


def test_what_a_fast_clock_said_is_resolved_too() -> None:
    api = Api(api_context(stored(bounce(60, "unclear"))))
    api("POST", "/review/outcomes", UNCLEAR | {"decision": "keep"})
    assert lists(api) == ([], [])


def test_settling_twice_is_no_error() -> None:
    api = Api(api_context(waiting()))
    for _ in range(2):
        assert api("POST", "/review/outcomes", UNCLEAR | {"decision": "keep"}).status == 200


@pytest.mark.parametrize(("tag", "status"), [('"1"', 200), ('"2"', 412), ("*", 200), ('"0"', 412)])
def test_an_outcome_may_be_resolved_as_it_was_read(tag: str, status: int) -> None:
    api = Api(api_context(waiting()))
    answer = api("POST", "/review/outcomes", UNCLEAR | {"decision": "suppress"}, {"If-Match": tag})
    assert answer.status == status
    assert api("HEAD", "/suppressions/ann@example.com").status == (200 if status == 200 else 404)


def test_an_outcome_that_changes_meanwhile_is_not_resolved_under_a_condition() -> None:
    class Racing(MemoryStore):
        """Somebody stores an outcome between our read and our write."""

        def answer(self, request: Any) -> Any:
            if not self.raced and getattr(request, "item", None) is not None:
                self.raced = True
                stored(bounce(2, "unclear", evidence=Evidence(provider_code="unclear", text="again")), store=self)
            return super().answer(request)

        raced = True

    for headers, status in (({"If-Match": '"1"'}, 412), ({}, 200)):
        store = Racing()
        stored(bounce(1, "unclear"), store=store)
        store.raced = False
        answer = Api(api_context(store))("POST", "/review/outcomes", UNCLEAR | {"decision": "keep"}, headers)
        assert answer.status == status
        (outcome,) = store.get_outcomes([(ANN, "test:1")]).values()
        assert (outcome.resolved is not None, len(outcome.feedback)) == (status == 200, 2)


# ---- Suppressions ---------------------------------------------------------------------------------------------------


def test_keeping_a_suppression_resolves_it() -> None:
    api = Api(api_context(waiting()))
    answer = api("POST", "/review/suppressions", ALIVE | {"decision": "keep"})
    assert (answer.status, holding(answer), "review" in answer.json) == (200, ["hard"], False)
    assert [each["act"] for each in answer.json["history"]] == ["resolved"]
    assert lists(api)[0] == []


def test_keeping_it_by_hand_resolves_it_too() -> None:
    api = Api(api_context(waiting()))
    answer = api("POST", "/review/suppressions", ALIVE | {"decision": "suppress"})
    assert (holding(answer), "review" in answer.json) == (["hard", "manual"], False)
    assert [each["act"] for each in answer.json["history"]] == ["added", "resolved"]


def test_releasing_it_resolves_it() -> None:
    api = Api(api_context(waiting()))
    answer = api("POST", "/review/suppressions", ALIVE | {"decision": "release"})
    assert (holding(answer), "review" in answer.json) == ([], False)
    assert [each["act"] for each in answer.json["history"]] == ["released"]


def test_a_later_sign_of_life_needs_a_look_again() -> None:
    store = waiting()
    clock = Clock()
    api = Api(api_context(store, clock=clock))
    api("POST", "/review/suppressions", ALIVE | {"decision": "keep"})
    stored(fact(Kind.CLICKED, 31, message="test:6", recipient=BOB), store=store)
    clock.now = NOW + timedelta(days=2)
    assert lists(api)[0] == [BOB]


@pytest.mark.parametrize("decision", ["keep", "suppress", "release"])
@pytest.mark.parametrize(("tag", "status"), [('"2"', 200), ('"1"', 412), ("*", 200)])
def test_a_suppression_may_be_resolved_as_it_was_read(decision: str, tag: str, status: int) -> None:
    store = waiting()
    before = store.get_suppressions([(BOB, "*")])
    answer = Api(api_context(store))("POST", "/review/suppressions", ALIVE | {"decision": decision}, {"If-Match": tag})
    assert answer.status == status
    assert (store.get_suppressions([(BOB, "*")]) == before) == (status == 412)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("outcomes", UNCLEAR | {"decision": "keep", "message": "test:9"}, 404),
        ("outcomes", UNCLEAR | {"decision": "keep", "recipient": "bob@example.org"}, 404),
        ("suppressions", ALIVE | {"decision": "keep", "scope": "news"}, 404),
        ("suppressions", ALIVE | {"decision": "keep", "recipient": "carol@example.org"}, 404),
        ("outcomes", UNCLEAR | {"decision": "forget"}, 422),
        ("outcomes", UNCLEAR, 422),
        ("outcomes", UNCLEAR | {"decision": "keep", "note": ""}, 422),
        ("outcomes", UNCLEAR | {"decision": "keep", "message": ""}, 422),
        ("outcomes", UNCLEAR | {"decision": "keep", "scope": "news"}, 422),
        ("outcomes", UNCLEAR | {"decision": "keep", "recipient": "\u0000"}, 422),
        ("suppressions", ALIVE | {"decision": "keep", "message": "test:1"}, 422),
        ("suppressions", ALIVE, 422),
    ],
)
def test_what_cannot_be_resolved_is_refused(path: str, body: Any, status: int) -> None:
    store = waiting()
    writes = store.puts
    assert Api(api_context(store))("POST", f"/review/{path}", body).status == status
    assert store.puts == writes
