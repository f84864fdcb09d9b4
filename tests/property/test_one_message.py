"""One message is one outcome, whichever of its ids a body gives first: every source that tells of it, in any order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.core.message_key import make_message_key
from aftersend.core.model import CauseKind, Status
from aftersend.ingest import ingest
from aftersend.sources.message import Message
from aftersend.storage import items
from tests.support import mailerq, ses
from tests.support.facts import START
from tests.support.mailerq import ACCEPTED, ANN, attempt
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import deliveries

Body = tuple[str, bytes, str]  # source, body, the queue it lay in

MESSAGE_ID: Final = "m-1@example.com"
ENVELOPE_ID: Final = "order-4711"
SES_ID: Final = "010f0001-000000"


@lru_cache(maxsize=1)
def _rules() -> classify.Classifier:
    return classify.load()


def dsn(message_id: str | None, envelope_id: str | None, *, action: str = "failed", status: str = "5.1.1") -> Body:
    """A delivery report with those of both ids that it knows."""
    known = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    returned = f"\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{message_id}>\n" if message_id else ""
    fields = f"{known}Arrival-Date: Mon, 2 Mar 2026 10:00:00 +0000\n\nFinal-Recipient: rfc822; {ANN}\nAction: {action}"
    mail = (
        "From: mailer-daemon@example.net\nTo: bounces@example.com\nDate: Tue, 3 Mar 2026 10:00:00 +0000\n"
        "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nThe message could not be delivered.\n"
        f"--b\nContent-Type: message/delivery-status\n\n{fields}\nStatus: {status}\n{returned}\n--b--\n"
    )
    return "report", mail.encode(), ""


def arf(message_id: str) -> Body:
    """A feedback-loop report."""
    mail = (
        "From: fbl@example.net\nTo: abuse@example.com\nDate: Wed, 4 Mar 2026 10:00:00 +0000\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: {ANN}\n"
        f"\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{message_id}>\n\n--b--\n"
    )
    return "report", mail.encode(), ""


def answer(message_id: str) -> Body:
    """An automatic reply."""
    mail = (
        f"From: {ANN}\nTo: news@example.com\nSubject: Out of office\nAuto-Submitted: auto-replied\n"
        f"Date: Mon, 2 Mar 2026 12:00:00 +0000\nIn-Reply-To: <{message_id}>\n\nI am away.\n"
    )
    return "report", mail.encode(), ""


def result(ids: Mapping[str, Any], queue: str = "results", *attempts: mailerq.Body) -> Body:
    made = attempts or (attempt("rcptto/error", 450, "4.2.0", "4.2.0 try later"), attempt(*ACCEPTED, hours=1))
    return "mailerq", mailerq.raw(mailerq.message(*made, **ids)), queue


_EXTRACTED: Final = {"extracted": {"headers": {"message-id": f"<{MESSAGE_ID}>"}}}
_DSN: Final = {"dsn": {"notify": "success,failure", "envid": ENVELOPE_ID}}
_SMTP: Final = _EXTRACTED | _DSN | {"message-id": "gdsfu232"}  # it also has MailerQ's own
_CLOUD: Final[dict[str, Any]] = {"source": "acs.dm", "type": "dm:Deliver:Succeed", "time": "2026-03-02T10:00:00Z"}
_TEXT: Final = f"msg_id={MESSAGE_ID}&from=edm@example.com&rcpt={ANN}"


def _cloud(**data: str) -> Body:
    return "directmail", json.dumps(_CLOUD | {"data": {"env_id": "60001"} | data}).encode(), ""


# Each: the first body is of a system that cannot be forged and says "delivered"; some of the others refuse for good.
STORIES: Final[dict[str, tuple[list[Body], bool]]] = {
    "mailerq, asked for reports": (
        [
            result(_EXTRACTED | _DSN | {"message-id": None}),
            dsn(MESSAGE_ID, ENVELOPE_ID, action="delivered", status="2.0.0"),
            dsn(MESSAGE_ID, ENVELOPE_ID),
            dsn(MESSAGE_ID, None),
        ],
        True,
    ),
    "mailerq, by SMTP": (
        [
            result(_SMTP),
            result(_SMTP, "retry", attempt("rcptto/error", 450, "4.2.0", "4.2.0 try later")),
            result({"message-id": "gdsfu232"} | _DSN, "retry", attempt("storage/lost")),
            dsn(MESSAGE_ID, None),
            answer(MESSAGE_ID),
            arf(MESSAGE_ID),
        ],
        True,
    ),
    "mailerq without the mail's headers": (
        [result({"message-id": "gdsfu232"} | _DSN), dsn(None, ENVELOPE_ID), dsn(None, f"<{ENVELOPE_ID}>")],
        True,
    ),
    "mailerq, the Message-ID as envelope id": (
        [
            result({"message-id": "gdsfu232", "dsn": {"envid": MESSAGE_ID}}),
            result(_EXTRACTED | {"message-id": None}, "success"),
            result({"message-id": f"<{MESSAGE_ID}>"}, "success"),
            dsn(None, MESSAGE_ID.replace("@", "+40")),
            dsn(MESSAGE_ID, None),
        ],
        True,
    ),
    "directmail": (
        [
            _cloud(msg_id=MESSAGE_ID, rcpt=ANN, deliver_time="2026-03-02T18:00:00", status="0", err_code="250"),
            ("directmail", f"event=Open&env_id=60001&{_TEXT}&operate_time=2026-03-02 19:00:00".encode(), ""),
            ("directmail", f"event=Click&{_TEXT}&operate_time=2026-03-02 19:00:00&url=https://a.example".encode(), ""),
            ("directmail", json.dumps(
                _CLOUD | {"type": "dm:Feedback:FblReport", "data": {
                    "send_email": "edm@example.com", "block_email": ANN, "message_id": f"<{MESSAGE_ID}>",
                    "block_time": "1772503200"}}
            ).encode(), ""),
            dsn(MESSAGE_ID, None),
            answer(MESSAGE_ID),
        ],
        True,
    ),
    "ses": (
        [
            ("ses", json.dumps(ses.delivery("2026-03-02T10:00:00.000Z", recipient=ANN, number=1)).encode(), ""),
            dsn(f"{SES_ID}@eu-west-1.amazonses.com", None),
            dsn(f"{SES_ID}@email.amazonses.com", "anything"),
            arf(f"{SES_ID}@eu-west-1.amazonses.com"),
            answer(f"{SES_ID}@eu-west-1.amazonses.com"),
        ],
        False,  # Amazon SES reports on its own messages: what comes by mail may be asked for more
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
@given(data=st.data())
def test_all_that_is_told_of_one_message_ends_in_one_outcome(name: str, data: st.DataObject) -> None:
    """Laws 1 to 3, across sources; the refusal that comes after the delivery suppresses, whatever came first."""
    bodies, suppresses = STORIES[name]
    store = MemoryStore()
    for batch in data.draw(deliveries(bodies)):
        messages = [
            Message(str(number), body, START, source, {"x-queue": queue} if queue else {})
            for number, (source, body, queue) in enumerate(batch)
        ]
        report = ingest(messages, ports(store, classify=_rules()))
        assert not report.failed and not report.unreadable
    (outcome,) = map(items.decode_outcome, store.outcomes_table.values())
    assert outcome.recipient == f"email:{ANN}"
    if suppresses:
        assert outcome.status in (Status.BOUNCED, Status.COMPLAINED)
        assert outcome.bounced_at is not None
        (suppression,) = map(items.decode_suppression, store.suppressions_table.values())
        assert CauseKind.HARD in suppression.causes


_ids = st.none() | st.sampled_from(
    ["", " ", "<>", "<a@example.com>", "a@example.com", "QQ-1", "<QQ-1>", "@", "x" * 300]
)


@given(_ids, _ids, st.sampled_from(["", "own:1"]))
def test_the_first_id_names_the_message(message_id: str | None, envelope_id: str | None, own: str) -> None:
    """The Message-ID, else the envelope id, else what the source calls it; an id that says nothing is none."""
    key = make_message_key(message_id, envelope_id, own)
    assert len(key) <= 210
    if message_id and message_id.strip("<> "):
        assert key == make_message_key(message_id) and key.startswith("rfc5322:")
    elif envelope_id and envelope_id.strip("<> "):
        assert key == make_message_key(None, envelope_id, "another") and key.startswith(("envid:", "rfc5322:"))
    else:
        assert key == own
