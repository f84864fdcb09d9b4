"""`POST /suppressions/check` and `HEAD /suppressions/{recipient}`: may I write to these addresses?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aftersend.core.erasure import make_alias
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Key, Reason, Suppression
from aftersend.core.spike_guard import Incident, Window
from aftersend.core.writes import Put
from tests.support.api import KEY, Api, Clock, api_context
from tests.support.ports import NOW, MemoryStore

ANN = "email:ann@example.com"


def suppressed(
    *keys: Key, until: datetime | None = None, kind: CauseKind = CauseKind.HARD, store: MemoryStore | None = None
) -> MemoryStore:
    """A store where each of these is suppressed for one cause."""
    store = store or MemoryStore()
    mark = EvidenceRef(at=NOW - timedelta(days=3), feedback="f", message="m", source="ses", reason=Reason.USER_UNKNOWN)
    for name, scope in keys:
        cause = Cause(first=mark, latest=mark, until=until)
        assert store.answer(Put(Suppression(recipient=name, scope=scope, causes={kind: cause}, version=1))) is None
    return store


def check(api: Api, *recipients: str, **others: Any) -> list[Any]:
    answer = api("POST", "/suppressions/check", {"recipients": recipients, **others})
    assert answer.status == 200, answer.text
    results: list[Any] = answer.json["results"]
    assert [each["given"] for each in results] == list(recipients)
    assert answer.json["suppressed"] == sum(each["suppressed"] for each in results)
    return results


def test_says_why_and_until_when() -> None:
    end = NOW + timedelta(days=2)
    api = Api(api_context(suppressed((ANN, "*"), until=end, kind=CauseKind.STREAK)))
    assert check(api, "ann@example.com", "bob@example.org") == [
        {
            "given": "ann@example.com",
            "recipient": ANN,
            "suppressed": True,
            "until": "2026-04-02T12:00:00Z",
            "why": [
                {
                    "cause": "streak",
                    "scope": "*",
                    "at": "2026-03-28T12:00:00Z",
                    "reason": "user_unknown",
                    "source": "ses",
                    "until": "2026-04-02T12:00:00Z",
                }
            ],
        },
        {"given": "bob@example.org", "recipient": "email:bob@example.org", "suppressed": False},
    ]


@pytest.mark.parametrize(
    ("given", "recipient"),
    [
        ("ANN@Example.COM", ANN),
        ("  Ann Example <ann@example.com> ", ANN),
        ("mailto:ann@example.com", ANN),
        ("\u200bann@example.com", ANN),
        ("ann\uff20example.com", ANN),
        ('"ann"@example.com', ANN),
        ("mu\u0308ller@bu\u0308cher.example", "email:müller@xn--bcher-kva.example"),
        ("email:Ann@example.com", ANN),
        ("EMAIL: Ann@example.com", ANN),
        ("Sms:+15550100", "sms:+15550100"),
        ("PUSH:apns:AbC", "push:apns:AbC"),
        ("ann+news@example.com", "email:ann+news@example.com"),
        ("müller@bücher.example", "email:müller@xn--bcher-kva.example"),
        ("sms:+15550100", "sms:+15550100"),
        ("push:apns:AbC", "push:apns:AbC"),
    ],
)
def test_a_recipient_is_known_in_every_spelling(given: str, recipient: str) -> None:
    api = Api(api_context(suppressed((recipient, "*"))))
    (found,) = check(api, given)
    assert (found["recipient"], found["suppressed"]) == (recipient, True)


def test_a_percent_sign_in_a_body_is_one() -> None:
    """In a path alone, "%3F" is a question mark that was encoded twice."""
    api = Api(api_context(suppressed(("email:a%3fb@example.com", "*"))))
    given = ["a%3Fb@example.com", "a?b@example.com"]
    assert [each["suppressed"] for each in check(api, *given)] == [True, False]


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        ("*", {}, True),
        ("*", {"scope": "news"}, True),
        ("news", {"scope": "news"}, True),
        ("news", {"scope": "orders"}, False),
        ("news", {}, False),
        ("news", {"scope": "*"}, False),
    ],
)
def test_what_holds_everywhere_holds_in_every_stream_and_not_the_other_way(
    stored: str, asked: dict[str, str], expected: bool
) -> None:
    api = Api(api_context(suppressed((ANN, stored))))
    assert [each["suppressed"] for each in check(api, ANN, **asked)] == [expected]
    query = f"?scope={asked['scope']}" if asked else ""
    assert api("HEAD", f"/suppressions/ann@example.com{query}").status == (200 if expected else 404)


def test_causes_of_both_scopes_are_given_and_the_latest_end() -> None:
    store = suppressed((ANN, "*"), until=NOW + timedelta(days=1), kind=CauseKind.PAUSE)
    suppressed((ANN, "news"), until=NOW + timedelta(days=9), kind=CauseKind.UNSUBSCRIBED, store=store)
    (found,) = check(Api(api_context(store)), ANN, scope="news")
    assert sorted(each["scope"] for each in found["why"]) == ["*", "news"]
    assert found["until"] == "2026-04-09T12:00:00Z"


def test_one_cause_without_an_end_has_none_for_all() -> None:
    store = suppressed((ANN, "*"))
    suppressed((ANN, "news"), until=NOW + timedelta(days=9), kind=CauseKind.UNSUBSCRIBED, store=store)
    (found,) = check(Api(api_context(store)), ANN, scope="news")
    assert "until" not in found


def test_a_suppression_lapses_at_the_very_instant() -> None:
    clock = Clock()
    api = Api(api_context(suppressed((ANN, "*"), until=NOW), clock=clock))
    clock.now = NOW - timedelta(milliseconds=1)
    assert check(api, ANN)[0]["suppressed"]
    assert api("HEAD", "/suppressions/ann@example.com").status == 200
    clock.now = NOW
    assert not check(api, ANN)[0]["suppressed"]
    assert api("HEAD", "/suppressions/ann@example.com").status == 404


def test_who_was_erased_is_still_suppressed_in_the_same_scopes() -> None:
    api = Api(api_context(suppressed((make_alias(ANN, KEY), "*"), (make_alias("email:bob@example.org", KEY), "news"))))
    assert [each["suppressed"] for each in check(api, ANN, "bob@example.org")] == [True, False]
    assert [each["suppressed"] for each in check(api, ANN, "bob@example.org", scope="news")] == [True, True]
    assert api("HEAD", "/suppressions/Ann@example.com").status == 200


def test_what_an_accident_of_a_provider_says_does_not_hold() -> None:
    window = Window("example.com", NOW - timedelta(days=4), NOW)
    store = suppressed((ANN, "*"), ("email:bob@example.org", "*"))
    api = Api(api_context(store, incidents=lambda: [Incident(window, Reason.USER_UNKNOWN, 100, 120)]))
    assert [each["suppressed"] for each in check(api, ANN, "bob@example.org")] == [False, True]


def test_an_address_that_is_given_twice_is_answered_twice() -> None:
    found = check(Api(api_context(suppressed((ANN, "*")))), "ann@example.com", "ANN@example.com", "ann@example.com")
    assert [each["suppressed"] for each in found] == [True, True, True]


class Counting(MemoryStore):
    """A store that knows how many keys were asked for at once, and refuses what DynamoDB does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]:
        assert len(keys) == len(set(keys)) <= 100
        self.asked.append(len(keys))
        return super().get_suppressions(keys)


