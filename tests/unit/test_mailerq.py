"""The MailerQ parser: which attempt says what, how a message is known, and what a body may cost.

`events/mailerq` holds whole bodies with what they say; here stands what several of them must have in common.
"""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Class, Feedback, Kind, Outcome, Reason, Status
from aftersend.core.outcome import merge
from aftersend.sources import read
from aftersend.sources.mailerq import EARLIEST, ENDS, LATEST
from aftersend.sources.mailerq import body as mailerq_body
from aftersend.sources.mailerq.facts import MAX_CODE, MAX_TLS, parse_flag
from local.samples import EVENTS
from tests.support.facts import START
from tests.support.mailerq import ACCEPTED, ANN, FAILURES, GAVE_UP, OVERRIDES, RESULTS, STATES, attempt, message, raw

RULES = classify.load()
UNKNOWN_USER = ("rcptto/error", 550, "5.1.1", "5.1.1 user unknown")
LATER = ("rcptto/error", 450, "4.1.1", "4.1.1 user unknown")


def parse_attempts(*attempts: dict[str, Any], queue: str = "", **others: Any) -> list[Feedback]:
    return read("mailerq", raw(message(*attempts, **others)), {"x-queue": queue})


def last(*attempts: dict[str, Any], queue: str = "results", **others: Any) -> Feedback:
    return parse_attempts(*attempts, queue=queue, **others)[-1]


def name_verdict(fact: Feedback) -> str:
    verdict = RULES(fact)
    assert verdict is not None
    return f"{verdict.reason}/{verdict.klass}"


def folded(facts: list[Feedback]) -> Outcome:
    return merge(None, facts, RULES)


# -- One attempt, one fact ---------------------------------------------------------------------------------------------


def test_one_object_by_two_queues_is_one_feedback_for_each_attempt() -> None:
    """E1: consuming results and success or failure gives each final object twice."""
    attempts = [attempt(*LATER), attempt(*UNKNOWN_USER, hours=1)]
    by_results, by_failure = parse_attempts(*attempts, queue="results"), parse_attempts(*attempts, queue="failure")
    assert [fact.id for fact in by_results] == [fact.id for fact in by_failure]
    assert [fact.kind for fact in by_results] == [Kind.DEFERRED, Kind.BOUNCED]


def test_an_attempt_is_the_same_fact_in_every_later_copy() -> None:
    attempts = [attempt(*each, hours=hours) for hours, each in enumerate([*FAILURES, ACCEPTED])]
    whole = [fact.id for fact in parse_attempts(*attempts, queue="success")]
    for made in range(1, len(attempts)):
        assert [fact.id for fact in parse_attempts(*attempts[:made], queue="retry")] == whole[:made]


def test_attempts_are_numbered_and_giving_up_is_none() -> None:
    attempts = [attempt(*LATER), attempt(*LATER, hours=1), attempt(*GAVE_UP, hours=2)]
    assert [fact.evidence and fact.evidence.attempt for fact in parse_attempts(*attempts)] == [1, 2, 2]
    assert folded(parse_attempts(*attempts)).attempts == 2


def test_of_very_many_attempts_the_first_and_the_last_become_facts() -> None:
    count = EARLIEST + LATEST + 40
    attempts = [attempt(*LATER, hours=hours) for hours in range(count)]
    numbers = [fact.evidence and fact.evidence.attempt for fact in parse_attempts(*attempts, queue="failure")]
    assert numbers == [*range(1, EARLIEST + 1), *range(count - LATEST + 1, count + 1)]


def test_very_many_attempts_come_to_the_same_with_and_without_the_retry_queue() -> None:
    """What the bounds of a body leave out, the bounds of an outcome leave out too."""
    attempts = [attempt(*LATER, hours=hours) for hours in range(90)]
    whole = folded(parse_attempts(*attempts, queue="failure"))
    copies = [fact for made in range(1, 90) for fact in parse_attempts(*attempts[:made], queue="retry")]
    assert merge(whole, copies, RULES) == whole
    assert merge(folded(copies), parse_attempts(*attempts, queue="failure"), RULES) == whole
    assert whole.attempts == 90


