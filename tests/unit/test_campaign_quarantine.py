"""Quarantine as Adobe's document describes it, from exports of Campaign to what holds: docs/campaign.md names each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from aftersend import classify
from aftersend.core import policy
from aftersend.core.model import CauseKind, Status
from aftersend.core.suppression import find_active_causes, find_contradiction_to_review
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from tests.support.api import Api, api_context
from tests.support.list_jobs import ListJobApi
from tests.support.oracle import stored
from tests.support.ports import MemoryStore, ports

RULES: Final = classify.load()
START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADER: Final = "id,address,status,eventDate,failureType,failureReason,text,channel\n"
MAIL, NUMBER, TOKEN = "ann@example.com", "+4915550100", "0f744707bebcf74f"
RECIPIENTS: Final = {0: f"email:{MAIL}", 1: f"sms:{NUMBER}", 41: f"push:apns:{TOKEN}"}
ADDRESSES: Final = {0: MAIL, 1: NUMBER, 41: TOKEN}

SENT, GOT = ("Sent", "", "", ""), ("Received on mobile", "", "", "")
GONE = {0: ("Failed", "Hard", "User unknown", "550 5.1.1 user unknown"), 1: ("Failed", "Hard", "User unknown", "")}
GONE[41] = ("Failed", "Hard", "User unknown", "Unregistered")
SOFT = ("Failed", "Soft", "Unreachable", "")
FULL = ("Failed", "Soft", "Mailbox full", "")
LATER = ("Pending", "Soft", "Unreachable", "451 4.3.2 try again later")
REFUSED = ("Failed", "Hard", "Refused", "")
DENYLISTED = ("Failed", "Hard", "Denylisted address", "")
QUARANTINED = ("Failed", "Hard", "Address in quarantine", "")
AWAY = ("Failed", "Soft", "Unreachable", "Inbound email bounce (rule 'Auto_replies' has matched this bounce).")
RECEIPT = ("Failed", "Hard", "Refused", "SR Generic UNDELIV 034|#MESSAGE#")

Row = tuple[str, str, str, str]


def bring(
    rows: Iterable[tuple[float, Row]],
    channel: int = 0,
    document: str = "",
    store: MemoryStore | None = None,
    head: str = "",
) -> MemoryStore:
    """The tables after an export of each day with one message of its own to one recipient."""
    store = store or MemoryStore()
    for number, (day, row) in enumerate(rows):
        status, type_, reason, text = row
        at = (START + timedelta(days=day)).strftime("%Y-%m-%d %H:%M:%S")
        line = f'{channel}{number}{int(day)},{ADDRESSES[channel]},{status},{at},{type_},{reason},"{text}",{channel}\n'
        message = Message(f"m{number}", (head + HEADER + line).encode(), START, "campaign")
        made = ports(store, classify=RULES, policy=policy.load(document))
        assert not ingest([message], made).failed
    return store


def holding(store: MemoryStore, channel: int = 0, day: float = 0) -> set[CauseKind]:
    row = stored(store).suppressions.get((RECIPIENTS[channel], "*"))
    return set(find_active_causes(row, START + timedelta(days=day))) if row else set()


def days(row: Row, *on: float) -> Iterator[tuple[float, Row]]:
    return ((day, row) for day in on)


@pytest.mark.parametrize("channel", RECIPIENTS)
def test_a_hard_failure_is_for_good_at_once(channel: int) -> None:
    store = bring([(0, GONE[channel])], channel)
    assert holding(store, channel, 3000) == {CauseKind.HARD}


@pytest.mark.parametrize("channel", RECIPIENTS)
def test_soft_failures_count_until_there_are_five(channel: int) -> None:
    assert holding(bring(days(SOFT, 0, 1, 2, 3), channel), channel, 3) == set()
    assert holding(bring(days(SOFT, 0, 1, 2, 3, 4), channel), channel, 4) == {CauseKind.STREAK}


@pytest.mark.parametrize(("channel", "name"), [(0, "email"), (1, "sms"), (41, "push")])
def test_the_threshold_is_that_of_the_channel(channel: int, name: str) -> None:
    document = f"[channel.{name}.streak]\nbounces = 2\n"
    assert holding(bring(days(SOFT, 0, 1), channel, document), channel, 1) == {CauseKind.STREAK}
    others = [each for each in RECIPIENTS if each != channel]
    assert all(holding(bring(days(SOFT, 0, 1), each, document), each, 1) == set() for each in others)


def test_of_several_failures_in_a_day_one_counts() -> None:
    assert holding(bring(days(SOFT, 0, 0.2, 0.4, 0.6, 0.8)), day=1) == set()


def test_a_failure_after_ten_quiet_days_begins_anew() -> None:
    assert holding(bring(days(SOFT, 0, 1, 2, 3, 14)), day=14) == set()


@pytest.mark.parametrize("channel", [1, 41])
def test_a_success_resets_the_counter(channel: int) -> None:
    store = bring([*days(SOFT, 0, 1, 2, 3), (3.5, GOT), (4, SOFT)], channel)
    assert holding(store, channel, 4) == set()


def test_a_mail_that_was_sent_is_a_success_where_the_file_says_so() -> None:
    """With the feedback service of Campaign v8, "Sent" is said when a mail has arrived; else it may still fail."""
    rows = [*days(SOFT, 0, 1, 2, 3), (3.5, SENT), (4, SOFT)]
    assert holding(bring(rows), day=4) == {CauseKind.STREAK}
    assert holding(bring(rows, head="# status: Sent = received\n"), day=4) == set()


@pytest.mark.parametrize("channel", [1, 41])
def test_a_success_lifts_what_the_counter_had_reached(channel: int) -> None:
    store = bring(days(SOFT, 0, 1, 2, 3, 4), channel)
    assert holding(store, channel, 5) == {CauseKind.STREAK}
    assert holding(bring([(5, GOT)], channel, store=store), channel, 5) == set()


def test_a_full_mailbox_is_written_to_again_after_thirty_days() -> None:
    store = bring(days(FULL, 0, 1, 2, 3, 4))
    assert holding(store, day=33.9) == {CauseKind.STREAK}
    assert holding(store, day=34.1) == set()


def test_ignored_failures_and_retries_count_for_nothing() -> None:
    assert holding(bring(days(AWAY, 0, 1, 2, 3, 4, 5)), day=5) == set()
    assert holding(bring(days(LATER, 0, 1, 2, 3, 4, 5)), day=5) == set()
    retried = bring([(0, LATER)])
    assert {each.status for each in stored(retried).outcomes.values()} == {Status.DEFERRED}


def test_what_nobody_has_qualified_is_not_for_good() -> None:
    """Campaign calls it hard and Refused: a failure of the sender's account, and a receipt, are called so as well."""
    assert holding(bring([(0, REFUSED)]), day=1) == set()
    assert holding(bring([(0, RECEIPT)], 1), 1, 1) == set()
    assert holding(bring(days(REFUSED, *range(9)), 41), 41, 9) == set()


