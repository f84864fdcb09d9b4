"""The client for senders: who may be written to, in any spelling, and nobody by accident."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.aws.errors import NoAnswer
from aftersend.client import Suppressions
from aftersend.core import spike_guard
from aftersend.core.erasure import make_alias, strip_suppressions
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Reason, Suppression
from aftersend.core.policy import load
from aftersend.core.suppression import merge_claims
from aftersend.core.vocabulary import advise_without_refusal
from aftersend.storage import items
from tests.support.clients import service_error
from tests.support.facts import ANN, BOB, START
from tests.support.ports import NOW, RETENTION
from tests.support.windows import encode_window
from tests.unit.test_api_advice import SUGGESTIONS

KEY = b"a deployment's key"


def row(recipient: str, kind: str = "hard", scope: str = "*", until: Any = None, **others: Any) -> Suppression:
    ref = EvidenceRef(at=START, feedback="f", message="ses:1", source="ses", reason=Reason.USER_UNKNOWN)
    causes = {CauseKind(kind): Cause(first=ref, latest=ref, until=until)}
    return Suppression(recipient=recipient, scope=scope, causes=causes, version=1, **others)


class Table:
    """DynamoDB as far as it is asked: at most 100 keys a call, each once. `unread` are left out of the next answer.

    Of `spike` it knows an incident: many others of this recipient's domain were refused at the same time.
    """

    def __init__(self, rows: Iterable[Suppression] = (), spike: str = "") -> None:
        self.incidents = [_incident(spike)] if spike else []
        self.items = {each.key: items.encode_suppression(each, RETENTION, NOW) for each in rows}
        self.calls: list[int] = []
        self.unread = 0
        self.fault: Exception | None = None

    def batch_get_item(self, **request: Any) -> Any:
        if self.fault:
            raise self.fault
        ((table, wanted),) = request["RequestItems"].items()
        keys = [(key["recipient"]["S"], key["scope"]["S"]) for key in wanted["Keys"]]
        assert 0 < len(set(keys)) == len(keys) <= 100
        assert wanted["ConsistentRead"] is True
        self.calls.append(len(keys))
        left, self.unread = wanted["Keys"][: self.unread], 0
        found = [self.items[key] for key in keys[len(left) :] if key in self.items]
        return {"Responses": {table: found}} | ({"UnprocessedKeys": {table: wanted | {"Keys": left}}} if left else {})

    def query(self, **request: Any) -> Any:
        assert (request["TableName"], request["IndexName"]) == ("traffic", "by_state")
        wanted = request["ExpressionAttributeValues"][":state"]
        return {"Items": [each for each in self.incidents if each["state"] == wanted]}


def _incident(recipient: str) -> Any:
    rules = load().guard
    window = spike_guard.find_window(recipient, START, rules)
    known = spike_guard.Traffic(window=window)
    for number in range(rules.floor):
        known = spike_guard.merge_traffic(known, spike_guard.report_refusal(window, f"{number}", Reason.USER_UNKNOWN))
    return encode_window(known, rules)


def client(*rows: Suppression, table: Any = None, **others: Any) -> Suppressions:
    return Suppressions("suppressions", _Adaptable(table or Table(rows)), clock=lambda: NOW, **others)


class _Adaptable:
    """A client with every operation that the seam knows, of which two are answered."""

    def __init__(self, table: Any) -> None:
        self.batch_get_item, self.query = table.batch_get_item, table.query

    def __getattr__(self, name: str) -> Any:
        def never(**_: Any) -> Any:
            raise AssertionError(f"{name} is none of its business")

        return never


def test_those_who_may_be_written_to_in_their_order_and_spelling() -> None:
    """Issue: "any spelling, returns those that may be written to (order kept)"."""
    asked = ["Bob <BOB@Example.org>", "ann@example.com", "carol@bücher.example", "bob@example.org", "sms:+14255550156"]
    assert client(row(ANN)).allowed(asked) == [asked[0], *asked[2:]]
    assert client(row(BOB), row("email:carol@xn--bcher-kva.example")).allowed(asked) == [asked[1], asked[4]]
    assert client(row("sms:+14255550156")).allowed(asked) == asked[:4]
    assert client().allowed([]) == []


def test_why_somebody_must_not_be_written_to() -> None:
    held = client(row(ANN), row(ANN, "unsubscribed", "news")).check(["Ann@example.com", "bob@example.org"], "news")
    assert (held["bob@example.org"].allowed, held["bob@example.org"].why) == (True, [])
    assert (held["Ann@example.com"].allowed, held["Ann@example.com"].recipient) == (False, ANN)
    first, second = held["Ann@example.com"].why
    assert (first.cause, first.scope, first.at, first.reason, first.until) == (
        CauseKind.HARD, "*", START, Reason.USER_UNKNOWN, None,
    )  # fmt: skip
    assert (second.cause, second.scope) == (CauseKind.UNSUBSCRIBED, "news")


def test_what_to_do_about_each_cause() -> None:
    """As the provider's document says for its code, or a rule of the user's own, or what goes with the cause."""
    ref = EvidenceRef(
        at=START,
        feedback="f",
        message="directmail:1",
        source="directmail",
        reason=Reason.USER_UNKNOWN,
        rule="address.unknown",
        provider_code="SmtpNxBox",
    )
    hard = Suppression(recipient=ANN, causes={CauseKind.HARD: Cause(first=ref, latest=ref)}, version=1)
    mine = '[[rule]]\nid = "mine"\nwhen.provider_code = "SmtpNxBox"\nthen.reason = "user_unknown"\nthen.advice = "Ask."'
    shipped = {each for failed, found in SUGGESTIONS.items() if failed[0] == "SmtpNxBox" for each in found}
    for rules, wanted in ((None, shipped), (mine, {"Ask."})):
        asking = client(hard, row(ANN, "unsubscribed", "news"), rules=rules)
        found = asking.check(["ann@example.com", "bob@example.org", "ann at example"], "news")
        first, second = asking.advise(found["ann@example.com"])
        assert {first} == wanted
        assert second == advise_without_refusal(CauseKind.UNSUBSCRIBED, refused=True)
        assert asking.advise(found["bob@example.org"]) == asking.advise(found["ann at example"]) == []


def test_when_somebody_may_be_written_to_again() -> None:
    later = NOW + timedelta(hours=3)
    paused, both = row(ANN, "pause", until=later), row(BOB, "pause", until=later)
    found = client(paused, both, row(BOB, "unsubscribed", "news")).check(["ann@example.com", "bob@example.org"], "news")
    assert (found["ann@example.com"].until, found["bob@example.org"].until) == (later, None)
    assert client().check(["ann@example.com"])["ann@example.com"].until is None


@pytest.mark.parametrize(("scope", "allowed"), [("*", True), ("news", False), ("shop", True)])
def test_a_stream_counts_for_messages_of_that_stream(scope: str, allowed: bool) -> None:
    assert bool(client(row(ANN, "unsubscribed", "news")).allowed(["ann@example.com"], scope)) is allowed


def test_what_has_lapsed_or_was_released_holds_nobody() -> None:
    asked = ["ann@example.com", "bob@example.org"]
    lapsed, released = row(ANN, until=NOW), row(BOB, released_at=NOW)
    assert client(lapsed, released).allowed(asked) == asked
    assert client(row(ANN, until=NOW + timedelta(milliseconds=1))).allowed(asked) == [asked[1]]


@pytest.mark.parametrize(("count", "calls"), [(50, [100]), (51, [100, 2]), (1000, [100] * 20)])
def test_a_hundred_rows_a_call(count: int, calls: list[int]) -> None:
    """Issue: "batches of 100". Each recipient is two rows where a stream is named."""
    asked = [f"{number}@example.com" for number in range(count)]
    table = Table([row(f"email:{number}@example.com") for number in range(0, count, 7)])
    allowed = client(table=table).allowed(asked, "news")
    assert table.calls == calls
    assert allowed == [each for number, each in enumerate(asked) if number % 7]


def test_the_same_recipient_in_two_spellings_is_read_once() -> None:
    table = Table([row(ANN)])
    assert client(table=table).allowed(["ann@example.com", "ANN@example.com", "<ann@EXAMPLE.com>"]) == []
    assert table.calls == [1]


def test_keys_that_are_left_unread_are_read_again() -> None:
    table = Table([row(ANN), row(BOB)])
    table.unread = 1
    assert client(table=table).allowed(["ann@example.com", "bob@example.org"]) == []
    assert table.calls == [2, 1]


@pytest.mark.parametrize("fault", [service_error("InternalServerError"), NoAnswer("ReadTimeoutError")])
def test_a_table_that_does_not_answer_allows_nobody(fault: Exception) -> None:
    """Issue: "a failing DynamoDB raises (never "allowed" by accident)"."""
    table = Table()
    table.fault = fault
    with pytest.raises(StoreUnavailable):
        client(table=table).allowed(["ann@example.com"])


def test_keys_that_stay_unread_allow_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Never(Table):
        def batch_get_item(self, **request: Any) -> Any:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(StoreUnavailable, match="unread"):
        client(table=Never()).allowed(["ann@example.com"])


@pytest.mark.parametrize(
    "given_",
    [
        *("", " ", "Ann", "@", "a@", "@b.example", "email:", "Ann <>", "ann@example.com\nX: y", "a" * 5001, "\ud800@x"),
        *("jo tag@example.com", "Ann@example.com, bob@example.org", "<ann@example.com", "ann@example.com>", "sms:1"),
    ],
)
def test_an_entry_that_names_nobody_has_an_error_and_the_others_are_answered(given_: str) -> None:
    asked = ["bob@example.org", given_, "ann@example.com"]
    used = client(row(ANN))
    assert used.allowed(asked) == ["bob@example.org"]
    found = used.check(asked)
    assert [found[each].allowed for each in asked] == [True, False, False]
    assert (found[given_].recipient, found[given_].why) == (None, [])
    assert found[given_].error
    assert not {"Ann", "ann", "bob", "tag"} & set((found[given_].error or "").split())


@pytest.mark.parametrize("given_", ["ann@example.com", b"ann@example.com"])
def test_a_text_in_the_place_of_a_list_is_an_error(given_: Any) -> None:
    for ask in (client(row(ANN)).allowed, client(row(ANN)).check):
        with pytest.raises(TypeError, match="list"):
            ask(given_)


def test_who_was_erased_is_found_with_the_key_and_only_with_it() -> None:
    """Issue: "erased addresses: needs the digest key optionally"."""
    stripped = strip_suppressions([row(ANN), row(ANN, "unsubscribed", "news")], make_alias(ANN, KEY), NOW)
    assert client(*stripped, digest_key=KEY).allowed(["Ann@example.com", "bob@example.org"]) == ["bob@example.org"]
    assert [
        each.scope
        for each in client(*stripped, digest_key=KEY).check(["ann@example.com"], "news")["ann@example.com"].why
    ] == ["*", "news"]
    assert client(*stripped, digest_key=b"another").allowed(["ann@example.com"]) == ["ann@example.com"]
    assert client(*stripped).allowed(["ann@example.com"]) == ["ann@example.com"]


def test_a_providers_accident_holds_back_what_it_covers() -> None:
    table = Table([row(ANN), row(BOB)], spike=ANN)
    asked = ["ann@example.com", "bob@example.org"]
    assert client(table=table, spike_windows="traffic").allowed(asked) == ["ann@example.com"]
    assert client(table=table).allowed(asked) == []
    strict = load("[guard]\nfloor = 1000")
    assert client(table=table, spike_windows="traffic", policy=strict).allowed(asked) == []


def test_an_accident_does_not_bring_an_erased_one_back() -> None:
    stripped = strip_suppressions([row(ANN)], make_alias(ANN, KEY), NOW)
    used = client(table=Table(stripped, spike=ANN), digest_key=KEY, spike_windows="traffic")
    assert used.allowed(["ann@example.com"]) == []


@given(st.lists(st.sampled_from([ANN, BOB, "email:c@example.com"]), max_size=5), st.sets(st.sampled_from([ANN, BOB])))
def test_allowed_and_held_are_all_that_were_asked_for(asked: list[str], held: set[str]) -> None:
    used = client(*(merge_claims(row(each), []) for each in held))
    allowed, checked = used.allowed(asked), used.check(asked)
    assert [each for each in asked if each not in held] == allowed
    assert checked.keys() == set(asked)
    assert all(bool(found.why) == (name in held) == (not found.allowed) for name, found in checked.items())


@pytest.mark.parametrize("given_", ["push:apns:aBc", "sms:+14255550156"])
def test_other_channels_are_taken_as_they_are(given_: str) -> None:
    assert client().check([given_])[given_].recipient == given_


@pytest.mark.parametrize(
    ("given_", "meant"),
    [("EMAIL:Ann@Example.com", ANN), ("SMS:+14255550156", "sms:+14255550156"), ("Push:apns:aBc", "push:apns:aBc")],
)
def test_the_name_of_a_channel_may_be_in_any_case(given_: str, meant: str) -> None:
    """Nobody is allowed by accident: "SMS:+1…" is no mail address that nothing is known of."""
    assert client(row(meant)).allowed([given_]) == []
    assert client().check([given_])[given_].recipient == meant


def test_a_sender_does_not_import_what_functions_need() -> None:
    heavy = "{name.partition('.')[0] for name in sys.modules} & {'boto3', 'botocore', 'aws_lambda_powertools'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, aftersend.client; print({heavy})"],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout.strip() == "set()"
