"""Mail comes from strangers: whatever its bytes, the report parser returns, soon, or says that it is no mail.

The corpus is a folder with `mails.jsonl` and `mails/`; AFTERSEND_CORPUS names it. Our own samples are always read.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.core.recipient import MAX_RECIPIENT_BYTES as MAX_ADDRESS
from aftersend.sources import report
from aftersend.sources.report.status import MAX_RECIPIENTS
from local.samples import EVENTS

OWN = sorted(path for path in (EVENTS / "report").glob("*.*") if not path.name.endswith(".expected.json"))
CORPUS = os.environ.get("AFTERSEND_CORPUS", "")
THEIRS = sorted((Path(CORPUS) / "mails").rglob("*.eml")) if CORPUS else []
SOON = 1.0  # seconds of CPU for a megabyte; the slowest needs a fifteenth of it
NOTICE = b"From: MAILER-DAEMON@mx.example.net\nTo: bounces@example.com\nSubject: Undelivered Mail\n"
TEXT = NOTICE + b"Content-Type: text/plain\n\nuser unknown\n"
MEGABYTE = 1_000_000


def read(raw: bytes) -> list[Feedback] | str:
    """What the parser says; everything it says is bounded."""
    try:
        facts = report.parse(raw)
    except MalformedFeedback as error:
        return error.why
    assert len(facts) <= MAX_RECIPIENTS
    for fact in facts:
        assert fact.recipient.startswith("email:")
        assert len(fact.recipient.encode()) <= MAX_ADDRESS + len("email:")
        assert len(fact.message.encode()) <= 250
        assert fact.evidence is not None and len((fact.evidence.text or "").encode()) <= 1_024
    return facts


def nested(depth: int, kind: bytes) -> bytes:
    """Parts in parts in parts."""
    top = [b'Content-Type: %s; boundary="b%d"\n\n--b%d\n' % (kind, each, each) for each in range(depth)]
    return NOTICE + b"".join(top) + b"Content-Type: text/plain\n\nuser unknown\n"


HOSTILE = {
    "nested multiparts": nested(5_000, b"multipart/mixed"),
    "nested reports": nested(5_000, b"multipart/report"),
    "nested messages": NOTICE + b"Content-Type: message/rfc822\n\nFrom: MAILER-DAEMON@x.example\n" * 15_000,
    "a giant header": b"X-A: " + b"a" * MEGABYTE + b"\n" + TEXT,
    "a folded giant": b"X-A: a\n" + b" a\n" * 300_000 + TEXT,
    "many headers": b"X-A: a@b.example\n" * 60_000 + TEXT,
    "many recipients": NOTICE + b"To: " + b"a@b.example, " * 70_000 + b"\n\nuser unknown\n",
    "many parameters": b"Content-Type: multipart/mixed; " + b'a="b"; ' * 140_000 + b"\n" + TEXT,
    "a base64 bomb": NOTICE + b"Content-Transfer-Encoding: base64\n\n" + b"QUFB" * 250_000,
    "a quoted-printable bomb": NOTICE + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=41=" * 250_000,
    "many parts": NOTICE + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 120_000,
    "almost boundaries": NOTICE + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bb\n\nx\n" * 120_000,
    "no boundary": NOTICE + b"Content-Type: multipart/mixed\n\n" + b"\n--a" * 250_000,
    "open tags": NOTICE + b"Content-Type: text/html\n\n" + b"<a " * 330_000,
    "open styles": NOTICE + b"Content-Type: text/html\n\n" + b"<style>" * 140_000,
    "entities": NOTICE + b"Content-Type: text/html\n\n" + b"&#x41;&lt" * 100_000,
    "at signs": TEXT + b"@" * MEGABYTE,
    "half addresses": TEXT + b"a@" * 500_000,
    "a long address": TEXT + b"a" * MEGABYTE + b"@b.example",
    "a long domain": TEXT + b"a@b" + b".b" * 400_000,
    "quoted locals": TEXT + b'"a"@' * 200_000,
    "brackets": TEXT + b"<" * MEGABYTE,
    "parentheses": TEXT + b"(" * MEGABYTE,
    "addresses": TEXT + b"".join(b"a%d@b.example:\n  why\n" % each for each in range(40_000)),
    "labels": TEXT + b"recipient: " * 90_000,
    "replies": TEXT + b"550 5.1.1 a\n" * 80_000,
    "blanks": TEXT + b" " * MEGABYTE,
    "lines": TEXT + b"\n" * MEGABYTE,
    "carriage returns": TEXT.replace(b"\n", b"\r") + b"\r" * MEGABYTE,
    "recipients": TEXT + b"Final-Recipient: rfc822; a@b.example\n" * 28_000,
    "distinct recipients": NOTICE
    + b"Content-Type: message/delivery-status\n\n"
    + b"".join(b"Final-Recipient: rfc822; a%d@b.example\nAction: failed\n\n" % each for each in range(20_000)),
    "recipients in many parts": NOTICE
    + b"Content-Type: multipart/report; boundary=b\n\n"
    + b"".join(
        b"--b\nContent-Type: message/delivery-status\n\n"
        + b"".join(b"Final-Recipient: rfc822; a%d.%d@b.example\n\n" % (part, each) for each in range(200))
        for part in range(39)
    ),
    "internal recipients": NOTICE
    + b"Content-Type: message/delivery-status\n\n"
    + b"".join(
        b"Original-Recipient: rfc822; a%d@b.example\nFinal-Recipient: rfc822; a%d@b.local\n\n" % (each, each)
        for each in range(5_000)
    ),
    "reports in a mailbox": b"".join(
        b"From a Thu Apr 29 23:34:45 2025\n"
        + NOTICE
        + b"Content-Type: message/delivery-status\n\n"
        + b"".join(b"Final-Recipient: rfc822; a%d.%d@b.example\n\n" % (mail, each) for each in range(200))
        + b"\n"
        for mail in range(16)
    ),
    "footers": TEXT + b"\nthis message is confidential\n550 5.1.1 a" * 20_000,
    "rules": TEXT + b"\n________" * 100_000,
    "screen names": TEXT + b"following recipients:\n" * 40_000,
    "names of one word": TEXT + b"following recipients:\n" + b"anna\n" * 150_000,
    "header blocks": TEXT + b"\n\nSubject: a\nTo: b\nX-A: c\n" * 40_000,
    "encoded words": b"Subject: " + b"=?utf-8?B?QQ==?= " * 60_000 + b"\n" + TEXT,
    "references": NOTICE + b"Auto-Submitted: auto-replied\nReferences: " + b"<a@b.example> " * 70_000 + b"\n\n",
    "an unsubscribe link": NOTICE
    + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\n"
    + b"Feedback-Type: abuse\n\n--b\nContent-Type: message/rfc822\n\nList-Unsubscribe: "
    + b"?a=%40" * 100_000,
    "nested JSON": b'{"notificationType":"Received","content":' + b"[" * 500_000,
    "JSON in a text": NOTICE + b'\n"notificationType"{"Type":"Notification","Message":' + b"[" * 100_000 + b"}",
    "a mailbox": b"From a Thu Apr 29 23:34:45 2025\nA: b\n" * 25_000,
    "escapes": TEXT + b"\x1b$B" * 300_000,
    "UTF-7": NOTICE + b"Content-Type: text/plain; charset=utf-7\n\n" + b"+AAA" * 250_000,
    "a codec of Python": NOTICE + b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 100_000,
    "a date": b"Date: " + b"(" * 3_000 + b"\n" + TEXT,
    "nulls": NOTICE + b"\n" + b"\x00" * MEGABYTE,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mail_is_cut_and_not_followed(raw: bytes) -> None:
    begun = time.process_time()
    read(raw)
    assert time.process_time() - begun < SOON


@pytest.mark.parametrize("path", OWN[::4], ids=lambda path: path.name)
def test_every_truncation_of_a_sample_returns(path: Path) -> None:
    whole = path.read_bytes()
    for end in range(0, len(whole), max(1, len(whole) // 400)):
        read(whole[:end])


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_flipped_bytes_of_a_sample_return(path: Path) -> None:
    whole, dice = path.read_bytes(), random.Random(path.name)
    for _ in range(30):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 40)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        read(bytes(broken))


@given(st.binary(max_size=400))
def test_any_bytes_return(raw: bytes) -> None:
    read(raw)
    read(TEXT + raw)
    read(NOTICE + raw)


_PIECES = st.sampled_from(
    [
        *(b"\n", b"\n\n", b"\r", b"--b", b"--b--", b": ", b"@", b"<a@b.example>", b"550 5.1.1 ", b"\x00", b"\xff"),
        *(b"Final-Recipient: ", b"Action: ", b"Content-Type: multipart/mixed; boundary=b\n", b"From ", b"=?utf-8?b?"),
        *(b"Content-Type: message/rfc822\n", b"Content-Type: message/delivery-status\n", b"(", b"{", b"=", b";", b'"'),
        *(b"\x1b$B", b"+tag"),
    ]
)


@given(st.lists(_PIECES, max_size=60))
def test_any_mixture_of_what_mails_are_made_of_returns(pieces: list[bytes]) -> None:
    read(NOTICE + b"".join(pieces))


needs_corpus = pytest.mark.skipif(not THEIRS, reason="AFTERSEND_CORPUS names no folder with mails")


@needs_corpus
@pytest.mark.parametrize("path", THEIRS, ids=lambda path: path.name)
def test_every_mail_of_the_corpus_says_the_same_with_any_line_end(path: Path) -> None:
    lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    facts = read(lines)
    assert read(lines.replace(b"\n", b"\r\n")) == facts
    assert read(lines.replace(b"\n", b"\r")) == facts


@needs_corpus
@pytest.mark.parametrize("path", THEIRS[::10], ids=lambda path: path.name)
def test_every_truncation_of_a_mail_of_the_corpus_returns(path: Path) -> None:
    whole = path.read_bytes()[:16_384]
    for end in range(0, len(whole), max(1, len(whole) // 1_000)):
        read(whole[:end])