def test_campaigns_own_lists_are_mirrored_and_are_no_new_bounces() -> None:
    for row in (QUARANTINED, DENYLISTED):
        store = bring(days(row, 0, 1, 2, 3, 4))
        assert holding(store, day=5) == {CauseKind.PROVIDER}
        assert {each.status for each in stored(store).outcomes.values()} == {Status.REJECTED}


def test_quarantined_and_denylisted_are_told_apart_by_the_api() -> None:
    csv = (
        "address,status,errorReason,lastModified\n"
        f"{MAIL},Quarantine,1,2026-03-01 10:00:00\n"
        "spam@example.org,Denylisted,20,2026-03-01 10:00:00\n"
    )
    world = ListJobApi()
    target = "/suppressions/import?dry_run=false&format=campaign-addresses"
    assert world.api("POST", target, csv, {"content-type": "text/csv"}).status == 200
    api = Api(api_context(world.store))
    answer = api("POST", "/suppressions/check", {"recipients": [MAIL, "spam@example.org", "bob@example.org"]})
    found = [{each["cause"] for each in one.get("why", [])} for one in answer.json["results"]]
    assert found == [{"provider"}, {"complaint"}, set()]


def test_a_delivery_after_a_hard_failure_frees_nobody_by_itself() -> None:
    store = bring([(0, GONE[0])])
    opened = Message(
        "later", f'{HEADER}77,{MAIL},Received on mobile,2026-03-09 10:00:00,,,"",0\n'.encode(), START, "campaign"
    )
    assert not ingest([opened], ports(store, classify=RULES, policy=policy.load())).failed
    assert holding(store, day=9) == {CauseKind.HARD}
    assert find_contradiction_to_review(stored(store).suppressions[RECIPIENTS[0], "*"]) is not None
