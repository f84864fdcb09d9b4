"""Samples with their dates moved: the same feedback, of the last days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources import read
from local.dates import LAST, move
from local.samples import Sample, samples

TODAY = date(2031, 1, 2)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # of what has no time
RECENT = timedelta(days=40)
# Of a receipt; they begin with a century or not, which the time of the envelope around it decides.
TWELVE = re.compile(rb"date:20\d{10}(?!\d)")
HIDDEN = re.compile(rb'"pdu":|H4sI|\A[0-9a-fA-F\s]+\Z')  # a PDU in hexadecimal, and what is compressed: no date shows


def facts(sample: Sample) -> list[Feedback] | None:
    try:
        return read(sample.source, sample.body(), sample.headers)
    except MalformedFeedback:
        return None


def test_no_story_is_later_than_the_day_on_which_they_end() -> None:
    assert max(fact.occurred_at.date() for each in samples() for fact in facts(each) or ()) == LAST


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_a_sample_says_the_same_of_these_days(sample: Sample) -> None:
    moved = move(sample, TODAY)
    before, after = facts(sample), facts(moved)
    if before is None or after is None:
        assert before == after
        return
    if TWELVE.search(sample.body()):
        return
    for old, new in zip(before, after, strict=True):
        assert (new.kind, new.recipient, new.evidence is None) == (old.kind, old.recipient, old.evidence is None)
        assert new.occurred_at.timetz() == old.occurred_at.timetz()
        is_hidden = HIDDEN.search(sample.body()) and moved.body() == sample.body()
        if old.occurred_at != EPOCH and not is_hidden and not sample.path.name.startswith("packed"):
            age = TODAY - new.occurred_at.date()
            assert timedelta(0) < age < RECENT


def test_what_belongs_together_is_moved_by_the_same_days() -> None:
    story = [each for each in samples() if each.name.startswith("ses/story-streak")]
    moved = [move(each, TODAY) for each in story]
    days = {
        new.occurred_at - old.occurred_at
        for each, later in zip(story, moved, strict=True)
        for old, new in zip(facts(each) or (), facts(later) or (), strict=True)
    }
    assert days == {TODAY - timedelta(days=1) - LAST}


def of(text: str) -> Sample:
    return Sample("ses", Path("body.json"), text.encode())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-03-10T23:59:59.999Z", "2031-01-01T23:59:59.999Z"),
        ("time=2026-03-09 10:00:00&x", "time=2030-12-31 10:00:00&x"),
        ("time=2026-03-09%2010%3A00", "time=2030-12-31%2010%3A00"),
        ("Tue, 10 Mar 2026 08:00:00 +0100", "Wed, 01 Jan 2031 08:00:00 +0100"),
        ("Sun,  1 Mar 2026 08:00:00 +0000", "Mon, 23 Dec 2030 08:00:00 +0000"),
        ("10 Mar 2026 08:00:00 GMT", "01 Jan 2031 08:00:00 GMT"),
        ('"at":1773129600,', '"at":1925020800,'),
        ('"at":1773129600123}', '"at":1925020800123}'),
        ('"at":1773129600.5,', '"at":1925020800.5,'),
        ("%22ts%22%3A1773129600%2C", "%22ts%22%3A1925020800%2C"),
        ("at=2026-03-10T10%3A11%3A12%2B00%3A00", "at=2031-01-01T10%3A11%3A12%2B00%3A00"),
        ("status=x&scts=2603101011&y", "status=x&scts=3101011011&y"),
    ],
)
def test_how_dates_are_written(before: str, after: str) -> None:
    assert move(of(before), TODAY).body().decode() == after


@pytest.mark.parametrize(
    "text",
    [
        "no date",
        "2026-13-41T00:00:00Z",
        "31 Feb 2026 08:00:00",
        "20260310",
        "v2026-03-10",
        "id-1773129600@example.com",
        "0100019500000001773129600",
    ],
)
def test_what_looks_like_one_and_is_none(text: str) -> None:
    assert move(of(text), TODAY).body().decode() == text


def test_what_is_old_is_moved_by_its_own_days() -> None:
    assert move(of("2017-03-28T11:09:51Z"), TODAY).body() == b"2031-01-01T11:09:51Z"


def test_nothing_else_of_a_sample_changes() -> None:
    sample = of("2026-03-10T00:00:00Z")
    assert move(sample, TODAY)._replace(content=None) == sample._replace(content=None)