# -- Final or not ------------------------------------------------------------------------------------------------------

NEXT = (START + timedelta(minutes=10)).strftime("%Y-%m-%d %H:%M:%S")
BEFORE = (START - timedelta(minutes=10)).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("queue", "others", "fatal", "kind"),
    [
        ("results", {}, None, Kind.BOUNCED),
        ("success", {}, None, Kind.BOUNCED),
        ("failure", {"nextattempt": {"time": NEXT}}, False, Kind.BOUNCED),  # the queue stands above all
        ("failures", {"nextattempt": {"time": NEXT}}, False, Kind.BOUNCED),
        ("retry", {}, True, Kind.DEFERRED),
        ("", {}, None, Kind.BOUNCED),
        ("", {}, True, Kind.BOUNCED),
        ("", {}, False, Kind.DEFERRED),
        ("", {"nextattempt": {"time": NEXT}}, None, Kind.DEFERRED),
        ("", {"nextattempt": {"time": NEXT}}, True, Kind.DEFERRED),  # a plan is more than an opinion
        ("", {"nextattempt": NEXT}, None, Kind.DEFERRED),
        ("", {"delayed": NEXT}, None, Kind.DEFERRED),
        ("", {"delayed": BEFORE}, None, Kind.BOUNCED),  # the plan for an attempt that was made
        ("", {"nextattempt": {"time": BEFORE}, "delayed": NEXT}, None, Kind.DEFERRED),
        ("", {"nextattempt": "soon"}, None, Kind.DEFERRED),
        ("", {"nextattempt": None}, None, Kind.BOUNCED),
        ("Retry", {"delayed": NEXT}, None, Kind.DEFERRED),  # no word of ours: nothing is taken from it
        ("my-retries", {}, None, Kind.BOUNCED),
    ],
)
def test_final_or_not(queue: str, others: dict[str, Any], fatal: bool | None, kind: Kind) -> None:
    details: dict[str, Any] = {} if fatal is None else {"fatal": fatal}
    assert last(attempt(*LATER, **details), queue=queue, **others).kind is kind


@pytest.mark.parametrize("queue", [*ENDS, ""])
def test_what_was_accepted_is_delivered_whatever_the_queue(queue: str) -> None:
    assert last(attempt(*ACCEPTED), queue=queue, nextattempt={"time": NEXT}).kind is Kind.DELIVERED


def test_what_was_given_up_is_over_where_nobody_knows_the_queue() -> None:
    assert last(attempt(*LATER), attempt(*GAVE_UP), queue="", nextattempt={"time": NEXT}).kind is Kind.BOUNCED


# -- What an attempt means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "result"), list(product(STATES, RESULTS)))
def test_only_a_reply_about_the_recipient_is_hard(state: str, result: str) -> None:
    """Law 5: whatever a server says before RCPT TO, and whatever is no reply, is not the recipient's fault."""
    verdict = RULES(last(attempt(f"{state}/{result}", *UNKNOWN_USER[1:])))
    assert verdict is not None
    may_be_hard = result == "error" and state in ("rcptto", "data", "message", "unknown")
    assert (verdict.klass is Class.HARD) is may_be_hard


@pytest.mark.parametrize(("state", "result"), list(product(STATES, RESULTS)))
def test_giving_up_means_what_the_attempt_before_meant(state: str, result: str) -> None:
    failed = attempt(f"{state}/{result}", *UNKNOWN_USER[1:])
    if (state, result) == ("process", "timeout"):
        return
    alone, given_up = last(failed), last(failed, attempt(*GAVE_UP, hours=9))
    assert (given_up.kind, name_verdict(given_up)) == (alone.kind, name_verdict(alone))
    assert given_up.evidence and given_up.evidence.provider_code == f"process/timeout after={state}/{result}"


@pytest.mark.parametrize("state", STATES)
def test_who_refused(state: str) -> None:
    """`rejected` is MailerQ's own refusal: no other system was asked."""
    own = {"process", "suppression", "storage", "responsive", "personalize", "rewrite", "amqp", "bind"}
    assert last(attempt(f"{state}/error")).kind is (Kind.REJECTED if state in own else Kind.BOUNCED)


