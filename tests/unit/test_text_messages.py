"""Providers of text messages: numbers and apps, reports without a time, codes of one source alone."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import pytest

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Class, Feedback, Kind, Outcome, Protocol, Reason, Status
from aftersend.core.outcome import merge
from aftersend.core.times import UNKNOWN_TIME, format_time
from aftersend.core.vocabulary import Channel
from aftersend.sources import read
from aftersend.sources.text_messages import (
    MAX_FIELDS,
    NUMBERED,
    SMS,
    canonicalize_address,
    canonicalize_number,
    decode_form,
    parse_minute,
)

RULES = classify.load()
SID = "SM00000000000000000000000000000156"
NUMBER = "+14255550156"


def twilio(state: str, **fields: str) -> list[Feedback]:
    """What one status callback says."""
    form = {"MessageSid": SID, "MessageStatus": state, "To": NUMBER, "From": "+14255550100"} | fields
    return read("twilio", urlencode(form).encode())


def vonage(status: str, code: int | None = None, **fields: Any) -> Feedback:
    """What one status of the Messages API says."""
    body = {"message_uuid": "u-1", "to": "14255550156", "timestamp": "2026-03-02T10:11:12Z", "status": status}
    error = {} if code is None else {"error": {"title": code, "detail": "your account might not be enabled"}}
    (fact,) = read("vonage", json.dumps(body | error | fields).encode())
    return fact


def infobip(group: int, name: str, error: int = 0, why: str = "", **fields: Any) -> Feedback:
    """What one report says."""
    report = {
        "messageId": "m-1",
        "to": "14255550156",
        "doneAt": "2026-03-02T12:11:12.000+0200",
        "status": {"groupId": group, "name": name},
        "error": {"id": error, "name": "EC_X" if error else "NO_ERROR", "description": why, "permanent": True},
    }
    (fact,) = read("infobip", json.dumps({"results": [report | fields]}).encode())
    return fact


def fold(facts: tuple[Feedback, ...]) -> Outcome:
    """The outcome of facts that come one after another."""
    outcome: Outcome | None = None
    for fact in facts:
        outcome = merge(outcome, [fact], RULES)
    assert outcome is not None
    return outcome


def judge(fact: Feedback) -> tuple[Class, Reason]:
    verdict = RULES(fact)
    assert verdict is not None
    return verdict.klass, verdict.reason


class TestNumbers:
    @pytest.mark.parametrize(
        ("spelled", "canonical"),
        [
            ("14255550156", "sms:+14255550156"),
            ("+14255550156", "sms:+14255550156"),
            ("004915550123456", "sms:+4915550123456"),
            ("+1 (425) 555-0156", "sms:+14255550156"),
            ("015550123456", "sms:015550123456"),  # a national one, and nobody says of which nation
            ("72345", "sms:72345"),  # a short code
            ("1" * 16, "sms:" + "1" * 16),
            ("", UNNAMED),
            (" ", UNNAMED),
        ],
    )
    def test_digits_alone_are_international(self, spelled: str, canonical: str) -> None:
        assert canonicalize_number(spelled) == canonical

    @pytest.mark.parametrize("app", sorted(NUMBERED - {SMS}))
    def test_an_account_in_an_app_is_another_recipient(self, app: str) -> None:
        assert canonicalize_number("14255550156", app) == f"push:{app}:+14255550156"
        assert canonicalize_number("+14255550156", app) == f"push:{app}:+14255550156"

    def test_an_app_without_numbers_has_its_names_as_they_are(self) -> None:
        assert canonicalize_number("123456789012345", "messenger") == "push:messenger:123456789012345"

    def test_an_address_of_several_channels(self) -> None:
        assert canonicalize_address("Ann@Example.com", Channel.EMAIL) == "email:ann@example.com"
        assert canonicalize_address("", Channel.EMAIL) == UNNAMED
        assert canonicalize_address("14255550156", Channel.SMS) == "sms:+14255550156"

    def test_a_dead_number_says_nothing_of_the_account_in_an_app(self) -> None:
        (number,) = twilio("undelivered", ErrorCode="30005")
        (account,) = twilio("read", To="whatsapp:" + NUMBER)
        assert judge(number) == (Class.HARD, Reason.USER_UNKNOWN)
        assert number.recipient != account.recipient

    def test_the_recipient_stays_as_it_was_spelled(self) -> None:
        assert vonage("delivered").received_as == "14255550156"
        assert twilio("delivered")[0].received_as is None


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("2603021011", "2026-03-02T10:11:00Z"),
            ("260302101112", "2026-03-02T10:11:12Z"),
            ("0000000000", ""),
            ("", ""),
            ("26030210", ""),
            ("26-03-0210", ""),
            ("٢٦٠٣٠٢١٠١١", ""),
        ],
    )
    def test_minutes_of_networks(self, text: str, time: str) -> None:
        assert parse_minute(text) == time

    def test_a_minute_that_no_clock_shows_is_malformed(self) -> None:
        with pytest.raises(MalformedFeedback):
            twilio("delivered", RawDlrDoneDate="2699999999")

    def test_a_receipt_has_the_time_of_the_network_and_not_of_the_notice(self) -> None:
        form = {"messageId": "m", "msisdn": "14255550156", "status": "delivered", "scts": "2603021011"}
        first, again = (
            read("vonage", urlencode(form | {"message-timestamp": at}).encode())[0]
            for at in ("2026-03-02 10:11:12", "2026-03-02 10:21:12")
        )
        assert format_time(first.occurred_at) == "2026-03-02T10:11:00.000Z"
        assert first.id == again.id

    def test_a_callback_without_a_time_is_the_same_fact_however_often_it_comes(self) -> None:
        first, again = twilio("delivered"), twilio("delivered")
        assert first == again
        assert first[0].occurred_at == UNKNOWN_TIME

    def test_callbacks_without_times_end_the_same_in_any_order(self) -> None:
        states = ("queued", "sending", "sent", "delivered", "read")
        facts = [twilio(state)[0] for state in states]
        ends = {json.dumps([end.status, end.opens]) for end in map(fold, permutations(facts))}
        assert ends == {json.dumps([Status.DELIVERED, 1])}

    def test_a_refusal_speaks_whenever_it_comes(self) -> None:
        facts = (twilio("sent")[0], twilio("undelivered", ErrorCode="30005")[0])
        for order in permutations(facts):
            assert fold(order).status is Status.BOUNCED

    def test_an_event_of_event_streams_has_its_time(self) -> None:
        data = {"messageSid": SID, "to": NUMBER, "messageStatus": "DELIVERED", "timestamp": "2026-03-02T10:11:12.345Z"}
        event = {"type": "com.twilio.messaging.message.delivered", "time": "2026-03-02T10:11:13Z", "data": data}
        (fact,) = read("twilio", json.dumps([event]).encode())
        assert (fact.kind, format_time(fact.occurred_at)) == (Kind.DELIVERED, "2026-03-02T10:11:12.345Z")
        assert fact.message == twilio("delivered")[0].message


class TestForms:
    def test_the_first_of_two_values_counts(self) -> None:
        assert decode_form("x", b"a=1&b=&a=2") == {"a": "1", "b": ""}

    @pytest.mark.parametrize("body", [b"", b" ", b"hello", b"&".join([b"a=1"] * (MAX_FIELDS + 1))])
    def test_what_is_no_form_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedFeedback):
            decode_form("x", body)

    def test_a_receipt_says_the_same_as_query_and_as_json(self) -> None:
        form = {"messageId": "m", "msisdn": "14255550156", "to": "Shop", "status": "failed", "err-code": "3"}
        assert read("vonage", urlencode(form).encode()) == read("vonage", json.dumps(form).encode())


class TestStates:
    def test_what_an_operator_took_is_on_its_way(self) -> None:
        assert infobip(3, "DELIVERED_TO_OPERATOR").kind is Kind.SENT
        assert infobip(3, "DELIVERED_TO_HANDSET").kind is Kind.DELIVERED

    def test_what_no_network_answered_is_not_known(self) -> None:
        assert infobip(4, "EXPIRED_DLR_UNKNOWN").kind is Kind.UNKNOWN
        assert judge(infobip(4, "EXPIRED_EXPIRED")) == (Class.SOFT, Reason.EXPIRED)

    @pytest.mark.parametrize("error", [603, 604, 607, 608, 2050, 2052, 2053, 573])
    def test_permanent_is_no_word_about_the_number(self, error: int) -> None:
        assert judge(infobip(2, "UNDELIVERABLE_NOT_DELIVERED", error))[0] is not Class.HARD

    @pytest.mark.parametrize(
        ("state", "code", "kind"),
        [
            ("failed", "30005", Kind.BOUNCED),
            ("undelivered", "21610", Kind.REJECTED),
            ("failed", "30036", Kind.REJECTED),
            ("failed", "77777", Kind.REJECTED),
            ("undelivered", "77777", Kind.BOUNCED),
            ("undelivered", "", Kind.BOUNCED),
            ("delivered", "30005", Kind.DELIVERED),
        ],
    )
    def test_the_code_tells_whether_a_network_was_tried(self, state: str, code: str, kind: Kind) -> None:
        assert twilio(state, ErrorCode=code)[0].kind is kind

    def test_rejected_by_vonage_means_what_its_error_says(self) -> None:
        assert vonage("rejected", 1000).kind is Kind.REJECTED
        assert judge(vonage("rejected", 1190)) == (Class.HARD, Reason.USER_UNKNOWN)
        assert judge(vonage("rejected", 1180)) == (Class.SOFT, Reason.NETWORK_ERROR)

    def test_the_recipient_of_a_receipt_is_no_sender(self) -> None:
        form = {"messageId": "m", "msisdn": "14255550156", "to": "14255550100", "status": "delivered"}
        (fact,) = read("vonage", urlencode(form).encode())
        assert fact.recipient == "sms:+14255550156"
        assert fact.context is not None and fact.context.sender == "14255550100"

    def test_messages_that_came_in_are_none_of_ours(self) -> None:
        assert twilio("received") == []
        assert read("vonage", b'{"message_uuid":"u","to":"1","from":"2","text":"STOP"}') == []
        assert read("messagebird", b'{"event":"sms.inbound","payload":{"id":"1","status":"received"}}') == []


class TestCodes:
    CODES = ("1", "3", "5", "9", "30005", "351", "1190", "6006", "7002")

    def test_the_code_of_one_source_decides_for_no_other(self) -> None:
        """Code 5 is a fault of portability at Vonage, and a subscriber that is not identified at Infobip."""
        vonage_5 = read("vonage", b"messageId=m&msisdn=14255550156&status=failed&err-code=5")[0]
        infobip_5 = infobip(2, "UNDELIVERABLE_NOT_DELIVERED", 5)
        assert judge(vonage_5) != judge(infobip_5)

    @pytest.mark.parametrize("code", CODES)
    def test_a_code_of_a_network_is_no_reply_of_smtp(self, code: str) -> None:
        fact = infobip(2, "UNDELIVERABLE_NOT_DELIVERED", int(code))
        assert fact.evidence is not None
        assert fact.evidence.protocol in (Protocol.SMPP, Protocol.HTTP)

    def test_the_sentence_beside_a_code_is_not_read_as_that_of_a_mail_system(self) -> None:
        assert judge(vonage("undeliverable", 1260)) == (Class.SOFT, Reason.NETWORK_ERROR)
        assert judge(vonage("rejected", 9999)) == (Class.UNDETERMINED, Reason.UNDETERMINED)
        assert judge(twilio("undelivered", ErrorMessage="No such user here, mailbox unavailable")[0])[0] is (
            Class.UNDETERMINED
        )

    def test_mail_of_infobip_keeps_its_text(self) -> None:
        fact = infobip(2, "UNDELIVERABLE_NOT_DELIVERED", 6012, to="ann@example.com", why="552 5.2.2 mailbox full")
        assert (fact.recipient, judge(fact)) == ("email:ann@example.com", (Class.SOFT, Reason.MAILBOX_FULL))

    @pytest.mark.parametrize("code", [6003, 6034, 6035])
    def test_what_infobip_dropped_was_not_tried(self, code: int) -> None:
        fact = infobip(2, "UNDELIVERABLE_NOT_DELIVERED", code, to="ann@example.com")
        assert (fact.kind, judge(fact)) == (Kind.REJECTED, (Class.IGNORE, Reason.SUPPRESSED))


class TestWhatIsLeftOut:
    def test_a_report_without_the_id_of_its_message_is_kept(self) -> None:
        body = b"MessageStatus=undelivered&ErrorCode=30005&To=%2B14255550156"
        (first,), (again,) = read("twilio", body), read("twilio", body)
        assert first.message == again.message != "twilio:"
        assert judge(first) == (Class.HARD, Reason.USER_UNKNOWN)

    def test_about_nobody_and_no_message_is_nothing(self) -> None:
        assert read("twilio", b"MessageStatus=delivered") == []

    def test_an_event_that_names_nobody_is_about_whom_its_message_is(self) -> None:
        (fact,) = twilio("delivered", To="")
        assert fact.recipient == UNNAMED
        assert fact.message == f"twilio:{SID}"

    def test_each_receiver_of_bird_is_one(self) -> None:
        contacts = [{"identifierValue": "+14255550156"}, {"identifierValue": "+4915550123456"}]
        body = {"event": "sms.outbound", "payload": {"id": "1", "status": "sent", "receiver": {"contacts": contacts}}}
        found = read("messagebird", json.dumps(body).encode())
        assert [fact.recipient for fact in found] == ["sms:+14255550156", "sms:+4915550123456"]
