"""Mail in our bucket: a notice is a stranger's word, and what it names is fetched from nowhere else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.core.errors import MalformedFeedback, StoreUnavailable
from aftersend.sources import read
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.report import inbound
from aftersend.storage.inbound_mail import InboundMail
from aftersend.verp import Verp
from tests.support.clients import FakeS3

MAIL = b"Subject: Undelivered\r\n\r\nUser unknown\r\n"


class Bucket(FakeS3):
    """A client of S3 with one object in it, or one that fails."""

    def __init__(self, content: bytes = MAIL, failure: CallFailed | None = None) -> None:
        self._content, self._failure = content, failure
        self.asked: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> Any:
        self.asked.append(request)
        if self._failure is not None:
            raise self._failure
        return {"Body": io.BytesIO(self._content)}


def notice(bucket: str = "inbound", key: str = "mail/1", kind: str = "S3", to: str = "b@bounce.example.com") -> bytes:
    action = {"type": kind, "bucketName": bucket, "objectKey": key}
    return json.dumps({"notificationType": "Received", "receipt": {"action": action, "recipients": [to]}}).encode()


def mail_in(body: bytes) -> bytes:
    """The mail that a notification carries, as the parser opens it."""
    opened = inbound.read_notification(body)
    assert opened is not None
    return opened.content


def test_a_notice_becomes_the_mail_that_it_names() -> None:
    bucket = Bucket()
    assert mail_in(InboundMail(bucket, "inbound").open(notice(key="mail/é"))) == MAIL
    assert [(each["Bucket"], each["Key"]) for each in bucket.asked] == [("inbound", "mail/é")]


def test_whom_the_mail_was_sent_to_is_not_lost_on_the_way_through_the_bucket() -> None:
    """Its To may name somebody else; then only the envelope holds the token that vouches for it."""
    verp = Verp(keys=(b"k" * 32,), template="b-{token}@bounce.example.com")
    mail = (
        b"From: MAILER-DAEMON@mx.example.org\nTo: news@shop.example\nSubject: Undelivered\n"
        b"X-Failed-Recipients: anna@example.org\n\nanna@example.org: 550 5.1.1 User unknown\n"
    )
    (fact,) = read("report", InboundMail(Bucket(mail), "inbound").open(notice(to=verp.make("a1", "anna@example.org"))))
    assert verp.prove(fact) == "verp:a1"


def test_no_more_of_a_large_mail_is_fetched_than_is_read() -> None:
    bucket = Bucket(b"x" * (MAX_BYTES + 1))
    assert len(mail_in(InboundMail(bucket, "inbound").open(notice()))) == MAX_BYTES
    assert bucket.asked[0]["Range"] == f"bytes=0-{MAX_BYTES - 1}"


@pytest.mark.parametrize(
    "body", [MAIL, b"", b"{}", b'{"receipt": null}', b"\xff", notice(kind="SNS"), b'{"receipt": 1}']
)
def test_what_is_no_notice_stays_what_it_is(body: bytes) -> None:
    bucket = Bucket()
    assert InboundMail(bucket, "inbound").open(body) == body
    assert bucket.asked == []


@pytest.mark.parametrize("body", [notice(bucket="elsewhere"), notice(bucket=""), notice(key="")])
def test_what_is_not_ours_to_read_is_not_asked_for(body: bytes) -> None:
    bucket = Bucket()
    with pytest.raises(MalformedFeedback):
        InboundMail(bucket, "inbound").open(body)
    assert bucket.asked == []


@pytest.mark.parametrize("code", ["NoSuchKey", "404", "KeyTooLongError"])
def test_a_mail_that_is_gone_is_never_asked_for_again(code: str) -> None:
    with pytest.raises(MalformedFeedback, match="gone"):
        InboundMail(Bucket(failure=Refusal(code, {})), "inbound").open(notice())


def test_an_empty_mail_is_never_asked_for_again() -> None:
    """S3 refuses any range of an object without bytes."""
    with pytest.raises(MalformedFeedback, match="empty"):
        InboundMail(Bucket(failure=Refusal("InvalidRange", {})), "inbound").open(notice())


@pytest.mark.parametrize("failure", [Refusal("AccessDenied", {}), Refusal("SlowDown", {}), NoAnswer("TimeoutError")])
def test_a_bucket_that_does_not_answer_is_ours(failure: CallFailed) -> None:
    with pytest.raises(StoreUnavailable, match=str(failure)):
        InboundMail(Bucket(failure=failure), "inbound").open(notice())


def test_a_mail_that_breaks_off_while_it_is_read_is_ours() -> None:
    class Torn(Bucket):
        def get_object(self, **request: Any) -> Any:
            return {"Body": self}

        def read(self, _amount: int) -> bytes:
            raise NoAnswer("ReadTimeoutError")

    with pytest.raises(StoreUnavailable):
        InboundMail(Torn(), "inbound").open(notice())