def test_what_was_never_tried_is_not_held_against_the_recipient() -> None:
    """Law 5: MailerQ was down, or slow, for longer than the message was to live."""
    untried = last(attempt(*GAVE_UP))
    assert (untried.kind, name_verdict(untried)) == (Kind.REJECTED, "expired/soft")
    verdict = RULES(untried)
    assert verdict is not None
    assert "before it had tried" in RULES.advise(verdict, "process/timeout")


def test_a_last_attempt_that_says_nothing_leaves_that_it_expired() -> None:
    assert name_verdict(last(attempt("rcptto/error"), attempt(*GAVE_UP, hours=1))) == "expired/soft"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Domain does not exist", "invalid_domain/hard"),
        ("NXDOMAIN", "invalid_domain/hard"),
        ("No IP addresses available for accepting mail", "dns_failure/soft"),
        ("Lookup failed", "dns_failure/soft"),
        (None, "dns_failure/soft"),
    ],
)
def test_of_a_failed_lookup_only_the_text_says_whether_there_is_such_a_domain(text: str | None, verdict: str) -> None:
    """MailerQ's own code and status are the same for both."""
    assert name_verdict(last(attempt("dns/error", 512, "5.1.2", text))) == verdict


def test_the_code_decides_over_a_status_that_contradicts_it() -> None:
    """The sample of the source document: 451 with 5.0.0."""
    assert name_verdict(last(attempt("rcptto/error", 451, "5.1.1", "user unknown"))) == "user_unknown/soft"
    assert name_verdict(last(attempt("rcptto/error", 550, "4.1.1", "user unknown"))) == "user_unknown/hard"


def test_the_code_and_the_status_are_read_from_the_text_where_they_are_missing() -> None:
    evidence = last(attempt("rcptto/error", None, None, "550 5.1.1 user unknown")).evidence
    assert evidence and (evidence.code, evidence.status) == (550, "5.1.1")


@pytest.mark.parametrize("state", ["intro", "ehlo", "helo"])
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((451, "5.0.0", "Please come back later"), "system_error/soft"),  # the manual's own example
        ((421, None, None), "system_error/soft"),
        ((421, None, "Service not available, closing transmission channel"), "system_error/soft"),
        ((421, "4.7.0", "4.7.0 too many connections"), "rate_limited/ignore"),
        ((450, None, "450 your IP address is on a block list"), "blocked/block"),
        ((554, None, "no"), "blocked/block"),
    ],
)
def test_a_refusal_for_now_at_the_greeting_is_no_block(state: str, answer: tuple[Any, ...], verdict: str) -> None:
    assert name_verdict(last(attempt(f"{state}/error", *answer))) == verdict


# -- Overrides ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said_by_server", "details", "verdict"),
    [
        (LATER, {}, "user_unknown/soft"),
        (LATER, {"fatal": True}, "user_unknown/hard"),
        (LATER, {"fatal": True, "individual": False}, "user_unknown/ignore"),
        (("data/error", 421, "4.7.0", "try later"), {"fatal": True}, "system_error/soft"),
        (("intro/error", 450, None, "user unknown"), {"fatal": True}, "blocked/block"),
        (UNKNOWN_USER, {}, "user_unknown/hard"),
        (UNKNOWN_USER, {"fatal": False}, "user_unknown/soft"),
        (UNKNOWN_USER, {"individual": False}, "user_unknown/ignore"),
        (UNKNOWN_USER, {"individual": True}, "user_unknown/hard"),
        (UNKNOWN_USER, {"strange": True}, "user_unknown/soft"),
        (UNKNOWN_USER, {"fallback": True}, "user_unknown/soft"),
        (UNKNOWN_USER, {"greylisted": True}, "greylisted/ignore"),
        (UNKNOWN_USER, {"greylisted": False, "strange": False, "fallback": False}, "user_unknown/hard"),
        (("suppression/error", 550, None, "on our list"), {"greylisted": True}, "suppressed/ignore"),
        (("dns/error", 512, "5.1.2", "domain does not exist"), {"individual": False}, "invalid_domain/ignore"),
        (("rcptto/error", 452, "4.2.2", "mailbox full"), {"individual": False}, "mailbox_full/ignore"),
        (("rcptto/error", 452, "4.2.2", "mailbox full"), {"individual": True}, "mailbox_full/soft"),
        (("message/error", 554, "5.7.1", "looks like spam"), {"individual": False}, "spam_content/block"),
    ],
)
def test_overrides(said_by_server: tuple[str, int, str | None, str], details: dict[str, Any], verdict: str) -> None:
    assert name_verdict(last(attempt(*said_by_server, **details))) == verdict
    after = last(attempt(*said_by_server, **details), attempt(*GAVE_UP, hours=1))
    assert name_verdict(after) == verdict


