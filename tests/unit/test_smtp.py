"""What an SMTP reply says at its beginning."""

from __future__ import annotations

import pytest
from hypothesis import given

from aftersend.sources.smtp_reply import MAX_TEXT, parse_reply
from tests.support.strategies import hostile

REPLIES = [
    ("smtp; 550 5.1.1 <ann@example.com>: unknown", (550, "5.1.1")),
    ("smtp;550 5.1.1 unknown", (550, "5.1.1")),
    ("SMTP; 550-5.1.1 unknown", (550, "5.1.1")),
    ("550 5.1.1 unknown", (550, "5.1.1")),
    ("550-5.1.1 first line", (550, "5.1.1")),
    ("550 unknown", (550, None)),
    ("550", (550, None)),
    ("5.1.1 unknown", (None, "5.1.1")),
    ("550 #5.1.0 Address rejected", (550, "5.1.0")),
    ("x-postfix; 450 4.2.0 greylisted", (450, "4.2.0")),
    ("250 2.0.0 OK", (250, "2.0.0")),
    ("Amazon SES did not send to 5501 people", (None, None)),
    ("5501 is no code", (None, None)),
    ("199 is no reply", (None, None)),
    ("smtp; unknown", (None, None)),
    ("550 5.1.1234 odd", (550, None)),
    ("dns; mx.example.com", (None, None)),
]


@pytest.mark.parametrize(("diagnostic", "codes"), REPLIES)
def test_code_and_status(diagnostic: str, codes: tuple[int | None, str | None]) -> None:
    assert parse_reply(diagnostic)[:2] == codes
    assert parse_reply(diagnostic)[2] == diagnostic


def test_nothing_says_nothing() -> None:
    assert parse_reply(None) == parse_reply("") == (None, None, None)
    assert parse_reply("\r\n \x00") == (None, None, None)


@given(hostile)
def test_any_text_is_bounded(diagnostic: str) -> None:
    code, status, text = parse_reply(diagnostic)
    assert code is None or 200 <= code <= 599
    assert status is None or status[0] in "245"
    assert text is None or len(text.encode()) <= MAX_TEXT
    assert parse_reply("550 5.1.1 " + diagnostic)[:2] == (550, "5.1.1")


def test_the_longest_text_is_read_in_no_time() -> None:
    code, _, text = parse_reply("550 " + "5.1." * 300_000)
    assert code == 550
    assert text is not None
    assert len(text) <= MAX_TEXT
