"""Why is this person blocked, and may I unblock them: one suppression, and lists of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from aftersend.api import suppressions
from aftersend.core.erasure import make_alias
from aftersend.core.model import BY_MAIL, Act, CauseKind, Feedback, Kind, Reason, Reverted
from aftersend.core.spike_guard import Incident, Window
from aftersend.core.writes import Answer, Put, Request
from aftersend.ingest import ingest
from tests.support.api import ARN, KEY, Api, Clock, api_context
from tests.support.facts import ANN, BOB, START, bounce, fact, fake_source, message
from tests.support.ports import NOW, MemoryStore, ports
from tests.unit.test_api_check import suppressed

ONE = "/suppressions/ann@example.com"
BODY = {"note": "asked us to"}


def stored(*facts: Feedback, store: MemoryStore | None = None) -> MemoryStore:
    """A store that these facts came into."""
    store = store or MemoryStore()
    with fake_source():
        report = ingest([message(facts)], ports(store))
    assert not report.failed and not report.unreadable
    return store


def holding(answer: Any) -> list[str]:
    return [each["cause"] for each in answer.json["causes"] if each["holds"]]


# ---- One ------------------------------------------------------------------------------------------------------------


def test_one_suppression_names_its_evidence() -> None:
    answer = Api(api_context(stored(bounce(1, "hard"), fact(Kind.OPENED, 3))))("GET", ONE)
    assert answer.status == 200
    assert answer.headers["etag"] == '"2"'  # it was announced, and then what is known of signs of life was written
    (cause,) = answer.json["causes"]
    assert (cause["cause"], cause["holds"], answer.json["suppressed"]) == ("hard", True, True)
    assert cause["latest"] == cause["first"]
    assert cause["latest"] == {
        "at": "2026-03-02T00:00:00Z",
        "source": "test",
        "message": "test:1",
        "feedback": bounce(1, "hard").id,
        "reason": "user_unknown",
        "rule": "test.hard",
        "provider_code": "hard",
    }
    assert cause["contradicted"]["at"] == "2026-03-04T00:00:00Z"
    assert answer.json["review"] == "contradicted"


def test_one_that_is_not_there_is_not_found() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    assert api("GET", "/suppressions/bob@example.org").status == 404
    left = Api(api_context(stored(fact(Kind.UNSUBSCRIBED, 1, scope="news"))))
    assert left("GET", ONE).status == 404


def test_one_stream_is_shown_with_what_holds_everywhere() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    shown = api("GET", f"{ONE}?scope=news").json
    assert (shown["scope"], shown["suppressed"], shown["causes"], shown["version"]) == ("news", True, [], 0)
    assert [(each["cause"], each["scope"]) for each in shown["everywhere"]] == [("hard", "*")]


@pytest.mark.parametrize(
    ("facts", "ended_by"),
    [
        ([bounce(29, "hard")], None),
        ([fact(Kind.COMPLAINED, 1), fact(Kind.COMPLAINT_WITHDRAWN, 2)], "withdrawn"),
        ([fact(Kind.UNSUBSCRIBED, 1), fact(Kind.SUBSCRIBED, 2)], "withdrawn"),
        ([bounce(day, "soft", f"test:{day}") for day in range(-60, -50)], "lapsed"),
    ],
)
def test_a_cause_that_does_not_hold_says_why(facts: list[Feedback], ended_by: str | None) -> None:
    (cause,) = Api(api_context(stored(*facts)))("GET", ONE).json["causes"]
    assert (cause["holds"], cause.get("ended_by")) == (ended_by is None, ended_by)


def test_a_cause_that_was_released_or_reverted_says_so() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    assert [each["ended_by"] for each in api("DELETE", f"{ONE}?note=x").json["causes"]] == ["released"]
    store = stored(bounce(1, "hard"))
    row = store.get_suppressions([(ANN, "*")])[ANN, "*"]
    window = Reverted(row.causes[CauseKind.HARD].latest.at, NOW, "user_unknown")  # type: ignore[union-attr]
    store.answer(Put(replace(row, reverted=(window,), version=row.version + 1)))
    assert [each["ended_by"] for each in Api(api_context(store))("GET", ONE).json["causes"]] == ["reverted"]


@pytest.mark.parametrize(("by_mail", "ended_by"), [(True, "released"), (False, "withdrawn")])
def test_mail_does_not_take_back_what_a_provider_reported_and_a_person_released(by_mail: bool, ended_by: str) -> None:
    """Law 6: it ended because one of us released it, and not because of a report that takes nothing back."""
    complaint = fact(Kind.COMPLAINED, 1)
    withdrawal = fact(Kind.COMPLAINT_WITHDRAWN, 2)
    store = stored(complaint, replace(withdrawal, source=BY_MAIL, id="") if by_mail else withdrawal)
    api = Api(api_context(store))
    if by_mail:
        assert holding(api("GET", ONE)) == ["complaint"]
    assert [each["ended_by"] for each in api("DELETE", f"{ONE}?note=x&force=true").json["causes"]] == [ended_by]


def test_a_streak_that_ended_leaves_nothing_to_be_seen() -> None:
    """Its item stays for its version; whoever asks learns nothing of it, and may be the first to write."""
    store = stored(*[bounce(day, "soft", f"test:{day}") for day in range(1, 6)])
    api = Api(api_context(store))
    assert api("GET", ONE).status == 200
    stored(fact(Kind.DELIVERED, 6, message="test:6"), store=store)
    assert store.get_suppressions([(ANN, "*")])[ANN, "*"].version == 3
    assert api("GET", ONE).status == 404
    assert api("GET", "/recipients/ann@example.com").json["suppressions"] == []
    assert api("PUT", ONE, BODY, {"If-Match": "*"}).status == 412
    added = api("PUT", ONE, BODY, {"If-None-Match": "*"})
    assert (added.status, added.headers["etag"]) == (201, '"4"')


def test_a_streak_shows_how_many_bounces_and_until_when() -> None:
    facts = [bounce(day, "soft", f"test:{day}") for day in range(1, 6)]
    answer = Api(api_context(stored(*facts), clock=Clock(NOW - timedelta(days=20))))("GET", ONE)
    assert answer.json["causes"][0]["bounces"] == 5
    assert answer.json["until"] == answer.json["causes"][0]["until"] == "2026-04-05T00:00:00Z"


def test_evidence_inside_an_accident_is_shown_and_does_not_hold() -> None:
    window = Window("example.com", NOW - timedelta(days=60), NOW)
    incidents = [Incident(window, Reason.USER_UNKNOWN, 100, 120)]
    answer = Api(api_context(stored(bounce(1, "hard")), incidents=lambda: incidents))("GET", ONE)
    assert (holding(answer), answer.json["suppressed"]) == ([], False)
    assert [each["ended_by"] for each in answer.json["causes"]] == ["pending"]
    assert answer.json["pending"] == [
        {"since": "2026-01-30T12:00:00Z", "until": "2026-03-31T11:59:59.999000Z", "reason": "user_unknown"}
    ]


# ---- By hand --------------------------------------------------------------------------------------------------------


def test_suppressing_by_hand_is_written_down() -> None:
    api = Api(api_context())
    answer = api("PUT", ONE, {"note": "asked us to", "until": "2026-06-01T02:00:00+02:00"})
    assert (answer.status, answer.headers["etag"]) == (201, '"1"')
    (decision,) = answer.json["history"]
    assert decision == {
        "at": "2026-03-31T12:00:00Z",
        "by": ARN,
        "act": "added",
        "note": "asked us to",
        "until": "2026-06-01T00:00:00Z",
        "id": decision["id"],
    }
    (cause,) = answer.json["causes"]
    assert cause["latest"]["source"] == "manual"
    assert cause["latest"]["message"] == f"manual:{decision['id']}"
    assert cause["latest"]["feedback"] == decision["id"]
    assert answer.json["until"] == "2026-06-01T00:00:00Z"
    assert api("HEAD", ONE).status == 200
    assert api("HEAD", f"{ONE}?scope=news").status == 200


def test_who_it_was_comes_from_the_gateway_and_from_nowhere_else() -> None:
    api = Api(api_context(), by={"jwt": {"claims": {"sub": "agnes@staff.example", "scope": "aftersend/decide"}}})
    answer = api("PUT", ONE, BODY, {"X-User": "somebody else"})
    assert [each["by"] for each in answer.json["history"]] == ["agnes@staff.example"]
    assert api("PUT", ONE, BODY | {"by": "somebody else"}).status == 422


def test_one_stream_by_hand_leaves_the_others() -> None:
    api = Api(api_context())
    assert api("PUT", f"{ONE}?scope=news", BODY).status == 201
    assert api("HEAD", ONE).status == 404
    assert api("HEAD", f"{ONE}?scope=news").status == 200


def test_saying_it_twice_writes_it_once() -> None:
    store = MemoryStore()
    api = Api(api_context(store))
    answers = [api("PUT", ONE, BODY) for _ in range(3)]
    assert [each.status for each in answers] == [201, 200, 200]
    assert {each.headers["etag"] for each in answers} == {'"1"'}
    assert store.puts == 1


@pytest.mark.parametrize("change", ["note", "until", "by"])
def test_saying_something_else_is_written_too(change: str) -> None:
    api = Api(api_context())
    api("PUT", ONE, BODY)
    if change == "by":
        api.by = {"iam": {"userArn": f"{ARN}2"}}
    answer = api(
        "PUT", ONE, BODY | {"note": {"note": "another"}, "until": {"until": "2026-05-01T00:00:00Z"}}.get(change, {})
    )
    assert (answer.status, len(answer.json["history"])) == (200, 2)


def test_an_end_that_was_given_later_is_the_end() -> None:
    clock = Clock()
    api = Api(api_context(clock=clock))
    api("PUT", ONE, BODY)
    clock.now += timedelta(seconds=1)
    assert api("PUT", ONE, BODY | {"until": "2026-05-01T00:00:00Z"}).json["until"] == "2026-05-01T00:00:00Z"
    clock.now += timedelta(seconds=1)
    assert "until" not in api("PUT", ONE, BODY).json


def test_suppressing_at_the_moment_of_a_release_holds() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    api("DELETE", f"{ONE}?note=x")
    assert holding(api("PUT", ONE, BODY)) == ["manual"]
    assert holding(api("DELETE", f"{ONE}?note=y")) == []
    assert holding(api("PUT", ONE, BODY)) == ["manual"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"note": ""},
        {"note": "x" * 501},
        {"note": None},
        {"note": "x", "until": "2026-03-31T12:00:00Z"},
        {"note": "x", "until": "2026-06-01T00:00:00"},
        {"note": "x", "until": "2200-01-01T00:00:00Z"},
        {"note": "x", "until": "0001-01-01T00:00:00+23:59"},
        {"note": "x", "until": "soon"},
        {"note": "x", "scope": "news"},
        {"note": " \t\n"},
        {"note": "\u0000"},
    ],
)
def test_an_addition_has_a_note_and_perhaps_an_end_that_lies_ahead(body: Any) -> None:
    api = Api(api_context())
    assert api("PUT", ONE, body).status == 422
    assert api("GET", ONE).status == 404


@pytest.mark.parametrize(
    "target",
    [
        *("nobody", "@example.com", "ann@", "sms:", "push:", "%20", "%00", "jo%20tag@example.com", "email:nobody"),
        *("ann@example.com,bob@example.org", "ann@example.com%3E", "erased:0123456789abcdef0123456789abcdef01234567"),
    ],
)
def test_nobody_decides_of_what_is_no_recipient(target: str) -> None:
    api = Api(api_context())
    for answer in (
        api("PUT", f"/suppressions/{target}", BODY),
        api("DELETE", f"/suppressions/{target}?note=x"),
        api("GET", f"/suppressions/{target}"),
        api("DELETE", f"/recipients/{target}"),
        api("GET", f"/recipients/{target}"),
    ):
        assert (answer.status, answer.json["type"]) == (422, "urn:aftersend:problem:not-one-recipient")
    assert api("HEAD", f"/suppressions/{target}").status == 422


@pytest.mark.parametrize("name", ["email:undisclosed recipients", "email:a@b@example.com", "sms:491701234567"])
def test_what_a_source_has_called_somebody_is_shown_and_released_as_it_is_stored(name: str) -> None:
    api = Api(api_context(stored(bounce(1, "hard", recipient=name))))
    target = quote(name)
    assert api("GET", f"/recipients/{target}").json["recipient"] == name
    assert api("GET", f"/suppressions/{target}").json["suppressed"] is True
    assert api("DELETE", f"/suppressions/{target}?note=x").json["suppressed"] is False
    asked = [api("PUT", f"/suppressions/{target}", BODY), api("HEAD", f"/suppressions/{target}")]
    assert [each.status for each in asked] == [422, 422]  # nobody can write there
    assert api("GET", f"/suppressions/{quote(name.upper())}").status == 422  # it has no other spelling


@pytest.mark.parametrize(
    "target", ["sms:+15550100", "push:fcm:AbC%2Fd", "%22a%20b%22@example.com", "a%252fb@example.com"]
)
def test_every_recipient_can_be_decided_of(target: str) -> None:
    api = Api(api_context())
    assert api("PUT", f"/suppressions/{target}", BODY).status == 201
    assert api("HEAD", f"/suppressions/{target}").status == 200


def test_a_question_mark_in_an_address_is_encoded_twice() -> None:
    api = Api(api_context())
    assert api("PUT", "/suppressions/who%253F@example.com", BODY).json["recipient"] == "email:who?@example.com"
    assert api("PUT", "/suppressions/who%3F@example.com", BODY).status == 422  # it ends the path: no address is left


# ---- Release --------------------------------------------------------------------------------------------------------


def test_a_release_says_who_and_why_and_what_no_longer_counts() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    answer = api("DELETE", f"{ONE}?note=wrong+address+book")
    assert (answer.status, answer.headers["etag"], answer.json["suppressed"]) == (200, '"3"', False)
    assert (answer.json["released_at"], answer.json["released_by"]) == ("2026-03-31T12:00:00Z", ARN)
    assert [(each["act"], each["note"]) for each in answer.json["history"]] == [("released", "wrong address book")]
    assert api("HEAD", ONE).status == 404
    assert [each["holds"] for each in answer.json["causes"]] == [False]  # still there to be read


def test_older_evidence_stays_released_and_later_evidence_does_not() -> None:
    store = stored(bounce(1, "hard"))
    api = Api(api_context(store))
    api("DELETE", f"{ONE}?note=x")
    stored(bounce(29, "hard", "test:2"), store=store)
    assert api("HEAD", ONE).status == 404
    stored(bounce(31, "hard", "test:3"), store=store)
    assert api("HEAD", ONE).status == 200


def test_a_release_comes_before_the_evidence_that_it_is_about() -> None:
    store = stored(fact(Kind.DELIVERED, 0))
    api = Api(api_context(store))
    assert api("DELETE", f"{ONE}?note=x").status == 200
    stored(bounce(1, "hard"), store=store)
    assert api("HEAD", ONE).status == 404


def test_nobody_is_released_who_was_never_seen() -> None:
    """A slip of the keyboard must not look as if it had lifted anything."""
    store = stored(bounce(1, "hard"), bounce(2, "hard", recipient="email:joan@example.com"))
    api = Api(api_context(store))
    before = dict(store.suppressions_table)
    for slip in ("anm@example.com", "bob@example.org", "sms:+14255550156", "push:apns:abc"):
        refused = api("DELETE", f"/suppressions/{slip}?note=x&force=true")
        assert (refused.status, "near" in refused.json) == (404, False)
    for slip, near in (
        *(("an@example.com", ANN), ("ann@exmaple.com", ANN), ("annn@example.com", ANN), ("ann@example.co", ANN)),
        *(("ann+news@example.com", ANN), ("jaon@example.com", "email:joan@example.com")),
    ):
        refused = api("DELETE", f"/suppressions/{slip}?note=x&scope=news")
        assert (refused.status, refused.json["near"]) == (404, [near])
    assert dict(store.suppressions_table) == before


@pytest.mark.parametrize("hours", [1, 23, 24 * 40, 24 * 30_000])
@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.COMPLAINED])
def test_a_release_reaches_past_all_that_stands(kind: Kind, hours: int) -> None:
    """Clocks of sources are ahead of ours: what was there when a person decided is meant."""
    ahead = (NOW - START + timedelta(hours=hours)) / timedelta(days=1)
    store = stored(fact(kind, ahead, "hard" if kind is Kind.BOUNCED else None, message="test:2"))
    clock = Clock()
    api = Api(api_context(store, clock=clock))
    assert api("HEAD", ONE).status == 200
    released = api("DELETE", f"{ONE}?note=x&force=true")
    assert (released.json["suppressed"], api("HEAD", ONE).status) == (False, 404)
    clock.now += timedelta(days=3)
    assert api("HEAD", ONE).status == 404
    stored(bounce((clock.now - START) / timedelta(days=1), "hard", "test:3"), store=store)
    assert api("HEAD", ONE).status == 200  # and no further


def test_who_left_is_released_by_force_alone() -> None:
    """Their own wish, as a complaint is; the answer says so before and after."""
    store = stored(bounce(1, "hard"), fact(Kind.UNSUBSCRIBED, 2, scope="news"), fact(Kind.COMPLAINED, 2, scope="news"))
    api = Api(api_context(store))
    assert api("GET", f"{ONE}?scope=news").json["needs_force"] is True
    refused = api("DELETE", f"{ONE}?scope=news&note=x")
    assert (refused.status, refused.json["causes"]) == (409, ["unsubscribed"])
    assert "unsubscribed" in refused.json["detail"]
    lifted = api("DELETE", f"{ONE}?scope=news&note=x&force=true").json
    assert [(each["cause"], each["ended_by"]) for each in lifted["causes"]] == [("unsubscribed", "released")]


def test_a_write_in_one_stream_says_what_holds_everywhere() -> None:
    store = stored(bounce(1, "hard"))
    api = Api(api_context(store))
    for answer in (
        api("DELETE", f"{ONE}?scope=news&note=x"),
        api("PUT", f"{ONE}?scope=shop", BODY | {"until": "2026-04-30T00:00:00Z"}),
    ):
        assert (answer.json["suppressed"], answer.json.get("until")) == (True, None)
        assert [(each["cause"], each["scope"]) for each in answer.json["everywhere"]] == [("hard", "*")]
    everywhere = api("DELETE", f"{ONE}?note=x").json
    assert (everywhere["suppressed"], "everywhere" in everywhere) == (False, False)
    assert api("GET", f"{ONE}?scope=news").json["suppressed"] is False
    assert api("GET", f"{ONE}?scope=shop").json["suppressed"] is True


def test_a_streak_begins_anew_after_a_release() -> None:
    store = stored(*[bounce(day, "soft", f"test:{day}") for day in range(25, 30)])
    clock = Clock()
    api = Api(api_context(store, clock=clock))
    assert api("HEAD", ONE).status == 200
    assert api("DELETE", f"{ONE}?note=x").json["causes"] == []
    stored(*[bounce(day, "soft", f"test:{day}") for day in range(31, 35)], store=store)
    clock.now += timedelta(days=5)
    assert api("HEAD", ONE).status == 404
    stored(bounce(35, "soft", "test:35"), store=store)
    assert api("HEAD", ONE).status == 200


def test_a_complaint_is_released_by_force_alone() -> None:
    store = stored(bounce(1, "hard"), fact(Kind.COMPLAINED, 2))
    api = Api(api_context(store))
    refused = api("DELETE", f"{ONE}?note=x")
    assert (refused.status, refused.json["type"]) == (409, "urn:aftersend:problem:release-requires-force")
    assert "force" in refused.json["detail"]
    assert api("GET", ONE).headers["etag"] == '"2"'  # nothing was written
    released = api("DELETE", f"{ONE}?note=x&force=true")
    assert (released.status, holding(released), released.json["forced_at"]) == (200, [], "2026-03-31T12:00:00Z")
    assert released.json["history"][0]["force"] is True


def test_a_complaint_that_was_withdrawn_needs_no_force() -> None:
    store = stored(bounce(1, "hard"), fact(Kind.COMPLAINED, 2), fact(Kind.COMPLAINT_WITHDRAWN, 3))
    assert Api(api_context(store))("DELETE", f"{ONE}?note=x").status == 200


def test_force_false_is_no_force() -> None:
    assert Api(api_context(stored(fact(Kind.COMPLAINED, 2))))("DELETE", f"{ONE}?note=x&force=false").status == 409


def test_a_release_everywhere_leaves_what_holds_in_one_stream() -> None:
    store = stored(bounce(1, "hard"), fact(Kind.UNSUBSCRIBED, 2, scope="news"))
    api = Api(api_context(store))
    api("DELETE", f"{ONE}?note=x")
    assert api("HEAD", ONE).status == 404
    assert api("HEAD", f"{ONE}?scope=news").status == 200
    api("DELETE", f"{ONE}?scope=news&note=x&force=true")
    assert api("HEAD", f"{ONE}?scope=news").status == 404


def test_who_was_erased_can_be_released() -> None:
    name = make_alias(ANN, KEY)
    api = Api(api_context(suppressed((name, "*"))))
    shown = api("GET", ONE).json
    assert (shown["recipient"], shown["suppressed"], shown["version"]) == (ANN, True, 0)
    assert [each["cause"] for each in shown["erased"]] == ["hard"]
    released = api("DELETE", f"{ONE}?note=signed+up+again")
    assert (released.status, released.json["suppressed"]) == (200, False)
    assert api("HEAD", ONE).status == 404
    assert [each.act for each in api.context.store.get_suppressions([(name, "*")])[name, "*"].history] == ["released"]


def test_a_complaint_of_somebody_who_was_erased_needs_force_too() -> None:
    from aftersend.core.model import CauseKind

    api = Api(api_context(suppressed((make_alias(ANN, KEY), "*"), kind=CauseKind.COMPLAINT)))
    assert api("DELETE", f"{ONE}?note=x").status == 409
    assert api("DELETE", f"{ONE}?note=x&force=true").json["suppressed"] is False


@pytest.mark.parametrize(
    "query",
    [
        *["", "?note=", "?note=%20%09", "?note=%00", f"?note={'x' * 501}"],
        *["?note=x&force=perhaps", "?note=x&forced=true", "?note=x&scope=", "?note=x&scope=a%0Ab"],
    ],
)
def test_a_release_has_a_note(query: str) -> None:
    assert Api(api_context(stored(bounce(1, "hard"))))("DELETE", f"{ONE}{query}").status == 422


def test_the_history_keeps_everything_in_its_order() -> None:
    clock = Clock()
    api = Api(api_context(clock=clock))
    for step in range(3):
        clock.now += timedelta(minutes=1)
        api("PUT", ONE, {"note": f"no {step}"})
        clock.now += timedelta(minutes=1)
        api("DELETE", f"{ONE}?note=yes+{step}")
    history = api("GET", ONE).json["history"]
    assert [each["note"] for each in history] == ["no 0", "yes 0", "no 1", "yes 1", "no 2", "yes 2"]
    assert [each["act"] for each in history] == [Act.ADDED, Act.RELEASED] * 3


# ---- Versions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "there", "nothing"),
    [
        ({"If-Match": '"1"'}, 200, 412),
        ({"If-Match": '"2"'}, 412, 412),
        ({"If-Match": '"0"'}, 412, 201),
        ({"If-Match": "*"}, 200, 412),
        ({"If-None-Match": "*"}, 412, 201),
        ({"If-Match": "1"}, 200, 412),
        ({"If-Match": '"1", "2"'}, 400, 400),
        ({"If-Match": 'W/"1"'}, 400, 400),
        ({"If-None-Match": '"1"'}, 400, 400),
        ({"If-None-Match": "*", "If-Match": "*"}, 412, 412),
        ({"If-None-Match": "*", "If-Match": "nonsense"}, 400, 400),
    ],
)
def test_a_write_may_name_the_version_that_was_read(
    method: str, headers: dict[str, str], there: int, nothing: int
) -> None:
    for store, expected, version in (
        (stored(bounce(1, "listed")), there, 1),
        (stored(fact(Kind.DELIVERED, 1)), nothing, 0),
    ):
        before = dict(store.suppressions_table)
        target, body = (ONE, BODY) if method == "PUT" else (f"{ONE}?note=x", None)
        answer = Api(api_context(store))(method, target, body, headers)
        assert answer.status == (200 if method == "DELETE" and expected == 201 else expected)
        if answer.status == 412:
            assert answer.json["type"] == "urn:aftersend:problem:version-mismatch"
            assert answer.json["version"] == version
        assert (store.suppressions_table == before) == (answer.status >= 400)


def test_the_etag_of_an_answer_is_good_for_the_next_write() -> None:
    api = Api(api_context(stored(bounce(1, "hard"))))
    tag = api("GET", ONE).headers["etag"]
    tag = api("DELETE", f"{ONE}?note=x", headers={"If-Match": tag}).headers["etag"]
    tag = api("PUT", ONE, BODY, {"If-Match": tag}).headers["etag"]
    assert api("PUT", ONE, BODY, {"If-Match": tag}).status == 200
    assert api("PUT", ONE, BODY, {"If-Match": '"1"'}).status == 412  # also where it would change nothing


# ---- Lists ----------------------------------------------------------------------------------------------------------


def several() -> MemoryStore:
    """Twelve suppressions over twelve days of March, every third a complaint, and two of other sources and streams."""
    facts = []
    for day in range(1, 13):
        who = f"email:user{day:02}@example.com"
        kind = Kind.COMPLAINED if day % 3 == 0 else Kind.BOUNCED
        facts.append(fact(kind, day, "hard", recipient=who, message=f"test:{day}"))
    facts.append(fact(Kind.UNSUBSCRIBED, 5.5, recipient=BOB, scope="news", source="campaign"))
    facts.append(bounce(6.5, "listed", recipient=BOB))
    return stored(*facts)


def names(found: list[Any]) -> list[str]:
    return [each["recipient"].removeprefix("email:").removesuffix("@example.com") for each in found]


def listed(api: Api, query: str) -> list[str]:
    return [name for page in api.pages(f"/suppressions?{query}") for name in names(page["suppressions"])]


def test_a_list_is_of_days_and_the_newest_first() -> None:
    api = Api(api_context(several()))
    assert listed(api, "from=2026-03-11&to=2026-03-13") == ["user12", "user11", "user10"]
    assert listed(api, "from=2026-03-02&to=2026-03-02") == ["user01"]
    assert listed(api, "from=2026-03-20&to=2026-03-31") == []


def test_without_days_the_last_seven_are_meant() -> None:
    api = Api(api_context(several(), clock=Clock(datetime.fromisoformat("2026-03-13T23:59:59Z"))))
    found = listed(api, "")
    assert (found[0], found[-1], len(found)) == ("user12", "user06", 8)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("cause=complaint", ["user12", "user09", "user06", "user03"]),
        ("reason=complaint", ["user12", "user09", "user06", "user03"]),
        ("cause=complaint&reason=user_unknown", []),
        ("source=campaign", ["bob@example.org"]),
        ("cause=provider", ["bob@example.org"]),
        ("cause=hard&source=test&limit=3", [f"user{day:02}" for day in (11, 10, 8, 7, 5, 4, 2, 1)]),
        ("cause=manual", []),
    ],
)
def test_a_list_can_be_filtered(query: str, found: list[str]) -> None:
    assert listed(Api(api_context(several())), f"from=2026-03-01&to=2026-03-31&{query}") == found


def test_a_list_of_what_holds_leaves_out_what_was_released() -> None:
    api = Api(api_context(several()))
    api("DELETE", "/suppressions/user10@example.com?note=x")
    days = "from=2026-03-10&to=2026-03-31"
    assert listed(api, days) == ["user12", "user11", "user10", "user09"]
    assert listed(api, f"{days}&active=true") == ["user12", "user11", "user09"]


def test_a_year_without_a_suppression_is_one_page() -> None:
    day = (NOW - timedelta(days=360) - START) / timedelta(days=1)
    store = stored(bounce(day, "hard", "test:1"), bounce(day - 3, "hard", "test:2", recipient=BOB))
    for target in ("from=2025-04-01&to=2026-03-31", "from=2025-04-01&to=2026-03-31&limit=1"):
        pages = list(Api(api_context(store)).pages(f"/suppressions?{target}"))
        assert [name for page in pages for name in names(page["suppressions"])] == ["ann", "bob@example.org"]
        assert all(page["suppressions"] for page in pages[:-1])  # whether there is more is not known beforehand
    assert len(list(Api(api_context(MemoryStore())).pages("/suppressions?from=2025-04-01&to=2026-03-31"))) == 1


def test_an_alias_is_never_shown() -> None:
    store = suppressed((make_alias(ANN, KEY), "*"), store=stored(bounce(1, "hard", recipient=BOB)))
    api = Api(api_context(store))
    answers = [api("GET", each).text for each in ("/suppressions?from=2026-03-01&to=2026-03-31", "/review", ONE)]
    assert names(json.loads(answers[0])["suppressions"]) == ["bob@example.org"]
    assert not [each for each in answers if "erased:" in each]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_every_size_give_the_same_list(limit: int) -> None:
    api = Api(api_context(several()))
    pages = list(api.pages(f"/suppressions?from=2026-03-01&to=2026-03-31&limit={limit}"))
    found = [name for page in pages for name in names(page["suppressions"])]
    assert len(found) == len(set(found)) + 1 == 14  # Bob in two scopes
    assert all(len(page["suppressions"]) <= limit for page in pages)


def test_a_page_costs_a_bounded_number_of_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one goes on where it stopped, also where it found nothing."""
    whole = listed(Api(api_context(several())), "from=2026-01-01&to=2026-12-31&limit=100")
    assert len(whole) == 14
    monkeypatch.setattr(suppressions, "MAX_QUERIES", 3)
    api = Api(api_context(several()))
    first = api("GET", "/suppressions?from=2026-01-01&to=2026-12-31&limit=100").json
    assert (first["suppressions"], "next" in first) == ([], True)
    assert listed(api, "from=2026-01-01&to=2026-12-31&limit=100") == whole


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-03-02&to=2026-03-01",
        "from=2025-03-01&to=2026-03-02",
        "from=yesterday",
        "cause=boredom",
        "reason=boredom",
        "limit=0",
        "limit=101",
        "limit=many",
        "to=null",
        "cause=NULL",
        "active=perhaps",
        "until=2026-03-01",
        f"source={'x' * 65}",
    ],
)
def test_what_is_no_filter_is_refused(query: str) -> None:
    assert Api(api_context())("GET", f"/suppressions?{query}").status == 422


