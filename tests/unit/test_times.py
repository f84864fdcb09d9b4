"""Times as sources write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.times import UNKNOWN_TIME, format_time, parse_time

NOON = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)

WRITTEN = [
    ("2026-03-02T12:00:05Z", NOON),
    ("2026-03-02T12:00:05.000Z", NOON),
    ("2026-03-02T12:00:05", NOON),
    ("2026-03-02 12:00:05", NOON),
    ("2026-03-02T13:00:05+01:00", NOON),
    ("2026-03-02T13:00:05+0100", NOON),
    ("2026-03-02T04:00:05 -0800", NOON),
    ("2026-03-02T12:00:05 +00:00", NOON),
    ("2026-03-02T12:00:05.123456789Z", NOON + timedelta(milliseconds=123)),
    ("2026-03-02T12:00:05.9Z", NOON + timedelta(milliseconds=900)),
    ("2026-03-02T12:00:05.9999Z", NOON + timedelta(milliseconds=999)),
    ("Mon, 02 Mar 2026 12:00:05 +0000", NOON),
    ("Mon, 2 Mar 2026 13:00:05 +0100 (CET)", NOON),
    (" 2026-03-02T12:00:05 Z ", NOON),
    (" 2026-03-02T12:00:05 ", NOON),
    ("2026-03-02T04:00:05.250 -0800", NOON + timedelta(milliseconds=250)),
    ("1970-01-01T00:00:00Z", UNKNOWN_TIME),
    ("1969-12-31T23:00:00-01:00", UNKNOWN_TIME),
    ("2199-12-31T23:59:59Z", datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), WRITTEN)
def test_every_way_of_writing_is_one_instant(text: str, moment: datetime) -> None:
    found = parse_time(text)
    assert found == moment
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-02T12:00:05Z",
        "2026-03-02T25:00:05Z",
        "1969-12-31T23:59:59.999Z",
        "2200-01-01T00:00:00Z",
        "2199-12-31T23:00:00-01:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "Mon, 99 Mar 2026 12:00:05 +0000",
        "1 Jan 99999999999999999999 00:00:00 +0000",
        "1 Jan 2026 00:00:00 +99999999999999",
        "1 Jan 2026 99999999999:00:00 +0000",
        "9" * 5000,
        "-" * 100_000,
    ],
)
def test_what_is_no_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


_numbers = st.integers(-(10**20), 10**20).map(str) | st.sampled_from(["0", "1", "31", "99", "2026", "nan", "-", ""])


@given(
    st.text(max_size=40)
    | st.builds("{} {} {} {}:{}:{} {}".format, _numbers, st.sampled_from(["Jan", "Feb"]), *[_numbers] * 5)
    | st.builds("{}-{}-{}T{}:{}:{}{}".format, *[_numbers] * 7)
)
def test_a_text_of_any_shape_is_a_time_or_a_value_error(text: str) -> None:
    try:
        found = parse_time(text)
    except ValueError:
        return
    assert found.tzinfo is UTC
    assert parse_time(format_time(found)) == found


_moments = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 31)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)


@given(_moments, _moments)
def test_written_times_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    assert (format_time(one) < format_time(other)) == (one < other)
    assert parse_time(format_time(one)) == one


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    assert format_time(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-03-02T12:00:05.000Z"
    assert format_time(UNKNOWN_TIME) == "1970-01-01T00:00:00.000Z"