ODD: list[object] = [None, "", "maybe", 2, 0.5, [], {}, [True]]


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        *[(yes, True) for yes in (True, 1, "true", "1", " True ")],
        *[(no, False) for no in (False, 0, "false", "0")],
        *[(other, None) for other in ODD],
    ],
)
def test_yes_and_no_in_any_type(value: object, meaning: bool | None) -> None:
    assert parse_flag(value) is meaning


@pytest.mark.parametrize("state", ["rcptto", "authpassword", "some-new-state-of-theirs"])
def test_no_provider_code_grows_too_long_and_none_loses_what_spares_the_address(state: str) -> None:
    for values in product([None, True, False], repeat=len(OVERRIDES)):
        details: dict[str, Any] = {
            name: value for name, value in zip(OVERRIDES, values, strict=True) if value is not None
        }
        for attempts in ([], [attempt(*GAVE_UP, hours=1)]):
            fact = last(attempt(f"{state}/error", *UNKNOWN_USER[1:], **details), *attempts)
            assert fact.evidence and fact.evidence.provider_code and len(fact.evidence.provider_code) <= MAX_CODE
            spares = {("fatal", False), ("individual", False), ("strange", True), ("fallback", True)}
            if spares & details.items() or details.get("greylisted"):
                verdict = RULES(fact)
                assert verdict is not None and verdict.klass is not Class.HARD


def test_overrides_of_other_sources_mean_nothing() -> None:
    evidence = last(attempt(*UNKNOWN_USER, strange=True)).evidence
    assert evidence is not None
    assert RULES.judge(source="report", evidence=evidence).klass is Class.HARD


# -- How a message is known --------------------------------------------------------------------------------------------

HEADERS = {"headers": {"message-id": "<m-1@example.com>"}}


@pytest.mark.parametrize(
    ("others", "name"),
    [
        ({"message-id": "abc", "dsn": {"envid": "e"}, "extracted": HEADERS}, "rfc5322:m-1@example.com"),
        ({"message-id": "abc", "dsn": {"envid": "e"}, "extracted": None}, "envid:e"),
        ({"message-id": "abc", "dsn": {"envid": "QQ+3D1"}}, "envid:QQ=1"),
        ({"message-id": "abc", "dsn": {"envid": "m-1@example.com"}}, "rfc5322:m-1@example.com"),
        ({"message-id": "abc", "dsn": {"envid": {}}, "extracted": {"headers": {"message-id": " <> "}}}, "mailerq:abc"),
        ({"message-id": "<m-1@example.com>", "dsn": {"envid": "e"}}, "rfc5322:m-1@example.com"),
        ({"message-id": None, "dsn": {"envid": " <e> "}, "extracted": HEADERS}, "rfc5322:m-1@example.com"),
        ({"message-id": "<m-2@example.com>", "extracted": HEADERS}, "rfc5322:m-1@example.com"),
        ({"message-id": "", "dsn": {"notify": "success"}, "extracted": HEADERS}, "rfc5322:m-1@example.com"),
        ({"message-id": None, "extracted": {"headers": {"Message-ID": "m-1@example.com"}}}, "rfc5322:m-1@example.com"),
    ],
)
def test_the_key_of_a_message(others: dict[str, Any], name: str) -> None:
    assert last(attempt(*ACCEPTED), **others).message == name


