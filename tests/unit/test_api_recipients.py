"""How is this person doing, and what became of this message: `GET /recipients/{…}` and `GET /messages/{…}`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from msgspec.structs import replace

from aftersend.api.messages import MAX_OUTCOMES, show_outcome
from aftersend.core.erasure import make_alias
from aftersend.core.feedback_set import BOUNDS
from aftersend.core.model import BY_MAIL, Class, Context, Engagement, Evidence, Feedback, Kind, Reason, Verdict
from aftersend.core.outcome import merge
from aftersend.core.policy import Policy, load
from aftersend.ingest import ingest
from tests.support.api import KEY, Api, api_context
from tests.support.facts import ANN, BOB, bounce, fact, fake_source, message
from tests.support.ports import MemoryStore, ports
from tests.unit.test_api_check import suppressed
from tests.unit.test_api_suppressions import stored
from tests.unit.test_items_size import _largest

PERSON = "/recipients/ann@example.com"


def health(*facts: Any) -> dict[str, Any]:
    answer = Api(api_context(stored(*facts)))("GET", PERSON)
    assert answer.status == 200
    found: dict[str, Any] = answer.json["health"]
    return found


def test_health_counts_messages_by_what_became_of_them() -> None:
    assert health(
        fact(Kind.DELIVERED, 1, message="test:1"),
        fact(Kind.OPENED, 2, message="test:1"),
        bounce(3, "soft", "test:2"),
        bounce(4, "hard", "test:3"),
        fact(Kind.COMPLAINED, 1.5, message="test:4"),
        fact(Kind.SENT, 6, message="test:5"),
    ) == {
        "messages": 5,
        "delivered": 2,  # who complains has got it
        "bounced": 2,
        "complained": 1,
        "bounces_in_a_row": 2,
        "last_delivered_at": "2026-03-02T12:00:00Z",
        "last_bounced_at": "2026-03-05T00:00:00Z",
        "last_engaged_at": "2026-03-03T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("last", "row"),
    [
        (fact(Kind.DELIVERED, 5, message="test:9"), 0),
        (fact(Kind.DELIVERED, 2.5, message="test:9"), 2),
        (fact(Kind.CLICKED, 3.5, message="test:1"), 1),
        (bounce(5, "block", "test:9"), 3),  # the sender's fault
        (bounce(5, "soft", "test:9"), 4),
    ],
)
def test_a_sign_of_life_ends_a_row(last: Any, row: int) -> None:
    bounces = [bounce(day, "soft", f"test:{day}") for day in (2, 3, 4)]
    assert health(fact(Kind.DELIVERED, 1), *bounces, last)["bounces_in_a_row"] == row


def test_who_never_got_anything_has_no_times() -> None:
    assert health(bounce(1, "ignore")) == {
        "messages": 1,
        "delivered": 0,
        "bounced": 1,
        "complained": 0,
        "bounces_in_a_row": 0,
        "last_bounced_at": "2026-03-02T00:00:00Z",
    }


def test_suppressions_of_all_scopes_are_there() -> None:
    facts = [bounce(1, "hard"), fact(Kind.UNSUBSCRIBED, 2, scope="news"), fact(Kind.UNSUBSCRIBED, 2, scope="orders")]
    found = Api(api_context(stored(*facts)))("GET", PERSON).json
    assert [(each["scope"], each["suppressed"]) for each in found["suppressions"]] == [
        ("*", True),
        ("news", True),
        ("orders", True),
    ]
    assert found["suppressed"] is True


def test_who_was_released_everywhere_is_not_suppressed() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    api("DELETE", "/suppressions/ann@example.com?note=x")
    found = api("GET", PERSON).json
    assert (found["suppressed"], [each["suppressed"] for each in found["suppressions"]]) == (False, [False])


def test_who_was_erased_is_found_by_the_alias() -> None:
    found = Api(api_context(suppressed((make_alias(ANN, KEY), "*"))))("GET", PERSON).json
    assert (found["recipient"], found["suppressed"], found["outcomes"]) == (ANN, True, [])
    (shown,) = found["suppressions"]
    assert (shown["recipient"], shown["suppressed"], shown["causes"]) == (ANN, True, [])
    assert [each["cause"] for each in shown["erased"]] == ["hard"]


def test_who_is_spelled_almost_so_may_be_meant() -> None:
    refused = Api(api_context(stored(bounce(1, "hard"))))("GET", "/recipients/anm@example.com")
    assert (refused.status, refused.json.get("near")) == (404, None)
    refused = Api(api_context(stored(bounce(1, "hard"))))("GET", "/recipients/ann@exmaple.com")
    assert (refused.status, refused.json["near"]) == (404, [ANN])


def test_nobody_is_not_found() -> None:
    assert Api(api_context(stored(bounce(1, "hard"))))("GET", "/recipients/bob@example.org").status == 404


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_outcomes_come_newest_first_in_pages_of_every_size(limit: int) -> None:
    facts = [fact(Kind.DELIVERED, day // 2, message=f"test:{day}") for day in range(7)]  # two of them at a time
    pages = list(Api(api_context(stored(*facts))).pages(f"{PERSON}?limit={limit}"))
    found = [each for page in pages for each in page["outcomes"]]
    assert [each["message"] for each in found] == [f"test:{day}" for day in (6, 5, 4, 3, 2, 1, 0)]
    assert {len(page["outcomes"]) for page in pages[:-1]} <= {limit}
    assert {page["health"]["messages"] for page in pages} == {7}


def test_an_outcome_in_the_list_says_what_decided() -> None:
    context = Context(sender="news@example.com", subject="March")
    (found,) = Api(api_context(stored(bounce(1, "unclear", context=context))))("GET", PERSON).json["outcomes"]
    assert found == {
        "message": "test:1",
        "status": "bounced",
        "class": "undetermined",
        "reason": "undetermined",
        "rule": "test.unclear",
        "last_at": "2026-03-02T00:00:00Z",
        "bounced_at": "2026-03-02T00:00:00Z",
        "review": "undetermined",
        "advice": "Read the diagnostic text and decide; a rule of your own can name it.",
        "sender": "news@example.com",
        "subject": "March",
    }


# ---- Messages -------------------------------------------------------------------------------------------------------


def test_a_message_shows_every_feedback_with_its_verdict_and_what_to_do() -> None:
    facts = [
        fact(Kind.SENT, 0.5),
        bounce(1, "full", evidence=Evidence(provider_code="full", code=552, text="552 mailbox full")),
        fact(Kind.OPENED, 2, engagement=Engagement(ip="192.0.2.1", user_agent="Mail")),
    ]
    answer = Api(api_context(stored(*facts)))("GET", "/messages/test:1")
    (outcome,) = answer.json["outcomes"]
    verdict = {
        "class": "soft",
        "reason": "mailbox_full",
        "rule": "test.full",
        "advice": "Try again in some days: the mailbox is full.",
    }
    assert (outcome["recipient"], outcome["status"], outcome["verdict"]) == (ANN, "bounced", verdict)
    sent, bounced, opened = outcome["feedback"]
    assert sent == {"id": facts[0].id, "source": "test", "kind": "sent", "at": "2026-03-01T12:00:00Z"}
    assert bounced == {
        "id": facts[1].id,
        "source": "test",
        "kind": "bounced",
        "at": "2026-03-02T00:00:00Z",
        "decided": True,
        "verdict": verdict,
        "evidence": {"code": 552, "text": "552 mailbox full", "provider_code": "full"},
    }
    assert opened["engagement"] == {"ip": "192.0.2.1", "user_agent": "Mail"}


def test_verdicts_are_those_of_the_present_rules_and_the_status_is_the_stored_one() -> None:
    newer = Verdict(klass=Class.HARD, reason=Reason.USER_UNKNOWN, rule="test.newer")
    (outcome,) = Api(api_context(stored(bounce(1, "unclear")), classify=lambda _: newer))(
        "GET", "/messages/test:1"
    ).json["outcomes"]
    assert outcome["verdict"]["rule"] == "test.unclear"
    assert [each["verdict"]["rule"] for each in outcome["feedback"]] == ["test.newer"]


@pytest.mark.parametrize(
    ("message", "target"),
    [
        ("ses:0100018f-aa", "ses:0100018f-aa"),
        ("ses:0100018f-aa", "ses%3A0100018f-aa"),
        ("rfc5322:<a/b+c=d@mail.example.com>", "rfc5322:%3Ca%2Fb+c=d@mail.example.com%3E"),
        ("rfc5322:<a/b+c=d@mail.example.com>", "rfc5322:<a/b+c=d@mail.example.com>"),
        ("rfc5322:<50%25%@mail.example.com>", "rfc5322:%3C50%2525%25@mail.example.com%3E"),
        ("rfc5322:<who?#@mail.example.com>", "rfc5322:%3Cwho%253F%23@mail.example.com%3E"),
        ("mailerq:a b", "mailerq:a%20b"),
    ],
)
def test_ids_of_all_kinds_are_found(message: str, target: str) -> None:
    answer = Api(api_context(stored(fact(Kind.DELIVERED, 1, message=message))))("GET", f"/messages/{target}")
    assert (answer.status, answer.json["message"]) == (200, message)


def test_a_message_that_nobody_spoke_of_is_not_found() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    assert api("GET", "/messages/test:2").status == 404
    assert api("GET", "/messages/").status == 404


@pytest.mark.parametrize("target", ["%00", "x" * 1001, "a%0Ab", "%ED%A0%80"])
def test_what_is_no_id_is_refused(target: str) -> None:
    assert Api(api_context())("GET", f"/messages/{target}").status in (404, 422)


@pytest.mark.parametrize("limit", [1, 4, MAX_OUTCOMES])
def test_a_message_to_many_comes_in_pages(limit: int) -> None:
    facts = [fact(Kind.DELIVERED, 1, recipient=f"email:user{number}@example.com") for number in range(30)]
    pages = list(Api(api_context(stored(*facts))).pages(f"/messages/test:1?limit={limit}"))
    found = [each["recipient"] for page in pages for each in page["outcomes"]]
    assert sorted(found) == sorted(each.recipient for each in facts)
    assert all(len(page["outcomes"]) <= limit for page in pages)


def test_an_outcome_that_the_index_knows_and_the_table_no_longer_is_left_out() -> None:
    store = stored(fact(Kind.DELIVERED, 1), fact(Kind.DELIVERED, 1, recipient=BOB))

    class Forgetful(MemoryStore):
        def get_outcomes(self, keys: Any) -> Any:
            return {key: each for key, each in store.get_outcomes(keys).items() if key[0] != BOB}

    lagging = Api(api_context(store))
    lagging.context = api_context(Forgetful(), queries=lagging.context.queries)
    assert [each["recipient"] for each in lagging("GET", "/messages/test:1").json["outcomes"]] == [ANN]


def test_the_largest_page_of_a_message_fits_into_an_answer_of_lambda() -> None:
    """The largest outcome that can be stored, every refusal in it explained, as many times as a page may have it."""
    wordy = Verdict(klass=Class.UNDETERMINED, reason=Reason.UNDETERMINED, rule="x" * 64)
    facts = [_largest(kind, number, "é") for kind in Kind for number in range(BOUNDS[kind])]
    outcome = merge(None, facts, lambda _: wordy)
    size = len(msgspec.json.encode(show_outcome(outcome, api_context(classify=lambda _: wordy))))
    assert 50_000 < size < 6_000_000 / MAX_OUTCOMES


# ---- One outcome ----------------------------------------------------------------------------------------------------


def test_one_outcome_is_that_of_the_message() -> None:
    facts = [bounce(1, "hard", "test:1", recipient=each) for each in (ANN, BOB)]
    api = Api(api_context(stored(*facts, fact(Kind.DELIVERED, 2, message="test:2"))))
    ann, bob = sorted(api("GET", "/messages/test:1").json["outcomes"], key=lambda each: each["recipient"])
    for given, meant in (("ann@example.com", ann), ("Ann%20%3CANN@example.com%3E", ann), ("bob@example.org", bob)):
        found = api("GET", f"/recipients/{given}/messages/test:1")
        assert (found.status, found.json, found.headers["etag"]) == (200, meant, '"1"')
        assert api("GET", f"/messages/test:1?recipient={given}").json == {"message": "test:1", "outcomes": [meant]}


@pytest.mark.parametrize(
    ("recipient", "status"),
    [("carl@example.com", 404), ("ann+example.com", 422), ("ann@example.com,bob@example.org", 422)],
)
def test_one_outcome_that_is_not_there_or_of_nobody(recipient: str, status: int) -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    assert api("GET", f"/recipients/{recipient}/messages/test:1").status == status
    assert api("GET", f"/messages/test:1?recipient={recipient}").status == status
    assert api("GET", "/recipients/ann@example.com/messages/test:2").status == 404


def test_signs_of_paths_in_a_recipient_or_a_message_name_nobody_else() -> None:
    """An endpoint of web push is a URL, and so may an id be."""
    name, message = "push:webpush:https://push.example/messages/a?b=c", "test:a/recipients/b?c&d"
    api = Api(api_context(stored(fact(Kind.DELIVERED, 1, recipient=name, message=message))))
    sent = [quote(each, safe="").replace("%3F", "%253F") for each in (name, message)]
    found = api("GET", "/recipients/{}/messages/{}".format(*sent))
    assert (found.json["recipient"], found.json["message"]) == (name, message)


# ---- What nothing proves --------------------------------------------------------------------------------------------

MAILED = Evidence(provider_code="hard", forgeable=True)
REPORT = fact(Kind.BOUNCED, 1, evidence=MAILED, source=BY_MAIL)
PROVEN = replace(REPORT, evidence=replace(MAILED, forgeable=False), id="")
SENT = fact(Kind.SENT, 0.5)
TOKENS = load("[report]\nproof = 'token'")
TRUSTING = load("[report]\nrequire_proof = false")


@pytest.mark.parametrize(
    ("facts", "policy", "outcome", "reported"),
    [
        ([REPORT], load(), True, True),
        ([PROVEN], load(), False, False),  # by a token
        ([SENT, REPORT], load(), False, False),  # by the message id, which another source knows
        ([SENT, REPORT], TOKENS, False, True),
        ([REPORT], TRUSTING, False, False),
    ],
)
def test_a_report_is_marked_where_nothing_proves_it(
    facts: list[Feedback], policy: Policy, *, outcome: bool, reported: bool
) -> None:
    """On the outcome, on its feedback, on the recipient's line; and it is part of their health only where it counts."""
    store = MemoryStore()
    with fake_source():
        assert not ingest([message(facts)], ports(store, policy=policy)).failed
    api = Api(api_context(store, policy=policy))
    for shown in (
        api("GET", "/recipients/ann@example.com/messages/test:1").json,
        *api("GET", "/messages/test:1").json["outcomes"],
    ):
        assert shown.get("unproven", False) is outcome
        assert shown["status"] == ("sent" if reported and not outcome else "bounced")
        marks = {each["kind"]: each.get("unproven", False) for each in shown["feedback"]}
        assert marks == {each.kind: each.kind is Kind.BOUNCED and reported for each in facts}
    person = api("GET", PERSON).json
    (line,) = person["outcomes"]
    assert line.get("unproven", False) is outcome
    found = person["health"]
    assert (found["messages"], found["bounced"], found["bounces_in_a_row"]) == (not outcome, not reported, not reported)
    assert person["suppressed"] is not reported


