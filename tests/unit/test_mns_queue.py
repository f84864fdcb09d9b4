"""Requests to Alibaba Cloud MNS and what is made of its answers, without a network."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta, timezone
from hashlib import md5
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mns.mns_client import MNSClient  # type: ignore[import-untyped]
from mns.mns_http import RequestInternal  # type: ignore[import-untyped]
from mns.mns_request import BatchDeleteMessageRequest, BatchReceiveMessageRequest  # type: ignore[import-untyped]
from mns.mns_xml_handler import ReceiptHandlesEncoder  # type: ignore[import-untyped]

from aftersend.core.errors import StoreUnavailable
from aftersend.jobs.mns_queue import (
    AlibabaCredentials,
    MnsRequest,
    ReceivedMessage,
    build_delete,
    build_receive,
    read_deleted,
    read_messages,
    sign,
)

KEY = AlibabaCredentials("LTAIkey", "a secret")
NOW = datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)
NAMESPACE = "http://mns.aliyuncs.com/doc/v1/"


def official(
    request: MnsRequest, credentials: AlibabaCredentials, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The headers that Alibaba's own client gives the same request."""
    monkeypatch.setattr(time, "gmtime", now.timetuple)
    theirs = MNSClient(
        "https://1.mns.eu-central-1.aliyuncs.com",
        credentials.key_id,
        credentials.secret,
        security_token=credentials.token,
    )
    inner = RequestInternal(request.method, request.target, data=request.body or "")
    theirs.build_header(BatchReceiveMessageRequest("q", 16), inner)
    headers: dict[str, str] = {name.lower(): value for name, value in inner.header.items()}
    return headers


@pytest.mark.parametrize("token", ["", "an STS token"])
@pytest.mark.parametrize(
    "request_", [build_receive("directmail", 10), build_delete("q", ["a", "b/+=&<"]), MnsRequest("GET", "/")]
)
def test_a_signature_is_that_of_the_official_client(
    request_: MnsRequest, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = AlibabaCredentials("LTAIkey", "a secret", token)
    theirs, ours = official(request_, key, NOW, monkeypatch), sign(request_, key, NOW)
    assert ours["authorization"].startswith("MNS LTAIkey:")
    assert ours == {name: theirs[name] for name in ours}
    assert theirs.keys() - ours.keys() == {"connection", "host", "user-agent"}


def test_requests_are_those_of_the_official_client() -> None:
    receive = BatchReceiveMessageRequest("q", 16, wait_seconds=10)
    target = (
        f"/queues/{receive.queue_name}/messages?numOfMessages={receive.batch_size}&waitseconds={receive.wait_seconds}"
    )
    assert (build_receive("q", 10).method, build_receive("q", 10).target) == (receive.method, target)
    receipts = ["1-a&b", "2-<c>"]
    mine, theirs = build_delete("q", receipts), ReceiptHandlesEncoder.encode(receipts)
    assert mine.method == BatchDeleteMessageRequest("q", receipts).method
    assert ElementTree.canonicalize(mine.body, strip_text=True) == ElementTree.canonicalize(theirs, strip_text=True)


def test_the_digest_of_a_body_is_that_of_its_digits() -> None:
    request = build_delete("q", ["a"])
    digits = base64.b64decode(sign(request, KEY, NOW)["content-md5"]).decode()
    assert digits == md5(request.body).hexdigest()


def test_the_time_is_sent_in_gmt_wherever_we_are() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    assert sign(build_receive("q", 1), KEY, there) == sign(build_receive("q", 1), KEY, NOW)
    assert sign(build_receive("q", 1), KEY, NOW)["date"] == "Mon, 02 Mar 2026 10:11:12 GMT"


def test_a_key_keeps_its_secret() -> None:
    assert "secret" not in repr(KEY)
    assert "secret" not in str(sign(build_receive("q", 1), KEY, NOW))


# ---- Answers ---------------------------------------------------------------------------------------------------------


def document(name: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><{name} xmlns="{NAMESPACE}">{content}</{name}>'.encode()


def entry(body: str, receipt: str = "r") -> str:
    fields = f"<MessageId>1</MessageId><ReceiptHandle>{receipt}</ReceiptHandle><MessageBody>{body}</MessageBody>"
    return f"<Message>{fields}<DequeueCount>1</DequeueCount></Message>"


def error(code: str) -> bytes:
    return document("Error", f"<Code>{code}</Code><Message>for ann@example.com</Message><RequestId>1</RequestId>")


def test_every_message_with_its_receipt() -> None:
    answer = document(
        "Messages", entry("a=1&amp;b=&lt;é&gt;", "x&amp;y") + entry('<![CDATA[{"é": 1}]]>', "z") + entry("", "e")
    )
    assert read_messages(200, answer) == [
        ReceivedMessage("a=1&b=<é>".encode(), "x&y"),
        ReceivedMessage('{"é": 1}'.encode(), "z"),
        ReceivedMessage(b"", "e"),
    ]


def test_an_empty_queue_is_no_error() -> None:
    assert read_messages(404, error("MessageNotExist")) == []
    assert read_messages(200, document("Messages", "")) == []


def test_a_message_without_a_receipt_stays_where_it_is() -> None:
    assert read_messages(200, document("Messages", "<Message><MessageBody>a</MessageBody></Message>")) == []


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (403, error("SignatureNotMatch"), "403 SignatureNotMatch"),
        (404, error("QueueNotExist"), "404 QueueNotExist"),
        (200, error("MessageNotExist"), "200 MessageNotExist"),
        (500, b"<html><body>oops", "500, an answer that is no XML"),
        (502, b"", "502, an answer that is no XML"),
        (200, document("Message", "<MessageBody>a</MessageBody>"), "200 $"),
        (403, error("ann@example.com &lt;script&gt; " + "x" * 500), "403 annexample.comscriptx+$"),
    ],
)
def test_any_other_answer_is_trouble_and_is_named_without_its_text(status: int, answer: bytes, why: str) -> None:
    with pytest.raises(StoreUnavailable, match=f"^MNS: {why}") as raised:
        read_messages(status, answer)
    assert "ann@" not in str(raised.value)
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("inside", "body"),
    [
        ("550 no\x01 such\x00 user", "550 no  such  user"),
        ("550 &#1; &#x0; &#xFFFE; &#x1F600; &#233;", "550       \U0001f600 é"),
        ("&#99999999; &#xFFFFFFFF;", "   "),
    ],
)
def test_what_xml_cannot_carry_holds_up_nothing(inside: str, body: str) -> None:
    """A mail server may answer with any byte, and MNS hands on what DirectMail quotes."""
    answer = document("Messages", entry("before") + entry(inside) + entry("after"))
    assert [each.body.decode() for each in read_messages(200, answer)] == ["before", body, "after"]


