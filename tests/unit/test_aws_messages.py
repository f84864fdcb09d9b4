"""What AWS says of text and push messages: final or not, by which way it came, and what the pages say of it."""

from __future__ import annotations

import json
import re
from itertools import permutations
from typing import Any, Final

import pytest

from aftersend import classify
from aftersend.core.model import CauseKind, Class, Feedback, Kind
from aftersend.core.suppression import find_active_causes
from aftersend.ingest import ingest
from aftersend.sources import aws_sms, read
from aftersend.sources.message import Message
from local.samples import EVENTS
from tests.support.ports import NOW, MemoryStore, ports
from tests.support.template import ROOT

RULES = classify.load()
EVENT: Final[dict[str, Any]] = {
    "eventType": "TEXT_INVALID",
    "eventTimestamp": 1772446275123,
    "isFinal": True,
    "destinationPhoneNumber": "+14255550101",
    "messageId": "m",
    "messageStatusDescription": "Invalid phone number",
}
LOG: Final[dict[str, Any]] = {
    "notification": {"messageId": "m", "timestamp": "2026-03-02 10:11:15.558"},
    "delivery": {"destination": "+14255550101", "providerResponse": "Invalid phone number"},
    "status": "FAILURE",
}


def tell(source: str, event: dict[str, Any]) -> Feedback:
    (found,) = read(source, json.dumps(event).encode())
    return found


# -- Text messages -----------------------------------------------------------------------------------------------------

PAGE: Final = (ROOT / "docs" / "aws_sms.md").read_text("utf-8")
_ROW: Final = re.compile(r"^\| (`[A-Z_`, ]+) \| `(\w+)` \| (?:`(\w+)`)? ?\| (\w*) ?\|$", re.MULTILINE)
ROWS = [(word, *row[1:]) for row in _ROW.findall(PAGE) for word in re.findall(r"`(\w+)`", row[0])]


def test_the_table_of_events_is_true() -> None:
    known = {word for word, *_ in ROWS}
    assert known == aws_sms.ON_ITS_WAY | (aws_sms.ARRIVED - {"READ"}) | aws_sms.FAILED | {"PROTECT_BLOCKED"}
    for word, kind, reason, klass in ROWS:
        fact = tell("aws_sms", EVENT | {"eventType": f"TEXT_{word}"})
        verdict = RULES(fact)
        assert fact.kind.value == kind
        assert ((verdict.reason, verdict.klass) if verdict else ("", "")) == (reason, klass), word


@pytest.mark.parametrize("word", sorted(aws_sms.FAILED))
def test_what_failed_and_is_not_final_is_tried_again_and_suppresses_nobody(word: str) -> None:
    fact = tell("aws_sms", EVENT | {"eventType": f"TEXT_{word}", "isFinal": False})
    verdict = RULES(fact)
    assert fact.kind is Kind.DEFERRED
    assert verdict is not None and verdict.klass is not Class.HARD


def test_what_arrived_counts_where_it_is_final() -> None:
    kinds = [
        tell("aws_sms", EVENT | {"eventType": f"TEXT_{word}", "isFinal": final}).kind
        for word in ("SUCCESSFUL", "DELIVERED")
        for final in (True, False)
    ]
    assert kinds == [Kind.SENT, Kind.SENT, Kind.DELIVERED, Kind.SENT]


def test_by_whichever_way_an_event_comes_it_is_one_fact() -> None:
    text = json.dumps(EVENT)
    eventbridge = {"detail-type": "Text Message Delivery Status Updated", "source": "aws.sms-voice", "detail": EVENT}
    sns = {"Type": "Notification", "Message": text, "TopicArn": "arn:aws:sns:us-east-1:1:t"}
    log = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "sms",
        "logEvents": [{"id": "1", "timestamp": 1, "message": text}],
    }
    ways = [EVENT, eventbridge, sns, log, [EVENT], [eventbridge], sns | {"Message": json.dumps(eventbridge)}]
    facts = [fact for way in ways for fact in read("aws_sms", json.dumps(way).encode())]
    facts += read("aws_sms", f"{text}\n{text}\n".encode())
    assert len(facts) == len(ways) + 2
    assert len({fact.id for fact in facts}) == 1


@pytest.mark.parametrize("sentence", aws_sms.REASONS)
def test_a_sentence_of_a_log_means_what_the_event_means_that_has_it(sentence: str) -> None:
    word = aws_sms.REASONS[sentence]
    given = LOG["delivery"] | {"providerResponse": f" {sentence.capitalize()}. "}
    fact = tell("aws_sms", LOG | {"delivery": given})
    assert fact.evidence is not None and fact.evidence.provider_code == f"SMS/{word}"
    assert fact.kind is (Kind.REJECTED if word in aws_sms.NOT_TRIED else Kind.BOUNCED)
    if word in aws_sms.FAILED:
        assert RULES(fact) == RULES(tell("aws_sms", EVENT | {"eventType": f"TEXT_{word}"}))


