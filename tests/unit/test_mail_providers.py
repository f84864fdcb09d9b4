"""SparkPost, Mandrill, MailerSend, Mailtrap and Azure: what happened once is one fact, what was not tried no bounce."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from aftersend import classify
from aftersend.core.model import UNNAMED, Class, Feedback, Kind, Reason
from aftersend.sources import read

RULES = classify.load()


def sparkpost(type_: str, family: str = "message_event", **fields: Any) -> Feedback:
    """What one event of SparkPost says."""
    event = {"type": type_, "transmission_id": "t", "raw_rcpt_to": "ann@example.com", "timestamp": "1772445600"}
    (fact,) = read("sparkpost", json.dumps([{"msys": {family: event | fields}}]).encode())
    return fact


def mandrill(*events: dict[str, Any]) -> list[Feedback]:
    """What a form of Mandrill says."""
    return read("mandrill", urlencode({"mandrill_events": json.dumps(events)}).encode())


def bounce(word: str, **fields: Any) -> dict[str, Any]:
    return {"event": word, "_id": "m", "ts": 1772445646, "msg": {"email": "ann@example.com", "ts": 1772445600} | fields}


def mailersend(word: str, id_: str = "1", **why: Any) -> Feedback:
    """What one activity of MailerSend says, in its newer form."""
    data = {"id": id_, "message_id": "m", "recipient": "ann@example.com", "type": "rejected", "meta": why}
    body = {"type": f"activity.{word}", "created_at": "2026-03-02T10:11:12Z", "data": data}
    (fact,) = read("mailersend", json.dumps(body).encode())
    return fact


def judge(fact: Feedback) -> tuple[Class, Reason]:
    verdict = RULES(fact)
    assert verdict is not None
    return verdict.klass, verdict.reason


class TestOnce:
    def test_one_opening_that_sparkpost_tells_four_times(self) -> None:
        words = ("open", "initial_open", "amp_open", "amp_initial_open")
        facts = [sparkpost(word, "track_event", event_id=str(at)) for at, word in enumerate(words)]
        assert len({fact.id for fact in facts}) == 1

    @pytest.mark.parametrize("word", ["opened", "clicked"])
    def test_what_mailersend_tells_as_unique_besides(self, word: str) -> None:
        assert mailersend(word, "1").id == mailersend(f"{word}_unique", "2").id

    def test_two_openings_are_two(self) -> None:
        first, second = (sparkpost("open", "track_event", timestamp=at) for at in ("1772445600", "1772445601"))
        assert first.id != second.id

    def test_a_repeated_batch_holds_the_same_facts(self) -> None:
        events = (bounce("send"), bounce("hard_bounce", diag="smtp;550 5.1.1 no such user"), bounce("open"))
        assert mandrill(*events) == mandrill(*events)

    def test_an_event_in_both_schemas_of_event_grid_is_one_fact(self) -> None:
        data = {"recipient": "ann@example.com", "messageId": "m", "status": "Delivered"}
        name = "Microsoft.Communication.EmailDeliveryReportReceived"
        old = {"id": "1", "eventType": name, "eventTime": "2026-03-02T10:11:12Z", "data": data}
        new = {"id": "1", "type": name, "time": "2026-03-02T10:11:12Z", "specversion": "1.0", "data": data}
        assert read("azure", json.dumps([old]).encode()) == read("azure", json.dumps(new).encode())


class TestNotTried:
    @pytest.mark.parametrize(
        "fact",
        [
            sparkpost("generation_rejection", "gen_event", raw_reason="554 5.1.1 recipient suppressed"),
            sparkpost("policy_rejection", bounce_class="25", raw_reason="550 5.1.1 user unknown"),
            mandrill(bounce("reject", reject={"reason": "hard-bounce"}))[0],
        ],
        ids=["generation", "policy", "list"],
    )
    def test_what_stands_on_the_providers_list_is_no_bounce(self, fact: Feedback) -> None:
        assert (fact.kind, judge(fact)) == (Kind.REJECTED, (Class.IGNORE, Reason.SUPPRESSED))

    def test_lists_of_mandrill_are_about_no_message(self) -> None:
        assert mandrill({"type": "blacklist", "action": "add", "reject": {"email": "ann@example.com"}}) == []


class TestNotForGood:
    @pytest.mark.parametrize(
        "fact",
        [
            mandrill(bounce("soft_bounce", bounce_description="bad_mailbox", diag="550 5.1.1 no such user"))[0],
            mailersend("soft_bounced", bounce_reason="550 5.1.1 no such user"),
            sparkpost("delay", bounce_class="10", raw_reason="550 5.1.1 no such user"),
        ],
        ids=["mandrill", "mailersend", "sparkpost"],
    )
    def test_a_soft_bounce_is_soft_whatever_its_text_says(self, fact: Feedback) -> None:
        assert judge(fact) == (Class.SOFT, Reason.USER_UNKNOWN)

    @pytest.mark.parametrize("text", ["", "Unknown reason"])
    def test_a_hard_one_is_hard_where_nothing_says_why(self, text: str) -> None:
        assert judge(mailersend("hard_bounced", bounce_reason=text)) == (Class.HARD, Reason.UNDETERMINED)

    def test_a_hard_one_is_not_where_the_text_speaks_of_the_sender(self) -> None:
        diag = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example"
        assert judge(mandrill(bounce("hard_bounce", bounce_description="general", diag=diag))[0])[0] is Class.BLOCK


class TestTimesAndNames:
    def test_the_time_is_the_events_and_not_the_messages(self) -> None:
        assert mandrill(bounce("open"))[0].occurred_at.timestamp() == 1772445646

    def test_the_type_of_an_activity_counts_and_no_status_beside_it(self) -> None:
        assert mailersend("delivered").kind is Kind.DELIVERED

    def test_an_engagement_that_names_nobody_is_about_whom_its_message_is(self) -> None:
        data = {"messageId": "m", "engagementType": "view", "userActionTimeStamp": "2026-03-02T10:34:52.1303591+00:00"}
        name = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
        (fact,) = read("azure", json.dumps([{"id": "1", "eventType": name, "data": data}]).encode())
        assert (fact.kind, fact.recipient, fact.message) == (Kind.OPENED, UNNAMED, "azure:m")

    def test_a_reply_in_brackets_is_the_reply(self) -> None:
        event = {"event": "bounce", "message_id": "m", "email": "ann@example.com", "timestamp": 1772445600}
        response = {"response": "bounced (550 5.1.1 no such user (ann))"}
        (fact,) = read("mailtrap", json.dumps({"events": [event | response]}).encode())
        assert fact.evidence is not None
        assert (fact.evidence.code, fact.evidence.text) == (550, "550 5.1.1 no such user (ann)")