@pytest.mark.parametrize(
    "different",
    [{"recipient": "bob@example.net"}, {"envelope": "b+2@example.com"}, {"order": 2}, {"first": 1}],
    ids=["recipient", "envelope", "property", "first attempt"],
)
def test_a_message_without_any_id_is_known_by_what_no_attempt_changes(different: dict[str, Any]) -> None:
    def name(*hours: int, **others: Any) -> str:
        return last(
            *(attempt(*LATER, hours=hour) for hour in hours), **{"message-id": None, "order": 1} | others
        ).message

    later = {"nextattempt": {"time": NEXT}, "tags": ["x"], "key": "stored", "ips": [], "maxattempts": 3}
    assert name(0) == name(0, 1) == name(0, 1, 2, **later)
    first = different.pop("first", 0)
    assert name(first, **different) != name(0)


def test_two_messages_that_expire_in_one_second_are_two() -> None:
    """They have no id, and were given up without an attempt: whatever else they have tells them apart."""
    expired = [attempt(*GAVE_UP)]
    apart: list[dict[str, Any]] = [
        {}, {"tags": ["x"]}, {"key": "k"}, {"received": "2026-03-01 10:00:00"},
        {"maxdelivertime": "2026-03-02 10:00:00"}, {"extracted": {"subject": "Hello"}}, {"order": 1},
        {"data": {"name": "Ann"}},
    ]  # fmt: skip
    keys = {last(*expired, **{**others, "message-id": None}).message for others in apart}
    assert len(keys) == len(apart)
    for others in apart:
        given: dict[str, Any] = {"message-id": None, **others}
        by_queue = {last(*expired, queue=queue, **given).message for queue, ends in ENDS.items() if ends}
        with_mail = last(*expired, **given, mime="Subject: Hello").message
        assert by_queue == {with_mail}


def test_a_copy_from_before_the_mail_was_loaded_is_no_message_of_its_own() -> None:
    """Its Message-ID is not known yet; a later copy tells the same attempts under the right name."""
    early = attempt("storage/lost")
    assert parse_attempts(early, queue="retry") == []
    assert parse_attempts(early, queue="", nextattempt={"time": NEXT}) == []
    whole = parse_attempts(early, attempt(*ACCEPTED, hours=1), queue="results", extracted=HEADERS)
    assert [(fact.kind, fact.message) for fact in whole] == [
        (Kind.DEFERRED, "rfc5322:m-1@example.com"),
        (Kind.DELIVERED, "rfc5322:m-1@example.com"),
    ]
    (ended,) = parse_attempts(early, queue="failure")
    assert ended.kind is Kind.REJECTED
    (tried,) = parse_attempts(attempt("dns/error"), queue="retry")
    assert tried.kind is Kind.DEFERRED


def test_a_bounce_that_comes_back_meets_the_delivery_that_it_is_about() -> None:
    """A server took the mail and refused it later: MailerQ's result, and the report out of its queue for these."""
    delivered = (EVENTS / "mailerq" / "key-message-id.queue-success.json").read_bytes()
    report = (EVENTS / "mailerq" / "report-bounce.queue-reports.json").read_bytes()
    facts = [fact for body in (delivered, report) for fact in read("mailerq", body)]
    assert len({fact.key for fact in facts}) == 1
    assert folded(facts).status is Status.BOUNCED


def test_the_address_that_a_report_came_to_is_kept_for_its_proof() -> None:
    mail = json.loads((EVENTS / "mailerq" / "report-bounce.queue-reports.json").read_bytes())
    mail["recipient"] = "b-abcdefghijklmnopqrstuv@bounce.example.com"
    [fact] = read("mailerq", raw(mail))
    assert fact.context and fact.context.correlation["verp"] == mail["recipient"]
    assert fact.evidence and fact.evidence.forgeable


def test_of_what_lies_in_the_queue_of_reports_only_the_mail_is_read() -> None:
    """MailerQ makes properties of headers that a stranger wrote (x-mq-…)."""
    mail = json.loads((EVENTS / "mailerq" / "report-bounce.queue-reports.json").read_bytes())
    forged = raw(mail | {"results": [attempt(*UNKNOWN_USER)]})
    assert {fact.source for fact in read("mailerq", forged, {"x-queue": "reports"})} == {"report"}
    with pytest.raises(MalformedFeedback, match="neither a result nor a mail"):
        parse_attempts(attempt(*UNKNOWN_USER), queue="reports")


