"""Cursors lead where they were made to lead, and nobody else can make one."""

from __future__ import annotations

import base64
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.api.cursors import LASTS, InvalidCursor, decode, encode
from tests.support.api import KEY, Api, Clock, api_context
from tests.support.ports import NOW
from tests.unit.test_api_suppressions import several

PLACE = {"day": "2026-03-01", "after": {"recipient": {"S": "email:ann@example.com"}}}


@given(st.recursive(st.none() | st.integers(-(2**60), 2**60) | st.text(), st.lists), st.text(max_size=50))
def test_what_is_sealed_can_be_decode(place: object, question: str) -> None:
    try:
        question.encode()
    except UnicodeEncodeError:
        return
    cursor = encode(place, question, KEY, NOW)
    assert decode(cursor, question, KEY, NOW, type(None) if place is None else object) == place
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("place", range(len(encode(PLACE, "q", KEY, NOW))))
def test_a_cursor_that_was_changed_anywhere_is_refused(place: int) -> None:
    cursor = encode(PLACE, "q", KEY, NOW)
    last_bits = place == len(cursor) - 1  # the last character has bits that say nothing
    for letter in "AQ-_":
        changed = cursor[:place] + letter + cursor[place + 1 :]
        if changed != cursor and not (last_bits and _raw(changed) == _raw(cursor)):
            with pytest.raises(InvalidCursor):
                decode(changed, "q", KEY, NOW, dict)


def _raw(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


@pytest.mark.parametrize("cursor", ["", "A", "====", "not a cursor", "ü", "AAAA", "A" * 100])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode(cursor, "q", KEY, NOW, dict)


def test_a_cursor_is_good_for_one_question_and_one_deployment() -> None:
    cursor = encode(PLACE, "q", KEY, NOW)
    with pytest.raises(InvalidCursor):
        decode(cursor, "another", KEY, NOW, dict)
    with pytest.raises(InvalidCursor):
        decode(cursor, "q", b"another", NOW, dict)


def test_a_cursor_is_good_for_a_day() -> None:
    cursor = encode(PLACE, "q", KEY, NOW)
    assert decode(cursor, "q", KEY, NOW + LASTS, dict) == PLACE
    with pytest.raises(InvalidCursor, match="expired"):
        decode(cursor, "q", KEY, NOW + LASTS + timedelta(seconds=1), dict)


def test_a_cursor_of_another_version_of_ours_is_named_as_such() -> None:
    cursor = encode([1, 2], "q", KEY, NOW)
    with pytest.raises(InvalidCursor, match="another version"):
        decode(cursor, "q", KEY, NOW, dict)


def test_the_key_of_cursors_is_not_the_one_of_digests() -> None:
    import hmac

    raw = _raw(encode(PLACE, "", KEY, NOW))
    signature, content = raw[:16], raw[16:]
    assert msgspec.json.decode(content)[1] == PLACE
    assert hmac.digest(KEY, bytes(4) + content, "sha256")[:16] != signature


# ---- In the API -----------------------------------------------------------------------------------------------------

DAYS = "/suppressions?from=2026-03-01&to=2026-03-31"


def first(api: Api) -> str:
    cursor: str = api("GET", f"{DAYS}&limit=2").json["next"]
    return cursor


@pytest.mark.parametrize(
    "target",
    [
        "/suppressions?from=2026-03-01&to=2026-03-30&limit=2",
        f"{DAYS}&cause=hard",
        "/review?limit=2",
        "/recipients/user12@example.com?limit=2",
        "/messages/test:1?limit=2",
    ],
)
def test_a_cursor_of_another_list_is_a_problem_of_its_own(target: str) -> None:
    api = Api(api_context(several()))
    answer = api("GET", f"{target}&cursor={first(api)}")
    assert (answer.status, answer.json["type"]) == (400, "urn:aftersend:problem:invalid-cursor")
    assert api("GET", f"{DAYS}&cursor=AAAA").json["type"] == "urn:aftersend:problem:invalid-cursor"


def test_a_page_may_have_another_size_than_the_one_before() -> None:
    api = Api(api_context(several()))
    cursor = first(api)
    one, other = (api("GET", f"{DAYS}&limit={limit}&cursor={cursor}").json["suppressions"] for limit in (1, 5))
    assert other[0] == one[0]


def test_the_order_of_parameters_does_not_matter() -> None:
    api = Api(api_context(several()))
    assert api("GET", f"/suppressions?cursor={first(api)}&to=2026-03-31&from=2026-03-01").status == 200


def test_tomorrow_a_cursor_is_too_old() -> None:
    clock = Clock()
    api = Api(api_context(several(), clock=clock))
    cursor = first(api)
    clock.now += LASTS + timedelta(seconds=1)
    answer = api("GET", f"{DAYS}&cursor={cursor}")
    assert (answer.status, "expired" in answer.json["detail"]) == (400, True)


@pytest.mark.parametrize("cursor", ["", "x" * 8193])
def test_a_cursor_has_bounds(cursor: str) -> None:
    assert Api(api_context())("GET", f"{DAYS}&cursor={cursor}").status == 422