def test_a_thousand_are_read_a_hundred_keys_at_a_time() -> None:
    store = Counting()
    suppressed(("email:user999@example.com", "news"), store=store)
    store.asked.clear()
    recipients = [f"user{number}@example.com" for number in range(1000)]
    found = check(Api(api_context(store)), *recipients, scope="news")
    assert [each["given"] for each in found if each["suppressed"]] == ["user999@example.com"]
    assert store.asked == [100] * 40  # each in two scopes, and under the alias in both


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "ü" * 5000, "sms:" + "ü" * 996, "push:" + '"' * 995, "@", "nobody", "rfc822; ann@example.com"),
        *("jo tag@example.com", "ann@example.com, bob@example.org", "<ann@example.com", "ann@example.com>"),
        *("a\u0000b@example.com", "a@example.com" + "x" * 1000, "<@relay.example:ann@example.com>", "email:nobody"),
    ],
)
def test_an_entry_that_names_nobody_has_an_error_and_the_others_are_answered(text: str) -> None:
    api = Api(api_context(suppressed((ANN, "*"), ("email:tag@example.com", "*"))))
    answer = api("POST", "/suppressions/check", {"recipients": ["bob@example.org", text, "ann@example.com"]}).json
    bob, found, ann = answer["results"]
    assert (bob["suppressed"], ann["suppressed"], answer["suppressed"], answer["errors"]) == (False, True, 2, 1)
    assert (found["given"], found["recipient"], found["suppressed"]) == (text, None, True)
    assert found["error"]["type"] == "urn:aftersend:problem:not-one-recipient"
    assert not {"ann", "bob", "tag", "nobody"} & set(found["error"]["detail"].split())
    assert "why" not in found


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"recipients": []},
        {"recipients": ["a@example.com"] * 1001},
        {"recipients": [1]},
        {"recipients": "a@example.com"},
        {"recipients": ["a@example.com"], "scope": ""},
        {"recipients": ["a@example.com"], "scope": "x" * 257},
        {"recipients": ["a@example.com"], "scopes": "news"},
        ["a@example.com"],
    ],
)
def test_what_is_out_of_bounds_is_refused(body: Any) -> None:
    assert Api(api_context())("POST", "/suppressions/check", body).status == 422


def test_the_answer_to_head_has_no_body() -> None:
    api = Api(api_context(suppressed((ANN, "*"))))
    for target in ("ann@example.com", "bob@example.org", "%00"):
        assert api("HEAD", f"/suppressions/{target}").text == ""
    assert api("HEAD", "/suppressions/%00").status == 422


def test_the_time_of_the_check_is_given() -> None:
    now = datetime(2026, 5, 1, 6, 30, tzinfo=UTC)
    answer = Api(api_context(clock=Clock(now)))("POST", "/suppressions/check", {"recipients": [ANN]})
    assert answer.json["checked_at"] == "2026-05-01T06:30:00Z"
    assert answer.headers["cache-control"] == "no-store"