def test_a_mail_with_no_header_is_no_report() -> None:
    with pytest.raises(MalformedFeedback, match="not a mail"):
        read("mailerq", raw({"recipient": "bounces@example.com", "mime": "\n\nhello"}))


# -- What the sender said ----------------------------------------------------------------------------------------------


def test_properties_of_the_sender_are_kept_and_those_of_mailerq_are_not() -> None:
    own = dict.fromkeys(sorted(mailerq_body.OWN - {"recipient", "results", "envelope", "message-id"}), "x")
    context = last(attempt(*ACCEPTED), campaign="c-77", nested={"a": [1, 2]}, none=None, empty="", **own).context
    assert context is not None
    assert context.correlation == {"campaign": "c-77", "envelope": "bounces@example.com", "nested": '{"a":[1,2]}'}


def test_the_sender_and_the_subject_come_from_the_mail() -> None:
    extracted = {"from": "Example <News@Example.com>", "subject": "Hello", "to": ["other@example.org"]}
    context = last(attempt(*ACCEPTED), extracted=extracted).context
    assert context and (context.sender, context.subject) == ("news@example.com", "Hello")
    assert "other@example.org" not in str(context)


@pytest.mark.parametrize("filler", ['"', "\\", "é", "🎉", "a"])
def test_the_largest_body_stays_within_the_bounds(filler: str) -> None:
    much = filler * 3000
    secured: dict[str, Any] = {
        "cipher": {"version": much, "name": much},
        "certificate": {"verified": False, "result": much},
    }
    tried = attempt("rcptto/error", 550, "5.1.1", much, mta=much, to=much, **secured) | {"from": much}
    own = {f"{number}{much[:200]}": much for number in range(40)}
    headers = {f"x-{number}{much[:200]}": much for number in range(40)}
    extracted = {"from": f"{much}@{much}", "subject": much, "headers": headers | {"message-id": much}}
    dsn = {"envid": much}
    [fact] = parse_attempts(
        tried, recipient=f"{much}@{much}", extracted=extracted, dsn=dsn, tags=[much], **{"message-id": much}, **own
    )
    evidence, context = fact.evidence, fact.context
    assert evidence and context
    for text, limit in (
        (fact.message, 250),
        (fact.recipient, 326),
        (fact.received_as, 320),
        (evidence.text, 1024),
        (evidence.remote_mta, 64),
        (evidence.reporting_mta, 64),
        (evidence.tls, MAX_TLS),
        (context.sender, 320),
        (context.subject, 256),
        *((name, 64) for name in context.correlation),
        *((value, 128) for value in context.correlation.values()),
    ):
        assert text and len(json.dumps(text, ensure_ascii=False).encode()) <= limit + 2
    assert len(context.correlation) == 16


# -- Bodies ------------------------------------------------------------------------------------------------------------


def test_trailing_commas_are_taken_out_and_no_text_is_touched() -> None:
    text = 'a,] b,} \\" ,}'
    results = '[{"state": "message", "result": "accepted",} , ]'
    body = f'{{"recipient": "{ANN}", "note": {json.dumps(text)}, "results": {results}, }}'
    [fact] = read("mailerq", body.encode())
    assert fact.context and fact.context.correlation["note"] == text


@pytest.mark.parametrize(
    "broken",
    [
        '{"recipient": "a", "results": [,,]}',
        '{"results": [{]}',
        '{"results": ["a,]}',
        '{"note": "\\',
        "[",
        "{",
        ",",
        "",
        '"',
    ],
)
def test_what_is_broken_in_another_way_stays_broken(broken: str) -> None:
    with pytest.raises(MalformedFeedback, match="not a body of MailerQ"):
        read("mailerq", broken.encode())