def test_a_source_may_be_called_null() -> None:
    assert Api(api_context())("GET", "/suppressions?source=null").status == 200


def test_a_year_may_be_asked_for_at_once() -> None:
    assert Api(api_context())("GET", "/suppressions?from=2024-01-01&to=2024-12-31").status == 200


@pytest.mark.parametrize("query", ["from=0001-01-01&to=0001-01-03", "to=0001-01-03", "from=9999-12-31&to=9999-12-31"])
def test_days_of_no_mail_are_refused(query: str) -> None:
    assert Api(api_context())("GET", f"/suppressions?{query}").status == 422


# ---- Answers that get lost -------------------------------------------------------------------------------------------


class Forgetful(MemoryStore):
    """Loses the answer to the next write, so that the client makes it again."""

    due = False

    def answer(self, request: Request) -> Answer:
        given = super().answer(request)
        if self.due and isinstance(request, Put):
            self.due = False
            return super().answer(request)
        return given


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", ONE, BODY),
        ("DELETE", f"{ONE}?note=asked%20us%20to", None),
        ("POST", "/review/suppressions", {"recipient": "ann@example.com", "decision": "keep", "note": "seen"}),
        (
            "POST",
            "/review/outcomes",
            {"recipient": "ann@example.com", "message": "test:1", "decision": "keep", "note": "seen"},
        ),
    ],
)
def test_nobody_hears_that_somebody_else_has_written_what_they_wrote_themselves(
    method: str, path: str, body: Any
) -> None:
    store = Forgetful()
    stored(bounce(1, "hard"), store=store)
    store.due = True
    version = 1 if path == "/review/outcomes" else 2  # a hard bounce was announced before
    answer = Api(api_context(store))(method, path, body, {"If-Match": f'"{version}"'})
    assert (answer.status, store.due) in [(200, False), (204, False)], answer.text