def test_what_was_due_is_expired_wherever_somebody_asks_though_nobody_has_written_it() -> None:
    """A sweep comes once an hour; who asks does not wait for it. A message that is not due is as it is stored."""
    rules, store = load("[validity]\ntest = 84"), MemoryStore()
    sent = [fact(Kind.SENT, day, message=f"test:{day}") for day in (1, 4)]
    due = sent[0].occurred_at + timedelta(hours=84)
    with fake_source():
        assert not ingest([message(sent)], ports(store, policy=rules)).failed
    puts = store.puts
    api = Api(api_context(store, policy=rules, clock=lambda: due))
    by_message = [api("GET", f"/messages/test:{day}").json["outcomes"][0] for day in (1, 4)]
    alone = [api("GET", f"/recipients/ann@example.com/messages/test:{day}").json for day in (1, 4)]
    person = api("GET", PERSON).json
    lines = {each["message"]: each for each in person["outcomes"]}
    for shown in (by_message, alone, [lines["test:1"], lines["test:4"]]):
        assert [each["status"] for each in shown] == ["expired", "sent"]
        assert shown[0]["write_again_at"] == "2026-03-06T12:00:00Z"  # a day after it was due
    assert (by_message[0]["verdict"]["class"], by_message[0]["verdict"]["rule"]) == ("soft", "validity")
    assert [each["kind"] for each in by_message[0]["feedback"]] == ["sent", "expired"]
    assert (lines["test:1"]["class"], lines["test:1"]["reason"]) == ("soft", "expired")
    assert person["health"]["bounces_in_a_row"] == 1
    assert person["write_again_at"] == "2026-03-06T12:00:00Z"
    assert store.puts == puts
