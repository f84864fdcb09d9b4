"""Mail in our bucket: a notice is a stranger's word, and what it names is fetched from nowhere else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.envelope import MAX_BYTES
from aftersend.errors import MalformedFeedback, StoreUnavailable
from aftersend.inbox import Inbox

MAIL = b"Subject: Undelivered\r\n\r\nUser unknown\r\n"


class Bucket:
    """A client of S3 with one object in it, or one that fails."""

    def __init__(self, content: bytes = MAIL, failure: CallFailed | None = None) -> None:
        self._content, self._failure = content, failure
        self.asked: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> Any:
        self.asked.append(request)
        if self._failure is not None:
            raise self._failure
        return {"Body": io.BytesIO(self._content)}


def notice(bucket: str = "inbound", key: str = "mail/1", kind: str = "S3") -> bytes:
    action = {"type": kind, "bucketName": bucket, "objectKey": key}
    return json.dumps({"notificationType": "Received", "receipt": {"action": action}}).encode()


def test_a_notice_becomes_the_mail_that_it_names() -> None:
    bucket = Bucket()
    assert Inbox(bucket, "inbound").open(notice(key="mail/é")) == MAIL
    assert [(each["Bucket"], each["Key"]) for each in bucket.asked] == [("inbound", "mail/é")]


def test_no_more_of_a_large_mail_is_fetched_than_is_read() -> None:
    bucket = Bucket(b"x" * (MAX_BYTES + 1))
    assert len(Inbox(bucket, "inbound").open(notice())) == MAX_BYTES
    assert bucket.asked[0]["Range"] == f"bytes=0-{MAX_BYTES - 1}"


@pytest.mark.parametrize(
    "body", [MAIL, b"", b"{}", b'{"receipt": null}', b"\xff", notice(kind="SNS"), b'{"receipt": 1}']
)
def test_what_is_no_notice_stays_what_it_is(body: bytes) -> None:
    bucket = Bucket()
    assert Inbox(bucket, "inbound").open(body) == body
    assert bucket.asked == []


@pytest.mark.parametrize("body", [notice(bucket="elsewhere"), notice(bucket=""), notice(key="")])
def test_what_is_not_ours_to_read_is_not_asked_for(body: bytes) -> None:
    bucket = Bucket()
    with pytest.raises(MalformedFeedback):
        Inbox(bucket, "inbound").open(body)
    assert bucket.asked == []


@pytest.mark.parametrize("code", ["NoSuchKey", "404"])
def test_a_mail_that_is_gone_is_never_asked_for_again(code: str) -> None:
    with pytest.raises(MalformedFeedback, match="gone"):
        Inbox(Bucket(failure=Refusal(code, {})), "inbound").open(notice())


@pytest.mark.parametrize("failure", [Refusal("AccessDenied", {}), Refusal("SlowDown", {}), NoAnswer("TimeoutError")])
def test_a_bucket_that_does_not_answer_is_ours(failure: CallFailed) -> None:
    with pytest.raises(StoreUnavailable, match=str(failure)):
        Inbox(Bucket(failure=failure), "inbound").open(notice())


def test_a_mail_that_breaks_off_while_it_is_read_is_ours() -> None:
    class Torn(Bucket):
        def get_object(self, **request: Any) -> Any:
            return {"Body": self}

        def read(self, _amount: int) -> bytes:
            raise NoAnswer("ReadTimeoutError")

    with pytest.raises(StoreUnavailable):
        Inbox(Torn(), "inbound").open(notice())