# ---- Of a domain ----------------------------------------------------------------------------------------------------


def test_the_suppressions_of_a_domain_are_those_of_its_addresses() -> None:
    names = [f"email:user{number}@example.com" for number in range(7)]
    keys = [(each, scope) for each in names for scope in ("*", "news")]
    others = [("email:ann@mail.example.com", "*"), ("email:ann@example.org", "*"), ("sms:+15550100", "*")]
    store = suppressed(*keys, *others, (make_alias("email:gone@example.com", KEY), "*"))
    suppressed(("email:left@example.com", "news"), kind=CauseKind.UNSUBSCRIBED, store=store)
    api = Api(api_context(store))

    def found(query: str) -> list[tuple[str, str]]:
        pages = api.pages(f"/suppressions?domain=Example.COM&limit=3{query}")
        return [(each["recipient"], each["scope"]) for page in pages for each in page["suppressions"]]

    assert sorted(found("")) == sorted([*keys, ("email:left@example.com", "news")])
    assert [name for name, _ in found("")] == sorted(name for name, _ in found(""))
    assert found("&cause=unsubscribed") == [("email:left@example.com", "news")]
    assert found("&from=2026-03-01&to=2026-03-05") == []
    assert len(found("&from=2026-03-25&to=2026-03-31")) == 15
    assert api("GET", "/suppressions?domain=a@b").status == 422