def test_bytes_that_are_no_utf8_hold_up_nothing() -> None:
    answer = document("Messages", entry("before") + entry("BYTES") + entry("after")).replace(b"BYTES", b"\xe9\xff")
    assert [each.body.decode() for each in read_messages(200, answer)] == ["before", "\ufffd\ufffd", "after"]


@pytest.mark.parametrize(
    "answer",
    [
        b'<!DOCTYPE a [<!ENTITY b "c">]><Messages><Message><MessageBody>&b;</MessageBody></Message></Messages>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Messages/>',
        b'<?xml version="1.0" encoding="utf-16"?>\xff\xfe<\x00a\x00/\x00>\x00',
        b"<Messages>" + b"<a>" * 100_000,
        b"<Messages>&unknown;</Messages>",
    ],
)
def test_mischief_is_refused(answer: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="no XML"):
        read_messages(200, answer)


def test_what_was_not_deleted_is_named() -> None:
    receipts = ["a", "b&c"]
    failed = "".join(
        f"<Error><ErrorCode>{code}</ErrorCode><ErrorMessage>m</ErrorMessage><ReceiptHandle>{receipt}</ReceiptHandle></Error>"
        for receipt, code in (("b&amp;c", "MessageNotExist"),)
    )
    assert read_deleted(204, b"", receipts) == {}
    assert read_deleted(404, document("Errors", failed), receipts) == {"b&c": "MessageNotExist"}
    for code in ("MessageNotExist", "ReceiptHandleError"):
        assert read_deleted(400, error(code), receipts) == {"a": code, "b&c": code}
    with pytest.raises(StoreUnavailable, match="403 AccessDenied"):
        read_deleted(403, error("AccessDenied"), receipts)


_pieces: Any = st.sampled_from(
    [
        b"<Messages>",
        b"</Messages>",
        b"<Message>",
        b"</Message>",
        b"<MessageBody>",
        b"<ReceiptHandle>r",
        b"&#0;",
        b"<Error>",
    ]
)


@given(st.integers(100, 599), st.binary(max_size=60) | st.lists(_pieces | st.binary(max_size=3)).map(b"".join))
def test_nothing_but_messages_and_trouble_comes_out(status: int, answer: bytes) -> None:
    for read in (lambda: read_messages(status, answer), lambda: read_deleted(status, answer, ["r"])):
        try:
            assert isinstance(read(), list | dict)
        except StoreUnavailable as trouble:
            assert str(trouble).isprintable()
