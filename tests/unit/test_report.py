"""Mail reports: what each says of whom, about which message, and when; and what is none."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback, Kind, Phase
from aftersend.core.times import UNKNOWN_TIME
from aftersend.sources import report
from aftersend.sources.report.parsed import MailType
from aftersend.verp import Verp
from local.samples import EVENTS

MAILS = sorted(path for path in (EVENTS / "report").glob("*.eml") if not path.name.startswith("malformed-"))
FORMS = {
    "dsn": MailType.BOUNCE,
    "bounce": MailType.BOUNCE,
    "arf": MailType.COMPLAINT,
    "auto": MailType.AUTO_REPLY,
    "none": MailType.NONE,
}


def mail(body: str, *headers: str, sender: str = "MAILER-DAEMON@mx.example.net") -> bytes:
    """A mail with a body."""
    top = [f"From: {sender}", "To: bounces@example.com", "Date: Tue, 03 Mar 2026 09:15:02 +0000", *headers]
    return "\n".join([*top, "", body]).encode()


def dsn(fields: str, returned: str = "", *headers: str) -> bytes:
    """A delivery status notification."""
    parts = [
        "--b\nContent-Type: text/plain\n\nDelivery failed.",
        f"--b\nContent-Type: message/delivery-status\n\n{fields}",
    ]
    parts += [f"--b\nContent-Type: message/rfc822\n\n{returned}"] if returned else []
    return mail("\n".join([*parts, "--b--"]), 'Content-Type: multipart/report; boundary="b"', *headers)


def arf(fields: str, returned: str) -> bytes:
    """A feedback-loop report."""
    parts = [
        f"--b\nContent-Type: message/feedback-report\n\n{fields}",
        f"--b\nContent-Type: message/rfc822\n\n{returned}",
    ]
    return mail("\n".join([*parts, "--b--"]), "Content-Type: multipart/report; boundary=b", sender="fbl@example.net")


FAILED = "Final-Recipient: rfc822; anna@example.org\nAction: failed\nStatus: 5.1.1"


def only(raw: bytes) -> Feedback:
    """The one fact in a mail."""
    (fact,) = report.parse(raw)
    return fact


def who(raw: bytes) -> list[str]:
    """Whom a mail is about."""
    return [fact.recipient.removeprefix("email:") for fact in report.parse(raw)]


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_sample_is_of_the_form_that_its_name_says(path: Path) -> None:
    forms = {read.report.mail_type for read in report.parse_mails(path.read_bytes())}
    assert forms == {FORMS[path.name.partition("-")[0]]}


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_line_ends_do_not_matter(path: Path) -> None:
    lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    facts = report.parse(lines)
    assert report.parse(lines.replace(b"\n", b"\r\n")) == facts
    assert report.parse(lines.replace(b"\n", b"\r")) == facts


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_only_a_bounce_says_that_somebody_bounced(path: Path) -> None:
    kinds = {fact.kind for fact in report.parse(path.read_bytes())}
    if FORMS[path.name.partition("-")[0]] is not MailType.BOUNCE:
        assert not kinds & {Kind.BOUNCED, Kind.DEFERRED}


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_everything_could_be_forged_until_a_token_proves_otherwise(path: Path) -> None:
    assert all(fact.evidence and fact.evidence.forgeable for fact in report.parse(path.read_bytes()))


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\x00\x01\x02", b"no header at all\n", b"{", b"{}"])
def test_what_is_no_mail_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedFeedback):
        report.parse(raw)


# Which message


@pytest.mark.parametrize(
    ("message_id", "key"),
    [
        ("<a1@example.com>", "rfc5322:a1@example.com"),
        ("a1@example.com", "rfc5322:a1@example.com"),
        ("\n <a1@example.com>", "rfc5322:a1@example.com"),
        ("<0102-x-000000@eu-west-1.amazonses.com>", "ses:0102-x-000000"),
        ("<0102-x-000000@email.AmazonSES.com>", "ses:0102-x-000000"),
        ("<0102-x-000000@evilamazonses.com>", "rfc5322:0102-x-000000@evilamazonses.com"),
        ("<@amazonses.com>", "rfc5322:@amazonses.com"),
    ],
)
def test_the_message_is_named_by_who_sent_it(message_id: str, key: str) -> None:
    assert only(dsn(FAILED, f"Message-ID: {message_id}\nFrom: news@example.com\n")).message == key


def test_without_its_message_id_the_message_is_what_the_report_answers() -> None:
    assert only(dsn(FAILED, "", "In-Reply-To: <a1@example.com>")).message == "rfc5322:a1@example.com"
    assert only(dsn(FAILED, "", "References: <a0@example.com> <a1@example.com>")).message == "rfc5322:a1@example.com"


def test_else_it_is_named_by_its_envelope() -> None:
    assert only(dsn(f"Original-Envelope-Id: QQ-1\n\n{FAILED}")).message == "envid:QQ-1"


def test_else_by_the_report_itself() -> None:
    one, other = dsn(FAILED), dsn(FAILED + "\nDiagnostic-Code: smtp; 550 no")
    assert only(one).message.startswith("report:")
    assert only(one).message == only(one.replace(b"\n", b"\r\n")).message != only(other).message


# When

LAST, ARRIVAL = "Last-Attempt-Date: Tue, 3 Mar 2026 09:00:00 +0000", "Arrival-Date: Tue, 3 Mar 2026 08:00:00 +0000"


@pytest.mark.parametrize(
    ("fields", "hour"),
    [
        (f"{ARRIVAL}\n\n{FAILED}\n{LAST}", 9),
        (f"{ARRIVAL}\n\n{FAILED}", 8),
        (f"{ARRIVAL}\n\n{FAILED}\nLast-Attempt-Date: the day before", 8),
        (f"{ARRIVAL}\n\n{FAILED}\nLast-Attempt-Date: Tue, 3 Mar 2026 09:00:00 +99999999999999999999", 8),
    ],
)
def test_the_time_is_that_of_the_last_attempt_else_of_the_arrival(fields: str, hour: int) -> None:
    assert only(dsn(fields)).occurred_at == datetime(2026, 3, 3, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "headers", "expected"),
    [
        (
            "Sat, 3 Mar 2108 09:00:00 +0000",
            ["Received: from a by b;\n Tue, 03 Mar 2026 09:20:00 +0000 (UTC)"],
            (2026, 9, 20),
        ),
        ("Tue, 3 Mar 2026 11:00:00 +0000", ["Received: from a by b; Tue, 03 Mar 2026 09:20:00 +0000"], (2026, 11, 0)),
        (
            "Sat, 3 Mar 2108 09:00:00 +0000",
            [f"Received: from a by b; {at}" for at in ("3 Mar 2026 09:20:00 +0000", "3 Mar 2107 09:00:00 +0000")],
            (2026, 9, 20),
        ),
        ("Sat, 3 Mar 2108 09:00:00 +0000", ["Received: from a by b; whenever"], (2108, 9, 0)),
        ("Sat, 3 Mar 2108 09:00:00 +0000", [], (2108, 9, 0)),
    ],
    ids=["a lie", "a clock that is fast", "our own system wrote the first", "not known when", "never said"],
)
def test_no_report_is_received_before_what_it_tells_of(
    date: str, headers: list[str], expected: tuple[int, int, int]
) -> None:
    """A time in the future would outlive every release: "evidence up to now no longer counts"."""
    at = only(dsn(f"{FAILED}\nLast-Attempt-Date: {date}", "", *headers)).occurred_at
    assert (at.year, at.hour, at.minute) == expected


def test_else_that_of_the_report_else_it_is_not_known() -> None:
    assert only(dsn(FAILED)).occurred_at == datetime(2026, 3, 3, 9, 15, 2, tzinfo=UTC)
    assert only(dsn(FAILED).replace(b"Date:", b"X-Date:")).occurred_at == UNKNOWN_TIME


# What became of it


@pytest.mark.parametrize(
    ("action", "kind", "kept"),
    [
        ("failed", Kind.BOUNCED, "failed"),
        ("Failed (unknown user)", Kind.BOUNCED, "failed"),
        ("failure", Kind.BOUNCED, "failed"),
        ("expired", Kind.BOUNCED, "expired"),
        ("delayed", Kind.DEFERRED, "delayed"),
        ("Delayed.", Kind.DEFERRED, "delayed"),
        ("delivered", Kind.DELIVERED, "delivered"),
        ("deliverable", Kind.DELIVERED, "delivered"),
        ("relayed (to non-DSN-aware mailer)", Kind.DELIVERED, "relayed"),
        ("expanded", Kind.DELIVERED, "expanded"),
    ],
)
def test_the_action_says_what_became_of_it(action: str, kind: Kind, kept: str) -> None:
    fact = only(dsn(f"Final-Recipient: rfc822; anna@example.org\nAction: {action}"))
    assert fact.evidence
    assert (fact.kind, fact.evidence.action) == (kind, kept)


def test_without_an_action_a_status_of_success_is_a_delivery() -> None:
    assert only(dsn("Final-Recipient: rfc822; anna@example.org\nStatus: 2.1.5")).kind is Kind.DELIVERED
    assert only(dsn("Final-Recipient: rfc822; anna@example.org\nStatus: 5.1.1")).kind is Kind.BOUNCED


@pytest.mark.parametrize(
    ("status", "diagnostic", "expected"),
    [
        ("5.0.0", "smtp; 550 5.1.1 unknown", "5.1.1"),
        ("5.2.2 (full)", "smtp; 550 5.1.1 unknown", "5.2.2"),
        ("4.0.0", "smtp; 550 5.1.1 unknown", "4.0.0"),
        ("", "smtp; 550 5.1.1 unknown", "5.1.1"),
        ("5.0.0", "smtp; 554 [67.195.204.79] refused", "5.0.0"),
    ],
)
def test_a_vague_status_gives_way_to_a_precise_one(status: str, diagnostic: str, expected: str) -> None:
    fact = only(
        dsn(f"Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: {status}\nDiagnostic-Code: {diagnostic}")
    )
    assert fact.evidence
    assert fact.evidence.status == expected


def test_the_words_tell_which_command_was_refused() -> None:
    raw = dsn(f"{FAILED}\nDiagnostic-Code: smtp; 550 5.1.1 no such user")
    raw = raw.replace(b"Delivery failed.", b"<anna@example.org>: host mx said: 550 no (in reply to MAIL FROM command)")
    fact = only(raw)
    assert fact.evidence
    assert fact.evidence.phase is Phase.MAIL_FROM
    assert fact.evidence.text == "550 5.1.1 no such user"


def test_where_no_field_gives_a_reason_the_words_do() -> None:
    raw = dsn(FAILED).replace(b"Delivery failed.", b"anna@example.org: 552 5.2.2 full mailbox\n\nb@example.org: 550 no")
    fact = only(raw)
    assert fact.evidence
    assert (fact.evidence.code, fact.evidence.text) == (552, "552 5.2.2 full mailbox")


def test_a_text_is_bounded_and_on_one_line() -> None:
    fact = only(dsn(f"{FAILED}\nDiagnostic-Code: smtp; 550 " + "very\n long " * 500))
    assert fact.evidence and fact.evidence.text
    assert len(fact.evidence.text.encode()) <= 1_024
    assert "\n" not in fact.evidence.text


# Whom


@pytest.mark.parametrize(
    ("field", "recipient"),
    [
        ("rfc822; anna@example.org", "anna@example.org"),
        ("rfc822;<Anna@Example.org>", "anna@example.org"),
        ("rfc/822;anna@example.org", "anna@example.org"),
        ("anna@example.org", "anna@example.org"),
        ("RFC822; anna@example.org (Anna)", "anna@example.org"),
        ("rfc822;|/usr/bin/list anna@example.org", "anna@example.org"),
        ("utf-8; j\\x{F6}rg@b\\x{FC}cher.example", "jörg@xn--bcher-kva.example"),
        ("utf-8; jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ('rfc822; "anna b"@example.org', '"anna b"@example.org'),
        ("rfc822; anna+tag@example.org", "anna+tag@example.org"),
    ],
)
def test_an_address_in_whatever_type_and_spelling(field: str, recipient: str) -> None:
    assert who(dsn(f"Final-Recipient: {field}\nAction: failed")) == [recipient]


def test_the_address_as_received_is_kept_beside() -> None:
    fact = only(dsn("Final-Recipient: rfc822; Anna@Example.org\nAction: failed"))
    assert (fact.recipient, fact.received_as) == ("email:anna@example.org", "Anna@Example.org")
    assert only(dsn(FAILED)).received_as is None


def test_the_final_recipient_is_the_recipient_and_the_original_one_is_kept() -> None:
    fact = only(dsn(f"Original-Recipient: rfc822; info@example.org\n{FAILED}"))
    assert fact.recipient == "email:anna@example.org"
    assert fact.context and fact.context.correlation["original-recipient"] == "info@example.org"


def test_escapes_that_were_left_in_the_original_recipient_are_undone() -> None:
    assert who(dsn("Original-Recipient: rfc822; a+3Db+2Bc@example.org\nAction: failed")) == ["a=b+c@example.org"]


@pytest.mark.parametrize(
    "fields",
    [
        "Final-Recipient: rfc822; a@x.example\nAction: failed\n\nFinal-Recipient: rfc822; b@x.example\nAction: failed",
        "Final-Recipient: rfc822; a@x.example\nAction: failed\nFinal-Recipient: rfc822; b@x.example\nAction: failed",
        "Action: failed\nFinal-Recipient: rfc822; a@x.example\n\nAction: failed\nFinal-Recipient: rfc822; b@x.example",
        "Action: failed\nFinal-Recipient: rfc822; a@x.example\nAction: failed\nFinal-Recipient: rfc822; b@x.example",
        "Final-Recipient: rfc822; a@x.example\n\nAction: failed\n\nFinal-Recipient: b@x.example\n\nAction: failed",
        "Final-Recipient : rfc822; a@x.example\nAction : failed\n\nFINAL-RECIPIENT:rfc822;b@x.example\nACTION:failed",
        "Original-Recipient: rfc822; a@x.example\nFinal-Recipient: rfc822; a@x.example\nAction: failed\n\n"
        "Original-Recipient: rfc822; b@x.example\nFinal-Recipient: rfc822; b@x.example\nAction: failed",
        "Final-Recipient: rfc822; a@x.example\nAction: failed\n\n"
        "Original-Recipient: rfc822; b@x.example\nFinal-Recipient: rfc822; b@x.example\nAction: failed",
    ],
)
def test_fields_belong_to_their_recipient_however_they_are_grouped(fields: str) -> None:
    facts = report.parse(dsn(f"Reporting-MTA: dns; mx.example.net\n\n{fields}"))
    assert [fact.recipient for fact in facts] == ["email:a@x.example", "email:b@x.example"]
    assert [fact.context for fact in facts] == [None, None]


def test_a_notice_names_those_who_failed_and_not_the_reporter_or_the_sender() -> None:
    text = "Sorry, unable to deliver your message.\n\n<anna@example.org>:\n550 unknown\n\n"
    others = "Contact: postmaster@mx.example.net\nSender: news@example.com\nbounces@example.com\n"
    assert who(mail(text + others)) == ["anna@example.org"]


def test_the_sender_failed_where_nobody_else_is_named() -> None:
    assert who(mail("Unable to deliver your message.\n\n<bounces@example.com>:\n550 unknown")) == [
        "bounces@example.com"
    ]


def test_names_in_prose_are_not_guessed_from() -> None:
    prose = "if you know the name, try\nmike@x.example to or bob@x.example"
    assert who(mail(f"Message not delivered to the following:\n\n anna\n\n{prose}")) == []


def test_a_recipient_that_only_the_returned_message_names_is_derived() -> None:
    returned = "From: news@example.com\nTo: Anna <anna@example.org>\nMessage-ID: <a1@example.com>\n"
    notice = f"Your message was not delivered.\n\n--- Original message ---\n\n{returned}\nHello"
    fact = only(mail(notice))
    assert fact.recipient == "email:anna@example.org"
    assert fact.evidence and fact.evidence.derived


@pytest.mark.parametrize("header", ["X-BeenThere: team@example.org", "List-Post: <mailto:team@example.org>"])
def test_a_mailing_list_is_not_who_failed(header: str) -> None:
    returned = f"From: news@example.com\nTo: team@example.org\nMessage-ID: <a1@example.com>\n{header}\n"
    assert who(mail(f"Your message was not delivered.\n\n--- Original message ---\n\n{returned}\nHello")) == []


def test_a_warning_is_a_delay_and_a_failure_for_good_is_none() -> None:
    text = "Unable to deliver your message.\n\n<anna@example.org>:\n450 busy\n\n{}"
    assert only(mail(text.format("THIS IS A WARNING MESSAGE ONLY."))).kind is Kind.DEFERRED
    assert only(mail(text.format("Delivery attempts will continue."))).kind is Kind.DEFERRED
    assert only(mail(text.format("This is a permanent error; nothing will be retried."))).kind is Kind.BOUNCED


# Feedback loops


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("abuse", Kind.COMPLAINED),
        ("ABUSE", Kind.COMPLAINED),
        ("fraud", Kind.COMPLAINED),
        ("virus", Kind.COMPLAINED),
        ("other", Kind.COMPLAINED),
        ("something new", Kind.COMPLAINED),
        ("not-spam", Kind.COMPLAINT_WITHDRAWN),
        ("auth-failure", Kind.UNKNOWN),
        ("opt-out", Kind.UNSUBSCRIBED),
    ],
)
def test_only_some_feedback_types_are_complaints(word: str, kind: Kind) -> None:
    fact = only(arf(f"Feedback-Type: {word}\nOriginal-Rcpt-To: anna@example.org", "Message-ID: <a1@example.com>\n"))
    assert fact.kind is kind
    assert fact.evidence
    assert fact.evidence.provider_code == "ARF/" + word.lower().replace(" ", "")
    assert not fact.evidence.derived


@pytest.mark.parametrize(
    "hidden", ["redacted@example.org", "x@redacted", "undisclosed", "<>", "xxxxxxxxxxxxxxxx@example.org"]
)
@pytest.mark.parametrize(
    "header",
    [
        "To: Anna <anna@example.org>",
        "X-HmXmrOriginalRecipient: anna@example.org",
        "X-Rcpt-To: anna@example.org",
        "Return-Path: <b+anna=example.org@example.com>",
        "List-Unsubscribe: <mailto:leave@example.com>, <https://example.com/u?e=anna%40example.org&k=1>",
    ],
)
def test_who_is_hidden_is_recovered_from_the_returned_message_and_marked(hidden: str, header: str) -> None:
    returned = f"From: news@example.com\nMessage-ID: <a1@example.com>\n{header}\n"
    fact = only(arf(f"Feedback-Type: abuse\nOriginal-Rcpt-To: {hidden}", returned))
    assert fact.recipient == "email:anna@example.org"
    assert fact.evidence and fact.evidence.derived


def test_one_of_several_who_complained_is_not_guessed() -> None:
    assert who(arf("Feedback-Type: abuse", "To: a@example.org, b@example.org\nMessage-ID: <a1@example.com>\n")) == []


# Automatic answers


@pytest.mark.parametrize("header", ["Auto-Submitted: auto-replied", "Precedence: auto_reply", "X-Autoreply: yes"])
def test_an_automatic_answer_is_by_who_wrote_it(header: str) -> None:
    raw = mail(
        "I am away", header, "Subject: Re: Hello", "In-Reply-To: <a1@example.com>", sender="Anna <anna@example.org>"
    )
    fact = only(raw)
    assert (fact.kind, fact.recipient, fact.message) == (
        Kind.AUTO_REPLIED,
        "email:anna@example.org",
        "rfc5322:a1@example.com",
    )


@pytest.mark.parametrize(
    "subject",
    [
        "Otomatik yan\u0131t: Hello",
        "Automatická odpověď: Hello",
        "Automatikus válasz: Hello",
        "Automatisk svar: Hello",
        "Автоматический ответ: Hello",
        "자동 회신: Hello",
        "RE: αυτόματη απάντηση",
        "Anna Example ist außer Haus",
        "Anna Example is out of the office.",
    ],
)
def test_an_absence_is_known_in_the_languages_of_outlook_and_notes(subject: str) -> None:
    raw = mail("-", f"Subject: {subject}", "In-Reply-To: <a1@example.com>", sender="Anna <anna@example.org>")
    assert only(raw).kind is Kind.AUTO_REPLIED


def test_a_bounce_that_calls_itself_an_automatic_answer_is_a_bounce() -> None:
    assert only(dsn(FAILED, "", "Auto-Submitted: auto-replied")).kind is Kind.BOUNCED


def test_an_absence_that_quotes_a_refusal_is_no_bounce() -> None:
    raw = mail(
        "Not here. bob@example.org says 550 5.1.1 unknown.",
        "Subject: Out of office",
        "Return-Path: <>",
        sender="a@x.example",
    )
    assert only(raw).kind is Kind.AUTO_REPLIED


# How it came


def test_a_mail_that_an_editor_saved_with_a_byte_order_mark_is_the_same_mail() -> None:
    assert report.parse(b"\xef\xbb\xbf" + dsn(FAILED)) == report.parse(dsn(FAILED)) != []


@pytest.mark.parametrize("encoding", ["UTF8", "UTF-8", None])
def test_a_mail_inside_the_notification_of_amazon_ses(encoding: str | None) -> None:
    notice = {
        "notificationType": "Received",
        "receipt": {"action": {"encoding": encoding}},
        "content": dsn(FAILED).decode(),
    }
    assert report.parse(json.dumps(notice).encode()) == report.parse(dsn(FAILED))


def test_a_mail_inside_the_notification_in_base64() -> None:
    content = base64.b64encode(dsn(FAILED)).decode()
    notice = {"notificationType": "Received", "receipt": {"action": {"encoding": "BASE64"}}, "content": content}
    assert report.parse(json.dumps(notice).encode()) == report.parse(dsn(FAILED))


VERP = Verp(keys=(b"k" * 32,), template="b-{token}@bounce.example.com")
TOKEN = VERP.make("a1", "anna@example.org")
BOUND = VERP.make("a1", "anna@example.org", "<a1@example.com>")
RETURNED = "Message-ID: <a1@example.com>\nTo: anna@example.org\n"


@pytest.mark.parametrize(
    "raw",
    [
        dsn(FAILED, "", f"X-Original-To: {TOKEN}"),
        dsn(FAILED, "", f"Delivered-To: <{TOKEN.upper()}>"),
        dsn(FAILED, "", f"Delivered-To: prvs=2345abcdef={TOKEN}"),
        json.dumps(
            {"notificationType": "Received", "receipt": {"recipients": [TOKEN]}, "content": dsn(FAILED).decode()}
        ).encode(),
    ],
)
def test_the_address_that_a_report_came_to_is_kept_and_vouches_for_it(raw: bytes) -> None:
    assert VERP.prove(only(raw)) == "verp:a1"


@pytest.mark.parametrize(
    "raw",
    [
        dsn(FAILED).replace(b"bounces@example.com", TOKEN.encode()),
        dsn(FAILED, f"Return-Path: <{TOKEN}>\nMessage-ID: <a1@example.com>\n"),
        mail("I am away.", "Auto-Submitted: auto-replied", f"X-Note: {TOKEN}", sender="anna@example.org"),
    ],
)
def test_what_anybody_can_write_into_a_mail_vouches_for_nothing(raw: bytes) -> None:
    """A token counts where the envelope shows it: the rest of a mail may be copied from another."""
    assert not VERP.prove(only(raw))


def received(content: bytes, recipients: list[str], **checks: str) -> bytes:
    """The notification of a mail that Amazon SES received; `checks` are its verdicts."""
    receipt = {"recipients": recipients} | {f"{name}Verdict": {"status": each} for name, each in checks.items()}
    return json.dumps({"notificationType": "Received", "receipt": receipt, "content": content.decode()}).encode()


def test_where_the_envelope_is_known_no_header_says_otherwise() -> None:
    raw = dsn(FAILED, "", f"X-Original-To: {TOKEN}", f"Delivered-To: {TOKEN}")
    assert VERP.prove(only(raw)) == "verp:a1"
    assert not VERP.prove(only(received(raw, ["bounces@example.com"])))
    assert VERP.prove(only(received(dsn(FAILED), [TOKEN], spf="FAIL", dkim="FAIL", dmarc="FAIL")))


@pytest.mark.parametrize(
    ("checks", "believed"),
    [
        ({}, True),
        ({"spf": "PASS", "dkim": "FAIL"}, True),
        ({"spf": "FAIL", "dkim": "PASS", "dmarc": "PASS"}, True),
        ({"spf": "FAIL", "dkim": "FAIL", "dmarc": "FAIL"}, False),
        ({"spf": "PASS", "dkim": "GRAY", "dmarc": "FAIL"}, False),
        ({"spf": "GRAY", "dkim": "GRAY", "dmarc": "GRAY"}, False),
    ],
)
def test_a_feedback_loop_is_believed_what_it_says_of_the_envelope_if_it_is_who_it_says(
    checks: dict[str, str], believed: bool
) -> None:
    """RFC 5965 section 3.2: Original-Mail-From. It reports to one mailbox, so no envelope holds the token."""
    raw = arf(f"Feedback-Type: abuse\nOriginal-Mail-From: <{BOUND}>", RETURNED)
    assert (VERP.prove(only(received(raw, ["fbl@example.com"], **checks))) is not None) is believed


@pytest.mark.parametrize(
    "raw",
    [
        arf(f"Feedback-Type: abuse\nOriginal-Mail-From: <{BOUND}>", RETURNED),
        arf("Feedback-Type: abuse", f"Return-Path: <{BOUND}>\n{RETURNED}"),
        arf("Feedback-Type: abuse", f"Return-Path: <{BOUND}>\n{RETURNED}").replace(
            b"To: ", b"To: complaints-of-feedback-loops@example.com, ", 1
        ),
    ],
)
def test_a_token_in_a_returned_message_proves_a_complaint_about_that_message_alone(raw: bytes) -> None:
    """Whoever has seen one bounce address may complain in its name about its own message, and about no other."""
    assert VERP.prove(only(raw)) == "rfc5322:a1@example.com"
    assert VERP.prove(only(raw.replace(b"<a1@example.com>", b"<a2@example.com>"))) is None
    assert VERP.prove(only(raw.replace(b"Message-ID: <a1@example.com>\n", b""))) is None
    assert VERP.prove(only(raw.replace(BOUND.encode(), TOKEN.encode()))) is None, "it was made for no message"


def test_what_ses_found_when_it_received_the_mail_stays_with_the_report() -> None:
    fact = only(received(dsn(FAILED), ["b@example.com"], spf="PASS", dkim="FAIL", spam="GRAY", virus="PASS"))
    assert fact.context is not None
    assert fact.context.correlation["report-checks"] == "spf=pass dkim=fail spam=gray virus=pass"


def test_one_bound_for_a_whole_mail() -> None:
    """200 recipients, over all of its parts and all mails of a mailbox."""
    part = "--b\nContent-Type: message/delivery-status\n\n"
    parts = [
        part + "".join(f"Final-Recipient: rfc822; a{each}.{number}@example.org\n\n" for each in range(150))
        for number in range(5)
    ]
    raw = mail("\n".join([*parts, "--b--"]), 'Content-Type: multipart/report; boundary="b"')
    assert len(report.parse(raw)) == 200
    assert len(report.parse(b"".join(b"From a Thu Apr 29 23:34:45 2025\n" + raw + b"\n" for _ in range(4)))) <= 200


def test_a_forged_report_about_somebody_else_is_not_vouched_for() -> None:
    forged = dsn(FAILED.replace("anna", "victim"), "", f"X-Original-To: {TOKEN}")
    assert not VERP.prove(only(forged))


def test_a_notification_of_amazon_ses_that_came_as_mail_is_not_the_word_of_amazon_ses() -> None:
    fact = only((EVENTS / "report" / "bounce-sns-by-mail.eml").read_bytes())
    assert (fact.source, fact.message) == ("report", "ses:0102019a0b0c0d0e-aaaa-000000")
    assert fact.evidence and fact.evidence.forgeable


def test_headers_of_the_sender_are_correlation_and_those_of_the_way_are_not() -> None:
    returned = "From: News <news@example.com>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nX-Campaign: c1\n"
    returned += "X-Spam-Score: 3\nX-MS-Exchange: 1\n"
    context = only(dsn(FAILED, returned)).context
    assert context is not None
    assert (context.sender, context.subject, context.correlation) == ("news@example.com", "Grüße", {"x-campaign": "c1"})


@pytest.mark.parametrize(
    ("final", "original", "named"),
    [
        ("@store1.example.org:anna@ims_daemon", "anna@example.org", ["anna@example.org", "anna@ims_daemon"]),
        ("anna@mailcluster.local", "anna@example.org", ["anna@example.org", "anna@mailcluster.local"]),
        ("anna@exchange.corp", "anna@example.org", ["anna@example.org", "anna@exchange.corp"]),
        ("anna@mx7.internal", "anna@example.org", ["anna@example.org", "anna@mx7.internal"]),
        ("anna@box.lan", "anna@example.org", ["anna@example.org", "anna@box.lan"]),
        ("anna@localhost", "anna@example.org", ["anna@example.org", "anna@localhost"]),
        ("anna@localhost.localdomain", "anna@example.org", ["anna@example.org", "anna@localhost.localdomain"]),
        ("anna@[10.0.0.7]", "anna@example.org", ["anna@example.org", "anna@[10.0.0.7]"]),
        ("anna@store.mail.example.org", "anna@example.org", ["anna@example.org", "anna@store.mail.example.org"]),
        ("anna@example.org", "anna@example.org", ["anna@example.org"]),
        ("ANNA@Example.org", "anna@example.org", ["anna@example.org"]),
        ("anna@gmail.example", "anna@example.org", ["anna@gmail.example"]),  # forwarded: the final one is a mailbox
        ("anna.a@example.org", "anna@example.org", ["anna.a@example.org"]),
        ("anna@example.org", "anna@mail.example.org", ["anna@example.org"]),
        ("anna@badexample.org", "anna@example.org", ["anna@badexample.org"]),
    ],
)
def test_a_final_recipient_that_nobody_writes_to_stands_beside_the_original(
    final: str, original: str, named: list[str]
) -> None:
    fields = f"Original-Recipient: rfc822;{original}\nFinal-Recipient: rfc822;{final}\nAction: failed\nStatus: 5.1.1\n"
    facts = report.parse(dsn(fields))
    assert [fact.recipient for fact in facts] == [f"email:{each}" for each in named]
    if len(named) > 1:
        assert facts[0].context is None
        assert facts[1].context is not None
        assert facts[1].context.correlation == {"original-recipient": original}


@pytest.mark.parametrize(
    ("value", "code", "status", "text"),
    [
        ('<192.0.2.32 #5.0.0 smtp; 550 "Unknown User">', 550, "5.0.0", '550 "Unknown User"'),
        ("<mx.example.org #5.0.0 smtp;550 5.1.1 no such user>", 550, "5.1.1", "550 5.1.1 no such user"),
        ("< #5.1.1 smtp; 550 no such user>", 550, "5.0.0", "550 no such user"),
        ("<mx.example.org #5.7.1 550 5.7.1 refused by policy>", 550, "5.7.1", "550 5.7.1 refused by policy"),
        ("smtp; 550 no such user", 550, "5.0.0", "550 no such user"),
        ("no such user", None, "5.0.0", "no such user"),
    ],
)
def test_supplementary_info_stands_in_for_the_diagnostic(value: str, code: int, status: str, text: str) -> None:
    fields = "Final-Recipient: rfc822; anna@example.org\nAction: failed\nStatus: 5.0.0\n"
    for more in ("", "Diagnostic-Code: smtp; 550\n"):
        evidence = only(dsn(f"{fields}{more}X-Supplementary-Info: {value}\n")).evidence
        assert evidence is not None
        assert (evidence.code, evidence.status, evidence.text) == (code, status, text)
    evidence = only(dsn(f"{fields}Diagnostic-Code: smtp; 552 mailbox full\nX-Supplementary-Info: {value}\n")).evidence
    assert evidence is not None
    assert evidence.text == "552 mailbox full"


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ("5.0.0 (no such mailbox)", "5.0.0", "no such mailbox"),
        ("5.2.0 - mailbox full", "5.2.0", "mailbox full"),
        ("5.0.0 (5.2.2 over quota)", "5.2.2", "5.2.2 over quota"),
        ("5.1.1 (bad destination mailbox)", "5.1.1", "bad destination mailbox"),
        ("5.0.0 (permanent failure)", "5.0.0", None),
        ("5.0.0", "5.0.0", None),
    ],
)
def test_a_comment_in_the_status_stands_in_for_the_diagnostic(value: str, status: str, text: str | None) -> None:
    raw = dsn(f"Final-Recipient: rfc822; anna@example.org\nAction: failed\nStatus: {value}\n")
    evidence = only(raw.replace(b"Delivery failed.", b"")).evidence
    assert evidence is not None
    assert (evidence.status, evidence.text) == (status, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "Not delivered to:\n\n  anna@example.org\n\nfor the following reason:\n\n  Mailbox is full\n",
            "Mailbox is full",
        ),
        (
            "Your message to <anna@example.org> was refused for the following reason:\nNo such user here\n",
            "No such user",
        ),
        ("Could not deliver to anna@example.org for the following\nreason:\n\n    full mailbox\n", "full mailbox"),
        ("Failed to deliver to 'anna@example.org'\nUser unknown [SMTP Error Code 550]\n", "User unknown"),
        (
            "Recipient address: anna@example.org\n%MAIL-E-NOSUCHUSR, no such user ANNA at node MARS\n",
            "no such user ANNA",
        ),
        ("Error delivering to anna@example.org\n-SYSTEM-F-EXDISKQUOTA, disk quota exceeded\n", "disk quota exceeded"),
        (
            "This Message was undeliverable due to the following reason:\n\nOver quota, sorry.\n\n<anna@example.org>\n",
            "Over",
        ),
        (
            "Undeliverable to:\n\n  anna@example.org\n\n---- Why ----\n\n-- anna@example.org\n   is no longer here\n",
            "is no longer here",
        ),
    ],
)
def test_the_reason_is_found_where_systems_put_it(body: str, text: str) -> None:
    evidence = only(mail(body, "Subject: Undelivered mail")).evidence
    assert evidence is not None
    assert text in (evidence.text or "")


def test_a_code_behind_the_text_is_read() -> None:
    body = "Failed to deliver to 'anna@example.org'\nUser unknown [SMTP Error Code 550]\n"
    evidence = only(mail(body, "Subject: Undelivered mail")).evidence
    assert evidence is not None
    assert evidence.code == 550


def test_names_without_a_domain_are_those_of_who_reports() -> None:
    """AOL names its own mailboxes like that, and returns nothing."""
    body = "Your mail to the following recipients could not be delivered because they accept none:\n\tanna1\n\tbert2\n"
    facts = report.parse(mail(body, "Subject: Mail Delivery Problem", sender="MAILER-DAEMON@example.org"))
    assert [fact.recipient for fact in facts] == ["email:anna1@example.org", "email:bert2@example.org"]
    assert all(fact.evidence and fact.evidence.derived for fact in facts)
    assert not report.parse(mail(body, "Subject: Mail Delivery Problem", sender="jo@example.org"))


@pytest.mark.parametrize(
    ("subject", "header", "found"),
    [
        ("RE: Your order : non remis (delivery failed)", "X-A: b", True),
        ("RE: Your order : non remis (delivery failed)", "In-Reply-To: <order-4711@example.com>", False),
        ("RE: Undelivered Mail Returned to Sender", "X-A: b", False),
        ("RE: Your order", "X-A: b", False),
        ("AW: Ihre Bestellung (nicht zugestellt)", "X-A: b", True),
    ],
)
def test_a_system_that_answers_in_two_languages_is_no_person(subject: str, header: str, found: bool) -> None:
    body = "Votre message n'a pas pu être délivré à\nanna@example.org\n\nIt could not be delivered to\nanna@example.org"
    facts = report.parse(mail(body, f"Subject: {subject}", header, sender="gateway@example.org"))
    assert [fact.recipient for fact in facts] == (["email:anna@example.org"] if found else [])
