"""Answers of push services: who tries again, how messages are named, what a dead token means, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from aftersend import classify
from aftersend.core import spike_guard
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Class, Feedback, Kind, Reason, Status
from aftersend.core.policy import load
from aftersend.core.suppression import find_active_causes
from aftersend.core.vocabulary import CauseKind
from aftersend.ingest import ingest
from aftersend.sources import apns, fcm, read
from aftersend.sources.message import Message
from aftersend.sources.push import NO_ANSWER, Retried
from tests.support.ports import NOW, MemoryStore, MemoryWatch, ports

RULES = classify.load()
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
GIVEN: dict[str, Any] = {"recipient": "0a0b", "message": "m", "at": "2026-03-02T10:00:00Z"}
TOKENS = {"apns": "0a0b", "fcm": "a:b", "baidu": "1", "webpush": "https://push.example.com/a"}


def tell(source: str, **fields: Any) -> Feedback:
    """The one fact that an answer becomes."""
    entry = {**GIVEN, "recipient": TOKENS[source], **fields}
    (found,) = read(source, msgspec.json.encode({name: each for name, each in entry.items() if each is not None}))
    return found


@pytest.mark.parametrize("source", TOKENS)
@pytest.mark.parametrize(
    ("fields", "said", "kind"),
    [
        ({"status": 503}, None, Kind.DEFERRED),
        ({"status": 503}, False, Kind.BOUNCED),
        ({"status": 429}, None, Kind.DEFERRED),
        ({"error": "timeout"}, None, Kind.DEFERRED),
        ({"error": "timeout"}, False, Kind.BOUNCED),
        ({"status": 0, "error": "timeout"}, True, Kind.DEFERRED),
        ({"status": 400}, None, Kind.BOUNCED),
        ({"status": 400}, True, Kind.DEFERRED),
        ({"status": 400, "headers": {"Retry-After": "60"}}, None, Kind.DEFERRED),
        ({"status": 400, "headers": {"Retry-After": "60"}}, False, Kind.BOUNCED),
        ({"status": 201}, True, Kind.DELIVERED),
    ],
    ids=str,
)
def test_what_the_sender_says_of_its_retries_counts_before_what_is_usual(
    source: str, fields: dict[str, Any], said: bool | None, kind: Kind
) -> None:
    assert tell(source, **fields, retry=said).kind is kind


@pytest.mark.parametrize("said", [None, True, False])
def test_a_dead_token_is_not_tried_again_whatever_is_said(said: bool | None) -> None:
    dead: dict[str, dict[str, Any]] = {
        "apns": {"status": 410},
        "webpush": {"status": 404},
        "baidu": {"body": {"error_code": 30608}},
    }
    for source, fields in dead.items():
        assert tell(source, retry=said, **fields).kind is Kind.BOUNCED
    for word in ("Unregistered", "BadDeviceToken"):
        assert tell("apns", status=400, body={"reason": word}, retry=said).kind is Kind.BOUNCED
    for word in ("NotRegistered", "InvalidRegistration"):
        assert tell("fcm", status=200, body={"results": [{"error": word}]}, retry=said).kind is Kind.BOUNCED


def test_the_device_s_quota_is_not_tried_again_and_the_project_s_is() -> None:
    """Adobe Campaign, Android V1: "device quota exceeded: no retry"."""
    kinds = {
        word: tell("fcm", status=200, body={"results": [{"error": word}]}).kind
        for word in ("DeviceMessageRateExceeded", "Unavailable", "MessageTooBig")
    }
    assert kinds == {
        "DeviceMessageRateExceeded": Kind.BOUNCED,
        "Unavailable": Kind.DEFERRED,
        "MessageTooBig": Kind.DEFERRED,
    }
    after = {"Retry-After": "60"}
    assert tell("apns", status=429, body={"reason": "TooManyRequests"}, headers=after).kind is Kind.BOUNCED
    assert tell("apns", status=429, body={"reason": "TooManyProviderTokenUpdates"}).kind is Kind.DEFERRED


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        ("apns", {}, "apns:m"),
        ("apns", {"message": "apns:m"}, "apns:m"),
        ("apns", {"message": "EABEAE54-0000-4000-8000-00000000000A"}, "apns:eabeae54-0000-4000-8000-00000000000a"),
        ("apns", {"message": None, "headers": {"Apns-Id": "EABEAE54-0000-4000-8000-00000000000A"}},
         "apns:eabeae54-0000-4000-8000-00000000000a"),
        ("fcm", {"message": None, "body": {"name": "projects/shop/messages/0:1%2"}}, "fcm:0:1%2"),
        ("fcm", {"message": None, "body": {"message_id": 12345}}, "fcm:12345"),
        ("baidu", {"message": None, "body": {"response_params": {"msg_id": "9"}}}, "baidu:9"),
        ("webpush", {"message": None, "headers": {"location": "https://push.example.com/m/1"}},
         "webpush:https://push.example.com/m/1"),
    ],
)  # fmt: skip
def test_a_message_is_named_by_its_sender_else_by_who_answered(source: str, fields: Any, message: str) -> None:
    assert tell(source, status=200, **fields).message == message


def test_an_answer_that_names_nobody_is_about_its_message() -> None:
    found = tell("apns", recipient=None, status=410, headers={"apns-id": "ID"})
    assert (found.recipient, found.message) == (UNNAMED, "apns:m")
    with pytest.raises(MalformedFeedback, match="recipient: is missing, and so is message"):
        tell("apns", recipient=None, message=None, status=410)


def test_a_message_that_nobody_named_is_the_same_however_often_it_is_told() -> None:
    one, again, other = (
        tell("webpush", message=None, status=410, at=at) for at in (GIVEN["at"], GIVEN["at"], "2026-03-02T10:00:01Z")
    )
    assert one.id == again.id
    assert one.message == again.message != other.message


def test_the_service_s_own_id_is_found_beside_the_sender_s() -> None:
    found = tell("fcm", status=200, body={"name": "projects/shop/messages/0:1"}, correlation={"campaign": "c"})
    assert found.context is not None
    assert found.context.correlation == {"campaign": "c", "fcm-id": "0:1"}


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        (1772446275123, datetime(2026, 3, 2, 10, 11, 15, 123_000, UTC)),
        ("1772446275123", datetime(2026, 3, 2, 10, 11, 15, 123_000, UTC)),
        (1772446275, datetime(2026, 3, 2, 10, 11, 15, tzinfo=UTC)),
        (0, AT), (-1, AT), (10**40, AT), (1e300, AT), (True, AT), ("soon", AT), ([], AT), (None, AT),
    ],
)  # fmt: skip
def test_a_token_died_when_apple_says(timestamp: object, at: datetime) -> None:
    assert tell("apns", status=410, body={"reason": "Unregistered", "timestamp": timestamp}).occurred_at == at


def test_a_time_of_death_counts_for_dead_tokens_alone() -> None:
    assert tell("apns", status=429, body={"reason": "TooManyRequests", "timestamp": 1772446275123}).occurred_at == AT


def test_a_token_of_another_service_is_refused_and_its_own_name_is_taken() -> None:
    assert tell("apns", recipient="PUSH:apns:0a0b", status=200).recipient == "push:apns:0a0b"
    for wrong in ("push:fcm:0a0b", "<0a0b 0c0d>", "", "x" * 3000):
        with pytest.raises(Exception, match="apns: recipient: ") as raised:
            tell("apns", recipient=wrong, status=200)
        assert "0a0b" not in str(raised.value)


# -- Whose fault it is -------------------------------------------------------------------------------------------------

ADDRESS = {Class.HARD, Class.SOFT}
OF_TOKENS = {*(name for name, retried in apns.REASONS.items() if retried is Retried.NEVER)}
OF_TOKENS |= {name for name, retried in fcm.CODES.items() if retried is Retried.NEVER}
OF_SERVICES = {"InternalServerError", "ServiceUnavailable", "Shutdown", "IdleTimeout", NO_ANSWER}
OF_SERVICES |= {"UNAVAILABLE", "INTERNAL", "ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "Unavailable"}
TEXTS = [None, "550 5.1.1 User unknown", "mailbox full", "Requested entity was not found.", "no such device token"]


@pytest.mark.parametrize(("source", "words"), [("apns", apns.REASONS), ("fcm", fcm.CODES)])
def test_what_is_the_sender_s_fault_is_never_held_against_the_token(source: str, words: dict[str, Any]) -> None:
    """Law 5: "Never the recipient's fault when it is the sender's", whatever stands beside the word."""
    for word in words:
        for status in (200, 400, 403, 404, 429, 500):
            for text in TEXTS:
                fact = (
                    tell(source, status=status, body={"reason": word})
                    if source == "apns"
                    else _error(word, text, status)
                )
                verdict = RULES(fact)
                assert verdict is not None
                if fact.evidence and (fact.evidence.provider_code or "").endswith(fcm.TOKEN):
                    continue
                expected = Class.HARD if word in OF_TOKENS else Class.SOFT if word in OF_SERVICES else None
                assert (verdict.klass if verdict.klass in ADDRESS else None) is expected, (word, status, text)


def _error(word: str, text: str | None, status: int) -> Feedback:
    details = [{"@type": "x", "errorCode": word}]
    return tell("fcm", status=status, body={"error": {"code": status, "message": text, "details": details}})


# -- What becomes of it ------------------------------------------------------------------------------------------------


def take(*bodies: dict[str, Any], source: str = "apns") -> MemoryStore:
    store = MemoryStore()
    for number, body in enumerate(bodies):
        report = ingest([Message(str(number), msgspec.json.encode(body), NOW, source)], ports(store, classify=RULES))
        assert not report.unreadable and not report.failed
    return store


def holds(store: MemoryStore, recipient: str = "push:apns:0a0b") -> tuple[CauseKind, ...]:
    row = store.get_suppressions([(recipient, "*")]).get((recipient, "*"))
    return find_active_causes(row, NOW) if row else ()


DEAD = {**GIVEN, "status": 410, "body": {"reason": "Unregistered", "timestamp": 1772445600000}}  # 10:00
TAKEN = {**GIVEN, "status": 200, "message": "later", "at": "2026-03-02T11:00:00Z"}
REGISTERED = {"event": "registered", "recipient": "0a0b", "at": "2026-03-02T11:00:00Z"}


def test_a_dead_token_is_suppressed_at_once() -> None:
    assert holds(take(DEAD)) == (CauseKind.HARD,)


@pytest.mark.parametrize("sign", [TAKEN, REGISTERED], ids=["delivered", "registered"])
def test_a_token_that_lives_after_its_death_is_alive_until_it_dies_again(sign: dict[str, Any]) -> None:
    again = {**DEAD, "message": "again", "body": {"reason": "Unregistered", "timestamp": 1772452800000}}  # 12:00
    before = {**sign, "message": "before", "at": "2026-03-02T09:00:00Z"}
    for order in permutations([DEAD, sign]):
        assert holds(take(*order)) == ()
    for order in permutations([DEAD, before]):
        assert holds(take(*order)) == (CauseKind.HARD,)
    for order in permutations([DEAD, sign, again]):
        assert holds(take(*order)) == (CauseKind.HARD,)


def test_a_try_that_failed_and_one_that_was_taken_are_one_message_that_was_delivered() -> None:
    failed = {**GIVEN, "status": 503, "body": {"reason": "Shutdown"}}
    for order in permutations([failed, {**GIVEN, "status": 200, "at": "2026-03-02T10:05:00Z"}]):
        store = take(*order)
        found = store.get_outcomes([("push:apns:0a0b", "apns:m")])["push:apns:0a0b", "apns:m"]
        assert (found.status, found.attempts) == (Status.DELIVERED, 2)


def test_services_that_do_not_answer_never_make_a_streak() -> None:
    silent = [
        {**GIVEN, "message": f"m{day}", "at": (AT + timedelta(days=day)).isoformat(), "error": "timeout"}
        for day in range(9)
    ]
    assert holds(take(*silent)) == ()


def test_the_wrong_environment_is_noticed_by_the_spike_guard() -> None:
    """A token of the sandbox is refused in production as `BadDeviceToken`, and then all of them are."""
    watch, store = MemoryWatch(), MemoryStore()
    lines = [
        msgspec.json.encode(
            {**GIVEN, "recipient": f"{number:064x}", "status": 400, "body": {"reason": "BadDeviceToken"}}
        )
        for number in range(60)
    ]
    ingest([Message("1", b"\n".join(lines), NOW, "apns")], ports(store, classify=RULES, spike_windows=watch))
    (traffic,) = watch.windows.values()
    (incident,) = spike_guard.find_incidents(traffic, load().guard)
    assert (incident.window.domain, incident.reason, incident.refused) == ("push:apns", Reason.INVALID_ADDRESS, 60)
    recipient = f"push:apns:{5:064x}"
    row = store.get_suppressions([(recipient, "*")])[recipient, "*"]
    assert find_active_causes(row, NOW) == (CauseKind.HARD,)
    assert find_active_causes(row, NOW, spike_guard.find_reverted_windows([incident], recipient)) == ()
