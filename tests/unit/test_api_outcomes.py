"""What went wrong: a list over days, its filters, its pages and its files; and the index that it is read from."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.api import outcome_search, outcomes
from aftersend.core import policy
from aftersend.core.model import Context, Evidence, Feedback, Kind, Status
from aftersend.core.outcome import merge
from aftersend.core.receiving_system import find_system
from aftersend.storage.items import encode_outcome
from aftersend.storage.listing import LISTED, SHARDS, encode_listing
from aftersend.storage.queries import Queries
from tests.support.api import Api, Clock, api_context
from tests.support.facts import ANN, BOB, START, bounce, classify, fact
from tests.support.ports import NOW, RETENTION
from tests.support.strategies import feedback
from tests.unit.test_api_suppressions import stored

NEWS = Context(sender="news@example.com", subject="=SUM(1)", correlation={"Campaign": "march"})
SHOP = Context(sender="shop@orders.example", correlation={"campaign": "april"})
GMAIL = "email:zoe@gmail.com"
FACTS = (
    bounce(1, "hard", "test:1", context=NEWS),
    bounce(2, "soft", "test:2", recipient=BOB, context=SHOP),
    fact(Kind.COMPLAINED, 3, message="test:3", recipient=GMAIL, context=NEWS),
    fact(Kind.DEFERRED, 4, "soft", message="test:4", recipient=BOB),
    fact(Kind.REJECTED, 5, "hard", message="test:5", recipient="sms:+15550100"),
    fact(Kind.DELIVERED, 5, message="test:6", context=NEWS),
    bounce(6, "unclear", "test:7", context=SHOP),
)
STREAMS = policy.load('[streams]\n"news@example.com" = "news"\n"*" = "others"')
SPAN = "from=2026-03-01T00:00:00Z&to=2026-03-09T00:00:00Z"


def asking(*facts: Feedback, **others: Any) -> Api:
    return Api(api_context(stored(*(facts or FACTS)), policy=STREAMS, **others))


def listed(api: Api, query: str = SPAN) -> list[str]:
    pages = list(api.pages(f"/outcomes?{query}"))
    assert all("outcomes" in page and "looked_back_to" in page for page in pages), pages
    return [each["message"] for page in pages for each in page["outcomes"]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", [7, 5, 4, 3, 2, 1]),
        ("&status=bounced", [7, 2, 1]),
        ("&status=deferred", [4]),
        ("&status=complained", [3]),
        ("&class=hard", [5, 1]),
        ("&reason=complaint", [3]),
        ("&source=test", [7, 5, 4, 3, 2, 1]),
        ("&source=ses", []),
        ("&stream=news", [3, 1]),
        ("&stream=others", [7, 2]),
        ("&sender=News@Example.com", [3, 1]),
        ("&sender=@orders.example", [7, 2]),
        ("&domain=example.org", [4, 2]),
        ("&domain=EXAMPLE.com", [7, 1]),
        ("&system=gmail", [3]),
        ("&system=other&status=bounced", [7, 2, 1]),
        ("&identifier=campaign:march", [3, 1]),
        ("&identifier=campaign:March", []),
        ("&identifier=campaign:april&class=undetermined", [7]),
    ],
)
def test_all_filters_must_fit_and_the_newest_is_first(query: str, wanted: list[int]) -> None:
    for limit in (2, 50):
        assert listed(asking(), f"{SPAN}{query}&limit={limit}") == [f"test:{number}" for number in wanted]


def test_a_row_says_what_and_in_whose_words() -> None:
    proof = Evidence(code=550, status="5.1.1", text="x" * 300, provider_code="hard", remote_mta="mx.example.com")
    found = asking(bounce(1, "hard", evidence=proof, context=NEWS))("GET", f"/outcomes?{SPAN}").json
    assert found == {
        "outcomes": [
            {
                "at": "2026-03-02T00:00:00Z",
                "recipient": ANN,
                "message": "test:1",
                "status": "bounced",
                "class": "hard",
                "reason": "user_unknown",
                "rule": "test.hard",
                "advice": "Remove this address: no such mailbox exists.",
                "source": "test",
                "system": "other",
                "stream": "news",
                "sender": "news@example.com",
                "subject": "=SUM(1)",
                "code": 550,
                "enhanced_status": "5.1.1",
                "text": "x" * 200,
                "remote_mta": "mx.example.com",
                "last_at": "2026-03-02T00:00:00Z",
                "correlation": {"Campaign": "march"},
            }
        ],
        "looked_back_to": "2026-03-01T00:00:00Z",
    }


def test_the_span_has_its_beginning_and_not_its_end() -> None:
    api = asking()
    assert listed(api, "from=2026-03-03T00:00:00Z&to=2026-03-05T00:00:00Z") == ["test:3", "test:2"]
    assert listed(api, "from=2026-03-03T00:00:00.001Z&to=2026-03-05T00:00:00.001Z") == ["test:4", "test:3"]
    assert listed(Api(replace(api.context, clock=Clock(START + timedelta(days=9)))), "") == [
        *("test:7", "test:5", "test:4", "test:3", "test:2")
    ]


def test_days_that_have_not_come_are_not_read() -> None:
    api = asking(clock=Clock(START + timedelta(days=5, hours=12)))
    assert listed(api, "from=2026-03-01T00:00:00Z&to=2027-03-01T00:00:00Z&limit=200") == [
        *("test:7", "test:5", "test:4", "test:3", "test:2", "test:1")  # a clock may be ahead of ours by a day
    ]
    page = api("GET", "/outcomes?from=2026-06-01T00:00:00Z&to=2026-07-01T00:00:00Z").json
    assert page == {"outcomes": [], "looked_back_to": "2026-06-01T00:00:00Z"}


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z",
        "from=2024-03-02T00:00:00Z&to=2026-03-02T00:00:00Z",
        "from=2026-03-02T00:00:00",
        "to=0001-01-01T00:00:00Z",
        "status=delivered",
        "class=none",
        "domain=a@b",
        "sender=nobody",
        "format=xml",
        "limit=201",
    ],
)
def test_what_is_no_span_or_no_filter_is_refused(query: str) -> None:
    assert asking()("GET", f"/outcomes?{query}").status == 422


def test_pages_are_of_one_question_and_lose_and_repeat_nothing() -> None:
    """Many at one time, as of a provider that reports in seconds; and the clock goes on between the pages."""
    many = [bounce(1, "hard", f"test:{number}") for number in range(57)]
    clock = Clock(START + timedelta(days=3))
    api = asking(*many, clock=clock)
    found: list[str] = []
    target = "/outcomes?limit=5"
    cursor = ""
    while True:
        page = api("GET", target + cursor).json
        found += [each["message"] for each in page["outcomes"]]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"
        clock.now += timedelta(minutes=1)
    assert sorted(found) == sorted(each.message for each in many)
    assert api("GET", f"{target}&status=bounced{cursor}").status == 400


def test_an_empty_page_says_how_far_it_looked() -> None:
    api = asking(bounce(1, "hard"), clock=Clock(START + timedelta(days=360)))
    pages = list(api.pages("/outcomes?from=2026-03-01T00:00:00Z"))
    assert [len(page["outcomes"]) for page in pages[:-1]] == [0] * (len(pages) - 1)
    assert [each["message"] for each in pages[-1]["outcomes"]] == ["test:1"]
    reached = [page["looked_back_to"] for page in pages]
    assert reached == sorted(reached, reverse=True) and len(set(reached)) == len(reached)
    assert reached[-1] == "2026-03-01T00:00:00Z"
    # A span of one status is read five times as far.
    assert len(list(api.pages("/outcomes?from=2026-03-01T00:00:00Z&status=bounced"))) * 5 <= len(pages) + 5


def test_no_answer_asks_more_than_a_bounded_number_of_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [bounce(1 + number / 100, "hard", f"test:{number}") for number in range(300)]
    api = asking(*many)
    asked: list[str] = []
    query = api.context.queries.find_listed

    def find_listed(_self: Queries, partition: str, *given: Any) -> Any:
        asked.append(partition)
        return query(partition, *given)

    monkeypatch.setattr(Queries, "find_listed", find_listed)
    monkeypatch.setattr(outcome_search, "MAX_QUERIES", 60)
    monkeypatch.setattr(outcomes, "MAX_ROWS", 70)
    found: list[str] = []
    for page in api.pages(f"/outcomes?{SPAN}&class=hard"):
        found += [each["message"] for each in page["outcomes"]]
        assert len(asked) <= 60
        asked.clear()
    assert found == [f"test:{number}" for number in reversed(range(300))]


def test_what_has_moved_since_the_index_was_read_is_left_out() -> None:
    api = asking(fact(Kind.DEFERRED, 4, "soft", message="test:4"))
    store: Any = api.context.store
    index = dict(store.outcomes_table)
    stored(fact(Kind.DELIVERED, 5, message="test:4"), store=store)
    assert listed(api) == []
    now = store.outcomes_table
    store.outcomes_table = index
    read = store.get_outcomes
    store.get_outcomes = lambda keys: _reading(store, now, read, keys)
    assert listed(api) == []


def _reading(store: Any, table: Any, read: Any, keys: Any) -> Any:
    before, store.outcomes_table = store.outcomes_table, table
    try:
        return read(keys)
    finally:
        store.outcomes_table = before


def test_what_anybody_could_have_sent_is_listed_only_where_the_policy_believes_it() -> None:
    forged = bounce(1, "hard", evidence=Evidence(provider_code="hard", forgeable=True))
    trusting = policy.load("[report]\nrequire_proof = false")
    store = stored(forged)
    assert listed(Api(api_context(store))) == []
    (row,) = Api(api_context(store, policy=trusting))("GET", f"/outcomes?{SPAN}").json["outcomes"]
    assert row["unproven"]


def test_a_file_of_several_pages_is_one_file() -> None:
    api = asking()
    first = api("GET", f"/outcomes?{SPAN}&limit=4&format=csv")
    assert first.headers["content-type"] == "text/csv; charset=utf-8"
    assert first.headers["looked-back-to"] == "2026-03-04T00:00:00.000Z"
    rest = api("GET", f"/outcomes?{SPAN}&limit=4&format=csv&cursor={first.headers['next-cursor']}")
    assert "next-cursor" not in rest.headers
    rows = list(csv.DictReader(io.StringIO(first.text + rest.text)))
    assert [each["message"] for each in rows] == [f"test:{number}" for number in (7, 5, 4, 3, 2, 1)]
    assert rows[-1]["subject"] == "'=SUM(1)"  # no spreadsheet reckons what a stranger wrote
    assert rows[1]["recipient"] == "sms:+15550100"
    assert json.loads(rows[-1]["correlation"]) == {"Campaign": "march"}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/x-ndjson;q=0.9", "application/x-ndjson"),
        ("application/json, text/csv", "application/json"),
        ("text/html, */*", "application/json"),
    ],
)
def test_a_header_says_what_is_wanted(accept: str, kind: str) -> None:
    answer = asking()("GET", f"/outcomes?{SPAN}", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    lines = [json.loads(line) for line in answer.text.splitlines()] if "ndjson" in kind else []
    assert not lines or lines == asking()("GET", f"/outcomes?{SPAN}").json["outcomes"]


# ---- The index ------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(feedback(), st.randoms())
def test_the_index_has_what_went_wrong_and_nothing_else_in_any_order(facts: list[Feedback], chance: Any) -> None:
    """Laws 1 to 3: where an outcome stands follows from the set of its facts."""
    own = [each for each in facts if each.key == facts[0].key]
    outcome = merge(None, own, classify)
    found = encode_listing(outcome)
    assert bool(found) == (outcome.status in LISTED)
    if found:
        at, *others = found["listed_at"]["S"].split("/")
        day, status, shard = found["listed"]["S"].split("/")
        assert (at[:10], status.removesuffix("?")) == (day, outcome.status)
        assert status.endswith("?") == (not outcome.proven) and 0 <= int(shard) < SHARDS
        assert others[:-1][-1] in (find_system(outcome.recipient, None), *_systems(outcome.feedback))
    shuffled = chance.sample(own, len(own))
    again = None
    for each in shuffled:
        again = merge(again, [each], classify)
    assert again is not None and encode_listing(again) == found


def _systems(facts: Any) -> list[str]:
    return [find_system(each.recipient, each.evidence.remote_mta) for each in facts if each.evidence]


@pytest.mark.parametrize(
    "more",
    [
        fact(Kind.OPENED, 3),
        fact(Kind.CLICKED, 4),
        fact(Kind.DELIVERED, 0.5),
        bounce(5, "hard"),
        fact(Kind.DEFERRED, 0.1, "soft"),
    ],
)
def test_what_comes_later_moves_nothing_in_the_index(more: Feedback) -> None:
    before = merge(None, [bounce(1, "hard")], classify)
    assert encode_listing(merge(before, [more], classify)) == encode_listing(before) != {}


def test_what_was_delivered_leaves_the_index_and_what_is_released_does_not() -> None:
    waiting = merge(None, [fact(Kind.DEFERRED, 1, "soft")], classify)
    assert encode_listing(waiting)["listed"]["S"].startswith("2026-03-02/deferred/")
    item = encode_outcome(merge(waiting, [fact(Kind.DELIVERED, 2)], classify), RETENTION)
    assert "listed" not in item and "listed_at" not in item


def test_parts_of_a_day_are_equally_filled() -> None:
    shards = [
        encode_listing(merge(None, [bounce(1, "hard", f"test:{number}")], classify))["listed"]["S"][-1]
        for number in range(800)
    ]
    assert set(shards) == {str(shard) for shard in range(SHARDS)}
    assert max(map(shards.count, set(shards))) < 150


def test_every_status_of_what_went_wrong_can_be_asked_for() -> None:
    assert {str(each) for each in LISTED} == set(get_args(outcomes.ListedStatus))
    assert Status.DELIVERED not in LISTED


def test_what_is_due_is_shown_as_expired_and_stands_where_it_stood() -> None:
    rules = policy.load("[validity]\ntest = 24")
    waiting = fact(Kind.DEFERRED, 1, "soft")
    store = stored()
    outcome = merge(None, [waiting], classify, validity=rules.validity)
    store.outcomes_table[outcome.key] = encode_outcome(replace(outcome, version=1), RETENTION)
    api = Api(api_context(store, policy=rules, clock=Clock(NOW + timedelta(days=1))))
    (row,) = api("GET", f"/outcomes?{SPAN}").json["outcomes"]
    assert (row["status"], row["at"]) == ("expired", "2026-03-02T00:00:00Z")
    assert listed(api, f"{SPAN}&status=deferred") == []
    assert datetime(2026, 3, 2, tzinfo=UTC) < NOW