def test_a_large_body_with_trailing_commas_is_refused_and_without_them_it_is_read() -> None:
    room = "x" * mailerq_body.MAX_REPAIRED
    whole = raw(message(attempt(*ACCEPTED), room=room))
    assert len(read("mailerq", whole)) == 1
    with pytest.raises(MalformedFeedback, match="trailing comma"):
        read("mailerq", whole[:-1] + b",}")


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    body = raw(message(attempt("rcptto/error", 550, "5.1.1", "XX inconnu: user unknown"))).replace(b"XX", b"\xe9\xe8")
    [fact] = read("mailerq", body)
    assert fact.evidence and fact.evidence.text == "\ufffd\ufffd inconnu: user unknown"


def test_a_packed_body() -> None:
    body = raw(message(attempt(*ACCEPTED)))
    assert read("mailerq", gzip.compress(body)) == read("mailerq", body)


def test_several_messages_in_one_body() -> None:
    messages = [message(attempt(*ACCEPTED), number=number) for number in range(3)]
    listed, wrapped = read("mailerq", raw(messages)), read("mailerq", raw({"results": messages}))
    assert listed == wrapped
    assert [fact.message for fact in listed] == ["mailerq:id0", "mailerq:id1", "mailerq:id2"]
    apart = [fact for each in messages for fact in read("mailerq", raw(each))]
    assert listed == apart


def test_a_body_with_too_many_messages_is_parked_whole() -> None:
    many = [message()] * mailerq_body.MAX_MESSAGES
    assert read("mailerq", raw(many)) == []
    for body in ([*many, message()], {"results": [*many, message()]}):
        with pytest.raises(MalformedFeedback, match="1001 messages"):
            read("mailerq", raw(body))


def test_one_unreadable_message_parks_the_whole_list() -> None:
    """Nothing is lost: the body lies in the dead-letter queue, and can be sent again when it can be read."""
    with pytest.raises(MalformedFeedback):
        read("mailerq", raw([message(attempt(*ACCEPTED)), {"recipient": ANN}]))


@pytest.mark.parametrize("recipient", [None, "", " ", 7, {}, ["ann@example.net"]])
def test_a_message_without_a_recipient_gives_nothing(recipient: object) -> None:
    """process/invalid is also what MailerQ says where the recipient is missing or cannot be parsed."""
    assert parse_attempts(attempt("process/invalid"), recipient=recipient) == []


def test_an_unknown_provider_code_stays_and_says_nothing() -> None:
    fact = last(attempt("rcptto/postponed", 450))
    assert (fact.kind, RULES(fact)) == (Kind.UNKNOWN, None)
    assert fact.evidence and fact.evidence.provider_code == "rcptto/postponed"
    assert last(attempt("data/accepted", 250)).kind is Kind.UNKNOWN


def test_what_the_remote_server_can_is_noted_for_the_success_notice_that_may_follow() -> None:
    codes = [
        fact.evidence and fact.evidence.provider_code
        for dsn in (True, False)
        for fact in parse_attempts(attempt(*ACCEPTED, dsn=dsn))
    ]
    assert codes == ["message/accepted dsn=1", "message/accepted"]


def test_how_the_connection_was_secured_is_no_part_of_a_facts_identity() -> None:
    cipher = {"version": "TLSv1.3", "name": "TLS_AES_256_GCM_SHA384"}
    one, other = last(attempt(*ACCEPTED)), last(attempt(*ACCEPTED, cipher=cipher, certificate={"verified": "true"}))
    assert one.id == other.id
    assert other.evidence and other.evidence.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384, verified"
    assert folded([one, other]) == folded([other, one])
    assert last(attempt("process/error", cipher=cipher)).evidence == last(attempt("process/error")).evidence


def test_a_greylisted_message_that_arrived_in_the_end() -> None:
    outcome = folded(parse_attempts(attempt("rcptto/error", 451, None, "Greylisted"), attempt(*ACCEPTED, hours=1)))
    assert (outcome.status, outcome.verdict, outcome.attempts) == (Status.DELIVERED, None, 2)


def test_a_full_mailbox_that_stayed_full() -> None:
    outcome = folded(parse_attempts(attempt("rcptto/error", 452, "4.2.2", "mailbox full"), attempt(*GAVE_UP, hours=24)))
    assert outcome.verdict is not None
    assert (outcome.status, outcome.verdict.reason, outcome.attempts) == (Status.BOUNCED, Reason.MAILBOX_FULL, 1)