def test_what_is_not_the_number_s_fault_never_counts_against_it() -> None:
    """Law 5: "Never the recipient's fault when it is the sender's"."""
    for word in ("CARRIER_BLOCKED", "SPAM", "INVALID_MESSAGE", "PROTECT_BLOCKED", "FILE_SIZE_EXCEEDED"):
        for text in ("Invalid phone number", "550 5.1.1 User unknown", "mailbox full", ""):
            given = EVENT | {"eventType": f"TEXT_{word}", "messageStatusDescription": text}
            verdict = RULES(tell("aws_sms", given))
            assert verdict is not None and verdict.klass not in (Class.HARD, Class.SOFT)


# -- What becomes of it ------------------------------------------------------------------------------------------------


def end(source: str, *bodies: bytes) -> tuple[CauseKind, ...]:
    """The causes that hold after all of them, which are about one recipient."""
    store = MemoryStore()
    for number, body in enumerate(bodies):
        report = ingest([Message(str(number), body, NOW, source)], ports(store, classify=RULES))
        assert not report.unreadable and not report.failed
    recipients = {fact.recipient for body in bodies for fact in read(source, body)}
    (recipient,) = recipients
    row = store.get_suppressions([(recipient, "*")]).get((recipient, "*"))
    return find_active_causes(row, NOW) if row else ()


def test_a_number_that_was_dead_and_takes_a_message_is_alive() -> None:
    dead = json.dumps(EVENT).encode()
    later = {"eventTimestamp": 1772532675123, "messageId": "later"}
    alive = json.dumps(EVENT | {"eventType": "TEXT_DELIVERED"} | later).encode()
    accepted = json.dumps(EVENT | {"eventType": "TEXT_SUCCESSFUL"} | later).encode()
    assert end("aws_sms", dead) == (CauseKind.HARD,)
    for order in permutations([dead, alive]):
        assert end("aws_sms", *order) == ()
    for order in permutations([dead, accepted]):  # the carrier's word is no sign of life
        assert end("aws_sms", *order) == (CauseKind.HARD,)


def test_an_endpoint_that_was_dead_and_takes_a_message_is_alive() -> None:
    story = [(EVENTS / "sns_push" / f"story-endpoint.{name}.json").read_bytes() for name in ("1-dead", "2-taken")]
    assert end("sns_push", story[0]) == (CauseKind.HARD,)
    for order in permutations(story):
        assert end("sns_push", *order) == ()


# -- Push messages -----------------------------------------------------------------------------------------------------

PUSHED: Final[dict[str, Any]] = {
    "status": "SUCCESS",
    "notification": {"timestamp": "2026-03-02 10:11:12.345", "messageId": "m"},
    "delivery": {"statusCode": 200, "destination": "arn:aws:sns:us-east-1:1:endpoint/GCM/shop/1", "attempts": 1},
}


@pytest.mark.parametrize(
    ("response", "kind", "word"),
    [
        ("", Kind.DELIVERED, None),
        (None, Kind.DELIVERED, None),
        ('{"results":[{"message_id":"0:1"}]}', Kind.DELIVERED, None),
        ('{"results":[{"error":"NotRegistered"}]}', Kind.BOUNCED, "NotRegistered"),
        ('{"results":[{"error":"WordOfTomorrow"}]}', Kind.BOUNCED, "WordOfTomorrow"),
        ('{"reason":"Unregistered"}', Kind.BOUNCED, "Unregistered"),
        ('{"error":{"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}', Kind.BOUNCED, "UNREGISTERED"),
        ('{"results":[{"error":5}]}', Kind.DELIVERED, None),
        ("[" * 5000, Kind.DELIVERED, None),
    ],
)
def test_what_the_service_answered_decides_over_what_the_log_says(response: Any, kind: Kind, word: str | None) -> None:
    fact = tell("sns_push", PUSHED | {"delivery": PUSHED["delivery"] | {"providerResponse": response}})
    assert fact.evidence is not None
    assert (fact.kind, fact.evidence.provider_code) == (kind, word)


def test_the_token_stands_beside_the_endpoint_that_is_the_recipient() -> None:
    fact = tell("sns_push", PUSHED | {"delivery": PUSHED["delivery"] | {"token": "t" * 300}})
    assert fact.recipient == "push:sns:arn:aws:sns:us-east-1:1:endpoint/GCM/shop/1"
    assert fact.context is not None and fact.context.correlation == {"token": "t" * 200}
