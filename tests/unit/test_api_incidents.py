"""`GET /incidents` and `PUT /incidents/{incident}/decision`: which incidents need a decision, and what is decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aftersend.core import spike_guard
from aftersend.core.incident_id import make_incident_id
from aftersend.core.model import Reason
from aftersend.core.spike_guard import Incident, Window
from tests.support.api import ARN, Api, api_context
from tests.support.ports import NOW

HOUR = timedelta(hours=1)
WINDOW = Window("example.com", NOW - 2 * HOUR, NOW - HOUR)
REVERT = {"decision": "revert", "note": "Their directory was down."}


def refused(api: Api, window: Window = WINDOW, reason: Reason = Reason.USER_UNKNOWN, count: int = 60) -> Api:
    """The API, once so many addresses of a domain were refused."""
    for number in range(count):
        key = f"email:user{number}@{window.domain}"
        api.context.spike_windows.record(spike_guard.report_refusal(window, key, reason))
    return api


def listed(api: Api) -> list[Any]:
    found: list[Any] = api("GET", "/incidents").json["incidents"]
    return found


def test_an_incident_is_listed_with_an_id_that_names_it() -> None:
    api = refused(Api(api_context()))
    (found,) = listed(api)
    assert found == {
        "id": make_incident_id(Incident(WINDOW, Reason.USER_UNKNOWN, 60, 60)),
        "domain": "example.com",
        "since": "2026-03-31T10:00:00.000Z",
        "until": "2026-03-31T11:00:00.000Z",
        "reason": "user_unknown",
        "state": "open",
        "refused": 60,
        "sent": 60,
    }
    assert api("PUT", f"/incidents/{found['id']}/decision", REVERT).status == 204
    (after,) = listed(api)
    assert after == found | {
        "state": "reverted",
        "decided_at": "2026-03-31T12:00:00.000Z",
        "decided_by": ARN,
        "note": "Their directory was down.",
    }


def test_a_decision_is_about_one_incident_and_a_later_one_replaces_it() -> None:
    api = refused(refused(Api(api_context())), reason=Reason.MAILBOX_DISABLED)
    first, second = (each["id"] for each in listed(api))
    assert first != second
    assert api("PUT", f"/incidents/{second}/decision", REVERT).status == 204
    assert {each["id"]: each["state"] for each in listed(api)} == {first: "open", second: "reverted"}
    api.context.clock.now += HOUR  # type: ignore[attr-defined]
    assert api("PUT", f"/incidents/{second}/decision", {"decision": "confirm"}).status == 204
    assert [each["id"] for each in listed(api)] == [first]
    (confirmed,) = api("GET", "/incidents?state=confirmed").json["incidents"]
    assert (confirmed["id"], confirmed["state"], confirmed["decided_by"]) == (second, "confirmed", ARN)
    assert [each["id"] for each in api("GET", "/incidents?state=open").json["incidents"]] == [first]
    assert api("GET", "/incidents?state=reverted").json == {"incidents": []}


def test_an_id_stays_while_refusals_go_on() -> None:
    api = refused(Api(api_context()))
    (before,) = listed(api)
    (after,) = listed(refused(api, count=64))
    assert (after["id"], after["refused"] > before["refused"]) == (before["id"], True)


@pytest.mark.parametrize(
    "other",
    [
        Incident(Window("example.org", WINDOW.since, WINDOW.until), Reason.USER_UNKNOWN, 60, 60),
        Incident(Window("example.com", WINDOW.since - HOUR, WINDOW.until), Reason.USER_UNKNOWN, 60, 60),
        Incident(Window("example.com", WINDOW.since, WINDOW.until + HOUR), Reason.USER_UNKNOWN, 60, 60),
        Incident(WINDOW, Reason.MAILBOX_DISABLED, 60, 60),
    ],
)
def test_another_incident_has_another_id(other: Incident) -> None:
    assert make_incident_id(other) != make_incident_id(Incident(WINDOW, Reason.USER_UNKNOWN, 60, 60))


@pytest.mark.parametrize("spell", [str.upper, lambda id_: id_[:-1], lambda id_: f"{id_}0", lambda _: "0" * 20])
def test_what_is_not_an_id_names_no_incident(spell: Any) -> None:
    api = refused(Api(api_context()))
    (found,) = listed(api)
    wrong = spell(found["id"])
    assert wrong != found["id"]
    assert api("PUT", f"/incidents/{wrong}/decision", REVERT).status == 404
    assert listed(api) == [found]


@pytest.mark.parametrize(
    "body",
    [{}, {"decision": "judge"}, REVERT | {"domain": "example.com"}, REVERT | {"note": "x" * 513}, ["revert"]],
)
def test_what_is_not_a_decision_is_refused(body: Any) -> None:
    api = refused(Api(api_context()))
    (found,) = listed(api)
    assert api("PUT", f"/incidents/{found['id']}/decision", body).status == 422
    assert listed(api) == [found]


def test_a_decision_is_put_and_nothing_else() -> None:
    answer = Api(api_context())("POST", f"/incidents/{'0' * 20}/decision", REVERT)
    assert (answer.status, answer.headers["allow"]) == (405, "PUT")
