"""One line for each mail: what it is, and what it means for everybody it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from aftersend import classify
from aftersend_cli.mails import read_mails, summarize_mail
from local.samples import EVENTS

CLASSIFIER = classify.load()


def of(name: str) -> dict[str, object]:
    """The summary of a sample."""
    return summarize_mail(name, (EVENTS / "report" / name).read_bytes(), CLASSIFIER)


def test_a_bounce_says_of_everybody_what_became_of_it() -> None:
    result = of("dsn-postfix-two-recipients.eml")
    assert (result["file"], result["kind"]) == ("dsn-postfix-two-recipients.eml", "bounce")
    assert isinstance(result["recipients"], list)
    first, second = result["recipients"]
    assert first.pop("rule")
    assert first == {
        "recipient": "anna@example.org",
        "class": "hard",
        "reason": "user_unknown",
        "status": "5.1.1",
        "replycode": 550,
        "action": "failed",
        "feedback_type": None,
    }
    assert (second["recipient"], second["class"], second["reason"]) == ("bert@example.org", "soft", "mailbox_full")


@pytest.mark.parametrize(
    ("name", "kind", "feedback_type", "klass"),
    [
        ("arf-abuse.eml", "complaint", "abuse", "complaint"),
        ("arf-not-spam.eml", "complaint", "not-spam", None),
        ("arf-auth-failure.eml", "complaint", "auth-failure", None),
        ("auto-vacation.eml", "auto_reply", None, "ignore"),
        ("bounce-gmail-delay.eml", "bounce", None, "ignore"),
        ("dsn-delivered-relayed-expanded.eml", "bounce", None, None),
    ],
)
def test_the_kind_is_that_of_the_mail(name: str, kind: str, feedback_type: str | None, klass: str | None) -> None:
    result = of(name)
    assert result["kind"] == kind
    assert isinstance(result["recipients"], list)
    assert {(each["feedback_type"], each["class"]) for each in result["recipients"]} == {(feedback_type, klass)}


@pytest.mark.parametrize("name", ["none-newsletter.eml", "malformed-picture.eml", "malformed-empty.eml"])
def test_what_is_no_report_names_nobody(name: str) -> None:
    assert of(name) == {"file": name, "kind": "none", "recipients": []}


def test_a_report_that_names_nobody_still_is_what_it_is() -> None:
    assert of("arf-redacted-nobody.eml") == {"file": "arf-redacted-nobody.eml", "kind": "complaint", "recipients": []}


def test_all_mails_of_a_mailbox_are_read() -> None:
    result = of("dsn-mailbox.eml")
    assert isinstance(result["recipients"], list)
    assert [each["action"] for each in result["recipients"]] == ["failed", "failed", "delayed"]


MAILS = (b"Subject: one\n\n>From here on\nFrom below, no separator\n", b"Subject: two\n\ntext\n")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_mailbox_and_a_folder_are_taken_apart(tmp_path: Path, end: bytes) -> None:
    mailbox = b"\n".join(b"From a@example.com Mon Mar  2 10:00:00 2026\n" + mail for mail in MAILS)
    for name, body in (("a.mbox", mailbox), ("cur/b.eml", MAILS[1])):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body.replace(b"\n", end))
    found = dict(read_mails(str(tmp_path)))
    assert [Path(name).name for name in found] == ["a.mbox:1", "a.mbox:2", "b.eml"]
    first, second, other = (body.replace(b"\r\n", b"\n").rstrip() for body in found.values())
    assert (first, second, other) == (
        MAILS[0].replace(b">From", b"From").rstrip(),
        MAILS[1].rstrip(),
        MAILS[1].rstrip(),
    )
